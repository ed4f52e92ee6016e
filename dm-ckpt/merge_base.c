// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>

#include "base.h"
#include "copy.h"
#include "fault.h"
#include "io.h"
#include "leaf.h"
#include "merge_base.h"
#include "move.h"
#include "pace.h"
#include "resolve.h"
#include "store.h"
#include "target.h"
#include "through.h"

/* Leaves and slots of one batch: one drain, one flush of the origin. */
#define LEAVES	64u
#define SLOTS	512u

/*
 * A batch holds up writes to the blocks that it copies, so it is as large as what the devices
 * copy in a time, within these bounds: a short one while there is other I/O.
 */
#define BATCH_NS	(20ull * NSEC_PER_MSEC)
#define BATCH_BUSY_NS	(2ull * NSEC_PER_MSEC)
/* The flush at its end should not take most of it, nor should a slow one make it endless. */
#define BATCH_FLUSHES	8u
#define BATCH_LONG_NS	(250ull * NSEC_PER_MSEC)
#define BATCH_MIN	256u			/* sectors */
#define BATCH_MAX	(64u << 11)
/*
 * And of a head, while there is other I/O, it is a part of what is left: so of writes that are
 * spread over that no more than one in so many has to wait.
 */
#define BATCH_PART	128u

/* Records that change with one transaction when a layer gives way to its base. */
#define HEIRS	64u

/* What is zeroed at once when a base grows, in sectors: a suspend waits for it. */
#define GROW_STEP	(128ull << 11)

struct batch {
	struct ckpt_node *leaves[LEAVES];
	unsigned long slots[LEAVES][CKPT_FANOUT / BITS_PER_LONG];
	unsigned int nr_leaves, nr_slots;
	u64 sectors;
};

struct drain {
	struct ckpt_store *store;
	struct ckpt_layer *base, *layer;
	struct ckpt_target *t;			/* pinned while a batch is under way */
	u64 limit;				/* of a batch, sectors */
	u64 least;				/* time that a batch takes at least, ns */
	bool again;				/* somebody else was at something */
	struct ckpt_copy next;			/* grows while neighbours come */
	struct batch batch;
};

/* ---- may it be? ---- */

bool ckpt_base_merges(const struct ckpt_layer *base)
{
	return base->base && base->base->owner && base->base->adopted && !base->base->template &&
	       !base->tags && !base->views && !base->heads && base->children == 1;
}

/* The owner's live table, if it may write to the origin. */
static struct ckpt_target *writer(struct ckpt_store *store, const struct ckpt_layer *base)
{
	struct ckpt_object *owner = ckpt_object_find(store, base->base->owner);
	struct ckpt_target *t;

	if (!owner || owner->type != CKPT_RECORD_VOLUME)
		return NULL;
	t = ckpt_live_target(owner->volume);
	return t && ckpt_origin_writable(t) ? t : NULL;
}

bool ckpt_base_ready(struct ckpt_store *store, const struct ckpt_layer *base)
{
	struct ckpt_target *t = writer(store, base);

	return t && !READ_ONCE(t->resting);
}

/* From here to unpin() the table, and its origin, stay. */
static int pin(struct drain *d)
{
	struct ckpt_target *t;

	mutex_lock(&d->store->admin);
	t = writer(d->store, d->base);
	/* If it has rested in between, the base has been sampled again. */
	if (t && (!ckpt_base_merges(d->base) || d->base->base->sampled || !ckpt_target_pin(t)))
		t = NULL;
	mutex_unlock(&d->store->admin);
	d->t = t;
	return t ? 0 : -EINTR;
}

static void unpin(struct drain *d)
{
	ckpt_target_unpin(d->t);
	d->t = NULL;
}

/* ---- copying ---- */

static void end_run(struct drain *d, struct ckpt_copies *copies)
{
	if (d->next.sectors)
		ckpt_copies_add(copies, &d->next);
	d->next.sectors = 0;
}

/* A run of blocks that goes to @to; what comes right behind the last one is joined to it. */
static void add_run(struct drain *d, struct ckpt_copies *copies, bool zero, u64 from, u64 to,
		    u64 sectors)
{
	struct block_device *bdev = zero ? NULL : d->store->bdev;
	struct ckpt_copy *next = &d->next;

	if (!next->sectors || next->from_bdev != bdev || next->to + next->sectors != to ||
	    (!zero && next->from + next->sectors != from)) {
		end_run(d, copies);
		next->from_bdev = bdev;
		next->to_bdev = d->t->origin->bdev;
		next->from = from;
		next->to = to;
	}
	next->sectors += sectors;
}

/* All that one slot has. */
static void copy_slot(struct drain *d, struct ckpt_copies *copies, struct ckpt_node *leaf,
		      unsigned int slot)
{
	const struct ckpt_geometry *g = &d->store->geometry;
	u64 start = (leaf->index * CKPT_FANOUT + slot) << g->cluster_shift;
	struct ckpt_state s = ckpt_leaf_live(leaf->leaf->w, slot);
	u32 left = s.present | s.zero;

	atomic64_add(ckpt_state_used(g, &s), &d->store->copied);
	while (left) {
		u32 first = (u32)__ffs(left);
		bool zero = s.zero & ckpt_mask(first, 1);
		u32 nr = ckpt_run(zero ? s.zero : s.present, first);
		u64 offset = (u64)first << g->block_shift;

		add_run(d, copies, zero, zero ? 0 : ckpt_state_sector(g, &s, offset),
			start + offset, (u64)nr << g->block_shift);
		left &= ~ckpt_mask(first, nr);
	}
}

/* Writes to the batch's slots wait from here on; those under way have ended after a drain. */
static void hold_slots(struct drain *d)
{
	unsigned int i, slot;
	unsigned long flags;

	for (i = 0; i < d->batch.nr_leaves; i++) {
		struct ckpt_node *leaf = d->batch.leaves[i];

		spin_lock_irqsave(&leaf->lock, flags);
		for_each_set_bit(slot, d->batch.slots[i], CKPT_FANOUT) {
			if (!test_and_set_bit(slot, leaf->leaf->w->moving))
				continue;
			__clear_bit(slot, d->batch.slots[i]);
			d->again = true;
		}
		spin_unlock_irqrestore(&leaf->lock, flags);
	}
}

static int copy_slots(struct drain *d)
{
	struct ckpt_copies copies;
	unsigned int i, slot;
	int r;

	ckpt_copies_begin(&copies, d->store);
	for (i = 0; i < d->batch.nr_leaves; i++)
		for_each_set_bit(slot, d->batch.slots[i], CKPT_FANOUT)
			copy_slot(d, &copies, d->batch.leaves[i], slot);
	end_run(d, &copies);
	r = ckpt_copies_wait(&copies);
	WRITE_ONCE(d->t->origin_written, true);
	return r;
}

/* What is written from now on comes behind the copies, so it need not wait for their flush. */
static void let_writes_on(struct drain *d, bool on)
{
	unsigned int i;

	for (i = 0; i < d->batch.nr_leaves; i++)
		ckpt_drops_copied(d->batch.leaves[i], d->batch.slots[i], on);
}

/* The base has these slots, for good: readers go there, and the next commit says so. */
static void drop_slots(struct drain *d)
{
	unsigned int i, slot;
	unsigned long flags;

	down_write(&d->store->chain);
	for (i = 0; i < d->batch.nr_leaves; i++) {
		struct ckpt_node *leaf = d->batch.leaves[i];
		struct ckpt_leaf_write *w = leaf->leaf->w;

		spin_lock_irqsave(&leaf->lock, flags);
		for_each_set_bit(slot, d->batch.slots[i], CKPT_FANOUT) {
			struct ckpt_state s = ckpt_leaf_live(w, slot);

			if (!w->own[slot])
				w->own[slot] = ckpt_state_whole(&d->store->geometry, &s);
			ckpt_leaf_set(leaf, slot, 0, 0);
			ckpt_leaf_dirty(leaf, slot);
			/* Before a commit comes by, which gives the window back. */
			clear_bit(slot, w->moving);
		}
		ckpt_leaf_wake(leaf);
		spin_unlock_irqrestore(&leaf->lock, flags);
		ckpt_resolve_forget(d->store, d->layer, leaf->index, d->batch.slots[i]);
		bitmap_zero(d->batch.slots[i], CKPT_FANOUT);
	}
	up_write(&d->store->chain);
}

static void forget_slots(struct drain *d)
{
	unsigned int i;

	for (i = 0; i < d->batch.nr_leaves; i++)
		ckpt_node_put(d->batch.leaves[i]);
	d->batch.nr_leaves = 0;
	d->batch.nr_slots = 0;
	d->batch.sectors = 0;
}

/* Writes go on; slots that were not dropped are as they were. */
static void release_slots(struct drain *d)
{
	unsigned int i, slot;

	for (i = 0; i < d->batch.nr_leaves; i++)
		for_each_set_bit(slot, d->batch.slots[i], CKPT_FANOUT)
			ckpt_move_end(d->batch.leaves[i], slot);
	forget_slots(d);
}

/* With a rate, half a second's worth of it, so that it is kept all the time. */
static u64 largest_batch(const struct drain *d, bool busy)
{
	u32 rate = READ_ONCE(d->store->options.merge_rate);
	u64 most = rate ? rate : BATCH_MAX;

	if (busy && !d->layer->frozen)
		most = min(most, (READ_ONCE(d->layer->used) << CKPT_UNIT_SHIFT) / BATCH_PART);
	return clamp_t(u64, most, BATCH_MIN, BATCH_MAX);
}

/*
 * As large as the time allows, for the next one.  A smaller one is not flushed any faster, nor
 * copied in less than the devices take for anything: while a batch takes hardly longer than the
 * smallest one does, it is that, and not its size, which takes the time.
 */
static void adapt(struct drain *d, u64 copy, u64 flush, bool busy)
{
	u64 time;

	/* Devices that have become slower bring it down to the smallest again. */
	if (d->limit == BATCH_MIN || copy < d->least)
		d->least = copy;
	if (busy)
		time = max3(BATCH_BUSY_NS, flush, d->least + d->least / 4);
	else
		time = max3(BATCH_NS, flush * BATCH_FLUSHES, d->least * 2);
	time = min(time, BATCH_LONG_NS);
	if (copy > 2 * time)
		d->limit = max_t(u64, d->limit / 2, BATCH_MIN);
	else if (copy < time)
		/* Each batch on the way up costs a flush. */
		d->limit *= copy < time / 4 ? 4 : 2;
	d->limit = min(d->limit, largest_batch(d, busy));
}

/* This lets go what was dropped by writes as well. */
static int flush_copies(struct drain *d)
{
	int r = 0;

	let_writes_on(d, true);
	if (!ckpt_fault(CKPT_FAULT_MERGE_NO_FLUSH))
		r = ckpt_through_flush(d->t, d->layer);
	let_writes_on(d, false);
	return r;
}

static int run_batch(struct drain *d)
{
	u64 begun, copied, flushed;
	struct ckpt_pace pace;
	int r;

	if (!d->batch.nr_slots)
		return 0;
	ckpt_pace_begin(d->store, &pace);
	r = pin(d);
	if (r) {
		forget_slots(d);
		return r;
	}
	hold_slots(d);
	ckpt_store_drain(d->store);
	begun = ktime_get_ns();
	r = copy_slots(d);
	copied = ktime_get_ns();
	if (!r)
		r = flush_copies(d);
	flushed = ktime_get_ns();
	if (!r)
		drop_slots(d);
	release_slots(d);
	/* The table may go while nothing is under way. */
	unpin(d);
	adapt(d, copied - begun, flushed - copied, ckpt_pace_is_busy(d->store, &pace));
	if (!r && ckpt_commit_is_behind(d->store))
		r = ckpt_commit(d->store);
	ckpt_pace_end(d->store, &pace);
	return r;
}

/* ---- all of the layer ---- */

static u64 slot_sectors(const struct ckpt_store *store, struct ckpt_node *leaf, unsigned int slot)
{
	struct ckpt_state s = ckpt_leaf_look(leaf, slot);

	return (u64)hweight32(s.present | s.zero) << store->geometry.block_shift;
}

/* Take slots of the leaf from *@slot on into the batch; false when it is full. */
static bool gather(struct drain *d, struct ckpt_node *leaf, unsigned int *slot)
{
	struct batch *b = &d->batch;
	unsigned long *slots = b->slots[b->nr_leaves];
	bool any = false;

	if (b->nr_leaves == LEAVES)
		return false;
	ckpt_leaf_make_writable(leaf, d->layer);
	/* Also where nobody has written yet: the first to do so should not wait for a flush. */
	if (d->layer->through)
		ckpt_drops_make(leaf);
	bitmap_zero(slots, CKPT_FANOUT);
	for (; *slot < CKPT_FANOUT; (*slot)++) {
		u64 sectors = slot_sectors(d->store, leaf, *slot);

		if (!sectors)
			continue;
		if (b->nr_slots == SLOTS || b->sectors >= d->limit)
			break;
		__set_bit(*slot, slots);
		b->nr_slots++;
		b->sectors += sectors;
		any = true;
	}
	if (any) {
		refcount_inc(&leaf->refs);
		b->leaves[b->nr_leaves++] = leaf;
	}
	return *slot == CKPT_FANOUT;
}

static int drain_leaf(struct drain *d, struct ckpt_node *leaf)
{
	unsigned int slot = 0;
	int r = 0;

	for (;;) {
		if (gather(d, leaf, &slot))
			return 0;
		r = run_batch(d);
		if (r)
			return r;
		if (!ckpt_pace_may_run(d->store))
			return -EINTR;
	}
}

static int drain_layer(struct drain *d)
{
	struct ckpt_node *leaf;
	u64 index = 0;
	int r = 0, r2;

	while (!r) {
		leaf = ckpt_node_next(&d->layer->map, 0, index);
		if (IS_ERR_OR_NULL(leaf)) {
			r = PTR_ERR_OR_ZERO(leaf);
			break;
		}
		index = leaf->index + 1;
		r = drain_leaf(d, leaf);
		ckpt_node_put(leaf);
		if (!r && !ckpt_pace_may_run(d->store))
			r = -EINTR;
	}
	r2 = run_batch(d);
	r = r ? r : r2;
	return r ? r : d->again ? -EAGAIN : 0;
}

/* ---- the base ---- */

/* Beyond the base's end there are zeros, so the origin's part that it grows by is zeroed. */
static int grow_step(struct drain *d, u64 end)
{
	u64 at = d->base->sectors;
	int r = pin(d);

	if (r)
		return r;
	end = min(end, at + GROW_STEP);
	r = bdev_nr_sectors(d->t->origin->bdev) < end ? -EBUSY : 0;
	if (!r)
		r = ckpt_guard_check(d->store);
	if (!r)
		r = blkdev_issue_zeroout(d->t->origin->bdev, at, end - at, GFP_NOIO, 0);
	if (!r)
		r = ckpt_io_flush(d->t->origin->bdev);
	unpin(d);
	return r ? r : ckpt_base_set(d->store, d->base, end, false);
}

static int grow_base(struct drain *d)
{
	u64 end = READ_ONCE(d->layer->sectors);
	int r = 0;

	while (!r && d->base->sectors < end)
		r = ckpt_pace_may_run(d->store) ? grow_step(d, end) : -EINTR;
	return r;
}

/* Whatever the volume writes from now on goes to the base, if the layer is its head. */
static int go_through(struct drain *d)
{
	struct ckpt_target *t;
	int r = 0;

	mutex_lock(&d->store->admin);
	if (!d->layer->frozen && !d->layer->through) {
		t = writer(d->store, d->base);
		if (!t || !ckpt_base_merges(d->base))
			r = -EINTR;
		else if (d->layer->sectors != d->base->sectors)
			r = -EAGAIN;
		else
			r = ckpt_through_on(t, d->layer);
		if (r == -ETIMEDOUT)
			r = -EAGAIN;
	}
	mutex_unlock(&d->store->admin);
	return r;
}

/* ---- the end ---- */

/* One thing that sits on the layer, or names it, has the base instead; false: there is none. */
static bool move_heir(struct drain *d, struct ckpt_txn *txn)
{
	struct ckpt_layer *base = d->base, *layer = d->layer;
	struct ckpt_object *object;
	unsigned long number;

	xa_for_each(&d->store->objects, number, object) {
		if (object->type == CKPT_RECORD_LAYER && object->layer->parent == layer) {
			WRITE_ONCE(object->layer->parent, base);
			ckpt_resolve_forget_all(object->layer);
			layer->children--;
			base->children++;
		} else if (object->type == CKPT_RECORD_CHECKPOINT &&
			   object->checkpoint->layer == layer) {
			object->checkpoint->layer = base;
			layer->tags--;
			base->tags++;
		} else {
			continue;
		}
		ckpt_txn_record(txn, d->store, number);
		return true;
	}
	return false;
}

/* The layer is empty: what sits on it sits on the base from now on.  store->admin is held. */
static int move_heirs(struct drain *d)
{
	struct ckpt_store *store = d->store;
	struct ckpt_txn *txn;
	unsigned int nr;
	int r;

	do {
		txn = ckpt_txn_alloc(HEIRS * sizeof(struct ckpt_entry_record));
		if (!txn)
			return -ENOMEM;
		down_write(&store->chain);
		for (nr = 0; nr < HEIRS && move_heir(d, txn); nr++)
			;
		up_write(&store->chain);
		r = ckpt_txn_run(store, txn);
	} while (!r && nr == HEIRS);
	return r;
}

/* The head is empty: the volume passes through to its base.  store->admin is held. */
static int pass_through(struct drain *d)
{
	struct ckpt_store *store = d->store;
	struct ckpt_target *t = writer(store, d->base);
	struct ckpt_volume *volume = ckpt_object_find(store, d->base->base->owner)->volume;
	struct ckpt_txn *txn;
	int r;

	if (!t || !d->layer->through || d->layer->sectors != d->base->sectors)
		return -EAGAIN;
	txn = ckpt_txn_alloc(2 * sizeof(struct ckpt_entry_record));
	if (!txn)
		return -ENOMEM;
	ckpt_gate_shut(t);
	r = ckpt_gate_drain(t, CKPT_DRAIN_JIFFIES);
	if (!r)
		r = ckpt_through_flush(t, d->layer);
	if (r) {
		ckpt_gate_open(t);
		ckpt_txn_free(txn);
		return r == -ETIMEDOUT ? -EAGAIN : r;
	}
	down_write(&store->chain);
	d->layer->heads--;
	WRITE_ONCE(d->layer->frozen, true);
	WRITE_ONCE(d->layer->through, false);
	d->base->heads++;
	rcu_assign_pointer(volume->top, d->base);
	ckpt_txn_record(txn, store, d->layer->number);
	ckpt_txn_record(txn, store, volume->number);
	up_write(&store->chain);
	r = ckpt_txn_run(store, txn);
	/*
	 * Not before: a flush that passes through waits for no commit, and what was dropped
	 * must be durable before one is answered.
	 */
	ckpt_gate_open(t);
	return r;
}

/* Nobody writes to the layer, and all leaves have been seen empty. */
static int give_way(struct drain *d)
{
	struct ckpt_target *t;
	int r;

	mutex_lock(&d->store->admin);
	if (!ckpt_base_merges(d->base) || READ_ONCE(d->layer->rewritten) ||
	    READ_ONCE(d->layer->used) ||
	    (d->layer->frozen && d->layer->sectors != d->base->sectors))
		r = -EAGAIN;
	else if (!d->layer->frozen)
		r = pass_through(d);
	else
		r = move_heirs(d);
	t = writer(d->store, d->base);
	if (!r && t)
		ckpt_base_sample(t);
	mutex_unlock(&d->store->admin);
	return r;
}

/* What writes have dropped goes as well, though nobody has flushed. */
static int flush_drops(struct drain *d)
{
	int r = pin(d);

	if (r)
		return r;
	r = ckpt_through_flush(d->t, d->layer);
	unpin(d);
	return r;
}

static int merge_into_base(struct drain *d)
{
	int r = 0;

	WRITE_ONCE(d->layer->rewritten, false);
	/* Before the first change: from here on the sample is not what the origin holds. */
	if (d->base->base->sampled)
		r = ckpt_base_set(d->store, d->base, d->base->sectors, false);
	if (!r)
		r = grow_base(d);
	if (!r)
		r = go_through(d);
	if (!r)
		r = drain_layer(d);
	if (!r)
		r = flush_drops(d);
	if (!r)
		r = ckpt_commit(d->store);
	return r ? r : give_way(d);
}

int ckpt_merge_base(struct ckpt_store *store, struct ckpt_layer *base, struct ckpt_layer *layer)
{
	struct drain *d = kvzalloc(sizeof(*d), GFP_NOIO);
	int r;

	if (!d)
		return -ENOMEM;
	d->store = store;
	d->base = base;
	d->layer = layer;
	d->limit = BATCH_MIN;
	WRITE_ONCE(layer->settled, false);
	r = merge_into_base(d);
	kvfree(d);
	return r;
}
