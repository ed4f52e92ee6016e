// SPDX-License-Identifier: GPL-2.0-only
/* That the trees reach what they must, and what stands where in them. */
#include "test.h"

/* The nodes of the top level are one, and it reaches this many leaves. */
static u64 leaves(unsigned int levels)
{
	u64 n = 1;

	while (--levels)
		n *= CKPT_FANOUT;
	return n;
}

static void maps_reach_the_largest_volume(void **state)
{
	unsigned int shift;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);
		u64 last = ckpt_cluster_of(&g, CKPT_VOLUME_SECTORS_MAX - 1);

		assert_true(last / CKPT_FANOUT < leaves(CKPT_MAP_LEVELS));
		/* Entries of the journal say clusters of 32 bits at most. */
		assert_int_equal(last >> 32, 0);
		assert_true(ckpt_node_span(&g, CKPT_MAP_LEVELS - 1) >= CKPT_VOLUME_SECTORS_MAX);
	}
}

static void spans(void **state)
{
	unsigned int shift, level;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);
		u64 span = ckpt_cluster_sectors(&g);

		for (level = 0; level < CKPT_MAP_LEVELS; level++) {
			span *= CKPT_FANOUT;
			assert_int_equal(ckpt_node_span(&g, level), span);
		}
	}
}

/* From the root down by spans, and by the cluster's number: the same slots. */
static void check_path(const struct ckpt_geometry *g, u64 sector)
{
	u64 cluster = ckpt_cluster_of(g, sector), start = 0;
	unsigned int level = CKPT_MAP_LEVELS;

	while (level--) {
		u64 each = level ? ckpt_node_span(g, level - 1) : ckpt_cluster_sectors(g);
		u64 slot = (sector - start) / each;

		assert_true(slot < CKPT_FANOUT);
		assert_int_equal(slot, cluster >> (CKPT_FANOUT_SHIFT * level) & (CKPT_FANOUT - 1));
		start += slot * each;
		/* A node's index in its level is the sector over its span. */
		if (level)
			assert_int_equal(start / each, cluster >> (CKPT_FANOUT_SHIFT * level));
	}
	assert_int_equal(start, cluster << g->cluster_shift);
	assert_true(sector - start < ckpt_cluster_sectors(g));
}

static void paths(void **state)
{
	static const u64 edges[] = {
		0, 1, CKPT_VOLUME_SECTORS_MAX - 1, CKPT_VOLUME_SECTORS_MAX / 2,
	};
	unsigned int shift, i, level;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		struct ckpt_geometry g = geometry(shift);

		for (i = 0; i < COUNT_OF(edges); i++)
			check_path(&g, edges[i]);
		for (level = 0; level < CKPT_MAP_LEVELS - 1; level++) {
			check_path(&g, ckpt_node_span(&g, level) - 1);
			check_path(&g, ckpt_node_span(&g, level));
		}
		for (i = 0; i < 10000; i++)
			check_path(&g, below(CKPT_VOLUME_SECTORS_MAX) >> below(37));
	}
}

static void records_reach_the_last_number(void **state)
{
	(void)state;
	assert_true((CKPT_RECORD_MAX - 1) / CKPT_RECORDS_PER_LEAF < leaves(CKPT_RECORD_LEVELS));
}

static void the_space_map_reaches_the_largest_store(void **state)
{
	struct ckpt_geometry g = geometry(3);

	(void)state;
	g.sectors = CKPT_STORE_SECTORS_MAX;
	assert_true((ckpt_store_units(&g) - 1) / CKPT_SPACE_LEAF_UNITS < leaves(CKPT_SPACE_LEVELS));
	/* Bits above are flags. */
	assert_int_equal(CKPT_STORE_SECTORS_MAX & CKPT_WHERE_FLAGS, 0);
	/* A full store can hold a few of the largest volumes. */
	assert_true(CKPT_STORE_SECTORS_MAX >= 4 * CKPT_VOLUME_SECTORS_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(maps_reach_the_largest_volume),
	cmocka_unit_test(spans),
	cmocka_unit_test(paths),
	cmocka_unit_test(records_reach_the_last_number),
	cmocka_unit_test(the_space_map_reaches_the_largest_store),
};

RUN("tree", tests)
