// SPDX-License-Identifier: GPL-2.0-only
/* Units, and masks of the blocks of a cluster, counted one by one. */
#include "test.h"

static u32 slow_mask(u32 first, u32 nr)
{
	u32 mask = 0;

	while (nr--)
		mask |= 1u << first++;
	return mask;
}

static void masks(void **state)
{
	u32 first, nr;

	(void)state;
	for (first = 0; first < 32; first++)
		for (nr = 0; first + nr <= 32; nr++)
			assert_int_equal(ckpt_mask(first, nr), slow_mask(first, nr));
}

static void runs(void **state)
{
	u32 round, from, nr;

	(void)state;
	for (round = 0; round < 20000; round++) {
		u32 mask = random_mask();

		for (from = 0; from < 32; from++) {
			for (nr = 0; from + nr < 32 && mask >> (from + nr) & 1; nr++)
				;
			assert_int_equal(ckpt_run(mask, from), nr);
		}
	}
}

/* Sector by sector: which units a mask touches, and whose blocks those are. */
static void check_units(const struct ckpt_geometry *g, u32 mask)
{
	u32 units = 0, whole = 0, sector, shift = ckpt_unit_mask_shift(g);

	for (sector = 0; sector < ckpt_cluster_sectors(g); sector++)
		if (mask >> (sector >> g->block_shift) & 1)
			units |= 1u << (sector >> shift);
	for (sector = 0; sector < ckpt_cluster_sectors(g); sector++)
		if (units >> (sector >> shift) & 1)
			whole |= 1u << (sector >> g->block_shift);
	assert_int_equal(ckpt_unit_mask(g, mask), units);
	assert_int_equal(ckpt_whole_units(g, mask), whole);
}

static void units_of_blocks(void **state)
{
	unsigned int shift, round;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);

		assert_int_equal(ckpt_unit_mask_shift(&g), shift < 3 ? 3 : shift);
		for (round = 0; round < 32; round++)
			check_units(&g, 1u << round);
		for (round = 0; round < 1000; round++)
			check_units(&g, random_mask());
	}
}

static void places_of_sectors(void **state)
{
	unsigned int shift, round;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);
		u64 block = 1ull << shift, cluster = 32 * block;

		assert_int_equal(ckpt_block_sectors(&g), block);
		assert_int_equal(ckpt_cluster_sectors(&g), cluster);
		assert_int_equal(ckpt_cluster_units(&g), cluster / 8);
		for (round = 0; round < 10000; round++) {
			u64 sector = below(CKPT_VOLUME_SECTORS_MAX);

			assert_int_equal(ckpt_cluster_of(&g, sector), sector / cluster);
			assert_int_equal(ckpt_block_in_cluster(&g, sector),
					 sector % cluster / block);
		}
	}
}

static void places_in_the_store(void **state)
{
	struct ckpt_geometry g = geometry(3);

	(void)state;
	assert_int_equal(ckpt_first_free_unit(&g), 512 + 256);
	g.journal_blocks = CKPT_JOURNAL_BLOCKS_MAX;
	assert_int_equal(ckpt_first_free_unit(&g), 512 + 262144);
	/* The journal's last block ends where the first unit begins. */
	assert_int_equal(ckpt_first_free_unit(&g) * 8, CKPT_JOURNAL_START + 262144 * 8);
	g.sectors = 1ull << 40 | 7;
	assert_int_equal(ckpt_store_units(&g), 1ull << 37);
	assert_int_equal(ckpt_capacity(&g), (1ull << 37) - 512 - 262144);
}

/* ---- references ---- */

static void check_ref(u64 where, u64 used)
{
	struct ckpt_ref ref = { .crc = cpu_to_le32(0x12345678) };
	u64 word;

	ckpt_ref_set(&ref, where, used);
	assert_int_equal(ckpt_ref_where(&ref), where);
	assert_int_equal(ckpt_ref_used(&ref), used);
	/* 48 bits of the address, 16 of the count above them, 32 in a field of its own. */
	word = le64_to_cpu(ref.where);
	assert_int_equal(word & CKPT_WHERE_MASK, where);
	assert_int_equal(word >> 48, used >> 32);
	assert_int_equal(le32_to_cpu(ref.used), used & 0xffffffff);
	/* A checksum that stands there stays. */
	assert_int_equal(le32_to_cpu(ref.crc), 0x12345678);
}

static void references(void **state)
{
	static const u64 edges[] = {
		0, 1, 8, 0xffffffff, 1ull << 32, (1ull << 32) + 1, 0xffffffffull << 16,
		CKPT_STORE_SECTORS_MAX - 8, (1ull << 47), CKPT_WHERE_MASK,
	};
	unsigned int i, k;

	(void)state;
	for (i = 0; i < COUNT_OF(edges); i++)
		for (k = 0; k < COUNT_OF(edges); k++)
			check_ref(edges[i], edges[k]);
	for (i = 0; i < 10000; i++)
		check_ref(random64() & CKPT_WHERE_MASK, random64() & CKPT_WHERE_MASK);
}

static void references_on_disk(void **state)
{
	static const u8 bytes[16] = { 1, 2, 3, 4, 5, 6, 11, 12, 0, 0, 0, 0, 7, 8, 9, 10 };
	struct ckpt_ref ref = { 0 };

	(void)state;
	ckpt_ref_set(&ref, 0x060504030201ull, 0x0c0b0a090807ull);
	assert_memory_equal(&ref, bytes, sizeof(bytes));
	/* Nothing below is nothing but zeros; another value leaves nothing of the one before. */
	ckpt_ref_set(&ref, 0, 0);
	assert_int_equal(ref.where, 0);
	assert_int_equal(ref.used, 0);
}

/* More cannot be below one node, nor in one store, than a reference can count. */
static void references_count_everything(void **state)
{
	unsigned int shift;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);

		assert_true(ckpt_node_span(&g, CKPT_MAP_LEVELS - 1) >> CKPT_UNIT_SHIFT <=
			    CKPT_WHERE_MASK);
	}
	assert_true(CKPT_STORE_SECTORS_MAX >> CKPT_UNIT_SHIFT <= CKPT_WHERE_MASK);
	/* And more than 32 bits are needed for the largest volume. */
	assert_true(CKPT_VOLUME_SECTORS_MAX >> CKPT_UNIT_SHIFT > ~0u);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(masks),
	cmocka_unit_test(runs),
	cmocka_unit_test(units_of_blocks),
	cmocka_unit_test(places_of_sectors),
	cmocka_unit_test(places_in_the_store),
	cmocka_unit_test(references),
	cmocka_unit_test(references_on_disk),
	cmocka_unit_test(references_count_everything),
};

RUN("geometry", tests)
