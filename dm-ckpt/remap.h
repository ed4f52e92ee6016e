/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The I/O path: from a bio of a volume to one of the store or the origin.
 *
 * map() sends a bio on by itself when all that it needs is in memory.  Otherwise the bio is
 * handed to a worker, which loads what is missing (see prepare.h) and tries again, piece
 * by piece.  Bios that wait for other bios, or at the gate, hold no worker.
 */
#ifndef CKPT_REMAP_H
#define CKPT_REMAP_H

#include <linux/bio.h>

#include "target.h"

/* A part of a bio that was sent on: what its end has to undo or to complete. */
struct ckpt_piece {
	struct ckpt_node *leaf;		/* of a first write; its pending blocks keep it */
	u16 first, nr;			/* blocks in the leaf that it writes first */
	u8 epoch;			/* bank that was entered */
	bool in_store;			/* wrote to the store */
	bool to_origin;			/* wrote to the origin */
	bool through;			/* it did so for a head that is merged into it */
};

/* Of a piece that has left its epoch, or has never entered one. */
#define CKPT_NO_EPOCH	0xff

/* For each bio of a volume. */
struct ckpt_io {
	struct ckpt_target *target;
	struct ckpt_piece piece;
	struct bio *bio;		/* the one it belongs to */
	struct bio *parent;		/* it is a part of this one that a worker split off */
	struct work_struct work;
	u32 mask;			/* of a first write that is plain: its blocks, */
	u16 slot;			/* and the slot of @piece.leaf that they are in */
	bool sent;			/* @piece is to be ended */
	bool commit;			/* is complete only after a commit (FUA) */
	bool through;			/* and after a flush of the origin; see through.h */
};

/* Map a bio, whatever it is; any context. */
int ckpt_remap_map(struct dm_target *ti, struct bio *bio);
/* The end of one that was; any context. */
int ckpt_remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

/* Have a worker map the bio, which belongs to a target of ours, again.  Any context. */
void ckpt_bio_retry(struct bio *bio);

/* A device was written to.  Most find it set, and then its line is not taken from other CPUs. */
static inline void ckpt_note_written(bool *written)
{
	if (unlikely(!READ_ONCE(*written)))
		WRITE_ONCE(*written, true);
}

/* Size of what comes before the bio in the bio set for parts. */
unsigned int ckpt_split_front(void);

#endif
