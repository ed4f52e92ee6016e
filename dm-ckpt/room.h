/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room in certain windows, for merges that find no place elsewhere.
 *
 * All of a slot's blocks stand in one window.  On a store where what is free lies in single units
 * the one window that would do may have another slot's block in the very place that is needed.
 * Nobody knows whose: the map of space has bits, not owners.  So a walk over all leaves looks for
 * whoever is in one of the windows that are *wanted*, many of them at a time, and moves those slots
 * to where they fit.  What has few blocks nearly always finds a place as long as anything is free;
 * for what does not, room is made in turn, some levels deep.  A want that names no window gets one
 * where little is in the way, which takes another walk before, see survey.h.
 *
 * CRASH CASES: as for any other move of a slot, see move.h.
 */
#ifndef CKPT_ROOM_H
#define CKPT_ROOM_H

#include <linux/types.h>

struct ckpt_store;

#define CKPT_WANTS 256u

struct ckpt_wants {
	unsigned int nr;
	struct ckpt_want {
		u64 where;		/* of the window, in sectors; 0: anywhere */
		u32 blocks;		/* whose places in it are wanted */
		u32 got;		/* of those, set aside while others are moved */
	} want[CKPT_WANTS];
};

/* Want these blocks' places as well, if there is room to note it. */
static inline void ckpt_wants_add(struct ckpt_wants *wants, u64 where, u32 blocks)
{
	if (wants->nr < CKPT_WANTS)
		wants->want[wants->nr++] = (struct ckpt_want){ .where = where, .blocks = blocks };
}

/*
 * Move slots that are in the way of any of @wants, as many as merges may borrow space for.  What
 * they have left is free afterwards, for whoever asks first; a node of metadata, and a slot of
 * more blocks than find a place, stay where they are.  Sleeps; called by the background worker
 * alone, which holds no locks.  How many were moved, or -EINTR, -EIO, -ENOMEM.
 */
int ckpt_room_make(struct ckpt_store *store, struct ckpt_wants *wants);

#endif
