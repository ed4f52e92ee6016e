// SPDX-License-Identifier: GPL-2.0-only
#include "copy.h"
#include "free.h"
#include "move.h"
#include "store.h"

bool ckpt_move_begin(struct ckpt_node *leaf, unsigned int slot)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	unsigned long flags;
	bool mine;

	spin_lock_irqsave(&leaf->lock, flags);
	mine = !w->pending[slot] && !test_and_set_bit(slot, w->moving);
	spin_unlock_irqrestore(&leaf->lock, flags);
	return mine;
}

void ckpt_move_end(struct ckpt_node *leaf, unsigned int slot)
{
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	clear_bit(slot, leaf->leaf->w->moving);
	ckpt_leaf_wake(leaf);
	spin_unlock_irqrestore(&leaf->lock, flags);
}

struct ckpt_state ckpt_move_place(struct ckpt_node *leaf, unsigned int slot,
				  const struct ckpt_state *new, u32 own, u32 *old_own)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	struct ckpt_state old;
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	old = ckpt_leaf_live(w, slot);
	*old_own = w->own[slot] | ckpt_state_spots(&old, old.present);
	w->own[slot] = own;
	ckpt_leaf_put(leaf, slot, new);
	ckpt_leaf_dirty(leaf, slot);
	spin_unlock_irqrestore(&leaf->lock, flags);
	return old;
}

void ckpt_move_left(struct ckpt_store *store, const struct ckpt_state *old, u32 old_own)
{
	atomic64_add(ckpt_state_used(&store->geometry, old), &store->copied);
	ckpt_free_mask(store, old->where, ckpt_unit_mask(&store->geometry, old_own),
		       READ_ONCE(store->txn) + 1);
}

/*
 * Free places of the window at @where, of which it has those of @sure: those of @wanted, and then
 * all others; or none.
 */
static int claim(struct ckpt_store *store, enum ckpt_space_user user, u64 where, u32 sure,
		 u32 wanted, u32 *got)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 others = ~(wanted | sure), more = 0;
	int r;

	r = ckpt_space_claim(store, user, where, wanted, got);
	if (r)
		return r;
	if (wanted & ~*got) {
		/* The slot must move, for which there may be no space but this. */
		ckpt_free_mask(store, where, ckpt_unit_mask(g, *got), 0);
		*got = 0;
		return 0;
	}
	if (!READ_ONCE(store->space.scarce))
		r = ckpt_space_claim(store, CKPT_SPACE_DATA, where, others, &more);
	*got |= more;
	return r;
}

int ckpt_slot_claim(struct ckpt_store *store, enum ckpt_space_user user, struct ckpt_node *leaf,
		    unsigned int slot, u32 wanted)
{
	struct ckpt_state s = ckpt_leaf_look(leaf, slot);
	struct ckpt_leaf_write *w = leaf->leaf->w;
	u32 had = READ_ONCE(w->own[slot]), got;
	u32 sure = had | ckpt_state_whole(&store->geometry, &s);
	unsigned long flags;
	int r;

	/* What it lacks has no place in it. */
	if (s.packed)
		return 0;
	r = claim(store, user, s.where, sure,
		  ckpt_whole_units(&store->geometry, wanted) & ~sure, &got);
	spin_lock_irqsave(&leaf->lock, flags);
	if (!r && w->own[slot] == had && le64_to_cpu(w->live[slot].where) == s.where) {
		w->own[slot] = sure | got;
		got = 0;
	}
	spin_unlock_irqrestore(&leaf->lock, flags);
	if (got)
		ckpt_free_mask(store, s.where, ckpt_unit_mask(&store->geometry, got), 0);
	return r;
}

int ckpt_move_window(struct ckpt_store *store, enum ckpt_space_user user, u32 mask, u64 *where,
		     u32 *own)
{
	u32 first = (u32)__ffs(mask), nr = (u32)__fls(mask) + 1 - first;
	int r;

	do {
		*where = ckpt_space_find_window(store, first, nr, own);
		r = *where ? 0 : ckpt_space_refill(store, first, nr);
	} while (!r && !*where);
	if (r == -ENOSPC) {
		*own = ckpt_whole_units(&store->geometry, mask);
		r = ckpt_space_fit(store, user, mask, where);
	}
	return r;
}

static int copy_present(struct ckpt_store *store, const struct ckpt_state *from,
			const struct ckpt_state *to)
{
	struct ckpt_copies copies;
	int r;

	ckpt_copies_begin(&copies, store);
	ckpt_copies_add_blocks(&copies, from, to, from->present);
	r = ckpt_copies_wait(&copies);
	WRITE_ONCE(store->data_written, true);
	return r;
}

static int move(struct ckpt_store *store, struct ckpt_node *leaf, unsigned int slot, u32 wanted)
{
	/* Nobody changes the slot now. */
	struct ckpt_state old = ckpt_leaf_live(leaf->leaf->w, slot), new = old;
	u32 own, old_own;
	int r;

	new.packed = 0;
	r = ckpt_move_window(store, CKPT_SPACE_DATA, old.present | wanted, &new.where, &own);
	if (r)
		return r;
	r = copy_present(store, &old, &new);
	if (r) {
		ckpt_free_mask(store, new.where, ckpt_unit_mask(&store->geometry, own), 0);
		return r;
	}
	ckpt_move_place(leaf, slot, &new, own, &old_own);
	ckpt_move_left(store, &old, old_own);
	return 0;
}

int ckpt_slot_move(struct ckpt_store *store, struct ckpt_node *leaf, unsigned int slot,
		   u32 wanted)
{
	int r;

	if (!ckpt_move_begin(leaf, slot))
		return 0;
	/* Writes of present blocks that did not see the mark have ended after this. */
	ckpt_store_drain(store);
	r = move(store, leaf, slot, wanted);
	ckpt_move_end(leaf, slot);
	return r;
}
