/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "Everything that was mapped before now has ended": counters for each CPU from
 * map() to end_io.  The algorithm is that of sleepable RCU (two banks of enter and
 * leave counters that the waiter flips), with what enters and leaves counted by
 * whoever holds the bio, in any context, instead of by the task that reads.
 */
#ifndef CKPT_EPOCH_H
#define CKPT_EPOCH_H

#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/wait.h>

struct ckpt_epoch_count {
	unsigned long entered[2];
	unsigned long left[2];
};

struct ckpt_epoch {
	struct ckpt_epoch_count __percpu *count;
	unsigned int bank;
	bool waiting;
	struct mutex lock;		/* one waiter at a time */
	wait_queue_head_t wait;
};

int ckpt_epoch_init(struct ckpt_epoch *epoch);
void ckpt_epoch_exit(struct ckpt_epoch *epoch);

/* Any context.  Returns the bank to hand to ckpt_epoch_leave(). */
static inline unsigned int ckpt_epoch_enter(struct ckpt_epoch *epoch)
{
	unsigned int bank = READ_ONCE(epoch->bank);

	this_cpu_inc(epoch->count->entered[bank]);
	/* What comes now sees what a waiter did before it missed this entry. */
	smp_mb();
	return bank;
}

static inline void ckpt_epoch_leave(struct ckpt_epoch *epoch, unsigned int bank)
{
	/* What was done inside is seen by a waiter that counts this leave. */
	smp_mb();
	this_cpu_inc(epoch->count->left[bank]);
	if (unlikely(READ_ONCE(epoch->waiting)))
		wake_up(&epoch->wait);
}

/* How many have entered so far; only differences mean something. */
unsigned long ckpt_epoch_entries(const struct ckpt_epoch *epoch);

/*
 * Wait for all that entered before; sleeps.  -ETIMEDOUT after @jiffies; 0 as
 * @jiffies waits as long as it takes.
 */
int ckpt_epoch_wait(struct ckpt_epoch *epoch, unsigned long jiffies);

#endif
