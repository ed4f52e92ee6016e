// SPDX-License-Identifier: GPL-2.0-only
#include "copy.h"
#include "free.h"
#include "move.h"
#include "resolve.h"
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

/*
 * The copies of a slot are there: it is @new now, with the spots @own set aside.  What it was;
 * *@old_own are the spots it had.
 */
static struct ckpt_state place(struct ckpt_node *leaf, unsigned int slot,
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

/* Its old place is free with the commit that says so: nobody may remember it by then. */
static void leave(struct ckpt_store *store, const struct ckpt_state *old, u32 old_own)
{
	atomic64_add(ckpt_state_used(&store->geometry, old), &store->copied);
	ckpt_free_mask(store, old->where, ckpt_unit_mask(&store->geometry, old_own),
		       READ_ONCE(store->txn) + 1);
}

/* ---- many at once ---- */

bool ckpt_moving_begin(struct ckpt_moving *m, struct ckpt_layer *layer, u64 index,
		       unsigned int slot)
{
	struct ckpt_node *leaf = ckpt_node_get(&layer->map, 0, index, false);

	if (IS_ERR_OR_NULL(leaf))
		return false;
	*m = (struct ckpt_moving){ .layer = layer, .leaf = leaf, .slot = slot };
	ckpt_leaf_make_writable(leaf, layer);
	/* A frozen one has a live side again, to be settled before it is merged. */
	WRITE_ONCE(layer->settled, false);
	if (ckpt_move_begin(leaf, slot)) {
		if (!READ_ONCE(leaf->leaf->w->drops))
			return true;
		ckpt_move_end(leaf, slot);
	}
	ckpt_node_put(leaf);
	return false;
}

struct ckpt_state ckpt_moving_state(const struct ckpt_moving *m)
{
	return ckpt_leaf_live(m->leaf->leaf->w, m->slot);
}

/* What sits on the layer must not remember the old place. */
static void finish(struct ckpt_store *store, struct ckpt_moving *m)
{
	DECLARE_BITMAP(slots, CKPT_FANOUT);
	struct ckpt_state old;
	u32 old_own;

	bitmap_zero(slots, CKPT_FANOUT);
	__set_bit(m->slot, slots);
	down_write(&store->chain);
	old = place(m->leaf, m->slot, &m->to, m->own, &old_own);
	ckpt_resolve_forget(store, m->layer, m->leaf->index, slots);
	up_write(&store->chain);
	leave(store, &old, old_own);
}

bool ckpt_moving_end(struct ckpt_store *store, struct ckpt_moving *m, bool ok)
{
	bool moved = m->placed && ok;

	if (moved)
		finish(store, m);
	else if (m->placed)
		ckpt_free_mask(store, m->to.where, ckpt_unit_mask(&store->geometry, m->own), 0);
	ckpt_move_end(m->leaf, m->slot);
	ckpt_node_put(m->leaf);
	return moved;
}

/* ---- places for one ---- */

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
	place(leaf, slot, &new, own, &old_own);
	leave(store, &old, old_own);
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
