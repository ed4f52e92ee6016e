/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies under a head or view, remembered for each cluster, so that depth does not count.
 *
 * What is below hardly ever changes: the result of one walk down the chain is kept in
 * leaf->under[] of the topmost layer, for as long as that leaf stays in memory.
 */
#ifndef CKPT_RESOLVE_H
#define CKPT_RESOLVE_H

#include "leaf.h"
#include "objects.h"

/* Does a cluster of @layer need a resolution, or is it all zeros or the base below? */
static inline bool ckpt_has_layers_below(const struct ckpt_layer *layer)
{
	return layer->parent && !layer->parent->base;
}

/*
 * What is known of the cluster, or NULL; under rcu_read_lock() or with preemption off, any context.
 */
static inline const struct ckpt_under *ckpt_under(const struct ckpt_node *leaf,
						  unsigned int slot)
{
	/* Pairs with make_table(). */
	struct ckpt_under __rcu **under = smp_load_acquire(&leaf->leaf->under);

	return under ? rcu_dereference_check(under[slot], rcu_read_lock_sched_held()) : NULL;
}

/*
 * Walk down below @layer for one cluster and remember the result in @leaf, a referenced leaf of
 * its map.  Sleeps; store->chain is held; -EIO, -ENOMEM.
 */
int ckpt_resolve(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_node *leaf,
		 unsigned int slot);

/*
 * What lies below has changed its place: forget what @layer, and all that sits on it, remember
 * of the clusters in @slots of leaf @index.  Nobody may see the old places any more once bios
 * that were mapped before have ended.  Any context; store->chain is held for writing.
 */
void ckpt_resolve_forget(struct ckpt_store *store, const struct ckpt_layer *layer, u64 index,
			 const unsigned long *slots);

/* All that @layer itself remembers; same context. */
void ckpt_resolve_forget_all(struct ckpt_layer *layer);

/* Free a leaf's resolutions that nobody can see any more. */
void ckpt_resolve_free(struct ckpt_store *store, struct ckpt_leaf *leaf);

/*
 * Sectors from @sector on, @most at the most, of which no layer from @layer down has anything:
 * 0 if one has.  Sleeps; store->chain is held.
 */
u64 ckpt_resolve_hole(struct ckpt_store *store, struct ckpt_layer *layer, u64 sector, u64 most);

#endif
