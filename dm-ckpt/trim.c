// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "commit.h"
#include "gc.h"
#include "leaf.h"
#include "pace.h"
#include "store.h"
#include "trim.h"

/* Leaves that are trimmed with one drain and one commit. */
#define BATCH	16u

/* A leaf that has blocks nobody reads. */
struct hidden {
	struct ckpt_node *leaf;
	struct ckpt_layer *layer;
	u32 blocks[CKPT_FANOUT];
};

struct trim {
	struct ckpt_store *store;
	struct ckpt_layer *child;		/* all below it are looked at, while they merge */
	int slots;				/* that had something to drop */
	unsigned int nr;
	struct hidden batch[BATCH];
	u32 above[CKPT_FANOUT];			/* what the layers above hide of one leaf's */
};

/* ---- what is hidden ---- */

/* A discard over a parent leaves zeros, so what is hidden stays so. */
static void hide(struct trim *t, struct ckpt_node *leaf)
{
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		struct ckpt_state s = ckpt_leaf_look(leaf, slot);

		t->above[slot] |= s.present | s.zero;
	}
}

static void look_at(struct trim *t, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	struct hidden *h = &t->batch[t->nr];
	unsigned int slot;
	u32 any = 0;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		h->blocks[slot] = ckpt_leaf_look(leaf, slot).present & t->above[slot];
		any |= h->blocks[slot];
	}
	if (!any)
		return;
	refcount_inc(&leaf->refs);
	h->leaf = leaf;
	h->layer = layer;
	t->nr++;
}

/* ---- dropping it ---- */

/* The places go back when the layer is settled. */
static void drop(struct trim *t, const struct hidden *h)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	struct ckpt_node *leaf = h->leaf;
	struct ckpt_leaf_write *w;
	unsigned long flags;
	unsigned int slot;

	WRITE_ONCE(h->layer->settled, false);
	ckpt_leaf_make_writable(leaf, h->layer);
	spin_lock_irqsave(&leaf->lock, flags);
	w = leaf->leaf->w;
	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		struct ckpt_state s = ckpt_leaf_live(w, slot);

		if (!(s.present & h->blocks[slot]) || test_bit(slot, w->moving))
			continue;
		w->own[slot] |= ckpt_state_whole(g, &s);
		/* Of a packed slot all that has gone is to be alike; nobody reads it. */
		if (s.zero & s.packed)
			s.zero |= s.present & h->blocks[slot];
		s.present &= ~h->blocks[slot];
		ckpt_leaf_put(leaf, slot, &s);
		ckpt_leaf_dirty(leaf, slot);
		t->slots++;
	}
	spin_unlock_irqrestore(&leaf->lock, flags);
}

static int end_batch(struct trim *t)
{
	struct ckpt_pace pace;
	unsigned int i;
	int r;

	if (!t->nr)
		return 0;
	ckpt_pace_begin(t->store, &pace);
	/* Nobody reads any more what has come to be hidden meanwhile ... */
	ckpt_store_drain(t->store);
	/* ... and that it is hidden is durable. */
	r = ckpt_commit(t->store);
	for (i = 0; i < t->nr; i++) {
		if (!r)
			drop(t, &t->batch[i]);
		ckpt_node_put(t->batch[i].leaf);
	}
	t->nr = 0;
	ckpt_pace_end(t->store, &pace);
	return r;
}

/* ---- all leaves ---- */

/* The one below it, if that is to be merged.  Only the background worker frees layers. */
static struct ckpt_layer *below(struct trim *t, struct ckpt_layer *layer)
{
	struct ckpt_layer *parent;

	mutex_lock(&t->store->admin);
	parent = layer->parent;
	if (!parent || !ckpt_gc_merges(parent) || !READ_ONCE(parent->durable) || parent->broken)
		parent = NULL;
	mutex_unlock(&t->store->admin);
	return parent;
}

/* The leaves of that index, from the child down. */
static int trim_leaves(struct trim *t, u64 index)
{
	struct ckpt_layer *layer;
	int r = 0;

	memset(t->above, 0, sizeof(t->above));
	for (layer = t->child; !r && layer; layer = below(t, layer)) {
		struct ckpt_node *leaf = ckpt_node_get(&layer->map, 0, index, false);

		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		if (!leaf)
			continue;
		if (layer != t->child)
			look_at(t, layer, leaf);
		hide(t, leaf);
		ckpt_node_put(leaf);
		if (t->nr == BATCH)
			r = end_batch(t);
	}
	return r;
}

/* The next leaf of any layer that is trimmed: as ckpt_node_next_index(). */
static int next_index(struct trim *t, u64 from, u64 *index)
{
	struct ckpt_layer *layer;
	int any = 0;

	for (layer = below(t, t->child); layer; layer = below(t, layer)) {
		u64 next;
		int r = ckpt_node_next_index(&layer->map, 0, from, &next);

		if (r < 0)
			return r;
		if (r && (!any || next < *index))
			*index = next;
		any |= r;
	}
	return any;
}

static int trim(struct trim *t)
{
	u64 index, from = 0;
	int r, r2;

	for (;;) {
		r = ckpt_pace_may_run(t->store) ? next_index(t, from, &index) : -EINTR;
		if (r <= 0)
			break;
		r = trim_leaves(t, index);
		if (r)
			break;
		from = index + 1;
		cond_resched();
	}
	r2 = end_batch(t);
	return r ? r : r2;
}

int ckpt_trim(struct ckpt_store *store, struct ckpt_layer *child)
{
	struct trim *t = kvzalloc(sizeof(*t), GFP_NOIO);
	int r;

	if (!t)
		return -ENOMEM;
	t->store = store;
	t->child = child;
	r = trim(t);
	/* A layer that cannot be read says so when it is merged itself. */
	if (!r || r == -EIO)
		r = t->slots;
	kvfree(t);
	return r;
}
