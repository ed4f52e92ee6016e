/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The head of a volume while it is merged into the base below it: whatever the volume writes goes
 * through to the base, and what the head had of it is dropped.  So the head only shrinks,
 * whatever the load, and needs no space.
 *
 * A block is *covered* as long as the head has it, present or zero.  Blocks that are not covered
 * are written to the base straight away.  A covered block is written to the base as a whole, is
 * pending meanwhile, and is dropped when that has ended; a part of it is completed first from
 * what the head has.
 *
 * WHAT IS DROPPED in memory must stay in the journal until the base has been flushed: otherwise a
 * commit, of any volume, could bring up what the base had before.  So there are three stages:
 *	dropped		readers go to the base; for the collector the slot still has it
 *	flushing	dropped before the flush of the base that is under way began
 *	gone		the base has been flushed: the slot is dirty, and the next commit says so
 *
 * LOCKS: node->lock guards the masks; layer->drops_lock, inside it, the list of leaves with any;
 * layer->drops_flush (mutex) is held by the one who flushes.
 */
#ifndef CKPT_THROUGH_H
#define CKPT_THROUGH_H

#include "remap.h"

/* What a writable leaf of such a head has beside the rest: stage 0 is dropped, 1 flushing. */
struct ckpt_drops {
	u32 present[2][CKPT_FANOUT];
	u32 zero[2][CKPT_FANOUT];
	unsigned long copied[CKPT_FANOUT / BITS_PER_LONG];	/* see ckpt_drops_copied() */
	struct list_head list[2];	/* on layer->drops; on its flusher's */
	struct ckpt_node *node;
};

/* What the collector must say of a slot beyond its live state; node->lock is held. */
static inline u32 ckpt_drops_present(const struct ckpt_drops *drops, unsigned int slot)
{
	return drops ? drops->present[0][slot] | drops->present[1][slot] : 0;
}

static inline u32 ckpt_drops_zero(const struct ckpt_drops *drops, unsigned int slot)
{
	return drops ? drops->zero[0][slot] | drops->zero[1][slot] : 0;
}

/*
 * The base has what these slots of the leaf hold, though nobody has flushed it: writes to them go
 * on as long as it is so, moving or not.  What they drop stays in the journal until the next
 * flush, as ever, whatever becomes of the rest of the slot.  Any context.
 */
void ckpt_drops_copied(struct ckpt_node *leaf, const unsigned long *slots, bool copied);

/* Nothing dropped that is not gone?  node->lock is held. */
bool ckpt_drops_empty(const struct ckpt_drops *drops);

/*
 * The front of a write of [@sector, @sector + @nr) may go to the origin: returns how many sectors
 * of it, with @piece to be ended.  0: a covered block is written in part, see
 * ckpt_through_fill(); -ENOENT: ckpt_prepare_write() first; -EBUSY: somebody is at the block, and
 * the bio has been put on the leaf's list; -EWOULDBLOCK: it may not wait.  Any context, under
 * rcu_read_lock().
 */
int ckpt_through_begin(struct ckpt_target *t, struct ckpt_layer *head, struct bio *bio, u64 sector,
		       u32 nr, struct ckpt_piece *piece);

/* Covered blocks have been written to the base: they are dropped if @ok.  Any context. */
void ckpt_through_end(struct ckpt_node *leaf, unsigned int first, unsigned int nr, bool ok);

/* Make a writable leaf of such a head ready for that; sleeps.  The node is referenced. */
void ckpt_drops_make(struct ckpt_node *leaf);

/* The layer goes: forget what it has dropped. */
void ckpt_drops_forget(struct ckpt_layer *layer);

/* The worker's part of a write, discard or write-zeroes; as in prepare.h.  Sleep. */
int ckpt_through_fill(struct ckpt_target *t, struct bio *bio);
int ckpt_through_zero(struct ckpt_target *t, struct bio *bio);

/*
 * Complete a flush, or a write that must be durable, when what was dropped before is gone and
 * that is durable.  The bio's epoch is left when a commit has it.  Any context.
 */
void ckpt_through_bio(struct ckpt_target *t, struct bio *bio);

/*
 * Flush the base, and let go what was dropped before.  Sleeps; 0 or -EIO.  Nothing to do when
 * the head has dropped nothing and the origin was not written.
 */
int ckpt_through_flush(struct ckpt_target *t, struct ckpt_layer *head);

/*
 * Writes of the volume go through from now on, or no longer.  Both close the gate for a moment:
 * -ETIMEDOUT when bios in flight do not end.  store->admin is held.  Sleep.
 */
int ckpt_through_on(struct ckpt_target *t, struct ckpt_layer *head);
int ckpt_through_off(struct ckpt_target *t, struct ckpt_layer *head);

/*
 * The same where no bio is in flight, and all that was dropped is gone; store->admin is held.
 */
void ckpt_through_stop(struct ckpt_store *store, struct ckpt_layer *head);

void ckpt_through_init(struct ckpt_target *t);
void ckpt_through_exit(struct ckpt_target *t);

#endif
