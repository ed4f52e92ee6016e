// SPDX-License-Identifier: GPL-2.0-only
/* Plans for room, carried out on a map of their own. */
#include "repack.h"
#include "test.h"

/* Of a stretch; what stands beyond its end is seen in the map. */
#define UNITS	1024u
#define MARGIN	512u
#define FREE	0xffffu
#define FIXED	0xfffeu

static struct ckpt_repack *repack, *before;
/* Who has which unit, without a look at what the plan thinks; slots by number. */
static u16 map[UNITS + 2 * MARGIN];
static u64 first;
/* Whose windows the homes of what is wanted are. */
static u16 owner[2];

static int set_up(void **state)
{
	(void)state;
	repack = malloc(sizeof(*repack));
	before = malloc(sizeof(*before));
	return !repack || !before;
}

static int tear_down(void **state)
{
	(void)state;
	free(repack);
	free(before);
	return 0;
}

/* The units of such a window, counted from the stretch's first one; how many. */
static unsigned int units_of(const struct ckpt_geometry *g, u64 where, u32 units, s64 *unit)
{
	u32 shift = ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT, bit, i;
	unsigned int nr = 0;

	for (bit = 0; bit < 32; bit++)
		for (i = 0; units >> bit & 1 && i < 1u << shift; i++)
			unit[nr++] = (s64)((where >> CKPT_UNIT_SHIFT) + (bit << shift) + i - first);
	return nr;
}

static bool all_are(const struct ckpt_geometry *g, u64 where, u32 units, u16 what)
{
	s64 unit[32 * 16];
	unsigned int nr = units_of(g, where, units, unit), i;

	for (i = 0; i < nr; i++)
		if (unit[i] < 0 || unit[i] >= UNITS || map[MARGIN + unit[i]] != what)
			return false;
	return true;
}

static void set_all(const struct ckpt_geometry *g, u64 where, u32 units, u16 what)
{
	s64 unit[32 * 16];
	unsigned int nr = units_of(g, where, units, unit), i;

	for (i = 0; i < nr; i++)
		map[MARGIN + unit[i]] = what;
}

static u64 somewhere(const struct ckpt_geometry *g)
{
	u32 span = ckpt_cluster_units(g);

	return (first + (u64)below(UNITS + span) - span / 2) << CKPT_UNIT_SHIFT;
}

static void begin(const struct ckpt_geometry *g)
{
	unsigned int i;

	first = 4096 + below(1ull << 40);
	ckpt_repack_begin(repack, g, first, UNITS, (u32)random64());
	ckpt_repack_note_free(repack, first - 9, UNITS + 18);
	for (i = 0; i < UNITS; i++)
		map[MARGIN + i] = FREE;
}

/* One that has room there; false if it has not. */
static bool add(const struct ckpt_geometry *g, u64 where, u32 units, u32 needs)
{
	int number;

	if (!all_are(g, where, units, FREE))
		return false;
	number = ckpt_repack_note_slot(repack, where, units, needs);
	assert_true(number >= 0);
	set_all(g, where, units, (u16)number);
	return true;
}

static u32 random_units(const struct ckpt_geometry *g, unsigned int thin)
{
	u32 mask = 0;

	while (!mask)
		for (mask = (u32)random64(); thin && mask & (mask - 1); thin--)
			mask &= (u32)random64() | mask >> 1;
	return ckpt_unit_mask(g, mask);
}

static void fill(const struct ckpt_geometry *g, unsigned int tries)
{
	while (tries--) {
		u32 units = random_units(g, (unsigned int)below(4)), needs = units;
		u64 where = somewhere(g);

		if (once_in(4))
			needs &= (u32)random64();
		add(g, where, units, needs ? needs : units);
	}
}

/* In passes, each move as soon as its place is free; all must come to their end. */
static void carry_out(const struct ckpt_geometry *g)
{
	unsigned int left = repack->nr_moves, i;
	bool done[CKPT_REPACK_MOVES] = { false }, any = true;

	while (any) {
		any = false;
		for (i = 0; i < repack->nr_moves; i++) {
			const struct ckpt_repack_move *move = &repack->move[i];
			const struct ckpt_repack_slot *slot = &repack->slot[move->slot];
			u64 from = ckpt_repack_from(repack, move), to = ckpt_repack_where(repack, move);

			if (done[i] || !all_are(g, to, slot->needs, FREE))
				continue;
			assert_true(all_are(g, from, slot->units, move->slot));
			set_all(g, to, slot->needs, move->slot);
			set_all(g, from, slot->units, FREE);
			done[i] = any = true;
			left--;
		}
	}
	assert_int_equal(left, 0);
}

static bool has_room(const struct ckpt_geometry *g, const struct ckpt_want *want)
{
	u32 span = ckpt_cluster_units(g), i;

	for (i = 0; i < 2; i++)
		if (want->home[i] && all_are(g, want->home[i], want->units & ~want->has[i], FREE) &&
		    all_are(g, want->home[i], want->units & want->has[i], owner[i]))
			return true;
	for (i = 0; i < UNITS + span; i++)
		if (all_are(g, (first + i - span) << CKPT_UNIT_SHIFT, want->units, FREE))
			return true;
	return false;
}

/* One that stands in one of the windows of those that are there, or nowhere. */
static struct ckpt_want random_want(const struct ckpt_geometry *g)
{
	struct ckpt_want want = { .units = random_units(g, (unsigned int)below(3)) };
	unsigned int i;

	for (i = 0; i < 2 && repack->nr_slots && once_in(2); i++) {
		const struct ckpt_repack_slot *s;

		owner[i] = (u16)below(repack->nr_slots);
		s = &repack->slot[owner[i]];
		want.home[i] = (first + (u64)s->place) << CKPT_UNIT_SHIFT;
		want.has[i] = s->units;
	}
	return want;
}

static void there_is_room_then(void **state)
{
	unsigned int round, none = 0, room = 0, moves = 0;

	(void)state;
	for (round = 0; round < 1500; round++) {
		struct ckpt_geometry g = geometry((unsigned int)below(BLOCK_SHIFTS));
		struct ckpt_want want;
		bool found;

		begin(&g);
		fill(&g, 200 + (unsigned int)below(2000));
		want = random_want(&g);
		memcpy(before, repack, sizeof(*repack));
		found = ckpt_repack_plan(repack, &want);
		if (!found) {
			none++;
			assert_int_equal(repack->nr_moves, 0);
			assert_memory_equal(repack->holds, before->holds, sizeof(repack->holds));
			assert_false(has_room(&g, &want));
			continue;
		}
		room++;
		moves += repack->nr_moves;
		carry_out(&g);
		assert_true(has_room(&g, &want));
	}
	assert_true(none > 10);
	assert_true(room > 50);
	assert_true(moves > 200);
}

/* Many plans with the moves of all of them, of which none spoils another. */
static void many_together(void **state)
{
	unsigned int round, moves = 0;

	(void)state;
	for (round = 0; round < 300; round++) {
		struct ckpt_geometry g = geometry(once_in(4) ? (unsigned int)below(BLOCK_SHIFTS) : 3);
		unsigned int i;

		begin(&g);
		fill(&g, 1000);
		for (i = 0; i < 8; i++) {
			struct ckpt_want want = random_want(&g);

			ckpt_repack_plan(repack, &want);
		}
		moves += repack->nr_moves;
		carry_out(&g);
	}
	assert_true(moves > 200);
}

/*
 * Units 0 and 1 are wanted.  Who has unit 1 has unit 2 as well, and could go where only one unit is
 * missing, in which somebody is who fits elsewhere.
 */
static void a_chain(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);
	struct ckpt_want want = { .units = 3 };
	unsigned int i;

	(void)state;
	begin(&g);
	first = repack->first;
	ckpt_repack_begin(repack, &g, first, UNITS, 1);
	for (i = 0; i < UNITS; i++)
		map[MARGIN + i] = FIXED;
	for (i = 0; i < 4; i++) {
		ckpt_repack_note_free(repack, first + i, 1);
		map[MARGIN + i] = FREE;
	}
	ckpt_repack_note_free(repack, first + 10, 2);
	ckpt_repack_note_free(repack, first + 20, 1);
	map[MARGIN + 10] = map[MARGIN + 11] = map[MARGIN + 20] = FREE;
	assert_true(add(&g, (first + 1) << CKPT_UNIT_SHIFT, 3, 3));
	assert_true(add(&g, (first + 10) << CKPT_UNIT_SHIFT, 1, 1));
	assert_true(add(&g, (first + 3) << CKPT_UNIT_SHIFT, 1, 1));
	assert_false(has_room(&g, &want));
	assert_true(ckpt_repack_plan(repack, &want));
	assert_true(repack->nr_moves >= 1);
	carry_out(&g);
	assert_true(has_room(&g, &want));
	/* There is no more than that. */
	want.units = 15;
	i = repack->nr_moves;
	assert_false(ckpt_repack_plan(repack, &want));
	assert_int_equal(repack->nr_moves, i);
}

static void beyond_the_ends(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);
	struct ckpt_want want = { .units = 3 };

	(void)state;
	begin(&g);
	assert_int_equal(ckpt_repack_note_slot(repack, (first - 1) << CKPT_UNIT_SHIFT, 3, 3), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, (first + UNITS - 1) << CKPT_UNIT_SHIFT, 3, 3), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, (first - 1) << CKPT_UNIT_SHIFT, 2, 2), 0);
	assert_int_equal(ckpt_repack_note_slot(repack, CKPT_NODE_SECTORS, 3, 3), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, ~0ull << 12, ~0u, ~0u), -1);
	/* A stretch of one unit, and one with as many as there can be. */
	ckpt_repack_begin(repack, &g, first, 1, 1);
	ckpt_repack_note_free(repack, first, 1);
	assert_false(ckpt_repack_plan(repack, &want));
	want.units = 1u << 31;
	assert_true(ckpt_repack_plan(repack, &want));
	ckpt_repack_begin(repack, &g, first, CKPT_REPACK_UNITS + 1, 1);
	assert_int_equal(repack->nr, CKPT_REPACK_UNITS);
	assert_false(ckpt_repack_plan(repack, &want));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(there_is_room_then, set_up, tear_down),
	cmocka_unit_test_setup_teardown(many_together, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_chain, set_up, tear_down),
	cmocka_unit_test_setup_teardown(beyond_the_ends, set_up, tear_down),
};

RUN("repack", tests)
