// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blkdev.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "commit.h"
#include "fault.h"
#include "free.h"
#include "pressure.h"
#include "store.h"

struct free_batch {
	struct list_head list;
	u64 txn;
	unsigned int nr;
	struct ckpt_space_run run[254];
};

/* A batch with room for @nr more runs, or NULL; free_lock is held. */
static struct free_batch *get_batch(struct ckpt_store *store, unsigned int nr)
{
	struct free_batch *batch;

	if (!list_empty(&store->frees)) {
		batch = list_last_entry(&store->frees, struct free_batch, list);
		if (batch->nr + nr <= ARRAY_SIZE(batch->run))
			return batch;
	}
	batch = kmalloc(sizeof(*batch), GFP_NOWAIT | __GFP_NOWARN);
	if (!batch)
		return NULL;
	batch->txn = 0;
	batch->nr = 0;
	list_add_tail(&batch->list, &store->frees);
	return batch;
}

/* All of the mask's runs are noted, or none. */
static bool free_runs(struct ckpt_store *store, u64 where, u32 mask, u64 txn)
{
	u32 shift = ckpt_unit_mask_shift(&store->geometry);
	struct free_batch *batch;
	unsigned long flags;

	if (!mask)
		return true;
	spin_lock_irqsave(&store->free_lock, flags);
	batch = get_batch(store, CKPT_CLUSTER_BLOCKS / 2);
	while (batch && mask) {
		struct ckpt_space_run *run = &batch->run[batch->nr++];
		u32 first = (u32)__ffs(mask), nr = ckpt_run(mask, first);

		run->unit = (where + ((u64)first << shift)) >> CKPT_UNIT_SHIFT;
		run->nr = nr << (shift - CKPT_UNIT_SHIFT);
		batch->txn = max(batch->txn, txn);
		mask &= ~ckpt_mask(first, nr);
	}
	spin_unlock_irqrestore(&store->free_lock, flags);
	if (batch && txn <= READ_ONCE(store->txn_durable))
		ckpt_free_kick(store);
	return batch;
}

bool ckpt_free_blocks(struct ckpt_store *store, u64 where, u32 blocks, u64 txn)
{
	return free_runs(store, where, ckpt_unit_mask(&store->geometry, blocks), txn);
}

void ckpt_free_mask(struct ckpt_store *store, u64 where, u32 mask, u64 txn)
{
	while (!free_runs(store, where, mask, txn))
		schedule_timeout_uninterruptible(1);
}

void ckpt_free_kick(struct ckpt_store *store)
{
	if (!list_empty(&store->frees))
		queue_work(store->bg_wq, &store->free_work);
}

static int by_place(const void *a, const void *b)
{
	const struct ckpt_space_run *x = a, *y = b;

	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* Tell the device, neighbours at once.  That it does not know, or fails, is no harm. */
static void pass_down(struct ckpt_store *store, struct free_batch *batch)
{
	unsigned int i, k;
	u64 end;

	if (!store->options.discard_passdown || !bdev_max_discard_sectors(store->bdev) ||
	    ckpt_guard_check(store))
		return;
	sort(batch->run, batch->nr, sizeof(batch->run[0]), by_place, NULL);
	for (i = 0; i < batch->nr; i = k) {
		end = batch->run[i].unit + batch->run[i].nr;
		for (k = i + 1; k < batch->nr && batch->run[k].unit == end; k++)
			end += batch->run[k].nr;
		blkdev_issue_discard(store->bdev, batch->run[i].unit << CKPT_UNIT_SHIFT,
				     (end - batch->run[i].unit) << CKPT_UNIT_SHIFT, GFP_NOIO);
	}
}

static void free_ready(struct ckpt_store *store)
{
	struct free_batch *batch, *next;
	LIST_HEAD(ready);
	unsigned int i;

	lockdep_assert_held(&store->freeing);
	spin_lock_irq(&store->free_lock);
	list_for_each_entry_safe(batch, next, &store->frees, list)
		if (batch->txn <= READ_ONCE(store->txn_durable))
			list_move_tail(&batch->list, &ready);
	spin_unlock_irq(&store->free_lock);
	if (list_empty(&ready))
		return;
	ckpt_store_drain(store);
	list_for_each_entry_safe(batch, next, &ready, list) {
		pass_down(store, batch);
		for (i = 0; i < batch->nr; i++)
			ckpt_space_release(store, batch->run[i].unit, batch->run[i].nr);
		if (ckpt_fault(CKPT_FAULT_EARLY_REUSE)) {
			store->space.cursor = batch->run[0].unit;
			ckpt_space_drop_stock(store);
		}
		kfree(batch);
	}
	/* What is back can be found by who sees this; see ckpt_pressure_look(). */
	smp_store_release(&store->nr_frees, store->nr_frees + 1);
	ckpt_pressure_kick(store);
}

/*
 * Not by waiting for the work: a merge that asks is itself a work of that queue, and when memory is
 * short one thread, the queue's rescuer, has all of them.
 */
void ckpt_free_now(struct ckpt_store *store)
{
	mutex_lock(&store->freeing);
	free_ready(store);
	mutex_unlock(&store->freeing);
}

int ckpt_free_repay(struct ckpt_store *store)
{
	int r = ckpt_commit(store);

	ckpt_free_now(store);
	ckpt_space_repaid(store);
	return r;
}

static void do_frees(struct work_struct *work)
{
	ckpt_free_now(container_of(work, struct ckpt_store, free_work));
}

void ckpt_free_init(struct ckpt_store *store)
{
	mutex_init(&store->freeing);
	spin_lock_init(&store->free_lock);
	INIT_LIST_HEAD(&store->frees);
	INIT_WORK(&store->free_work, do_frees);
}

void ckpt_free_exit(struct ckpt_store *store)
{
	struct free_batch *batch, *next;

	cancel_work_sync(&store->free_work);
	list_for_each_entry_safe(batch, next, &store->frees, list)
		kfree(batch);
}
