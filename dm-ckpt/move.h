/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving a slot's blocks to another place in the store: for a block whose place has gone to
 * somebody else since the slot got its window, and for two slots that become one.
 *
 * While a slot's *moving* bit is set, writes of its present blocks wait, and so do discards and
 * first writes; reads go on.  Whoever sets it under node->lock drains the store before it relies
 * on that, and ends it with ckpt_move_end().
 */
#ifndef CKPT_MOVE_H
#define CKPT_MOVE_H

#include "leaf.h"
#include "space.h"

/*
 * Copy what is present of a slot to a new window that also has room for the blocks @wanted, and
 * have the slot say so.  Writes to the slot wait meanwhile; reads go on.  The old place is given
 * back after the commit that covers the change.
 *
 * @leaf is referenced and writable.  Sleeps, and waits for the bios that are in flight.  0 also
 * if somebody else is at the slot: look again.  -ENOSPC, -EIO.
 */
int ckpt_slot_move(struct ckpt_store *store, struct ckpt_node *leaf, unsigned int slot,
		   u32 wanted);

/*
 * Set the bit, unless somebody else has, or a first write is in flight: true if it was set.  And
 * clear it, and send on whoever waits.  Any context; the leaf is writable.
 */
bool ckpt_move_begin(struct ckpt_node *leaf, unsigned int slot);
void ckpt_move_end(struct ckpt_node *leaf, unsigned int slot);

/* A slot that goes to a row, with others: one drain, one batch of copies and one commit for all. */
struct ckpt_moving {
	struct ckpt_layer *layer;
	struct ckpt_node *leaf;
	unsigned int slot;
	struct ckpt_state to;		/* what it will be */
	u32 own;			/* and the spots that are set aside for it */
	bool placed;			/* these are its own */
};

/*
 * ckpt_move_begin() for a slot of a layer, frozen or a head, that is not being freed: false if
 * somebody is at it, or it is not there.  Then the slot does not change (ckpt_moving_state()) but
 * for writes of present blocks until the store is drained.  Sleeps.
 */
bool ckpt_moving_begin(struct ckpt_moving *m, struct ckpt_layer *layer, u64 index,
		       unsigned int slot);
struct ckpt_state ckpt_moving_state(const struct ckpt_moving *m);

/*
 * If it has a place and was copied there, @ok, that is its place, and what it has left is free with
 * the next commit; else it stays where it is, and its new place is free.  True if it has moved.
 * Sleeps.
 */
bool ckpt_moving_end(struct ckpt_store *store, struct ckpt_moving *m, bool ok);

/*
 * A slot that was read from disk has a place, but which of its holes nobody else has taken since
 * is not known, and one whose window was cut short may have more of it by now: take those of the
 * blocks @wanted, if they are free, and with them others that are; if not, none, as the slot must
 * move then.  Sleeps; -EIO.
 */
int ckpt_slot_claim(struct ckpt_store *store, enum ckpt_space_user user, struct ckpt_node *leaf,
		    unsigned int slot, u32 wanted);

/*
 * A window that has all blocks of @mask: a whole one, or else, where space is in pieces, places
 * for just these.  *@own are those set aside.  Sleeps; -ENOSPC, -EIO.
 */
int ckpt_move_window(struct ckpt_store *store, enum ckpt_space_user user, u32 mask, u64 *where,
		     u32 *own);

#endif
