// SPDX-License-Identifier: GPL-2.0-only
#include "leaf.h"
#include "lookup.h"
#include "resolve.h"

/* A base is as long as it was when something came to sit on it; then come zeros. */
static void look_in_base(const struct ckpt_layer *base, u64 sector, struct ckpt_place *p)
{
	u64 end = READ_ONCE(base->sectors);

	if (sector >= end) {
		p->where = CKPT_ZEROS;
		return;
	}
	p->where = CKPT_IN_ORIGIN;
	p->sector = sector;
	p->sectors = min_t(u64, p->sectors, end - sector);
}

/*
 * Blocks of which the head says nothing, @open, from @block on: returns those that what lies
 * below has in one place.
 */
static u32 look_below(const struct ckpt_under *under, u32 open, u32 block, u64 offset,
		      struct ckpt_place *p)
{
	u32 bit = ckpt_mask(block, 1), i;

	for (i = 0; i < under->nr; i++) {
		if (under->extent[i].mask & bit) {
			p->where = CKPT_IN_STORE;
			p->sector = under->extent[i].where + offset;
			return open & under->extent[i].mask;
		}
		open &= ~under->extent[i].mask;
	}
	p->where = under->zero & bit ? CKPT_ZEROS : CKPT_IN_ORIGIN;
	return open & (under->zero & bit ? under->zero : ~under->zero);
}

/* The part of [@sector, @sector + @p->sectors) that is in one cluster. */
static void look_up_cluster(const struct ckpt_target *t, const struct ckpt_layer *top,
			    u64 sector, struct ckpt_place *p)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u64 cluster = ckpt_cluster_of(g, sector);
	u64 offset = sector & (ckpt_cluster_sectors(g) - 1);
	u32 block = ckpt_block_in_cluster(g, sector), bit = ckpt_mask(block, 1), mask;
	const struct ckpt_layer *parent = READ_ONCE(top->parent);
	const struct ckpt_under *under;
	struct ckpt_state state;
	struct ckpt_node *leaf;

	p->where = CKPT_UNKNOWN;
	leaf = ckpt_node_find(&top->map, 0, cluster >> CKPT_FANOUT_SHIFT);
	if (!leaf)
		return;
	state = ckpt_leaf_state(leaf, cluster % CKPT_FANOUT);
	mask = ~(state.present | state.zero);
	if (state.present & bit) {
		p->where = CKPT_IN_STORE;
		p->sector = ckpt_state_sector(g, &state, offset);
		mask = state.present;
	} else if (state.zero & bit || !parent) {
		p->where = CKPT_ZEROS;
		mask = parent ? state.zero : ~state.present;
	} else if (!parent->base) {
		under = ckpt_under(leaf, cluster % CKPT_FANOUT);
		if (!under)
			return;
		mask = look_below(under, mask, block, offset, p);
		if (p->where == CKPT_IN_ORIGIN)
			p->sector = sector;
	}
	p->sectors = min_t(u64, p->sectors,
			   ((u64)(block + ckpt_run(mask, block)) << g->block_shift) - offset);
	if (p->where == CKPT_UNKNOWN)
		look_in_base(parent, sector, p);
}

void ckpt_lookup(const struct ckpt_target *t, const struct ckpt_layer *top, u64 sector, u32 nr,
		 struct ckpt_place *place)
{
	struct ckpt_place next;

	place->sectors = nr;
	if (top->base) {
		look_in_base(top, sector, place);
		return;
	}
	look_up_cluster(t, top, sector, place);
	while (place->sectors < nr && place->where != CKPT_UNKNOWN) {
		next.sectors = nr - place->sectors;
		look_up_cluster(t, top, sector + place->sectors, &next);
		if (next.where != place->where ||
		    (next.where != CKPT_ZEROS &&
		     next.sector != place->sector + place->sectors))
			break;
		place->sectors += next.sectors;
	}
}
