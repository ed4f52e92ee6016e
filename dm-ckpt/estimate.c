// SPDX-License-Identifier: GPL-2.0-only
#include "estimate.h"
#include "leaf.h"
#include "report.h"
#include "store.h"

/* One leaf of a layer goes into that of its child: see merge.h. */
static void add_leaf(struct ckpt_store *store, struct ckpt_node *below, struct ckpt_node *leaf,
		     struct ckpt_estimate *e)
{
	const struct ckpt_geometry *g = &store->geometry;
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		struct ckpt_state theirs = ckpt_leaf_state(below, slot);
		struct ckpt_state mine = ckpt_leaf_state(leaf, slot);
		u32 need = theirs.present & ~(mine.present | mine.zero);
		u32 stays = ckpt_blocks_units(g, ckpt_state_spots(&theirs, need));

		e->freed += ckpt_state_used(g, &theirs) - stays;
		if (need && mine.present)
			e->copied += min(stays, ckpt_state_used(g, &mine));
	}
}

static int merge_leaf(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_node *leaf,
		      struct ckpt_estimate *e)
{
	struct ckpt_node *below = ckpt_node_get(&layer->map, 0, leaf->index, false);

	if (IS_ERR_OR_NULL(below))
		return PTR_ERR_OR_ZERO(below);
	down_read(&store->chain);
	rcu_read_lock();
	add_leaf(store, below, leaf, e);
	rcu_read_unlock();
	up_read(&store->chain);
	ckpt_node_put(below);
	return 0;
}

/* A merge may come between two leaves, as store->chain must not be held for long. */
static int merge_layers(struct ckpt_store *store, struct ckpt_layer *layer,
			struct ckpt_layer *child, u64 *cursor, struct ckpt_estimate *e)
{
	const unsigned int shift = ckpt_leaf_shift(&store->geometry);
	const unsigned long begun = jiffies;
	u64 from = *cursor >> shift;
	struct ckpt_node *leaf;
	bool first = true;
	int r = 0;

	for (; !r; first = false) {
		leaf = ckpt_node_next(&child->map, 0, from);
		if (IS_ERR_OR_NULL(leaf))
			return PTR_ERR_OR_ZERO(leaf);
		if (!first && ckpt_report_is_long(begun)) {
			*cursor = leaf->index << shift;
			r = 1;
		} else {
			from = leaf->index + 1;
			r = merge_leaf(store, layer, leaf, e);
		}
		ckpt_node_put(leaf);
		cond_resched();
	}
	return r;
}

int ckpt_estimate(struct ckpt_store *store, const struct ckpt_checkpoint *checkpoint, u64 *cursor,
		  struct ckpt_estimate *e)
{
	struct ckpt_layer *layer = checkpoint->layer, *child;
	int r = 0;

	memset(e, 0, sizeof(*e));
	/* Something else holds the layer, or several need it. */
	if (layer->tags > 1 || layer->children > 1)
		return 0;
	if (!layer->children) {
		e->freed = READ_ONCE(layer->used);
		return 0;
	}
	child = ckpt_layer_child(store, layer);
	if (!child)
		return 0;
	if (!layer->base) {
		r = merge_layers(store, layer, child, cursor, e);
	} else if (layer->base->owner) {
		e->freed = READ_ONCE(child->used);
		e->copied = e->freed;
	}
	return r;
}
