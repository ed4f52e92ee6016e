/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What nobody reads of layers that wait to be merged, given back without a merge.
 *
 * A slot of two layers is merged by moving blocks to one window, for which a store that is full
 * may have no room of the right shape.  What the layers above hide there is of no use to anybody,
 * so it need not wait for that: the slot drops those blocks.  Then what is deleted is free on a
 * full store, whatever its shape, and what still waits has nothing that nobody reads.
 *
 * CRASH CASES: that a block is hidden is durable before it is dropped; so after a crash it is
 * there, or what hides that it is not.
 */
#ifndef CKPT_TRIM_H
#define CKPT_TRIM_H

struct ckpt_layer;
struct ckpt_store;

/*
 * Drop what @child, and those between, hide of the layers below it that are to be merged, down to
 * the first one that somebody needs.  They must be settled again before they are merged; the
 * places are free behind that.  Sleeps; called by the background worker alone, which holds no
 * locks.  How many slots had something to drop, or -EINTR, -ENOMEM: what was dropped until then
 * stays so.
 */
int ckpt_trim(struct ckpt_store *store, struct ckpt_layer *child);

#endif
