/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First writes: blocks of a head that take their places.  They are pending from then on, and
 * present when what is written has ended; see leaf.h.
 *
 * node->lock of the leaf is held throughout.
 */
#ifndef CKPT_FIRST_H
#define CKPT_FIRST_H

#include "leaf.h"
#include "quota.h"
#include "target.h"

/*
 * Have a slot, of which nothing is in use, a window for blocks [@block, @block + @nr); false if
 * the stock must be refilled first.
 */
static inline bool ckpt_first_place(struct ckpt_store *store, struct ckpt_node *leaf,
				    unsigned int slot, u32 block, u32 nr)
{
	u64 where = ckpt_space_window(store, block, nr, &leaf->leaf->w->own[slot]);

	if (unlikely(!where))
		return false;
	ckpt_leaf_place(leaf, slot, where);
	return true;
}

/* So many blocks, which the mask has, are pending from now on. */
static inline void ckpt_first_take(struct ckpt_target *t, struct ckpt_leaf_write *w,
				   unsigned int slot, u32 mask, u32 nr)
{
	w->pending[slot] |= mask;
	ckpt_quota_take(t->volume, &t->store->geometry, nr);
}

#endif
