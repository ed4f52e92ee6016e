// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blkdev.h>
#include <linux/slab.h>

#include "fault.h"
#include "io.h"
#include "leaf.h"
#include "prepare.h"
#include "resolve.h"
#include "through.h"

/* ---- what has been dropped ---- */

bool ckpt_drops_empty(const struct ckpt_drops *drops)
{
	return !drops || (!memchr_inv(drops->present, 0, sizeof(drops->present)) &&
			  !memchr_inv(drops->zero, 0, sizeof(drops->zero)));
}

void ckpt_drops_make(struct ckpt_node *leaf)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	struct ckpt_drops *drops;
	unsigned long flags;

	if (READ_ONCE(w->drops))
		return;
	drops = kvzalloc(sizeof(*drops), GFP_NOIO | __GFP_NOFAIL);
	drops->node = leaf;
	INIT_LIST_HEAD(&drops->list[0]);
	INIT_LIST_HEAD(&drops->list[1]);
	spin_lock_irqsave(&leaf->lock, flags);
	if (!w->drops) {
		/* Readers take the lock before they look inside. */
		WRITE_ONCE(w->drops, drops);
		ckpt_cache_account(leaf->store, sizeof(*drops));
		drops = NULL;
	}
	spin_unlock_irqrestore(&leaf->lock, flags);
	kvfree(drops);
}

void ckpt_drops_copied(struct ckpt_node *leaf, const unsigned long *slots, bool copied)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	if (w->drops && copied) {
		bitmap_or(w->drops->copied, w->drops->copied, slots, CKPT_FANOUT);
		ckpt_leaf_wake(leaf);
	} else if (w->drops) {
		bitmap_andnot(w->drops->copied, w->drops->copied, slots, CKPT_FANOUT);
	}
	spin_unlock_irqrestore(&leaf->lock, flags);
}

void ckpt_drops_forget(struct ckpt_layer *layer)
{
	struct ckpt_drops *drops, *next;

	list_for_each_entry_safe(drops, next, &layer->drops, list[0]) {
		list_del_init(&drops->list[0]);
		ckpt_node_put(drops->node);
	}
}

/* The leaf has dropped something; node->lock is held. */
static void list_drops(struct ckpt_layer *layer, struct ckpt_drops *drops)
{
	spin_lock(&layer->drops_lock);
	if (list_empty(&drops->list[0])) {
		list_add_tail(&drops->list[0], &layer->drops);
		refcount_inc(&drops->node->refs);
	}
	spin_unlock(&layer->drops_lock);
}

/* Readers go to the base for these blocks; node->lock is held. */
static void drop(struct ckpt_node *leaf, unsigned int slot, u32 mask)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	struct ckpt_state s = ckpt_leaf_live(w, slot);

	/* The places stay the slot's as long as the journal has the blocks. */
	if (!w->own[slot])
		w->own[slot] = ckpt_state_whole(&leaf->store->geometry, &s);
	w->drops->present[0][slot] |= s.present & mask;
	w->drops->zero[0][slot] |= s.zero & mask;
	ckpt_leaf_set(leaf, slot, s.present & ~mask, s.zero & ~mask);
	list_drops(w->layer, w->drops);
	if (ckpt_fault(CKPT_FAULT_DROPS))
		ckpt_leaf_dirty(leaf, slot);
}

static void end_pending(struct ckpt_node *leaf, unsigned int slot, u32 mask, bool ok)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	struct ckpt_state s = ckpt_leaf_live(w, slot);

	w->pending[slot] &= ~mask;
	if (!((s.present | s.zero) & mask))
		/* The merge was first, and its commit has left the window for this. */
		ckpt_leaf_dirty(leaf, slot);
	else if (ok)
		drop(leaf, slot, mask);
}

void ckpt_through_end(struct ckpt_node *leaf, unsigned int first, unsigned int nr, bool ok)
{
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	while (nr) {
		unsigned int slot = first / CKPT_CLUSTER_BLOCKS;
		unsigned int block = first % CKPT_CLUSTER_BLOCKS;
		unsigned int part = min(nr, CKPT_CLUSTER_BLOCKS - block);
		u32 mask = ckpt_mask(block, part);

		end_pending(leaf, slot, mask, ok);
		first += part;
		nr -= part;
	}
	ckpt_leaf_wake(leaf);
	spin_unlock_irqrestore(&leaf->lock, flags);
}

/* ---- flushing ---- */

static void begin_flush(struct ckpt_drops *drops)
{
	unsigned int slot;

	spin_lock_irq(&drops->node->lock);
	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		drops->present[1][slot] = drops->present[0][slot];
		drops->zero[1][slot] = drops->zero[0][slot];
		drops->present[0][slot] = 0;
		drops->zero[0][slot] = 0;
	}
	spin_unlock_irq(&drops->node->lock);
}

/* The base has been flushed, or else things are as they were before. */
static void end_flush(struct ckpt_layer *layer, struct ckpt_drops *drops, bool ok)
{
	unsigned int slot;

	spin_lock_irq(&drops->node->lock);
	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		if (!(drops->present[1][slot] | drops->zero[1][slot]))
			continue;
		if (ok) {
			ckpt_leaf_dirty(drops->node, slot);
		} else {
			drops->present[0][slot] |= drops->present[1][slot];
			drops->zero[0][slot] |= drops->zero[1][slot];
			list_drops(layer, drops);
		}
		drops->present[1][slot] = 0;
		drops->zero[1][slot] = 0;
	}
	spin_unlock_irq(&drops->node->lock);
}

static int flush_locked(struct ckpt_target *t, struct ckpt_layer *head)
{
	struct ckpt_drops *drops, *next;
	LIST_HEAD(flushing);
	int r;

	spin_lock_irq(&head->drops_lock);
	while ((drops = list_first_entry_or_null(&head->drops, struct ckpt_drops, list[0]))) {
		list_del_init(&drops->list[0]);
		list_add_tail(&drops->list[1], &flushing);
	}
	spin_unlock_irq(&head->drops_lock);
	if (list_empty(&flushing) && !READ_ONCE(t->origin_written))
		return 0;
	list_for_each_entry(drops, &flushing, list[1])
		begin_flush(drops);
	WRITE_ONCE(t->origin_written, false);
	r = ckpt_io_flush(t->origin->bdev);
	if (r)
		WRITE_ONCE(t->origin_written, true);
	list_for_each_entry_safe(drops, next, &flushing, list[1]) {
		struct ckpt_node *node = drops->node;

		list_del_init(&drops->list[1]);
		end_flush(head, drops, !r);
		/* A leaf that is at rest again may have lost its live side. */
		ckpt_node_put(node);
	}
	return r;
}

int ckpt_through_flush(struct ckpt_target *t, struct ckpt_layer *head)
{
	int r;

	mutex_lock(&head->drops_flush);
	r = flush_locked(t, head);
	mutex_unlock(&head->drops_flush);
	return r;
}

/* ---- bios that wait for that ---- */

void ckpt_through_bio(struct ckpt_target *t, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&t->lock, flags);
	bio_list_add(&t->through_bios, bio);
	/* Under the lock: a worker that finds the bio may end it, and then the table may go. */
	queue_work(t->store->through_wq, &t->through_work);
	spin_unlock_irqrestore(&t->lock, flags);
}

/*
 * Whoever made it no head has flushed, but perhaps not all these bios hold that up: a pin keeps the
 * layer.  store->chain would not do, as it is held by some who wait for these bios to end.
 */
static int flush_head(struct ckpt_target *t)
{
	struct ckpt_layer *head;
	int r = 0;

	rcu_read_lock();
	head = ckpt_target_top(t);
	atomic_inc(&head->pins);
	rcu_read_unlock();
	if (READ_ONCE(head->through))
		r = ckpt_through_flush(t, head);
	atomic_dec(&head->pins);
	return r;
}

static void do_through(struct work_struct *work)
{
	struct ckpt_target *t = container_of(work, struct ckpt_target, through_work);
	struct bio_list list;
	struct bio *bio;
	int r;

	bio_list_init(&list);
	spin_lock_irq(&t->lock);
	bio_list_merge(&list, &t->through_bios);
	bio_list_init(&t->through_bios);
	spin_unlock_irq(&t->lock);
	if (bio_list_empty(&list))
		return;
	r = flush_head(t);
	while ((bio = bio_list_pop(&list))) {
		struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));
		unsigned int bank = io->piece.epoch;

		if (!r) {
			ckpt_commit_bio(t->store, bio);
		} else {
			bio->bi_status = errno_to_blk_status(r);
			bio_endio(bio);
		}
		if (bank != CKPT_NO_EPOCH)
			ckpt_epoch_leave(&t->epoch, bank);
	}
}

void ckpt_through_init(struct ckpt_target *t)
{
	bio_list_init(&t->through_bios);
	INIT_WORK(&t->through_work, do_through);
}

void ckpt_through_exit(struct ckpt_target *t)
{
	cancel_work_sync(&t->through_work);
}

/* ---- writing ---- */

/* How the front of a bio stands to one leaf: so many sectors of it are covered, or are not. */
struct run {
	u32 sectors;
	unsigned int first;		/* block of the leaf */
	bool covered;
	bool part;			/* of a covered block, and only that */
	bool zeros;			/* zeros of that slot come first, see kept_zeros() */
	bool busy;
};

/* Is somebody at the slot who relies on it to stay as it is?  node->lock is held. */
static bool held(const struct ckpt_leaf_write *w, unsigned int slot)
{
	return test_bit(slot, w->moving) && !test_bit(slot, w->drops->copied);
}

/*
 * What has gone of a packed slot is all zero, or all the base's, and what is written is the
 * base's: so zeros are written first.
 */
static u32 kept_zeros(const struct ckpt_state *s)
{
	return s->packed & s->zero;
}

/* node->lock is held. */
static bool is_used(const struct ckpt_leaf_write *w, unsigned int slot)
{
	return w->pending[slot] || test_bit(slot, w->moving);
}

/* node->lock is held. */
static void measure(struct ckpt_node *leaf, u64 sector, u32 nr, struct run *run)
{
	const struct ckpt_geometry *g = &leaf->store->geometry;
	struct ckpt_leaf_write *w = leaf->leaf->w;

	memset(run, 0, sizeof(*run));
	run->first = (sector >> g->block_shift) % (CKPT_FANOUT * CKPT_CLUSTER_BLOCKS);
	nr = min_t(u64, nr, ckpt_node_span(g, 0) - (sector & (ckpt_node_span(g, 0) - 1)));
	while (run->sectors < nr) {
		u64 at = sector + run->sectors;
		unsigned int slot = ckpt_cluster_of(g, at) % CKPT_FANOUT;
		u32 inside = at & (ckpt_block_sectors(g) - 1), bit, covered;
		u32 part = min(nr - run->sectors, ckpt_block_sectors(g) - inside);
		struct ckpt_state s = ckpt_leaf_live(w, slot);

		bit = ckpt_mask(ckpt_block_in_cluster(g, at), 1);
		covered = (s.present | s.zero) & bit;
		if (w->pending[slot] & bit || (covered && held(w, slot)) ||
		    (covered && kept_zeros(&s) && is_used(w, slot))) {
			run->busy = !run->sectors;
			break;
		}
		if (covered && kept_zeros(&s)) {
			run->zeros = !run->sectors;
			break;
		}
		if (!run->sectors)
			run->covered = covered;
		else if (run->covered != !!covered)
			break;
		if (covered && part < ckpt_block_sectors(g)) {
			if (!run->sectors) {
				run->part = true;
				run->sectors = part;
			}
			break;
		}
		run->sectors += part;
	}
}

/* The run's blocks are being written; node->lock is held. */
static unsigned int mark_pending(struct ckpt_node *leaf, const struct run *run)
{
	unsigned int nr = run->sectors >> leaf->store->geometry.block_shift, i;

	for (i = run->first; i < run->first + nr; i++)
		leaf->leaf->w->pending[i / CKPT_CLUSTER_BLOCKS] |=
			ckpt_mask(i % CKPT_CLUSTER_BLOCKS, 1);
	return nr;
}

/* Under rcu_read_lock(); NULL: it must be prepared first. */
static struct ckpt_node *find_leaf(struct ckpt_layer *head, u64 sector)
{
	const struct ckpt_geometry *g = &head->map.store->geometry;
	struct ckpt_node *leaf;

	leaf = ckpt_node_find(&head->map, 0, ckpt_cluster_of(g, sector) >> CKPT_FANOUT_SHIFT);
	return leaf && ckpt_leaf_w(leaf) && READ_ONCE(leaf->leaf->w->drops) ? leaf : NULL;
}

static bool gone(const struct ckpt_node *leaf)
{
	return test_bit(CKPT_NODE_DEAD, &leaf->flags) || !leaf->leaf->w || !leaf->leaf->w->drops;
}

/* As ckpt_through_begin(); node->lock is held. */
static int begin_locked(struct ckpt_node *leaf, struct bio *bio, u64 sector, u32 nr,
			struct ckpt_piece *piece)
{
	struct run run;

	if (gone(leaf))
		return -ENOENT;
	measure(leaf, sector, nr, &run);
	if (run.busy) {
		if (bio->bi_opf & REQ_NOWAIT)
			return -EWOULDBLOCK;
		bio_list_add(&leaf->leaf->w->waiters, bio);
		return -EBUSY;
	}
	if (run.part || run.zeros)
		return 0;
	if (run.covered) {
		piece->leaf = leaf;
		piece->first = run.first;
		piece->nr = mark_pending(leaf, &run);
	}
	piece->to_origin = true;
	return run.sectors;
}

int ckpt_through_begin(struct ckpt_target *t, struct ckpt_layer *head, struct bio *bio, u64 sector,
		       u32 nr, struct ckpt_piece *piece)
{
	struct ckpt_node *leaf = find_leaf(head, sector);
	unsigned long flags;
	int r;

	if (!leaf)
		return -ENOENT;
	spin_lock_irqsave(&leaf->lock, flags);
	r = begin_locked(leaf, bio, sector, nr, piece);
	spin_unlock_irqrestore(&leaf->lock, flags);
	return r;
}

/* ---- by a worker ---- */

/* The front of a bio in a worker's hands, from begin_work() to the end of its epoch. */
struct work {
	struct ckpt_target *t;
	struct ckpt_node *leaf;		/* its pending blocks keep it */
	struct run run;
	unsigned int nr;		/* blocks that are pending */
	u64 place;			/* sector of the first block in the store, or 0: zeros */
	u32 zeros;			/* blocks of its slot that are pending instead */
	unsigned int bank;
};

/* What is covered is the worker's; node->lock is held. */
static void take(struct work *work)
{
	const struct ckpt_geometry *g = &work->t->store->geometry;
	struct ckpt_leaf_write *w = work->leaf->leaf->w;
	unsigned int slot = work->run.first / CKPT_CLUSTER_BLOCKS;
	u32 block = work->run.first % CKPT_CLUSTER_BLOCKS;
	struct ckpt_state s = ckpt_leaf_live(w, slot);

	if (work->run.zeros) {
		work->zeros = kept_zeros(&s);
		w->pending[slot] |= work->zeros;
		return;
	}
	if (work->run.part)
		work->run.sectors = ckpt_block_sectors(g);
	work->nr = mark_pending(work->leaf, &work->run);
	if (s.present & ckpt_mask(block, 1))
		work->place = ckpt_state_sector(g, &s, (u64)block << g->block_shift);
}

/*
 * Look at the front of a bio, and take what is covered.  0: it has been measured, and the epoch
 * is entered; -EAGAIN: the bio waits for somebody; 1: something must be prepared, or the
 * head is not what it was.  @part: a part of a covered block is wanted.
 */
static int begin_work(struct work *work, struct ckpt_target *t, struct bio *bio, bool part)
{
	u64 sector = bio->bi_iter.bi_sector;
	struct ckpt_layer *head;
	unsigned long flags;
	int r = 1;

	memset(work, 0, sizeof(*work));
	work->t = t;
	if (!ckpt_gate_enter(t, bio, &work->bank))
		return -EAGAIN;
	rcu_read_lock();
	head = ckpt_target_top(t);
	work->leaf = READ_ONCE(head->through) ? find_leaf(head, sector) : NULL;
	if (work->leaf) {
		spin_lock_irqsave(&work->leaf->lock, flags);
		if (!gone(work->leaf)) {
			measure(work->leaf, sector, bio_sectors(bio), &work->run);
			r = 0;
		}
		if (!r && work->run.busy) {
			bio_list_add(&work->leaf->leaf->w->waiters, bio);
			r = -EAGAIN;
		} else if (!r && (work->run.zeros ||
				  (work->run.covered && work->run.part == part))) {
			take(work);
		}
		spin_unlock_irqrestore(&work->leaf->lock, flags);
	}
	if (r)
		ckpt_epoch_leave(&t->epoch, work->bank);
	/* A bio that waits may have ended by now, and the table go, but not before this. */
	rcu_read_unlock();
	return r;
}

static void end_work(struct work *work, int error)
{
	WRITE_ONCE(work->t->origin_written, true);
	if (work->nr)
		ckpt_through_end(work->leaf, work->run.first, work->nr, !error);
	ckpt_epoch_leave(&work->t->epoch, work->bank);
}

/* Zeros of a packed slot go to the base; 0, as the bio has still to be looked at, or an error. */
static int end_zeros(struct work *work)
{
	const struct ckpt_geometry *g = &work->t->store->geometry;
	unsigned int slot = work->run.first / CKPT_CLUSTER_BLOCKS;
	u64 start = (work->leaf->index * CKPT_FANOUT + slot) << g->cluster_shift;
	u32 left = work->zeros;
	unsigned long flags;
	int r = 0;

	while (left && !r) {
		u32 first = (u32)__ffs(left), nr = ckpt_run(left, first);

		r = blkdev_issue_zeroout(work->t->origin->bdev,
					 start + ((u64)first << g->block_shift),
					 (u64)nr << g->block_shift, GFP_NOIO, 0);
		left &= ~ckpt_mask(first, nr);
	}
	WRITE_ONCE(work->t->origin_written, true);
	spin_lock_irqsave(&work->leaf->lock, flags);
	end_pending(work->leaf, slot, work->zeros, !r);
	ckpt_leaf_wake(work->leaf);
	spin_unlock_irqrestore(&work->leaf->lock, flags);
	ckpt_epoch_leave(&work->t->epoch, work->bank);
	return r;
}

/* The whole block goes to the base: what the head has of it, and what the bio changes. */
static int fill(struct work *work, struct bio *bio, u32 offset, u32 sectors)
{
	struct ckpt_store *store = work->t->store;
	u32 bytes = ckpt_block_sectors(&store->geometry) << SECTOR_SHIFT;
	void *buffer = mempool_alloc(&store->bounce, GFP_NOIO);
	int r = 0;

	if (work->place)
		r = ckpt_io(store->bdev, REQ_OP_READ, work->place, buffer, bytes);
	else
		memset(buffer, 0, bytes);
	if (!r) {
		ckpt_fill_from_bio(bio, sectors, buffer + (offset << SECTOR_SHIFT));
		r = ckpt_io(work->t->origin->bdev, REQ_OP_WRITE,
			    bio->bi_iter.bi_sector - offset, buffer, bytes);
	}
	mempool_free(buffer, &store->bounce);
	return r;
}

int ckpt_through_fill(struct ckpt_target *t, struct bio *bio)
{
	u64 sector = bio->bi_iter.bi_sector;
	u32 block = ckpt_block_sectors(&t->store->geometry), offset = sector & (block - 1);
	u32 sectors = min(bio_sectors(bio), block - offset);
	struct work work;
	int r = begin_work(&work, t, bio, true);

	if (r)
		return r < 0 ? r : ckpt_prepare_write(t, sector, 1);
	if (work.zeros)
		return end_zeros(&work);
	/* It is not covered any more, or has been covered as a whole: the usual way. */
	if (!work.nr) {
		ckpt_epoch_leave(&t->epoch, work.bank);
		return 0;
	}
	r = fill(&work, bio, offset, sectors);
	end_work(&work, r);
	return r ? r : (int)sectors;
}

int ckpt_through_zero(struct ckpt_target *t, struct bio *bio)
{
	u64 sector = bio->bi_iter.bi_sector;
	struct work work;
	int r = begin_work(&work, t, bio, false);

	if (r)
		return r < 0 ? r : ckpt_prepare_write(t, sector, 1);
	if (work.zeros)
		return end_zeros(&work);
	if (work.run.part) {
		ckpt_epoch_leave(&t->epoch, work.bank);
		/* What is not a whole block is not discarded. */
		if (bio_op(bio) == REQ_OP_DISCARD)
			return work.run.sectors;
		return ckpt_through_fill(t, bio);
	}
	r = blkdev_issue_zeroout(t->origin->bdev, sector, work.run.sectors, GFP_NOIO, 0);
	end_work(&work, r);
	return r ? r : (int)work.run.sectors;
}

/* ---- on and off ---- */

void ckpt_through_stop(struct ckpt_store *store, struct ckpt_layer *head)
{
	down_write(&store->chain);
	if (head->through) {
		WRITE_ONCE(head->through, false);
		WRITE_ONCE(head->rewritten, true);
	}
	up_write(&store->chain);
}

static int switch_through(struct ckpt_target *t, struct ckpt_layer *head, bool on)
{
	int r;

	lockdep_assert_held(&t->store->admin);
	ckpt_gate_shut(t);
	r = ckpt_gate_drain(t, CKPT_DRAIN_JIFFIES);
	if (!r && !on)
		r = ckpt_through_flush(t, head);
	if (!r && on) {
		down_write(&t->store->chain);
		head->was_through = true;
		WRITE_ONCE(head->through, true);
		up_write(&t->store->chain);
	} else if (!r) {
		ckpt_through_stop(t->store, head);
	}
	ckpt_gate_open(t);
	return r;
}

int ckpt_through_on(struct ckpt_target *t, struct ckpt_layer *head)
{
	return switch_through(t, head, true);
}

int ckpt_through_off(struct ckpt_target *t, struct ckpt_layer *head)
{
	return switch_through(t, head, false);
}
