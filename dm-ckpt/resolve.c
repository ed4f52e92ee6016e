// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "preload.h"
#include "resolve.h"
#include "store.h"

/*
 * Layers whose leaves are loaded at a time, where one alone would have to be waited for: few, as
 * the next may have all that is looked for, and then twice as many.
 */
#define AHEAD_LEAST	4u
#define AHEAD_MOST	64u

/* Lay one layer's slot under what is resolved; 1 if its leaf knew all the rest. */
static int lay_under(const struct ckpt_geometry *g, struct ckpt_resolve *r,
		     struct ckpt_layer *layer, u64 cluster)
{
	const struct ckpt_under *under;
	unsigned int slot = cluster % CKPT_FANOUT;
	struct ckpt_state state;
	struct ckpt_node *leaf;

	leaf = ckpt_node_get(&layer->map, 0, cluster >> CKPT_FANOUT_SHIFT, false);
	if (IS_ERR_OR_NULL(leaf))
		return PTR_ERR_OR_ZERO(leaf);
	rcu_read_lock();
	state = ckpt_leaf_state(leaf, slot);
	ckpt_resolve_slot(g, r, &state);
	under = ckpt_under(leaf, slot);
	if (under)
		ckpt_resolve_under(r, under);
	rcu_read_unlock();
	ckpt_node_put(leaf);
	return !!under;
}

/* What so many layers have there, from @layer down. */
static void load_ahead(struct ckpt_layer *layer, u64 index, unsigned int nr)
{
	struct ckpt_preload *p = ckpt_preload_begin();

	for (; layer && !layer->base && nr; nr--, layer = layer->parent)
		ckpt_preload_leaf(p, &layer->map, index);
	ckpt_preload_end(p);
}

static int walk_down(struct ckpt_store *store, struct ckpt_layer *layer, u64 cluster,
		     struct ckpt_resolve *r)
{
	const struct ckpt_geometry *g = &store->geometry;
	unsigned int ahead = 0, left = 0;
	int known;

	ckpt_resolve_begin(r);
	for (layer = layer->parent; layer && r->open; layer = layer->parent) {
		unsigned long waits = current->nvcsw;

		ckpt_resolve_size(g, r, cluster, layer->sectors);
		if (layer->base)
			return 0;	/* what is open now is the base's */
		known = lay_under(g, r, layer, cluster);
		if (known)
			return known < 0 ? known : 0;
		if (left > 1) {
			left--;
		} else if (r->open && (ahead || current->nvcsw != waits)) {
			/* It had to be read, from what has one wait for it. */
			ahead = clamp(2 * ahead, AHEAD_LEAST, AHEAD_MOST);
			left = ahead;
			load_ahead(layer->parent, cluster >> CKPT_FANOUT_SHIFT, ahead);
		}
	}
	r->zero |= r->open;
	return 0;
}

/* In memory a resolution has more than a pure function needs to know of. */
struct box {
	struct rcu_head rcu;
	struct ckpt_under under;
};

static struct box *box_of(const struct ckpt_under *under)
{
	return container_of(under, struct box, under);
}

static void account(struct ckpt_store *store, const struct ckpt_under *under, long sign)
{
	ckpt_cache_account(store, sign * (long)(sizeof(struct box) +
						under->nr * sizeof(under->extent[0])));
}

static struct ckpt_under *to_under(struct ckpt_store *store, const struct ckpt_resolve *r)
{
	size_t extents = r->nr * sizeof(r->extent[0]);
	struct box *box = kmalloc(sizeof(*box) + extents, GFP_NOIO);
	struct ckpt_under *under;

	if (!box)
		return NULL;
	under = &box->under;
	under->zero = r->zero;
	under->nr = r->nr;
	memcpy(under->extent, r->extent, extents);
	account(store, under, 1);
	return under;
}

/* The leaf's table of resolutions; one that came second goes. */
static int make_table(struct ckpt_store *store, struct ckpt_node *leaf)
{
	struct ckpt_under __rcu **table;
	unsigned long flags;

	if (READ_ONCE(leaf->leaf->under))
		return 0;
	table = kcalloc(CKPT_FANOUT, sizeof(*table), GFP_NOIO);
	if (!table)
		return -ENOMEM;
	spin_lock_irqsave(&leaf->lock, flags);
	if (!leaf->leaf->under) {
		/* Pairs with ckpt_under(). */
		smp_store_release(&leaf->leaf->under, table);
		ckpt_cache_account(store, CKPT_FANOUT * sizeof(*table));
		table = NULL;
	}
	spin_unlock_irqrestore(&leaf->lock, flags);
	kfree(table);
	return 0;
}

int ckpt_resolve(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_node *leaf,
		 unsigned int slot)
{
	struct ckpt_under *under;
	struct ckpt_resolve *resolve;
	unsigned long flags;
	int r = make_table(store, leaf);

	if (r)
		return r;
	resolve = kmalloc(sizeof(*resolve), GFP_NOIO);
	if (!resolve)
		return -ENOMEM;
	r = walk_down(store, layer, leaf->index * CKPT_FANOUT + slot, resolve);
	under = r ? NULL : to_under(store, resolve);
	if (under) {
		spin_lock_irqsave(&leaf->lock, flags);
		if (!rcu_access_pointer(leaf->leaf->under[slot])) {
			rcu_assign_pointer(leaf->leaf->under[slot], under);
			under = NULL;
		}
		spin_unlock_irqrestore(&leaf->lock, flags);
	} else if (!r) {
		r = -ENOMEM;
	}
	if (under) {
		account(store, under, -1);
		kfree(box_of(under));
	}
	kfree(resolve);
	return r;
}

static void forget_slot(struct ckpt_node *leaf, unsigned int slot)
{
	struct ckpt_under *under = rcu_dereference_protected(leaf->leaf->under[slot],
							     lockdep_is_held(&leaf->lock));

	if (!under)
		return;
	RCU_INIT_POINTER(leaf->leaf->under[slot], NULL);
	account(leaf->store, under, -1);
	kfree_rcu(box_of(under), rcu);
}

static void forget_in_leaf(struct ckpt_node *leaf, const unsigned long *slots)
{
	unsigned long flags;
	unsigned int slot;

	spin_lock_irqsave(&leaf->lock, flags);
	if (leaf->leaf->under)
		for_each_set_bit(slot, slots, CKPT_FANOUT)
			forget_slot(leaf, slot);
	spin_unlock_irqrestore(&leaf->lock, flags);
}

void ckpt_resolve_forget(struct ckpt_store *store, const struct ckpt_layer *layer, u64 index,
			 const unsigned long *slots)
{
	struct ckpt_object *object;
	struct ckpt_node *leaf;
	unsigned long number;

	lockdep_assert_held_write(&store->chain);
	rcu_read_lock();
	xa_for_each(&store->objects, number, object) {
		if (object->type != CKPT_RECORD_LAYER || !ckpt_layer_is_below(layer, object->layer))
			continue;
		leaf = ckpt_node_find(&object->layer->map, 0, index);
		if (leaf)
			forget_in_leaf(leaf, slots);
	}
	rcu_read_unlock();
}

void ckpt_resolve_forget_all(struct ckpt_layer *layer)
{
	DECLARE_BITMAP(all, CKPT_FANOUT);
	struct ckpt_node *leaf;
	u64 index = 0;

	bitmap_fill(all, CKPT_FANOUT);
	while ((leaf = ckpt_node_next_cached(&layer->map, index))) {
		index = leaf->index + 1;
		forget_in_leaf(leaf, all);
		ckpt_node_put(leaf);
	}
}

void ckpt_resolve_free(struct ckpt_store *store, struct ckpt_leaf *leaf)
{
	unsigned int i;

	if (!leaf->under)
		return;
	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_under *under = rcu_dereference_protected(leaf->under[i], true);

		if (under) {
			account(store, under, -1);
			kfree(box_of(under));
		}
	}
	ckpt_cache_account(store, -(long)(CKPT_FANOUT * sizeof(*leaf->under)));
	kfree(leaf->under);
}

/* Sectors from @sector on below the highest node that @layer's map lacks there. */
static u64 layer_hole(struct ckpt_store *store, struct ckpt_layer *layer, u64 sector)
{
	const struct ckpt_geometry *g = &store->geometry;
	unsigned int level;
	struct ckpt_node *leaf;

	leaf = ckpt_node_seek(&layer->map, 0, sector >> ckpt_leaf_shift(g), &level);
	if (leaf) {
		if (!IS_ERR(leaf))
			ckpt_node_put(leaf);
		return 0;
	}
	return ckpt_node_span(g, level) - (sector & (ckpt_node_span(g, level) - 1));
}

u64 ckpt_resolve_hole(struct ckpt_store *store, struct ckpt_layer *layer, u64 sector, u64 most)
{
	for (; layer && most; layer = layer->parent)
		most = layer->base ? 0 : min(most, layer_hole(store, layer, sector));
	return most;
}
