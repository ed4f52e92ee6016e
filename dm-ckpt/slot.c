// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "slot.h"

u32 ckpt_state_spots(const struct ckpt_state *s, u32 blocks)
{
	u32 left = s->packed & blocks, spots = 0;

	if (!s->packed)
		return blocks;
	for (; left; left &= left - 1) {
		u32 block = (u32)__builtin_ctz(left);

		spots |= ckpt_mask(hweight32(s->packed & ckpt_mask(0, block)), 1);
	}
	return spots;
}

struct ckpt_state ckpt_state_in_row(const struct ckpt_geometry *g, const struct ckpt_state *s,
				    u64 sector)
{
	u32 first = (u32)__builtin_ctz(s->present);
	u64 before = (u64)first << g->block_shift;
	struct ckpt_state row = *s;

	row.where = sector;
	row.packed = s->present;
	if (s->present >> first == ckpt_mask(0, hweight32(s->present)) &&
	    !(before & (CKPT_NODE_SECTORS - 1))) {
		/* No less than 0, as the journal is longer than a window. */
		row.where -= before;
		row.packed = 0;
	}
	return row;
}

bool ckpt_slot_valid(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	u64 first, end;
	u32 spots;

	if (s->present & s->zero)
		return false;
	if (!s->present)
		return s->where == 0;
	if ((s->where & CKPT_WHERE_FLAGS) || (s->where & (CKPT_NODE_SECTORS - 1)))
		return false;
	spots = ckpt_state_spots(s, s->present);
	first = s->where + ((u64)__builtin_ctz(spots) << g->block_shift);
	end = s->where + ((u64)(32 - __builtin_clz(spots)) << g->block_shift);
	/* A part of a unit at the store's end is not in the space map. */
	return first >= ckpt_first_free_unit(g) << CKPT_UNIT_SHIFT &&
	       (end + CKPT_NODE_SECTORS - 1) >> CKPT_UNIT_SHIFT <= ckpt_store_units(g);
}

void ckpt_resolve_packed(const struct ckpt_geometry *g, struct ckpt_resolve *r,
			 const struct ckpt_state *s, u32 present)
{
	while (present) {
		u32 first = (u32)__builtin_ctz(present), nr = ckpt_run(present, first);
		u64 offset = (u64)first << g->block_shift;

		/* No less than 0, as the journal is longer than a window. */
		ckpt_resolve_extent(r, ckpt_state_sector(g, s, offset) - offset,
				    ckpt_mask(first, nr));
		present &= ~ckpt_mask(first, nr);
	}
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
