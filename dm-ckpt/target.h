/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of the volume target: a volume, or a view of a checkpoint.
 *
 * THE GATE holds up bios before they are mapped, without a suspend: taking a checkpoint,
 * suspending the store, and changing where a volume's writes go (through.h) close it.  A bio that
 * finds it closed is parked; when it opens, what was parked is mapped again.  enter() and then
 * looking at the gate here, closing the gate and then waiting for the epoch there: one of the two
 * sees the other.
 */
#ifndef CKPT_TARGET_H
#define CKPT_TARGET_H

#include "compat.h"
#include "epoch.h"
#include "store.h"

struct ckpt_target {
	struct dm_target *ti;
	struct ckpt_store *store;
	struct dm_dev *store_dev;	/* the store target's device */
	struct dm_dev *data_dev;	/* what that one stands on, held open by us too */
	struct dm_dev *origin;		/* NULL: none */
	struct list_head list;		/* on store->targets, under store->admin */
	struct list_head of_volume;	/* on volume->targets; views are not */
	bool live;			/* on the list; under store->admin */
	bool requeue;			/* a noflush suspend: parked bios go back; under lock */

	struct ckpt_volume *volume;
	struct ckpt_checkpoint *view;	/* NULL: the volume itself */
	struct ckpt_layer *layer;	/* that a view shows */

	struct ckpt_epoch epoch;
	unsigned int gate;		/* closed by so many; under store->admin */
	u64 straight;			/* sectors that pass straight through to the origin */
	spinlock_t lock;
	struct bio_list parked;		/* under lock */
	bool origin_written;		/* since the origin's last flush */

	/* merge_base.c: whoever works for this table in the background holds a pin */
	bool resting;			/* suspended, or about to be; under lock */
	unsigned int pins;		/* under lock */
	wait_queue_head_t unpinned;

	/* through.c */
	struct bio_list through_bios;	/* under lock */
	struct work_struct through_work;
};

/* The layer that this table's reads begin with; under rcu_read_lock() or with preemption off. */
static inline struct ckpt_layer *ckpt_target_top(const struct ckpt_target *t)
{
	return t->view ? t->layer :
		rcu_dereference_check(t->volume->top, rcu_read_lock_sched_held());
}

/* The table that is live for a volume, or NULL; store->admin is held. */
static inline struct ckpt_target *ckpt_live_target(struct ckpt_volume *volume)
{
	return list_first_entry_or_null(&volume->targets, struct ckpt_target, of_volume);
}

/*
 * May the origin, if there is one, be written?  Device-mapper opens devices that are read-only for
 * writing, and the block layer lets bios through to them.  Any context.
 */
static inline bool ckpt_origin_writable(const struct ckpt_target *t)
{
	return t->origin && t->origin->mode & BLK_OPEN_WRITE && !bdev_read_only(t->origin->bdev);
}

/* How long bios in flight may keep a command, or a merge, from going on. */
#define CKPT_DRAIN_JIFFIES	(10 * HZ)

/*
 * Find out how much of the volume passes straight through: all of its base, while that is its top
 * and no gate is shut.  To be called whenever that may have become more; store->admin is held.
 */
void ckpt_gate_straight(struct ckpt_target *t);

/* Close the gate; store->admin is held. */
void ckpt_gate_shut(struct ckpt_target *t);

/*
 * Wait for what was mapped before it closed, @jiffies at most (0: as long as it takes).
 * -ETIMEDOUT.  Sleeps.
 */
int ckpt_gate_drain(struct ckpt_target *t, unsigned long jiffies);

/* Open it again and send the parked bios on; store->admin is held. */
void ckpt_gate_open(struct ckpt_target *t);

/* Park a bio if the gate is closed; true if so.  Any context. */
bool ckpt_gate_park(struct ckpt_target *t, struct bio *bio);

/*
 * Enter the epoch with the gate open: true, and the bank to leave; or false, and the bio has been
 * parked.  Any context.
 */
bool ckpt_gate_enter(struct ckpt_target *t, struct bio *bio, unsigned int *bank);

/*
 * Work for this table in the background: false when it rests.  Until it is unpinned the table
 * and its devices stay.  Any context.
 */
bool ckpt_target_pin(struct ckpt_target *t);
void ckpt_target_unpin(struct ckpt_target *t);

/*
 * From now on (@on) parked bios go back to device-mapper, which takes them up again after its
 * noflush suspend; or no longer.
 */
void ckpt_gate_requeue(struct ckpt_target *t, bool on);

#endif
