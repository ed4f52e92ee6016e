/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for merged slots that find no place.
 *
 * All of a slot's blocks stand in one window.  On a store where what is free lies in single units
 * the one window that would do may have another slot's block in the very place that is needed.
 * Nobody knows whose: the map of space has bits, not owners.  So a walk over all leaves notes who
 * is in a stretch of the store, a plan says who would have to go where (repack.h), and those slots
 * are moved.
 *
 * CRASH CASES: as for any other move of a slot, see move.h.
 */
#ifndef CKPT_ROOM_H
#define CKPT_ROOM_H

#include "repack.h"

struct ckpt_store;

#define CKPT_WANTS 64u

struct ckpt_wants {
	unsigned int nr;
	struct ckpt_want want[CKPT_WANTS];
};

/*
 * Move slots that are in the way of any of @wants, within the stretch that begins at unit
 * *@cursor, which moves on.  What they have left is free afterwards, for whoever asks first; a
 * node of metadata stays where it is.  Sleeps; called by the background worker alone, which holds
 * no locks.  How many were moved, or -EINTR, -EIO, -ENOMEM.
 */
int ckpt_room_make(struct ckpt_store *store, const struct ckpt_wants *wants, u64 *cursor);

#endif
