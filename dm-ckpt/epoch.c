// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>

#include "epoch.h"

int ckpt_epoch_init(struct ckpt_epoch *epoch)
{
	epoch->count = alloc_percpu(struct ckpt_epoch_count);
	if (!epoch->count)
		return -ENOMEM;
	epoch->bank = 0;
	epoch->waiting = false;
	mutex_init(&epoch->lock);
	init_waitqueue_head(&epoch->wait);
	return 0;
}

void ckpt_epoch_exit(struct ckpt_epoch *epoch)
{
	free_percpu(epoch->count);
	epoch->count = NULL;
}

unsigned long ckpt_epoch_entries(const struct ckpt_epoch *epoch)
{
	unsigned long entered = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		entered += READ_ONCE(per_cpu_ptr(epoch->count, cpu)->entered[0]) +
			   READ_ONCE(per_cpu_ptr(epoch->count, cpu)->entered[1]);
	return entered;
}

static bool drained(struct ckpt_epoch *epoch, unsigned int bank)
{
	unsigned long entered = 0, left = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		left += READ_ONCE(per_cpu_ptr(epoch->count, cpu)->left[bank]);
	/* Leaves first: one that is counted has its entry counted below. */
	smp_mb();
	for_each_possible_cpu(cpu)
		entered += READ_ONCE(per_cpu_ptr(epoch->count, cpu)->entered[bank]);
	return entered == left;
}

/*
 * leave() looks at @waiting without a barrier behind its count, so a wake-up may be
 * missed: the wait looks again after a tick.
 */
static bool wait_bank(struct ckpt_epoch *epoch, unsigned int bank, unsigned long until)
{
	while (!drained(epoch, bank)) {
		if (until && time_after(jiffies, until))
			return false;
		wait_event_timeout(epoch->wait, drained(epoch, bank), 1);
	}
	return true;
}

int ckpt_epoch_wait(struct ckpt_epoch *epoch, unsigned long timeout)
{
	unsigned long until = timeout ? (jiffies + timeout) | 1 : 0;
	unsigned int bank;
	bool ok;

	mutex_lock(&epoch->lock);
	WRITE_ONCE(epoch->waiting, true);
	smp_mb();	/* what the caller did comes before the counts */
	bank = epoch->bank;
	/* Late entries of the flip before last stand in the other bank. */
	ok = wait_bank(epoch, !bank, until);
	if (ok) {
		WRITE_ONCE(epoch->bank, !bank);
		smp_mb();	/* the flip comes before the counts */
		ok = wait_bank(epoch, bank, until);
	}
	WRITE_ONCE(epoch->waiting, false);
	mutex_unlock(&epoch->lock);
	return ok ? 0 : -ETIMEDOUT;
}
