/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for merged slots that find no place.
 *
 * All of a slot's blocks stand in one window, or one behind the other in a row.  On a store where
 * what is free lies in single units there is neither.  Who is in between, nobody knows: the map of
 * space has bits, not owners.  So a walk over all leaves notes who is in a stretch of the store, a
 * plan says who goes where so that what is free stands together (repack.h), and those slots are
 * packed and moved.
 *
 * CRASH CASES: as for any other move of a slot, see move.h.
 */
#ifndef CKPT_ROOM_H
#define CKPT_ROOM_H

#include <linux/types.h>

struct ckpt_store;

/*
 * Move slots so that, if it can be, @wanted units of the next stretch of the store stand in rows of
 * at least @least, free for whoever asks first; a node of metadata stays where it is, and if not
 * @urgent, a slot that has places set aside for writes to come.  Stretches that have less than
 * @least in pieces are passed over.  Sleeps; called by the background worker alone, which holds no
 * locks.  How many slots were moved; -ENOSPC: there is no such stretch; or -EINTR, -EIO, -ENOMEM.
 */
int ckpt_room_make(struct ckpt_store *store, u32 least, u32 wanted, bool urgent);

#endif
