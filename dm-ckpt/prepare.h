/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a bio may have to wait for on its way, done by a worker: nodes, resolutions, space,
 * blocks that are written in part.  All functions sleep.
 */
#ifndef CKPT_PREPARE_H
#define CKPT_PREPARE_H

#include "remap.h"

/* Load what a read of the cluster at @sector needs. */
int ckpt_prepare_read(struct ckpt_target *t, u64 sector);

/*
 * Make the cluster ready for a first write of @nr blocks from @sector's on.  -ENOSPC; -EDQUOT
 * when the volume may not take any more.
 */
int ckpt_prepare_write(struct ckpt_target *t, u64 sector, u32 nr);

/*
 * Give a new @head, which nobody has yet, leaves where @old was written that are in memory, @nr at
 * most: so that the first writes behind a checkpoint need not wait for them.  store->admin is held.
 */
void ckpt_prepare_head(struct ckpt_store *store, struct ckpt_layer *head, struct ckpt_layer *old,
		       unsigned int nr);

/*
 * Make the leaf at the front of a discard or write-zeroes ready for it.  Returns the sectors
 * where there is nothing to be zeroed, in this volume and below: those are done.
 */
int ckpt_prepare_zero(struct ckpt_target *t, struct bio *bio);

/*
 * Write the part of a block that @bio has at its front, at most to the block's end, when the
 * block is not present: the rest comes from what lies below.  @bio may be a write or a
 * write-zeroes.  Returns the sectors that were done, or a negative errno: -EAGAIN when the bio
 * has been made to wait for somebody else's write of the block.
 */
int ckpt_fill_block(struct ckpt_target *t, struct bio *bio);

/* Put the first @sectors of a write, or of a write-zeroes, to a place in memory. */
void ckpt_fill_from_bio(struct bio *bio, u32 sectors, void *to);

/* Write zeros to the origin for a write-zeroes that it does not know; as before. */
int ckpt_zero_origin(struct ckpt_target *t, struct bio *bio);

#endif
