// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "gc.h"
#include "leaf.h"
#include "merge.h"
#include "merge_base.h"
#include "pace.h"
#include "pack.h"
#include "prune.h"
#include "store.h"

/* When to look again after something was in use, or found no space. */
#define BUSY_JIFFIES	max(HZ / 100, 1)
#define FULL_JIFFIES	HZ
/* A merge that finds no space walks through all that is left of it: not that often for long. */
#define FULL_JIFFIES_MOST (8 * HZ)

bool ckpt_gc_may_run(const struct ckpt_store *store)
{
	return !READ_ONCE(store->stopping) && READ_ONCE(store->mode) == CKPT_MODE_RW;
}

/* ---- what there is to do ---- */

/* Only the worker frees layers, so one that it has found stays. */
static int settle(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_layer *other)
{
	struct ckpt_node *leaf;
	u64 index = 0;
	int r = ckpt_commit(store);

	while (!r && (leaf = ckpt_node_next_cached(&layer->map, index))) {
		index = leaf->index + 1;
		if (!ckpt_leaf_settle(leaf))
			r = -EAGAIN;
		ckpt_node_put(leaf);
	}
	if (!r)
		WRITE_ONCE(layer->settled, true);
	return r;
}

static int free_layer(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_layer *other)
{
	return ckpt_prune_layer(store, layer);
}

/* A base can be named, so it is looked at once more, and goes under the lock. */
static int forget_base(struct ckpt_store *store, struct ckpt_layer *base, struct ckpt_layer *other)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_record));
	u32 number = base->number;
	int r = 0;

	if (!txn)
		return -ENOMEM;
	mutex_lock(&store->admin);
	if (ckpt_layer_is_garbage(base)) {
		down_write(&store->chain);
		ckpt_object_drop(store, number);
		up_write(&store->chain);
		ckpt_txn_record(txn, store, number);
		ckpt_txn_queue(store, txn);
		r = ckpt_txn_wait(txn);
	}
	mutex_unlock(&store->admin);
	ckpt_txn_free(txn);
	return r;
}

/* ---- the rule ---- */

struct job {
	int (*run)(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_layer *other);
	struct ckpt_layer *layer;
	struct ckpt_layer *other;	/* its child, when that is merged with it */
	enum ckpt_gc_state state;
};

bool ckpt_gc_merges(const struct ckpt_layer *layer)
{
	return !layer->base && layer->frozen && !layer->tags && !layer->views && !layer->heads &&
	       layer->children == 1;
}

static bool is_unsettled(const struct ckpt_layer *layer)
{
	return layer->frozen && READ_ONCE(layer->durable) && !layer->settled;
}

/* What the rule has for one layer by itself; false: nothing. */
static bool find_own_job(struct ckpt_store *store, struct ckpt_layer *layer, struct job *job)
{
	job->layer = layer;
	job->other = NULL;
	if (layer->broken)
		return false;
	if (is_unsettled(layer)) {
		job->run = settle;
		job->state = CKPT_GC_SETTLE;
		return layer->number != store->gc_busy;
	}
	if (ckpt_layer_is_garbage(layer)) {
		job->run = layer->base ? forget_base : free_layer;
		job->state = CKPT_GC_FREE;
		return true;
	}
	job->run = ckpt_pack_layer;
	job->state = CKPT_GC_PACK;
	return ckpt_pack_wants(store, layer);
}

/*
 * What it has for the parent of a layer, which may be its only child.  Asked from below, where the
 * other one is known: to look for the child of each layer would take the square of their number.
 */
static bool find_merge(struct ckpt_store *store, struct ckpt_layer *child, struct job *job)
{
	struct ckpt_layer *parent = child->parent;

	if (!parent || parent->broken || is_unsettled(parent) || !READ_ONCE(child->durable))
		return false;
	job->layer = parent;
	job->other = child;
	if (ckpt_gc_merges(parent)) {
		job->run = ckpt_merge_layer;
		job->state = CKPT_GC_LAYERS;
		return !ckpt_gc_merges(child);
	}
	job->run = ckpt_merge_base;
	job->state = CKPT_GC_BASE;
	/* What can go into a layer is not copied, unless there is no space for that. */
	return ckpt_base_merges(parent) && !ckpt_layer_is_garbage(child) &&
	       (!ckpt_gc_merges(child) || store->gc_full);
}

/* Merges give back windows as well, so only for a write that waits slots are packed first. */
static unsigned int order(struct ckpt_store *store, const struct job *job)
{
	bool last = job->state == CKPT_GC_PACK && !ckpt_pack_is_urgent(store);

	return last ? CKPT_GC_BASE + 1 : job->state;
}

/* Layers first, then the base; but when layers found no space, the base, which needs none. */
static bool is_better(struct ckpt_store *store, const struct job *a, const struct job *b)
{
	unsigned int x = order(store, a), y = b->run ? order(store, b) : ~0u;

	if (store->gc_full && min(x, y) == CKPT_GC_LAYERS && max(x, y) == CKPT_GC_BASE)
		return x > y;
	return x < y;
}

static void show_job(struct ckpt_store *store, const struct job *job)
{
	u32 layer = job->run ? job->layer->number : 0;
	u32 other = job->run && job->other ? job->other->number : 0;

	store->from = job->state == CKPT_GC_BASE ? other : layer;
	store->into = job->state == CKPT_GC_BASE ? layer : other;
	WRITE_ONCE(store->gc_state, job->state);
}

/* Take it if it is better; true if it has to wait. */
static bool consider(struct ckpt_store *store, const struct job *job, struct job *best)
{
	if (job->state == CKPT_GC_BASE && !ckpt_base_ready(store, job->layer))
		return true;
	/* It has found no space, and so holds up no other. */
	if (job->state >= CKPT_GC_LAYERS && job->layer->full_turn == store->gc_turn)
		return true;
	if (is_better(store, job, best))
		*best = *job;
	return false;
}

static bool next_job(struct ckpt_store *store, struct job *best)
{
	struct ckpt_object *object;
	bool waits = false, packs = false;
	unsigned long number;

	memset(best, 0, sizeof(*best));
	mutex_lock(&store->admin);
	ckpt_pack_accept(store);
	xa_for_each(&store->objects, number, object) {
		bool layer = object->type == CKPT_RECORD_LAYER ||
			     object->type == CKPT_RECORD_BASE;
		struct job job;

		if (layer && find_own_job(store, object->layer, &job)) {
			waits |= consider(store, &job, best);
			packs |= job.state == CKPT_GC_PACK;
		}
		if (layer && find_merge(store, object->layer, &job))
			waits |= consider(store, &job, best);
	}
	/* What comes to rest may be packed then. */
	if (ckpt_pack_is_asked(store) && !packs && (!best->run || best->state > CKPT_GC_FREE))
		ckpt_pack_answer(store);
	if (best->state >= CKPT_GC_LAYERS && READ_ONCE(store->options.merge_paused)) {
		best->run = NULL;
		best->state = CKPT_GC_PAUSED;
	} else if (!best->run && waits) {
		best->state = CKPT_GC_WAIT;
	}
	show_job(store, best);
	mutex_unlock(&store->admin);
	return best->run;
}

/* ---- the worker ---- */

static void event(struct ckpt_store *store)
{
	mutex_lock(&store->event_lock);
	if (store->ti)
		dm_table_event(store->ti->table);
	mutex_unlock(&store->event_lock);
}

/* What is wrong with one layer holds up no other: 0 if that is all it is. */
static int job_failed(struct ckpt_store *store, const struct job *job, int error)
{
	switch (error) {
	case -EAGAIN:
		if (job->run != settle)
			return error;
		store->gc_busy = job->layer->number;
		return 0;
	case -EINTR:
	case -ENOSPC:
	case -EBUSY:
	case -ENOMEM:
		return error;
	}
	if (!ckpt_gc_may_run(store))
		return -EINTR;
	ckpt_log(err, store, "layer %u cannot be merged or freed: error %d; it stays until the next activation",
		 job->layer->number, error);
	job->layer->broken = true;
	if (job->state >= CKPT_GC_LAYERS) {
		store->gc_told = 0;
		event(store);
	}
	return 0;
}

static int run_job(struct ckpt_store *store, const struct job *job)
{
	u32 layer = job->layer->number, other = job->other ? job->other->number : 0;
	bool merge = job->state >= CKPT_GC_LAYERS;
	int r;

	if (merge && store->gc_told != layer) {
		store->gc_told = layer;
		event(store);
	}
	r = job->run(store, job->layer, job->other);
	if (merge && !r) {
		ckpt_log(debug, store, "layers %u and %u have been merged", layer, other);
		store->gc_told = 0;
		event(store);
	}
	if (merge && (!r || r == -ENOSPC))
		store->gc_full = r;
	if (merge && r == -ENOSPC) {
		job->layer->full_turn = store->gc_turn;
		store->gc_waits = true;
		return 0;
	}
	return r ? job_failed(store, job, r) : 0;
}

static void rest(struct ckpt_store *store, int error)
{
	mutex_lock(&store->admin);
	store->from = 0;
	store->into = 0;
	/* After -EAGAIN and -EINTR it is at it again at once. */
	if (error == -ENOSPC || error == -EBUSY || error == -ENOMEM)
		WRITE_ONCE(store->gc_state, CKPT_GC_WAIT);
	mutex_unlock(&store->admin);
}

/* The base may be able to go on at once; and else not before room is made for layers again. */
static unsigned long until_space(const struct ckpt_store *store, bool base_was_tried)
{
	long left = store->room_again - jiffies;

	return base_was_tried ? clamp_t(long, left, FULL_JIFFIES, FULL_JIFFIES_MOST) : BUSY_JIFFIES;
}

static void do_gc(struct work_struct *work)
{
	struct ckpt_store *store = container_of(to_delayed_work(work), struct ckpt_store, gc_work);
	bool full = store->gc_full;
	u64 windows = CKPT_PACK_FIRST;
	struct job job;
	int r = 0;

	store->gc_busy = 0;
	do {
		while (!r && ckpt_gc_may_run(store) && next_job(store, &job))
			r = run_job(store, &job);
	} while (!r && !store->gc_busy && ckpt_pack_look(store, &windows));
	if (!r && store->gc_busy)
		r = -EAGAIN;
	else if (!r && store->gc_waits)
		r = -ENOSPC;
	rest(store, r);
	/* Who has found no space is not asked again before all others have had their turn. */
	if (r != -EAGAIN) {
		store->gc_turn++;
		store->gc_waits = false;
	}
	switch (r) {
	case 0:
		break;
	case -EINTR:
		/* Paused: the next turn says so; or stopped: then this is cancelled. */
		fallthrough;
	case -EAGAIN:
		queue_delayed_work(store->bg_wq, &store->gc_work, BUSY_JIFFIES);
		break;
	case -ENOSPC:
		full &= store->gc_full;
		queue_delayed_work(store->bg_wq, &store->gc_work, until_space(store, full));
		break;
	default:
		queue_delayed_work(store->bg_wq, &store->gc_work, FULL_JIFFIES);
	}
}

void ckpt_gc_kick(struct ckpt_store *store)
{
	if (!ckpt_gc_may_run(store))
		return;
	/* Who asks now must not be told that there is nothing to do. */
	cmpxchg(&store->gc_state, CKPT_GC_IDLE, CKPT_GC_SETTLE);
	mod_delayed_work(store->bg_wq, &store->gc_work, 0);
}

void ckpt_gc_stop(struct ckpt_store *store)
{
	WRITE_ONCE(store->stopping, true);
	ckpt_pace_wake(store);
	cancel_delayed_work_sync(&store->gc_work);
}

void ckpt_gc_init(struct ckpt_store *store)
{
	INIT_DELAYED_WORK(&store->gc_work, do_gc);
	/* Not that of layers of which nothing is known. */
	store->gc_turn = 1;
	store->pack_turn[0] = 1;
	store->pack_turn[1] = 1;
	init_waitqueue_head(&store->pace);
}
