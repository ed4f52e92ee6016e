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
};

static inline struct ckpt_state ckpt_slot_decode(const struct ckpt_slot *slot)
{
	return (struct ckpt_state) {
		.where = le64_to_cpu(slot->where),
		.present = le32_to_cpu(slot->present),
		.zero = le32_to_cpu(slot->zero),
	};
}

static inline struct ckpt_slot ckpt_slot_encode(const struct ckpt_state *state)
{
	return (struct ckpt_slot) {
		.where = cpu_to_le64(state->where),
		.present = cpu_to_le32(state->present),
		.zero = cpu_to_le32(state->zero),
	};
}

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

/* Lay the slot of the next lower layer under what is resolved. */
static inline void ckpt_resolve_slot(struct ckpt_resolve *r, const struct ckpt_state *s)
{
	u32 present = r->open & s->present;

	if (present) {
		r->extent[r->nr].where = s->where;
		r->extent[r->nr++].mask = present;
	}
	r->zero |= r->open & s->zero;
	r->open &= ~(s->present | s->zero);
}

/* Lay what is known of all the lower layers under it. */
static inline void ckpt_resolve_under(struct ckpt_resolve *r, const struct ckpt_under *u)
{
	u32 left = u->zero, i;

	for (i = 0; i < u->nr; i++) {
		struct ckpt_state s = { u->extent[i].where, u->extent[i].mask, 0 };

		ckpt_resolve_slot(r, &s);
	}
	r->zero |= r->open & left;
	r->open &= ~left;
}

/* Blocks beyond the size of a lower layer read as zeros. */
void ckpt_resolve_size(const struct ckpt_geometry *g, struct ckpt_resolve *r,
		       u64 cluster, u64 sectors);

#endif
