// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/uuid.h>

#include "guard.h"
#include "io.h"
#include "store.h"
#include "super.h"

/* So often something is begun again that took too long. */
#define TRIES		8
/* What is tried returns one of these to be tried again, or 0 or an error. */
#define CLOSED		1	/* another one has just closed the store */
#define TOO_LATE	2	/* our write took too long, and may have gone over another's */
#define POLL_MS		250u

static u8 this_boot[CKPT_UUID_BYTES];
static LIST_HEAD(guards);
static DEFINE_MUTEX(guards_lock);

/*
 * For programs, which can tell by it whether an activation here is going to wait.  It is made
 * when the module is loaded, and while it is not no store is active.
 */
static int get_boot(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%pUb\n", this_boot);
}

static const struct kernel_param_ops boot_ops = {
	.get = get_boot,
};

module_param_cb(guard_boot, &boot_ops, NULL, 0444);
MODULE_PARM_DESC(guard_boot, "what the guards of stores that were active here last say");

void ckpt_guard_module_init(void)
{
	generate_random_uuid(this_boot);
}

/* ---- the block ---- */

static u64 now_ns(void)
{
	return ktime_get_boottime_ns();
}

static bool passed(u64 since, u32 ms)
{
	return now_ns() - since > (u64)ms * NSEC_PER_MSEC;
}

static void make_block(struct ckpt_guard_block *block, const u8 *uuid, u32 interval)
{
	memset(block, 0, sizeof(*block));
	block->magic = cpu_to_le32(CKPT_GUARD_MAGIC);
	memcpy(block->uuid, uuid, CKPT_UUID_BYTES);
	generate_random_uuid(block->id);
	memcpy(block->boot, this_boot, CKPT_UUID_BYTES);
	block->since = cpu_to_le64(ktime_get_real_ns());
	block->interval = cpu_to_le32(interval);
	ckpt_owner_name(block, init_utsname()->nodename);
}

/* @page has the block in it then. */
static int write_block(struct block_device *bdev, void *page, struct ckpt_guard_block *block,
		       enum ckpt_guard_state state, bool fua)
{
	const blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC | REQ_PRIO;

	le64_add_cpu(&block->sequence, 1);
	block->written = cpu_to_le64(ktime_get_real_ns());
	block->state = cpu_to_le32(state);
	ckpt_owner_seal(block);
	memset(page, 0, CKPT_NODE_BYTES);
	memcpy(page, block, sizeof(*block));
	return ckpt_io(bdev, fua ? opf | REQ_PREFLUSH | REQ_FUA : opf, CKPT_GUARD_PLACE, page,
		       CKPT_NODE_BYTES);
}

static int read_block(struct ckpt_store *store)
{
	return ckpt_io(store->bdev, REQ_OP_READ | REQ_META | REQ_PRIO, CKPT_GUARD_PLACE,
		       store->guard.page, CKPT_NODE_BYTES);
}

/* What does not succeed may reach the medium all the same, now or later. */
static int write_mine(struct ckpt_store *store, enum ckpt_guard_state state, bool fua)
{
	struct ckpt_guard *g = &store->guard;
	u64 sent = now_ns();
	int r = write_block(store->bdev, g->page, &g->tried, state, fua);

	if (!r) {
		g->mine = g->tried;
		g->sent = sent;
	}
	return r;
}

int ckpt_guard_format(struct block_device *bdev, const u8 *uuid)
{
	struct ckpt_guard_block block;
	void *page = kmalloc(CKPT_NODE_BYTES, GFP_NOIO);
	int r;

	if (!page)
		return -ENOMEM;
	make_block(&block, uuid, CKPT_GUARD_INTERVAL_DEFAULT);
	r = write_block(bdev, page, &block, CKPT_GUARD_CLEAN, true);
	kfree(page);
	return r;
}

/* ---- activation ---- */

/* The sleep of somebody who may be killed. */
static int nap(u32 ms)
{
	schedule_timeout_killable(msecs_to_jiffies(ms) + 1);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static bool is_alone(struct ckpt_store *store)
{
	struct ckpt_guard *g;
	bool alone = true;

	mutex_lock(&guards_lock);
	list_for_each_entry(g, &guards, list)
		if (g != &store->guard && !memcmp(g->uuid, store->guard.uuid, CKPT_UUID_BYTES))
			alone = false;
	mutex_unlock(&guards_lock);
	return alone;
}

static int refuse(struct ckpt_store *store, const struct ckpt_guard_block *block)
{
	time64_t since = div_u64(le64_to_cpu(block->since), NSEC_PER_SEC);

	ckpt_log(err, store, "the store is active on host %.*s, since %ptTs UTC; close it there before it is opened here",
		 CKPT_GUARD_HOST_BYTES, block->host, &since);
	return -EBUSY;
}

/* What has come in the place of another block: it says that nobody has the store, or nothing. */
static bool is_closed(struct ckpt_store *store, const struct ckpt_guard_block *block)
{
	return ckpt_owner_verify(block, store->super->uuid) ||
	       le32_to_cpu(block->state) == CKPT_GUARD_CLEAN;
}

/*
 * Wait for a sign of life from the owner of the block in guard.page.  0: there has been none, and
 * *@at is when the block was begun to be read last; CLOSED: it has been closed meanwhile.
 */
static int watch(struct ckpt_store *store, u64 *at)
{
	struct ckpt_guard_block first, *found = store->guard.page;
	const u8 *uuid = store->super->uuid;
	u64 begun = now_ns();
	const char *bad;
	u32 ms;
	int r;

	first = *found;
	ms = ckpt_owner_watch_ms(ckpt_owner_interval(&first, uuid));
	bad = ckpt_owner_verify(&first, uuid);
	if (bad)
		ckpt_log(warn, store, "the guard's block cannot be used: %s; whether another host has the store open is watched for %u seconds",
			 bad, ms / 1000);
	else
		ckpt_log(info, store, "host %.*s may have the store open; that is watched for %u seconds",
			 CKPT_GUARD_HOST_BYTES, first.host, ms / 1000);
	do {
		r = nap(POLL_MS);
		*at = now_ns();
		if (!r)
			r = read_block(store);
		if (r)
			return r;
		if (memcmp(found, &first, sizeof(first)))
			return is_closed(store, found) ? CLOSED : refuse(store, found);
	} while (!passed(begun, ms));
	if (!bad)
		ckpt_log(warn, store, "host %.*s has given no sign of life for %u seconds and counts as dead",
			 CKPT_GUARD_HOST_BYTES, first.host, ms / 1000);
	return 0;
}

/* From when the block was sent, so for as long as is left of it. */
static void set_lease(struct ckpt_store *store, u32 ms)
{
	struct ckpt_guard *g = &store->guard;

	hrtimer_cancel(&g->late);
	WRITE_ONCE(g->until, g->sent + (u64)ms * NSEC_PER_MSEC);
	clear_bit(CKPT_BARRED_LATE, &store->barred);
	hrtimer_start(&g->late, ns_to_ktime(g->until), HRTIMER_MODE_ABS);
}

static void begin_lease(struct ckpt_store *store, u32 ms, u32 beat_ms)
{
	store->guard.held = true;
	set_lease(store, ms);
	queue_delayed_work(store->guard_wq, &store->guard.beat, msecs_to_jiffies(beat_ms));
}

/* Nobody else has begun an epoch: 0, or -ESTALE. */
static int same_epoch(struct ckpt_store *store)
{
	struct ckpt_super *super = store->guard.super;
	int r = ckpt_super_read(store->bdev, super);

	if (!r && le64_to_cpu(super->epoch) != store->guard.epoch)
		r = -ESTALE;
	return r;
}

/* The claim is written; does it stand? */
static int settle(struct ckpt_store *store)
{
	struct ckpt_guard_block *found = store->guard.page;
	u32 interval = store->options.guard_interval;
	u64 at;
	int r;

	r = nap(CKPT_SETTLE_MS);
	at = now_ns();
	if (!r)
		r = read_block(store);
	if (r)
		return r;
	if (memcmp(found, &store->guard.mine, sizeof(*found)))
		return is_closed(store, found) ? CLOSED : refuse(store, found);
	r = same_epoch(store);
	if (r)
		return r;
	r = write_mine(store, CKPT_GUARD_ACTIVE, true);
	if (r || passed(at, CKPT_CLAIM_MS))
		return r ? r : TOO_LATE;
	begin_lease(store, ckpt_owner_lease_ms(interval), interval * 1000);
	return 0;
}

static int try_once(struct ckpt_store *store, bool was_late)
{
	struct ckpt_guard_block *found = store->guard.page;
	u64 at = now_ns();
	enum ckpt_owner_first first;
	int r = read_block(store);

	if (r)
		return r;
	first = ckpt_owner_first(found, store->super->uuid, this_boot, is_alone(store));
	/* What we were too late with is to be claimed, which looks for another's epoch. */
	if (was_late && !memcmp(found, &store->guard.tried, sizeof(*found)))
		first = CKPT_OWNER_FREE;
	if (first == CKPT_OWNER_WATCH) {
		r = watch(store, &at);
		if (r)
			return r;
	}
	if (store->options.read_only)
		return 0;
	if (!was_late)
		memcpy(store->guard.former, found->id, CKPT_UUID_BYTES);
	make_block(&store->guard.tried, store->super->uuid, store->options.guard_interval);
	store->guard.mine = store->guard.tried;
	r = write_mine(store, first == CKPT_OWNER_OURS ? CKPT_GUARD_ACTIVE : CKPT_GUARD_CLAIM,
		       true);
	if (r || passed(at, CKPT_CLAIM_MS))
		return r ? r : TOO_LATE;
	if (first != CKPT_OWNER_OURS)
		return settle(store);
	begin_lease(store, CKPT_SETTLE_MS, CKPT_CLAIM_MS);
	return 0;
}

/* The epoch is as of before anything is written, and so before a write that was too late. */
static int begin_once(struct ckpt_store *store, bool was_late)
{
	struct ckpt_super *super = store->guard.super;

	if (!was_late) {
		int r = ckpt_super_read(store->bdev, super);

		if (r)
			return r;
		store->guard.epoch = le64_to_cpu(super->epoch);
	}
	return try_once(store, was_late);
}

int ckpt_guard_begin(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	unsigned int i;
	int r = CLOSED;

	if (store->options.no_guard)
		return 0;
	g->page = (void *)get_zeroed_page(GFP_NOIO);
	g->super = (void *)get_zeroed_page(GFP_NOIO);
	memcpy(g->uuid, store->super->uuid, CKPT_UUID_BYTES);
	g->lost = false;
	g->begun = false;
	mutex_lock(&guards_lock);
	list_add(&g->list, &guards);
	mutex_unlock(&guards_lock);
	if (!g->page || !g->super)
		r = -ENOMEM;
	for (i = 0; r > 0 && i < TRIES; i++)
		r = begin_once(store, r == TOO_LATE);
	if (r == -ESTALE) {
		ckpt_log(err, store, "another host has just had the store open; try again");
		r = -EBUSY;
	} else if (r == -EIO) {
		ckpt_log(err, store, "the guard's block cannot be read or written, so whether another host has the store open is not known");
	}
	if (r > 0) {
		ckpt_log(err, store, "its device takes more than %u ms to read and write a block, too long for the guard to tell whether another host opens the store",
			 CKPT_CLAIM_MS);
		/* Nothing is given back: an owner that was written over minds a claim less. */
		memset(&g->tried, 0, sizeof(g->tried));
		r = -ETIMEDOUT;
	}
	if (r)
		ckpt_guard_end(store);
	return r;
}

/* Is the block as we have left it?  guard.lock is held. */
static int still_mine(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	int r = read_block(store);

	if (!r && memcmp(g->page, &g->mine, sizeof(g->mine)))
		r = refuse(store, g->page);
	return r;
}

/*
 * A former owner that was only slow has written its block once more after our claim, and looks at
 * the superblock before it goes on.  Either we see its block, before or after, or it sees
 * our epoch.
 */
int ckpt_guard_begin_epoch(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	int r;

	if (!g->held)
		return ckpt_super_write(store->bdev, store->super);
	mutex_lock(&g->lock);
	r = still_mine(store);
	if (!r)
		r = ckpt_super_write(store->bdev, store->super);
	if (!r)
		r = still_mine(store);
	if (!r) {
		g->epoch = le64_to_cpu(store->super->epoch);
		g->begun = true;
	}
	mutex_unlock(&g->lock);
	return r;
}

/* ---- being the owner ---- */

static int lose(struct ckpt_store *store, const struct ckpt_guard_block *by)
{
	char why[160];

	store->guard.lost = true;
	if (by)
		snprintf(why, sizeof(why), "host %.*s has opened the store",
			 CKPT_GUARD_HOST_BYTES, by->host);
	else
		snprintf(why, sizeof(why), "another host has had the store open");
	ckpt_store_degrade(store, why);
	return -EROFS;
}

/* Until there is an epoch of ours, the one that we have followed may go on. */
static enum ckpt_owner_found found(const struct ckpt_guard *g)
{
	return ckpt_owner_found(g->page, &g->mine, &g->tried, g->begun ? g->former : g->mine.id);
}

/* Read the block, and lose the store if another has it. */
static int look_at_block(struct ckpt_store *store)
{
	int r = read_block(store);

	if (!r && found(&store->guard) == CKPT_OWNER_LOST)
		r = lose(store, store->guard.page);
	return r;
}

static int look_at_super(struct ckpt_store *store)
{
	int r = same_epoch(store);

	return r == -ESTALE ? lose(store, NULL) : r;
}

/* The lease has run out: nobody else has come, and if somebody does he sees us. */
static int renew_late(struct ckpt_store *store)
{
	u32 lease = ckpt_owner_lease_ms(store->options.guard_interval);
	struct ckpt_guard *g = &store->guard;
	u64 at = now_ns();
	int r = look_at_block(store);

	if (!r)
		r = look_at_super(store);
	if (!r)
		r = write_mine(store, CKPT_GUARD_ACTIVE, false);
	if (r)
		return r;
	if (passed(at, CKPT_CLAIM_MS))
		return TOO_LATE;
	msleep(CKPT_SETTLE_MS);
	r = look_at_block(store);
	if (!r)
		r = look_at_super(store);
	if (r)
		return r;
	if (memcmp(g->page, &g->mine, sizeof(g->mine)) || passed(g->sent, lease))
		return TOO_LATE;
	set_lease(store, lease);
	return 0;
}

/* guard.lock is held. */
static int renew(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	unsigned int i;
	int r;

	if (g->lost)
		return -EROFS;
	if (now_ns() < g->until) {
		r = look_at_block(store);
		if (!r)
			r = write_mine(store, CKPT_GUARD_ACTIVE, false);
		if (r)
			return r;
		if (now_ns() < g->until) {
			set_lease(store, ckpt_owner_lease_ms(store->options.guard_interval));
			return 0;
		}
	}
	r = TOO_LATE;
	for (i = 0; r > 0 && i < TRIES; i++)
		r = renew_late(store);
	return r > 0 ? -ETIMEDOUT : r;
}

int ckpt_guard_check(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	int r = 0;

	if (!READ_ONCE(g->held) || now_ns() < READ_ONCE(g->until))
		return 0;
	mutex_lock(&g->lock);
	if (now_ns() >= g->until)
		r = renew(store);
	mutex_unlock(&g->lock);
	return r;
}

static void do_beat(struct work_struct *work)
{
	struct ckpt_guard *g = container_of(to_delayed_work(work), struct ckpt_guard, beat);
	struct ckpt_store *store = container_of(g, struct ckpt_store, guard);

	mutex_lock(&g->lock);
	renew(store);
	mutex_unlock(&g->lock);
	if (!g->lost)
		queue_delayed_work(store->guard_wq, &g->beat,
				   store->options.guard_interval * HZ);
}

static enum hrtimer_restart is_late(struct hrtimer *timer)
{
	struct ckpt_guard *g = container_of(timer, struct ckpt_guard, late);
	struct ckpt_store *store = container_of(g, struct ckpt_store, guard);

	set_bit(CKPT_BARRED_LATE, &store->barred);
	return HRTIMER_NORESTART;
}

const char *ckpt_guard_state(const struct ckpt_store *store)
{
	const struct ckpt_guard *g = &store->guard;

	if (!READ_ONCE(g->held))
		return "off";
	if (READ_ONCE(g->lost))
		return "lost";
	return test_bit(CKPT_BARRED_LATE, &store->barred) ? "late" : "held";
}

void ckpt_guard_init(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;

	mutex_init(&g->lock);
	INIT_LIST_HEAD(&g->list);
	INIT_DELAYED_WORK(&g->beat, do_beat);
	hrtimer_init(&g->late, CLOCK_BOOTTIME, HRTIMER_MODE_ABS);
	g->late.function = is_late;
}

/* A claim that came to nothing is taken back as well: nobody need wait for it. */
static void give_back(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;
	enum ckpt_owner_found what;
	int r;

	if (g->lost)
		return;
	r = read_block(store);
	what = r ? CKPT_OWNER_LOST : found(g);
	/* What crosses a claim is another's; what comes late, perhaps: see owner.h. */
	if (what == CKPT_OWNER_SAME || (what == CKPT_OWNER_AGAIN && g->held))
		r = passed(g->sent, ckpt_owner_lease_ms(store->options.guard_interval)) ?
			-ETIMEDOUT : write_mine(store, CKPT_GUARD_CLEAN, true);
	if (r)
		ckpt_log(warn, store, "that the store is closed cannot be written (%d): other hosts will wait before they open it",
			 r);
}

void ckpt_guard_end(struct ckpt_store *store)
{
	struct ckpt_guard *g = &store->guard;

	if (list_empty(&g->list))
		return;
	cancel_delayed_work_sync(&g->beat);
	hrtimer_cancel(&g->late);
	if (g->page && g->super && g->tried.magic)
		give_back(store);
	mutex_lock(&guards_lock);
	list_del_init(&g->list);
	mutex_unlock(&guards_lock);
	WRITE_ONCE(g->held, false);
	free_page((unsigned long)g->page);
	free_page((unsigned long)g->super);
	g->page = NULL;
	g->super = NULL;
	memset(&g->mine, 0, sizeof(g->mine));
	memset(&g->tried, 0, sizeof(g->tried));
}
