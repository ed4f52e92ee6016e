// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "free.h"
#include "leaf.h"
#include "pack.h"
#include "pressure.h"
#include "remap.h"
#include "store.h"
#include "target.h"

/*
 * Going through all heads' leaves for less than this is not worth it, nor is it so soon again: a
 * store that is really full would do little else.
 */
#define WORTH_UNITS	64u
#define PAUSE_JIFFIES	max(HZ / 4, 1)

/* A loan in which nothing has been copied for so long is not waited for. */
#define LOAN_JIFFIES	(2 * HZ)
/* Nor does the next one wait longer for those who are short of space: they may be many. */
#define TURN_JIFFIES	(HZ / 2)

/* The low-water mark, where nobody has said otherwise: this part of the store. */
#define LOW_WATER_SHIFT	6
/* There is space again for those who wait. */
#define ENOUGH_UNITS	64u
/* For so long nobody must have found the store full before it counts as not full. */
#define CALM_JIFFIES	max(HZ / 4, 2)

/* ---- taking back what is set aside ---- */

static void give_back_tree(struct ckpt_tree *map)
{
	struct ckpt_node *leaf;
	u64 index = 0;

	while ((leaf = ckpt_node_next_cached(map, index))) {
		index = leaf->index + 1;
		ckpt_leaf_give_back(leaf);
		ckpt_node_put(leaf);
	}
}

/*
 * A head, or a layer that was frozen or has had blocks dropped, and of which the background worker
 * has not taken what is set aside: that is busy with a merge perhaps, for long.
 */
static bool may_give_back(const struct ckpt_layer *layer)
{
	return !READ_ONCE(layer->frozen) || !READ_ONCE(layer->settled);
}

/* Objects come and go meanwhile; what goes is freed after a grace period. */
static void give_back_layers(struct ckpt_store *store)
{
	struct ckpt_object *object;
	unsigned long number = 0;

	do {
		rcu_read_lock();
		object = xa_find_after(&store->objects, &number, ULONG_MAX, XA_PRESENT);
		if (object && object->type == CKPT_RECORD_LAYER && may_give_back(object->layer))
			give_back_tree(&object->layer->map);
		rcu_read_unlock();
		cond_resched();
	} while (object);
}

/* What somebody makes spare meanwhile has come back as well. */
static u64 taken(const struct ckpt_space *space)
{
	return READ_ONCE(space->taken) - READ_ONCE(space->spare_units);
}

int ckpt_pressure_relieve(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;
	u64 before;
	int r;

	mutex_lock(&store->pressure);
	before = taken(space);
	/* What has been discarded just now comes back with a commit. */
	if (ckpt_space_reserved(store) < WORTH_UNITS && !atomic_read(&store->nr_dirty_leaves)) {
		mutex_unlock(&store->pressure);
		return -ENOSPC;
	}
	/* Not so soon again; but there is something, so this write need not fail for it. */
	if (time_before(jiffies, store->pressure_again))
		schedule_timeout_uninterruptible(store->pressure_again - jiffies);
	/* So that slots are clean, and what they give back need not wait. */
	r = ckpt_commit(store);
	if (!r) {
		give_back_layers(store);
		ckpt_free_now(store);
		if (taken(space) + WORTH_UNITS > before) {
			store->pressure_again = jiffies + PAUSE_JIFFIES;
			r = taken(space) < before ? 0 : -ENOSPC;
		}
	}
	mutex_unlock(&store->pressure);
	return r;
}

/* ---- loans ---- */

/* Odd while something is on loan. */
static void count_loan(struct ckpt_store *store)
{
	/* What is back can be found by who sees this; see ckpt_pressure_look(). */
	smp_store_release(&store->loans, store->loans + 1);
}

void ckpt_pressure_lend(struct ckpt_store *store)
{
	/* Who waits for a place waits for what this loan is for. */
	wait_event_timeout(store->loan_wait,
			   !atomic_read(&store->nr_short) || ckpt_pack_is_urgent(store),
			   TURN_JIFFIES);
	count_loan(store);
}

void ckpt_pressure_lent_back(struct ckpt_store *store)
{
	count_loan(store);
	wake_up_all(&store->loan_wait);
}

static u32 loans(const struct ckpt_store *store)
{
	/* Pairs with count_loan(). */
	return smp_load_acquire(&store->loans);
}

struct ckpt_outlook ckpt_pressure_look(const struct ckpt_store *store)
{
	/* Pairs with free_ready(). */
	u32 frees = smp_load_acquire(&store->nr_frees);

	return (struct ckpt_outlook) { .loans = loans(store), .frees = frees };
}

void ckpt_pressure_short_begin(struct ckpt_store *store)
{
	atomic_inc(&store->nr_short);
}

void ckpt_pressure_short_end(struct ckpt_store *store)
{
	if (atomic_dec_and_test(&store->nr_short))
		wake_up_all(&store->loan_wait);
}

/* There may be space that only lies in pieces too small: who asks in vain is told so next time. */
static int await_place(struct ckpt_store *store)
{
	struct ckpt_outlook now;
	u32 frees;

	if (!ckpt_pack_ask(store, true))
		return -ENOSPC;
	/* As long as something moves, which ends when there is nothing left to be moved. */
	do {
		frees = ckpt_pressure_look(store).frees;
		wait_event_timeout(store->loan_wait, !ckpt_pack_is_urgent(store), LOAN_JIFFIES);
		now = ckpt_pressure_look(store);
	} while (ckpt_pack_is_urgent(store) && now.frees != frees);
	return 0;
}

static int await_loan(struct ckpt_store *store)
{
	bool back;
	int copies;

	do {
		copies = atomic_read(&store->nr_copies);
		back = wait_event_timeout(store->loan_wait, !(loans(store) & 1), LOAN_JIFFIES);
	} while (!back && copies != atomic_read(&store->nr_copies));
	return back ? 0 : -ENOSPC;
}

int ckpt_pressure_await(struct ckpt_store *store, const struct ckpt_outlook *then)
{
	struct ckpt_outlook now = ckpt_pressure_look(store);

	if (!(then->loans & 1) && now.loans == then->loans && now.frees == then->frees)
		return await_place(store);
	return await_loan(store);
}

/* ---- states ---- */

u64 ckpt_pressure_free(const struct ckpt_store *store)
{
	u64 all = ckpt_capacity(&store->geometry);
	u64 gone = READ_ONCE(store->space.used) + store->space.reserve;

	return gone < all ? all - gone : 0;
}

u64 ckpt_pressure_mark(const struct ckpt_store *store)
{
	u64 mark = READ_ONCE(store->options.low_water);

	if (mark != CKPT_LOW_WATER_DEFAULT)
		return mark;
	return ckpt_capacity(&store->geometry) >> LOW_WATER_SHIFT;
}

/*
 * How much must be free for a store that was short of space to have it again: an eighth of the mark
 * more, and a cluster at the least.  Were it the mark itself, who writes and discards about it
 * would be told of with each turn.  A mark near the store's size leaves less: half of that.
 */
static u64 mark_back(const struct ckpt_store *store)
{
	u64 all = ckpt_capacity(&store->geometry), mark = ckpt_pressure_mark(store);
	u64 above = all - min(all, mark + store->space.reserve);
	u64 more = max_t(u64, mark / 8, ckpt_cluster_units(&store->geometry));

	return mark ? mark + min(more, above / 2) : 0;
}

/* store->event_lock is held. */
static void announce(struct ckpt_store *store, enum ckpt_space_state state)
{
	WRITE_ONCE(store->space_state, state);
	if (state == CKPT_SPACE_FULL)
		ckpt_log(warn, store, "the store is full: writes that need space %s",
			 READ_ONCE(store->options.error_if_no_space) ? "fail" : "wait");
	else if (state == CKPT_SPACE_LOW)
		ckpt_log(warn, store, "the store is short of space: %llu units are free",
			 ckpt_pressure_free(store));
	else
		ckpt_log(info, store, "the store has space again");
	if (store->ti)
		dm_table_event(store->ti->table);
}

/* By the mark, or by the one for the way back. */
static bool is_low(const struct ckpt_store *store)
{
	bool was_ok = READ_ONCE(store->space_state) == CKPT_SPACE_OK;

	return ckpt_pressure_free(store) < (was_ok ? ckpt_pressure_mark(store) : mark_back(store));
}

static void set_state(struct ckpt_store *store, enum ckpt_space_state state)
{
	mutex_lock(&store->event_lock);
	/* Whoever fills it faster than it is looked at is told so first all the same. */
	if (state == CKPT_SPACE_FULL && store->space_state == CKPT_SPACE_OK && is_low(store))
		announce(store, CKPT_SPACE_LOW);
	if (state != store->space_state)
		announce(store, state);
	mutex_unlock(&store->event_lock);
}

/* ---- waiting ---- */

static void take_waiting(struct ckpt_store *store, struct bio_list *list)
{
	bio_list_init(list);
	spin_lock_irq(&store->waiting_lock);
	bio_list_merge(list, &store->waiting);
	bio_list_init(&store->waiting);
	WRITE_ONCE(store->nr_waiting, 0);
	spin_unlock_irq(&store->waiting_lock);
}

static void retry_waiting(struct ckpt_store *store)
{
	struct bio_list list;
	struct bio *bio;

	take_waiting(store, &list);
	while ((bio = bio_list_pop(&list)))
		ckpt_bio_retry(bio);
}

static void end_bio(struct bio *bio, bool requeue)
{
	bio->bi_status = requeue ? BLK_STS_DM_REQUEUE : BLK_STS_NOSPC;
	bio_endio(bio);
}

bool ckpt_pressure_wait(struct ckpt_target *t, struct bio *bio, int error)
{
	struct ckpt_store *store = t->store;
	u32 timeout = READ_ONCE(store->options.no_space_timeout);
	bool waits = false, resting = false;

	if (error == -ENOSPC) {
		WRITE_ONCE(store->full_since, jiffies);
		set_state(store, CKPT_SPACE_FULL);
		queue_delayed_work(store->bg_wq, &store->space_work, CALM_JIFFIES);
	}
	if (READ_ONCE(store->options.error_if_no_space))
		return false;
	/*
	 * A suspend says so before it takes the list, so it finds the bio there or is seen here.
	 * Once the bio is on the list, the table may go.
	 */
	spin_lock_irq(&store->waiting_lock);
	if (READ_ONCE(t->resting)) {
		resting = true;
	} else if (!store->given_up) {
		bio_list_add(&store->waiting, bio);
		WRITE_ONCE(store->nr_waiting, store->nr_waiting + 1);
		waits = true;
		if (timeout)
			queue_delayed_work(store->bg_wq, &store->give_up, timeout * HZ);
	}
	spin_unlock_irq(&store->waiting_lock);
	if (!resting || !READ_ONCE(t->requeue))
		return waits;
	end_bio(bio, true);
	return true;
}

static void do_give_up(struct work_struct *work)
{
	struct ckpt_store *store = container_of(to_delayed_work(work), struct ckpt_store, give_up);
	struct bio_list list;
	struct bio *bio;

	spin_lock_irq(&store->waiting_lock);
	store->given_up = true;
	spin_unlock_irq(&store->waiting_lock);
	take_waiting(store, &list);
	if (!bio_list_empty(&list))
		ckpt_log(warn, store, "no space has come back in %u seconds: writes that need it fail",
			 READ_ONCE(store->options.no_space_timeout));
	while ((bio = bio_list_pop(&list)))
		end_bio(bio, false);
}

void ckpt_pressure_end(struct ckpt_target *t)
{
	struct ckpt_store *store = t->store;
	struct bio_list list, others;
	struct bio *bio;

	take_waiting(store, &list);
	bio_list_init(&others);
	while ((bio = bio_list_pop(&list))) {
		struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));

		if (io->target == t)
			end_bio(bio, READ_ONCE(t->requeue));
		else
			bio_list_add(&others, bio);
	}
	while ((bio = bio_list_pop(&others)))
		ckpt_bio_retry(bio);
}

/*
 * Those who wait are tried again first: whether space has come back in pieces that are large
 * enough for them, only they find out.  So "full" ends when nobody has failed for a while.
 */
static void do_space(struct work_struct *work)
{
	struct ckpt_store *store = container_of(to_delayed_work(work), struct ckpt_store,
						space_work);
	enum ckpt_space_state state = is_low(store) ? CKPT_SPACE_LOW : CKPT_SPACE_OK;

	/* Those who wait because of a limit, or for a store that is not writable any more. */
	if (READ_ONCE(store->space_state) != CKPT_SPACE_FULL ||
	    READ_ONCE(store->mode) != CKPT_MODE_RW)
		retry_waiting(store);
	if (READ_ONCE(store->space_state) != CKPT_SPACE_FULL) {
		set_state(store, state);
		return;
	}
	if (ckpt_space_left(store) < ENOUGH_UNITS)
		return;
	if (READ_ONCE(store->nr_waiting) ||
	    time_before(jiffies, READ_ONCE(store->full_since) + CALM_JIFFIES)) {
		spin_lock_irq(&store->waiting_lock);
		store->given_up = false;
		spin_unlock_irq(&store->waiting_lock);
		retry_waiting(store);
		queue_delayed_work(store->bg_wq, &store->space_work, CALM_JIFFIES / 2);
		return;
	}
	cancel_delayed_work(&store->give_up);
	set_state(store, state);
}

void ckpt_pressure_kick(struct ckpt_store *store)
{
	if (is_low(store) != (READ_ONCE(store->space_state) != CKPT_SPACE_OK) ||
	    READ_ONCE(store->space_state) == CKPT_SPACE_FULL || READ_ONCE(store->nr_waiting))
		queue_delayed_work(store->bg_wq, &store->space_work, 0);
}

void ckpt_pressure_changed(struct ckpt_store *store)
{
	spin_lock_irq(&store->waiting_lock);
	store->given_up = false;
	spin_unlock_irq(&store->waiting_lock);
	cancel_delayed_work(&store->give_up);
	retry_waiting(store);
	ckpt_pressure_kick(store);
}

void ckpt_pressure_init(struct ckpt_store *store)
{
	mutex_init(&store->pressure);
	store->pressure_again = jiffies;
	init_waitqueue_head(&store->loan_wait);
	spin_lock_init(&store->waiting_lock);
	bio_list_init(&store->waiting);
	INIT_DELAYED_WORK(&store->give_up, do_give_up);
	INIT_DELAYED_WORK(&store->space_work, do_space);
}

void ckpt_pressure_exit(struct ckpt_store *store)
{
	cancel_delayed_work_sync(&store->give_up);
	cancel_delayed_work_sync(&store->space_work);
}
