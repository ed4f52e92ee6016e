/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes and places that follow from a superblock, and conversions between the
 * units of format.h.  Pure functions, any context.
 */
#ifndef CKPT_GEOMETRY_H
#define CKPT_GEOMETRY_H

#include <linux/bitops.h>
#include <linux/compiler.h>

#include "format.h"

struct ckpt_geometry {
	u64 sectors;		/* of the store device in use */
	u32 journal_blocks;
	u8 block_shift;		/* log2 of sectors */
	u8 cluster_shift;	/* log2 of sectors */
};

/* A reference to a node: its sector, and what is in use below it. */
static inline u64 ckpt_ref_where(const struct ckpt_ref *ref)
{
	return le64_to_cpu(ref->where) & CKPT_WHERE_MASK;
}

static inline u64 ckpt_ref_used(const struct ckpt_ref *ref)
{
	return (le64_to_cpu(ref->where) >> 48 << 32) | le32_to_cpu(ref->used);
}

static inline void ckpt_ref_set(struct ckpt_ref *ref, u64 where, u64 used)
{
	ref->where = cpu_to_le64(where | used >> 32 << 48);
	ref->used = cpu_to_le32((u32)used);
}

static inline u32 ckpt_block_sectors(const struct ckpt_geometry *g)
{
	return 1u << g->block_shift;
}

static inline u32 ckpt_cluster_sectors(const struct ckpt_geometry *g)
{
	return 1u << g->cluster_shift;
}

/* Units that the blocks of one cluster take when all are present. */
static inline u32 ckpt_cluster_units(const struct ckpt_geometry *g)
{
	return ckpt_cluster_sectors(g) >> CKPT_UNIT_SHIFT;
}

static inline u64 ckpt_store_units(const struct ckpt_geometry *g)
{
	/* A store may grow at any time. */
	return READ_ONCE(g->sectors) >> CKPT_UNIT_SHIFT;
}

/*
 * First unit behind the superblocks and the journal.  Those before it are not in the space
 * map: their bits are zero, and nobody looks at them.
 */
static inline u64 ckpt_first_free_unit(const struct ckpt_geometry *g)
{
	return (CKPT_JOURNAL_START >> CKPT_UNIT_SHIFT) + g->journal_blocks;
}

/* Units for data and nodes. */
static inline u64 ckpt_capacity(const struct ckpt_geometry *g)
{
	return ckpt_store_units(g) - ckpt_first_free_unit(g);
}

static inline u64 ckpt_cluster_of(const struct ckpt_geometry *g, u64 sector)
{
	return sector >> g->cluster_shift;
}

/* Place of the sector's block in its cluster, 0 to 31. */
static inline u32 ckpt_block_in_cluster(const struct ckpt_geometry *g, u64 sector)
{
	return (sector >> g->block_shift) & (CKPT_CLUSTER_BLOCKS - 1);
}

/* log2 of the sectors of a volume below one leaf of the map. */
static inline unsigned int ckpt_leaf_shift(const struct ckpt_geometry *g)
{
	return g->cluster_shift + CKPT_FANOUT_SHIFT;
}

/* Sectors of a volume below one node of the map at this level. */
static inline u64 ckpt_node_span(const struct ckpt_geometry *g, unsigned int level)
{
	return 1ull << (g->cluster_shift + CKPT_FANOUT_SHIFT * (level + 1));
}

/* @nr blocks from @first on, as a mask of a cluster; @first + @nr <= 32. */
static inline u32 ckpt_mask(u32 first, u32 nr)
{
	return (u32)(((1ull << nr) - 1) << first);
}

/* Bits of @mask that stand in one row from bit @from on. */
static inline u32 ckpt_run(u32 mask, u32 from)
{
	u64 clear = ~(u64)(mask >> from);

	return (u32)__builtin_ctzll(clear);
}

/*
 * The units that the blocks in @mask touch, one bit for each unit of the
 * cluster's window when blocks are smaller than units; for larger blocks the
 * mask itself says it all and is returned.
 */
static inline u32 ckpt_unit_mask(const struct ckpt_geometry *g, u32 mask)
{
	u32 per = CKPT_UNIT_SHIFT - g->block_shift, units = 0, i;

	if (g->block_shift >= CKPT_UNIT_SHIFT)
		return mask;
	for (i = 0; i < CKPT_CLUSTER_BLOCKS >> per; i++)
		if (mask & ckpt_mask(i << per, 1u << per))
			units |= 1u << i;
	return units;
}

/* Sectors that one bit of ckpt_unit_mask() stands for, as a shift. */
static inline u32 ckpt_unit_mask_shift(const struct ckpt_geometry *g)
{
	return g->block_shift > CKPT_UNIT_SHIFT ? g->block_shift : CKPT_UNIT_SHIFT;
}

/* Units that blocks @mask of a window touch. */
static inline u32 ckpt_blocks_units(const struct ckpt_geometry *g, u32 mask)
{
	return hweight32(ckpt_unit_mask(g, mask)) << (ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT);
}

/* All blocks that share a unit with a block in @mask. */
static inline u32 ckpt_whole_units(const struct ckpt_geometry *g, u32 mask)
{
	u32 per = CKPT_UNIT_SHIFT - g->block_shift, whole = 0, i;

	if (g->block_shift >= CKPT_UNIT_SHIFT)
		return mask;
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i += 1u << per)
		if (mask & ckpt_mask(i, 1u << per))
			whole |= ckpt_mask(i, 1u << per);
	return whole;
}

#endif
