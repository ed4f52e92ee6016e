/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard: a store that is active in one kernel is not activated in another that shares the
 * device.  owner.h has the rules; here is who acts by them, and when.
 *
 * While a store is active a work of its own reads the block and writes it anew every interval,
 * also while the store is suspended.  A timer on the clock that goes on in a machine's sleep bars
 * writes as soon as the lease has run out; whatever writes more than one bio looks at that clock
 * itself (ckpt_guard_check()).  Bios that have been handed down before can be held up below us for
 * any time, and nothing here can call them back.
 *
 * LOCKS: guard.lock is taken by those who hold store->commit, writeback, chain or admin, and holds
 * on to I/O of one block; nothing but event_lock is taken below it.
 */
#ifndef CKPT_GUARD_H
#define CKPT_GUARD_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "owner.h"

struct block_device;
struct ckpt_store;

#define CKPT_GUARD_INTERVAL_DEFAULT 2u

struct ckpt_guard {
	struct mutex lock;		/* one look at a time; of all below */
	struct list_head list;		/* of all that are held or wanted */
	u8 uuid[CKPT_UUID_BYTES];	/* of the store, for others on the list */
	bool held;			/* the block was ours, and may be still */
	bool lost;			/* it is not any more, and never will be again */
	u64 sent;			/* when mine was handed down; ns of CLOCK_BOOTTIME */
	u64 until;			/* end of the lease; the same */
	u64 epoch;			/* that the superblocks have */
	bool begun;			/* it is this activation's own */
	struct ckpt_guard_block mine, tried;
	u8 former[CKPT_UUID_BYTES];
	void *page, *super;		/* for I/O */
	struct delayed_work beat;
	struct hrtimer late;
};

/* The kernel's id; before the first store. */
void ckpt_guard_module_init(void);

void ckpt_guard_init(struct ckpt_store *store);

/* Say that nobody has the store @uuid open; before it has superblocks. */
int ckpt_guard_format(struct block_device *bdev, const u8 *uuid);

/*
 * Become the owner of a store whose superblock has been read, or for a store that is to be
 * read-only find out that nobody is.  May wait for as long as another's interval asks for, unless
 * the process is killed (-EINTR).  -EBUSY: it is active elsewhere, as the log says; -ETIMEDOUT:
 * the device is too slow to tell.
 */
int ckpt_guard_begin(struct ckpt_store *store);

/*
 * Nobody owns it any more, if we did; nothing is under way to the store.  The block says so only if
 * that could be written in time, and otherwise the log.  Sleeps.
 */
void ckpt_guard_end(struct ckpt_store *store);

/*
 * Write store->super, which begins an epoch: the first write to the store of its new owner.
 * -EBUSY: another has come between.
 */
int ckpt_guard_begin_epoch(struct ckpt_store *store);

/*
 * May the store be written?  0, after another look if the lease has run out; -EROFS: another host
 * has it, and the store is read-only from now on; others: the device does not answer.  Sleeps.
 */
int ckpt_guard_check(struct ckpt_store *store);

/* "off", "held", "late" (it has to look before it writes) or "lost". */
const char *ckpt_guard_state(const struct ckpt_store *store);

#endif
