// SPDX-License-Identifier: GPL-2.0-only
/* Slots by themselves, and chains of them against a walk for each block. */
#include "slot.h"
#include "test.h"

#define LAYERS_MAX 12

static void on_disk(void **state)
{
	static const struct ckpt_state s = { 0x060504030201ull, 0x0d0c0b0a, 0x14131211, 0 };
	static const u8 bytes[16] = { 1, 2, 3, 4, 5, 6, 0, 0, 10, 11, 12, 13, 17, 18, 19, 20 };
	struct ckpt_slot slot = ckpt_slot_encode(&s);
	struct ckpt_state again = ckpt_slot_decode(&slot);

	(void)state;
	assert_memory_equal(&slot, bytes, sizeof(bytes));
	assert_int_equal(again.where, s.where);
	assert_int_equal(again.present, s.present);
	assert_int_equal(again.zero, s.zero);
}

/* ---- what a slot may say ---- */

/* Which one from where the slot begins is block @i, counted one by one. */
static unsigned int spot(const struct ckpt_state *s, unsigned int i)
{
	unsigned int nr = 0, b;

	if (!s->packed)
		return i;
	for (b = 0; b < i; b++)
		nr += s->packed >> b & 1;
	return nr;
}

/* Have some blocks of a slot one behind the other, with places of some that have gone. */
static void pack(struct ckpt_state *s)
{
	u32 gone = random_mask() & ~s->present;

	s->packed = s->present | gone;
	s->zero = once_in(2) ? s->zero | gone : s->zero & ~gone;
}

static void same(const struct ckpt_state *a, const struct ckpt_state *b)
{
	assert_int_equal(a->where, b->where);
	assert_int_equal(a->present, b->present);
	assert_int_equal(a->zero, b->zero);
	assert_int_equal(a->packed, b->packed);
}

/* As it is written, a packed slot says the same when it is read, also one that has lost blocks. */
static void packed_ones(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 50000; round++) {
		struct ckpt_geometry g = geometry((unsigned int)below(BLOCK_SHIFTS));
		struct ckpt_state s = { .where = 1 << 20, .present = random_mask() }, again;
		struct ckpt_slot slot;
		u32 spots = 0;

		s.zero = random_mask() & ~s.present;
		if (!s.present)
			continue;
		pack(&s);
		assert_true(ckpt_state_encodes(&s));
		slot = ckpt_slot_encode(&s);
		again = ckpt_slot_decode(&slot);
		same(&s, &again);
		for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
			u64 offset = (u64)i << g.block_shift;

			if (!(s.packed >> i & 1))
				continue;
			assert_int_equal(ckpt_state_sector(&g, &s, offset),
					 s.where + ((u64)spot(&s, i) << g.block_shift));
			if (s.present >> i & 1)
				spots |= 1u << spot(&s, i);
		}
		assert_int_equal(ckpt_state_spots(&s, s.present), spots);
		/* All that goes next must be alike. */
		i = (u32)__builtin_ctz(s.present);
		s.present &= ~(1u << i);
		s.zero |= once_in(2) ? 1u << i : 0;
		if (!ckpt_state_encodes(&s))
			continue;
		slot = ckpt_slot_raw(&s);
		again = ckpt_slot_decode(&slot);
		same(&s, &again);
		if (s.present)
			continue;
		slot = ckpt_slot_encode(&s);
		again = ckpt_slot_decode(&slot);
		assert_int_equal(again.where, 0);
		assert_int_equal(again.packed, 0);
		assert_int_equal(again.zero, s.zero);
	}
}

/* Block by block: each one's units are the store's own. */
static bool slow_valid(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	unsigned int i;

	if (!s->present && s->where)
		return false;
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		u64 first = s->where + (u64)spot(s, i) * ckpt_block_sectors(g), last;

		if (!(s->present >> i & 1))
			continue;
		last = first + ckpt_block_sectors(g) - 1;
		if (s->zero >> i & 1 || s->where % 8 || s->where >> 48)
			return false;
		if (first / 8 < ckpt_first_free_unit(g) || last / 8 >= ckpt_store_units(g))
			return false;
	}
	return true;
}

/* Places about both ends of a small store, good and bad. */
static u64 random_where(const struct ckpt_geometry *g)
{
	u64 near = once_in(2) ? ckpt_first_free_unit(g) * 8 : g->sectors;
	u64 cluster = ckpt_cluster_sectors(g), where = near + below(3 * cluster) - 2 * cluster;

	switch (below(20)) {
	case 0:
		return where;
	case 1:
		return where | 1ull << (48 + below(16));
	case 2:
		return random64();
	case 3:
		return 0;
	}
	return where & ~7ull;
}

static void valid_ones(void **state)
{
	unsigned int shift, round, good = 0;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		for (round = 0; round < 20000; round++) {
			struct ckpt_geometry g = geometry(shift);
			struct ckpt_state s = { .present = random_mask() };

			g.sectors = 40000 + below(16);
			s.where = random_where(&g);
			s.zero = random_mask();
			if (!once_in(4))
				s.zero &= ~s.present;
			if (s.present && once_in(3))
				pack(&s);
			assert_int_equal(ckpt_slot_valid(&g, &s), slow_valid(&g, &s));
			good += slow_valid(&g, &s);
		}
	}
	assert_true(good > 10000);
}

/* The bit that is reserved for "changed here, data below". */
static void present_and_zero(void **state)
{
	struct ckpt_geometry g = geometry(3);
	struct ckpt_state s = { 8192, 0x10, 0x10, 0 };

	(void)state;
	assert_false(ckpt_slot_valid(&g, &s));
	s.zero = 0x20;
	assert_true(ckpt_slot_valid(&g, &s));
}

/* ---- chains ---- */

struct layer {
	struct ckpt_state slot;
	u64 sectors;
};

struct chain {
	struct ckpt_geometry g;
	u64 cluster;
	unsigned int nr;
	struct layer layer[LAYERS_MAX];	/* from the top down */
	u64 base_sectors;
};

/* What one block reads as. */
enum { FROM_BASE, ZERO, DATA };

struct answer {
	unsigned int kind;
	u64 sector;
};

/* What block @i is, by going down the chain. */
static struct answer walk(const struct chain *c, unsigned int i)
{
	u64 at = (c->cluster << c->g.cluster_shift) + ((u64)i << c->g.block_shift);
	unsigned int l;

	for (l = 0; l < c->nr; l++) {
		const struct layer *layer = &c->layer[l];

		/* A volume's own size is not asked for: nobody reads beyond it. */
		if (l && at >= layer->sectors)
			return (struct answer) { ZERO, 0 };
		if (layer->slot.present >> i & 1)
			return (struct answer) {
				DATA, layer->slot.where +
				      ((u64)spot(&layer->slot, i) << c->g.block_shift)
			};
		if (layer->slot.zero >> i & 1)
			return (struct answer) { ZERO, 0 };
	}
	return (struct answer) { at >= c->base_sectors ? ZERO : FROM_BASE, 0 };
}

/* A size about the cluster, in whole blocks. */
static u64 random_size(const struct chain *c)
{
	u64 block = ckpt_block_sectors(&c->g), start = c->cluster << c->g.cluster_shift;

	switch (below(4)) {
	case 0:
		return start + below(33) * block;
	case 1:
		return block * (1 + below(start / block + 33));
	}
	return start + (32 + below(100)) * block;
}

static void random_chain(struct chain *c)
{
	unsigned int l;

	memset(c, 0, sizeof(*c));
	c->g = geometry((unsigned int)below(BLOCK_SHIFTS));
	c->cluster = once_in(4) ? below(3) : below(1ull << (32 - c->g.block_shift));
	c->nr = (unsigned int)below(LAYERS_MAX + 1);
	for (l = 0; l < c->nr; l++) {
		struct layer *layer = &c->layer[l];

		layer->slot.present = random_mask() & random_mask();
		layer->slot.zero = random_mask() & random_mask() & ~layer->slot.present;
		layer->slot.where = layer->slot.present ? (1 + l) << 24 : 0;
		if (layer->slot.present && once_in(3))
			pack(&layer->slot);
		layer->sectors = random_size(c);
	}
	c->base_sectors = random_size(c);
}

static void lay(const struct chain *c, struct ckpt_resolve *r, unsigned int from, unsigned int to)
{
	unsigned int l;

	for (l = from; l < to; l++) {
		if (l)
			ckpt_resolve_size(&c->g, r, c->cluster, c->layer[l].sectors);
		ckpt_resolve_slot(&c->g, r, &c->layer[l].slot);
	}
}

static void lay_base(const struct chain *c, struct ckpt_resolve *r)
{
	ckpt_resolve_size(&c->g, r, c->cluster, c->base_sectors);
}

/* The resolution says of each block what the walk finds, once. */
static void check(const struct chain *c, const struct ckpt_resolve *r)
{
	unsigned int i, e;

	assert_true(r->nr <= CKPT_CLUSTER_BLOCKS);
	assert_int_equal(r->zero & r->open, 0);
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		struct answer want = walk(c, i), got = { FROM_BASE, 0 };
		unsigned int found = r->zero >> i & 1;

		if (found)
			got.kind = ZERO;
		for (e = 0; e < r->nr; e++) {
			if (!(r->extent[e].mask >> i & 1))
				continue;
			found++;
			got.kind = DATA;
			got.sector = r->extent[e].where + ((u64)i << c->g.block_shift);
		}
		assert_int_equal(found, want.kind != FROM_BASE);
		assert_int_equal(r->open >> i & 1, want.kind == FROM_BASE);
		assert_int_equal(got.kind, want.kind);
		assert_int_equal(got.sector, want.sector);
	}
}

static void chains(void **state)
{
	unsigned int round;
	struct chain c;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct ckpt_resolve r;

		random_chain(&c);
		ckpt_resolve_begin(&r);
		lay(&c, &r, 0, c.nr);
		lay_base(&c, &r);
		check(&c, &r);
	}
}

/* The lower part resolved before, as leaves keep it, and then laid under the rest. */
static void chains_in_two_parts(void **state)
{
	unsigned int round;
	struct chain c;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct ckpt_resolve r, low;
		struct ckpt_under *under;
		unsigned int cut;

		random_chain(&c);
		cut = (unsigned int)below(c.nr + 1);
		ckpt_resolve_begin(&low);
		lay(&c, &low, cut, c.nr);
		lay_base(&c, &low);
		under = malloc(sizeof(*under) + low.nr * sizeof(low.extent[0]));
		under->zero = low.zero;
		under->nr = low.nr;
		memcpy(under->extent, low.extent, low.nr * sizeof(low.extent[0]));

		ckpt_resolve_begin(&r);
		lay(&c, &r, 0, cut);
		ckpt_resolve_under(&r, under);
		check(&c, &r);
		free(under);
	}
}

/* As many places as there can be: each block in a layer of its own. */
static void every_block_elsewhere(void **state)
{
	struct ckpt_resolve *r = malloc(sizeof(*r));
	struct ckpt_geometry g = geometry(3);
	unsigned int i;

	(void)state;
	ckpt_resolve_begin(r);
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		struct ckpt_state s = { (i + 1) << 20, ckpt_mask(0, i + 1), 0, 0 };

		ckpt_resolve_slot(&g, r, &s);
		ckpt_resolve_slot(&g, r, &s);
	}
	assert_int_equal(r->nr, CKPT_CLUSTER_BLOCKS);
	assert_int_equal(r->open, 0);
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		assert_int_equal(r->extent[i].where, (i + 1) << 20);
		assert_int_equal(r->extent[i].mask, 1u << i);
	}
	free(r);
}

static void sizes(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 50000; round++) {
		struct ckpt_resolve r = { .open = random_mask() }, old;
		struct chain c = { .g = geometry((unsigned int)below(BLOCK_SHIFTS)) };
		u64 start, sectors;

		c.cluster = below(1ull << (32 - c.g.block_shift));
		start = c.cluster << c.g.cluster_shift;
		sectors = random_size(&c);
		r.zero = random_mask() & ~r.open;
		old = r;
		ckpt_resolve_size(&c.g, &r, c.cluster, sectors);
		for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
			bool beyond = start + ((u64)i << c.g.block_shift) >= sectors;
			bool was = old.open >> i & 1;

			assert_int_equal(r.open >> i & 1, was && !beyond);
			assert_int_equal(r.zero >> i & 1,
					 (old.zero >> i & 1) || (was && beyond));
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(on_disk),
	cmocka_unit_test(packed_ones),
	cmocka_unit_test(valid_ones),
	cmocka_unit_test(present_and_zero),
	cmocka_unit_test(sizes),
	cmocka_unit_test(chains),
	cmocka_unit_test(chains_in_two_parts),
	cmocka_unit_test(every_block_elsewhere),
};

RUN("slot", tests)
