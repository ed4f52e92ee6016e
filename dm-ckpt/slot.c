// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "slot.h"

bool ckpt_slot_valid(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	u64 first, end;

	if (s->present & s->zero)
		return false;
	if (!s->present)
		return s->where == 0;
	if ((s->where & CKPT_WHERE_FLAGS) || (s->where & (CKPT_NODE_SECTORS - 1)))
		return false;
	first = s->where + ((u64)__builtin_ctz(s->present) << g->block_shift);
	end = s->where + ((u64)(32 - __builtin_clz(s->present)) << g->block_shift);
	/* A part of a unit at the store's end is not in the space map. */
	return first >= ckpt_first_free_unit(g) << CKPT_UNIT_SHIFT &&
	       (end + CKPT_NODE_SECTORS - 1) >> CKPT_UNIT_SHIFT <= ckpt_store_units(g);
}

void ckpt_resolve_size(const struct ckpt_geometry *g, struct ckpt_resolve *r,
		       u64 cluster, u64 sectors)
{
	u64 start = cluster << g->cluster_shift;
	u32 beyond;

	if (start + ckpt_cluster_sectors(g) <= sectors)
		return;
	if (start >= sectors)
		beyond = ~0u;
	else
		beyond = ~ckpt_mask(0, (u32)((sectors - start) >> g->block_shift));
	r->zero |= r->open & beyond;
	r->open &= ~beyond;
}
