// SPDX-License-Identifier: GPL-2.0-only
#include "gc.h"
#include "pace.h"
#include "pack.h"
#include "store.h"
#include "target.h"

/* Bios of all volumes so far; only differences mean something. */
static unsigned long count_bios(struct ckpt_store *store)
{
	struct ckpt_target *t;
	unsigned long bios = 0;

	down_read(&store->targets_lock);
	list_for_each_entry(t, &store->targets, list)
		bios += ckpt_epoch_entries(&t->epoch);
	up_read(&store->targets_lock);
	return bios;
}

void ckpt_pace_begin(struct ckpt_store *store, struct ckpt_pace *pace)
{
	pace->begun = ktime_get_ns();
	pace->copied = atomic64_read(&store->copied);
	pace->bios = count_bios(store);
}

bool ckpt_pace_may_copy(const struct ckpt_store *store)
{
	return ckpt_gc_may_run(store) && !READ_ONCE(store->options.merge_paused);
}

bool ckpt_pace_may_run(const struct ckpt_store *store)
{
	return ckpt_pace_may_copy(store) && !ckpt_pack_is_urgent(store);
}

bool ckpt_pace_is_busy(struct ckpt_store *store, const struct ckpt_pace *pace)
{
	return count_bios(store) != pace->bios;
}

void ckpt_pace_end(struct ckpt_store *store, const struct ckpt_pace *pace)
{
	u64 copied = atomic64_read(&store->copied) - pace->copied;
	u64 kib = copied << (CKPT_UNIT_SHIFT + SECTOR_SHIFT - 10);
	u32 share = READ_ONCE(store->options.merge_share);
	u32 rate = READ_ONCE(store->options.merge_rate);
	u64 took = ktime_get_ns() - pace->begun, wait = 0, whole;

	if (share < 100 && ckpt_pace_is_busy(store, pace))
		wait = div_u64(took * (100 - share), share);
	if (rate) {
		whole = div_u64(kib * NSEC_PER_SEC, rate);
		if (whole > took)
			wait = max(wait, whole - took);
	}
	store->pace_debt += wait;
	if (store->pace_debt < 2 * TICK_NSEC)
		return;
	wait_event_timeout(store->pace, !ckpt_pace_may_run(store) ||
			   rate != READ_ONCE(store->options.merge_rate),
			   nsecs_to_jiffies(store->pace_debt));
	store->pace_debt = 0;
}

void ckpt_pace_wake(struct ckpt_store *store)
{
	wake_up_all(&store->pace);
}
