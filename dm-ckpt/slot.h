/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots in the machine's byte order, and how those of a chain of layers lie
 * over one another.  Pure functions, any context.
 */
#ifndef CKPT_SLOT_H
#define CKPT_SLOT_H

#include "geometry.h"

struct ckpt_state {
	u64 where;		/* sector */
	u32 present;
	u32 zero;
	u32 packed;		/* blocks that stand one behind the other, or have; 0: not packed */
};

/* What the words of a slot say. */
static inline struct ckpt_state ckpt_state_of(u64 where, u32 present, u32 zero)
{
	struct ckpt_state s = { .where = where, .present = present, .zero = zero };

	if (unlikely(where & CKPT_SLOT_PACKED)) {
		s.packed = present;
		s.present &= ~zero;
		if (where & CKPT_SLOT_BELOW)
			s.zero &= ~present;
		s.where &= ~(CKPT_SLOT_PACKED | CKPT_SLOT_BELOW);
	}
	return s;
}

static inline struct ckpt_state ckpt_slot_decode(const struct ckpt_slot *slot)
{
	return ckpt_state_of(le64_to_cpu(slot->where), le32_to_cpu(slot->present),
			     le32_to_cpu(slot->zero));
}

/*
 * Is there a slot that says so?  Of a packed one all blocks that have gone must be zero, or none;
 * none is present, zero or gone that is not one of its own.
 */
static inline bool ckpt_state_encodes(const struct ckpt_state *s)
{
	u32 gone = s->packed & ~s->present;

	return !s->packed || !(gone & s->zero) || !(gone & ~s->zero);
}

/*
 * These blocks read as zeros from now on: with something below, because it says so.  Of a packed
 * slot all that has gone is to be alike, and over nothing both is the same.
 */
static inline void ckpt_state_zero(struct ckpt_state *s, u32 blocks, bool over)
{
	s->present &= ~blocks;
	s->zero = over ? s->zero | blocks : s->zero & ~blocks & ~s->packed;
}

/* That slot, also when nothing is left in it that is present. */
static inline struct ckpt_slot ckpt_slot_raw(const struct ckpt_state *s)
{
	u32 gone = s->packed & ~s->present;
	u64 flags = 0;

	if (s->packed)
		flags = CKPT_SLOT_PACKED | (gone & ~s->zero ? CKPT_SLOT_BELOW : 0);
	return (struct ckpt_slot) {
		.where = cpu_to_le64(s->where | flags),
		.present = cpu_to_le32(s->present | gone),
		.zero = cpu_to_le32(s->zero | gone),
	};
}

/* The same as it is on disk: where nothing is present, nothing has a place. */
static inline struct ckpt_slot ckpt_slot_encode(const struct ckpt_state *s)
{
	struct ckpt_state empty = { .zero = s->zero };

	return ckpt_slot_raw(s->present ? s : &empty);
}

/*
 * Spots: blocks' worth of room from where a slot begins, the first one is bit 0.  That of a block
 * is its number in the cluster, or of a packed slot its rank.
 */

/* The spots of @blocks; of a packed slot, of those that it has. */
u32 ckpt_state_spots(const struct ckpt_state *s, u32 blocks);

/* The units that what is present touches, as ckpt_unit_mask() makes them. */
static inline u32 ckpt_state_units(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	return ckpt_unit_mask(g, ckpt_state_spots(s, s->present));
}

/* All spots that share a unit with what is present. */
static inline u32 ckpt_state_whole(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	return ckpt_whole_units(g, ckpt_state_spots(s, s->present));
}

/* Units of the store that what is present takes. */
static inline u32 ckpt_state_used(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	return ckpt_blocks_units(g, ckpt_state_spots(s, s->present));
}

/* Where the sector at @offset of the cluster stands, which is in a block that the slot has. */
static inline u64 ckpt_state_sector(const struct ckpt_geometry *g, const struct ckpt_state *s,
				    u64 offset)
{
	u32 block = (u32)(offset >> g->block_shift);

	if (likely(!s->packed))
		return s->where + offset;
	return s->where + offset -
	       ((u64)(block - hweight32(s->packed & ckpt_mask(0, block))) << g->block_shift);
}

/*
 * The same slot with what is present in one row of the store from @sector on: packed, unless that
 * is one row of the cluster, too.
 */
struct ckpt_state ckpt_state_in_row(const struct ckpt_geometry *g, const struct ckpt_state *s,
				    u64 sector);

/*
 * Is this a slot that a store of this geometry may have?  Its place must be
 * aligned, its present blocks inside the store and behind the journal, and no
 * block both present and zero.
 */
bool ckpt_slot_valid(const struct ckpt_geometry *g, const struct ckpt_state *s);

/*
 * What lies under the head of a chain in one cluster: for each block the place
 * of its data in the store, or that it reads as zeros, or that the base has it
 * (neither, in @zero or in any extent).
 */
struct ckpt_extent {
	u64 where;		/* sector of the cluster's block 0 */
	u32 mask;		/* the blocks that stand there */
};

struct ckpt_under {
	u32 zero;
	u32 nr;
	struct ckpt_extent extent[];
};

/* A resolution in the making: layers are laid under it from the top down. */
struct ckpt_resolve {
	u32 open;		/* blocks that no layer so far has said anything of */
	u32 zero;
	u32 nr;
	struct ckpt_extent extent[CKPT_CLUSTER_BLOCKS];
};

static inline void ckpt_resolve_begin(struct ckpt_resolve *r)
{
	r->open = ~0u;
	r->zero = 0;
	r->nr = 0;
}

static inline void ckpt_resolve_extent(struct ckpt_resolve *r, u64 where, u32 mask)
{
	r->extent[r->nr].where = where;
	r->extent[r->nr++].mask = mask;
}

/* The present blocks of a packed slot: each row of them as if it was in a window. */
void ckpt_resolve_packed(const struct ckpt_geometry *g, struct ckpt_resolve *r,
			 const struct ckpt_state *s, u32 present);

/* Lay the slot of the next lower layer under what is resolved. */
static inline void ckpt_resolve_slot(const struct ckpt_geometry *g, struct ckpt_resolve *r,
				     const struct ckpt_state *s)
{
	u32 present = r->open & s->present;

	if (s->packed)
		ckpt_resolve_packed(g, r, s, present);
	else if (present)
		ckpt_resolve_extent(r, s->where, present);
	r->zero |= r->open & s->zero;
	r->open &= ~(s->present | s->zero);
}

/* Lay what is known of all the lower layers under it. */
static inline void ckpt_resolve_under(struct ckpt_resolve *r, const struct ckpt_under *u)
{
	u32 left = u->zero, i;

	for (i = 0; i < u->nr; i++) {
		u32 present = r->open & u->extent[i].mask;

		if (present)
			ckpt_resolve_extent(r, u->extent[i].where, present);
		r->open &= ~present;
	}
	r->zero |= r->open & left;
	r->open &= ~left;
}

/* Blocks beyond the size of a lower layer read as zeros. */
void ckpt_resolve_size(const struct ckpt_geometry *g, struct ckpt_resolve *r,
		       u64 cluster, u64 sectors);

#endif
