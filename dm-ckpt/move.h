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

/*
 * The copies of a slot that is moved are there: it is @new now, with the spots @own set aside.
 * What it was; *@old_own are the spots it had, for ckpt_move_left(), which counts what was copied
 * and gives them back behind the commit that covers the change: so nobody may remember the old
 * place by then.  The latter sleeps.
 */
struct ckpt_state ckpt_move_place(struct ckpt_node *leaf, unsigned int slot,
				  const struct ckpt_state *new, u32 own, u32 *old_own);
void ckpt_move_left(struct ckpt_store *store, const struct ckpt_state *old, u32 old_own);

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
