// SPDX-License-Identifier: GPL-2.0-only
#include "first.h"
#include "free.h"
#include "io.h"
#include "leaf.h"
#include "lookup.h"
#include "move.h"
#include "pack.h"
#include "prepare.h"
#include "pressure.h"
#include "quota.h"
#include "resolve.h"
#include "through.h"
#include "writeback.h"

/* On a store that is full while something always comes and goes: so often, and no more. */
#define TRIES_WHEN_SHORT 8u

/* The head or the viewed layer, which stays what it is as long as store->chain is held. */
static struct ckpt_layer *stable_top(struct ckpt_target *t)
{
	struct ckpt_layer *top;

	rcu_read_lock();
	top = ckpt_target_top(t);
	rcu_read_unlock();
	return top;
}

static struct ckpt_node *get_leaf(struct ckpt_target *t, struct ckpt_layer *top, u64 sector)
{
	u64 cluster = ckpt_cluster_of(&t->store->geometry, sector);

	return ckpt_node_get(&top->map, 0, cluster >> CKPT_FANOUT_SHIFT, true);
}

static unsigned int slot_of(struct ckpt_target *t, u64 sector)
{
	return ckpt_cluster_of(&t->store->geometry, sector) % CKPT_FANOUT;
}

static int read_locked(struct ckpt_target *t, u64 sector)
{
	struct ckpt_layer *top = stable_top(t);
	struct ckpt_node *leaf;
	int r = 0;

	if (top->base)
		return 0;
	leaf = get_leaf(t, top, sector);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	if (ckpt_has_layers_below(top))
		r = ckpt_resolve(t->store, top, leaf, slot_of(t, sector));
	ckpt_node_put(leaf);
	return r;
}

int ckpt_prepare_read(struct ckpt_target *t, u64 sector)
{
	int r;

	down_read(&t->store->chain);
	r = read_locked(t, sector);
	up_read(&t->store->chain);
	return r;
}

static int prepare_slot(struct ckpt_store *store, struct ckpt_node *leaf, unsigned int slot,
			u32 block, u32 nr)
{
	struct ckpt_leaf_write *w = leaf->leaf->w;
	u32 own, busy, bit = ckpt_mask(block, 1);
	struct ckpt_state s;
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	s = ckpt_leaf_live(w, slot);
	own = w->own[slot];
	busy = w->pending[slot];
	spin_unlock_irqrestore(&leaf->lock, flags);
	if (s.present & bit || (own & bit && !s.packed))
		return 0;
	if (own || s.packed)
		return ckpt_slot_move(store, leaf, slot, bit);
	if (s.present)
		return ckpt_slot_claim(store, CKPT_SPACE_DATA, leaf, slot, bit);
	return busy ? 0 : ckpt_space_refill(store, block, nr);
}

static int write_locked(struct ckpt_target *t, u64 sector, u32 nr)
{
	struct ckpt_store *store = t->store;
	u32 block = ckpt_block_in_cluster(&store->geometry, sector);
	struct ckpt_layer *top = stable_top(t);
	struct ckpt_node *leaf;
	int r;

	if (top->base)
		return 0;
	leaf = get_leaf(t, top, sector);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	ckpt_leaf_make_writable(leaf, top);
	if (top->through) {
		ckpt_drops_make(leaf);
		r = 0;
	} else if (!ckpt_quota_allows(t->volume)) {
		r = -EDQUOT;
	} else {
		r = prepare_slot(store, leaf, slot_of(t, sector), block,
				 min(nr, CKPT_CLUSTER_BLOCKS - block));
	}
	ckpt_node_put(leaf);
	return r;
}

static int try_write(struct ckpt_target *t, u64 sector, u32 nr)
{
	int r;

	down_read(&t->store->chain);
	r = write_locked(t, sector, nr);
	up_read(&t->store->chain);
	return r;
}

/* There was none at *@outlook: until there is some, or nothing that could bring any. */
static int write_when_short(struct ckpt_target *t, u64 sector, u32 nr,
			    struct ckpt_outlook *outlook)
{
	unsigned int tries = TRIES_WHEN_SHORT;
	int r;

	do {
		r = ckpt_pressure_relieve(t->store);
		if (r == -ENOSPC && tries--)
			r = ckpt_pressure_await(t->store, outlook);
		if (r)
			return r;
		*outlook = ckpt_pressure_look(t->store);
		r = try_write(t, sector, nr);
	} while (r == -ENOSPC);
	return r;
}

int ckpt_prepare_write(struct ckpt_target *t, u64 sector, u32 nr)
{
	struct ckpt_outlook outlook;
	int r;

	if (ckpt_commit_is_behind(t->store)) {
		r = ckpt_commit(t->store);
		if (r)
			return r;
	}
	outlook = ckpt_pressure_look(t->store);
	r = try_write(t, sector, nr);
	/* Where little is left, no whole ones are handed out. */
	if (unlikely(READ_ONCE(t->store->space.fragmented)) && !READ_ONCE(t->store->space.scarce))
		ckpt_pack_ask(t->store, false);
	if (r == -ENOSPC) {
		ckpt_pressure_short_begin(t->store);
		r = write_when_short(t, sector, nr, &outlook);
		ckpt_pressure_short_end(t->store);
	}
	return r;
}

/* Best effort: whoever finds no leaf has it made. */
static void prepare_leaf(struct ckpt_layer *head, u64 index)
{
	struct ckpt_node *leaf = ckpt_node_get(&head->map, 0, index, true);

	if (IS_ERR(leaf))
		return;
	ckpt_leaf_make_writable(leaf, head);
	ckpt_node_put(leaf);
}

void ckpt_prepare_head(struct ckpt_store *store, struct ckpt_layer *head, struct ckpt_layer *old,
		       unsigned int nr)
{
	struct ckpt_node *leaf;
	u64 index = 0;

	lockdep_assert_held(&store->admin);
	if (old->base)
		return;
	down_read(&store->chain);
	while (nr && (leaf = ckpt_node_next_cached(&old->map, index))) {
		index = leaf->index + 1;
		if (ckpt_leaf_w(leaf)) {
			prepare_leaf(head, leaf->index);
			nr--;
		}
		ckpt_node_put(leaf);
	}
	up_read(&store->chain);
}

/*
 * What has gone of a packed slot is all zero, or all below: one that has to be both moves.  Zeros
 * need no space for data, so nothing else keeps the nodes of a new leaf from the reserve.
 */
static int prepare_zeros(struct ckpt_store *store, struct ckpt_layer *top, struct ckpt_node *leaf,
			 unsigned int slot, u32 blocks)
{
	struct ckpt_state s = ckpt_leaf_look(leaf, slot);
	bool is_new;

	rcu_read_lock();
	is_new = ckpt_leaf_is_new(leaf);
	rcu_read_unlock();
	if (is_new && ckpt_writeback_is_short(store, false))
		return -ENOSPC;

	ckpt_state_zero(&s, blocks, top->parent);
	return ckpt_state_encodes(&s) ? 0 : ckpt_slot_move(store, leaf, slot, 0);
}

/* More than 0: so many sectors in which there is nothing at all, so nothing to take away. */
static int try_zero(struct ckpt_target *t, u64 sector, u32 sectors)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u32 block = ckpt_block_in_cluster(g, sector);
	u32 nr = min(sectors >> g->block_shift, CKPT_CLUSTER_BLOCKS - block);
	struct ckpt_layer *top;
	struct ckpt_node *leaf;
	int r = 0;

	down_read(&t->store->chain);
	top = stable_top(t);
	if (!top->base && !top->through)
		r = ckpt_resolve_hole(t->store, top, sector, sectors);
	if (!top->base && !top->through && !r) {
		leaf = get_leaf(t, top, sector);
		if (!IS_ERR(leaf)) {
			ckpt_leaf_make_writable(leaf, top);
			r = prepare_zeros(t->store, top, leaf, slot_of(t, sector),
					  ckpt_mask(block, nr));
			ckpt_node_put(leaf);
		} else {
			r = PTR_ERR(leaf);
		}
	}
	up_read(&t->store->chain);
	return r;
}

int ckpt_prepare_zero(struct ckpt_target *t, struct bio *bio)
{
	u64 sector = bio->bi_iter.bi_sector;
	int r;

	if (ckpt_commit_is_behind(t->store)) {
		r = ckpt_commit(t->store);
		if (r)
			return r;
	}
	r = try_zero(t, sector, bio_sectors(bio));
	if (r == -ENOSPC && !ckpt_pressure_relieve(t->store))
		r = try_zero(t, sector, bio_sectors(bio));
	return r;
}

/* ---- part of a block ---- */

/* The block at the front of a bio, which is in flight from begin_fill() to end_fill(). */
struct fill {
	struct ckpt_target *t;
	struct bio *bio;
	u32 sectors;			/* of the bio that are in the block */
	u32 offset;			/* sectors before them in the block */
	u64 start;			/* sector of the volume where the block begins */
	struct ckpt_node *leaf;
	unsigned int first;		/* the block's number in the leaf */
	u64 place;			/* sector of the store where it will stand */
	unsigned int bank;
};

enum fill_state { FILL_READY, FILL_PRESENT, FILL_WAITS, FILL_AGAIN };

/* node->lock is held. */
static enum fill_state claim_block(struct fill *f, struct ckpt_leaf_write *w)
{
	unsigned int slot = f->first / CKPT_CLUSTER_BLOCKS;
	u32 block = f->first % CKPT_CLUSTER_BLOCKS, bit = ckpt_mask(block, 1);
	const struct ckpt_geometry *g = &f->t->store->geometry;
	struct ckpt_state s;

	if (w->pending[slot] & bit || test_bit(slot, w->moving)) {
		bio_list_add(&w->waiters, f->bio);
		return FILL_WAITS;
	}
	if (!w->own[slot] && !w->live[slot].present && !w->pending[slot] &&
	    !ckpt_first_place(f->t->store, f->leaf, slot, block, 1))
		return FILL_AGAIN;
	s = ckpt_leaf_live(w, slot);
	f->place = ckpt_state_sector(g, &s, (u64)block << g->block_shift);
	if (s.present & bit)
		return FILL_PRESENT;
	if (!(w->own[slot] & bit) || s.packed || !ckpt_quota_allows(f->t->volume))
		return FILL_AGAIN;
	ckpt_first_take(f->t, w, slot, bit, 1);
	return FILL_READY;
}

/* Make the block ours, if nobody is at it and the gate is open. */
static enum fill_state begin_fill(struct fill *f)
{
	struct ckpt_target *t = f->t;
	const struct ckpt_geometry *g = &t->store->geometry;
	enum fill_state state = FILL_AGAIN;
	struct ckpt_layer *top;
	unsigned long flags;

	if (!ckpt_gate_enter(t, f->bio, &f->bank))
		return FILL_WAITS;
	rcu_read_lock();
	top = ckpt_target_top(t);
	f->leaf = top->base || top->through ? NULL :
		  ckpt_node_find(&top->map, 0,
				 ckpt_cluster_of(g, f->start) >> CKPT_FANOUT_SHIFT);
	if (f->leaf) {
		spin_lock_irqsave(&f->leaf->lock, flags);
		if (f->leaf->leaf->w && !test_bit(CKPT_NODE_DEAD, &f->leaf->flags))
			state = claim_block(f, f->leaf->leaf->w);
		spin_unlock_irqrestore(&f->leaf->lock, flags);
	}
	if (state != FILL_READY && state != FILL_PRESENT)
		ckpt_epoch_leave(&t->epoch, f->bank);
	/* A bio that waits may have ended by now, and the table go, but not before this. */
	rcu_read_unlock();
	return state;
}

/* The block as it reads now; the pending bit keeps it so. */
static int read_block(struct fill *f, void *buffer, u32 bytes)
{
	struct ckpt_target *t = f->t;
	struct ckpt_place place;

	rcu_read_lock();
	ckpt_lookup(t, ckpt_target_top(t), f->start, bytes >> SECTOR_SHIFT, &place);
	rcu_read_unlock();
	switch (place.where) {
	case CKPT_IN_STORE:
		return ckpt_io(t->store->bdev, REQ_OP_READ, place.sector, buffer, bytes);
	case CKPT_IN_ORIGIN:
		return ckpt_io(t->origin->bdev, REQ_OP_READ, place.sector, buffer, bytes);
	case CKPT_ZEROS:
		memset(buffer, 0, bytes);
		return 0;
	case CKPT_UNKNOWN:
		break;
	}
	return -EAGAIN;
}

void ckpt_fill_from_bio(struct bio *bio, u32 sectors, void *to)
{
	struct bvec_iter iter = bio->bi_iter;
	struct bio_vec bv;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		memset(to, 0, sectors << SECTOR_SHIFT);
		return;
	}
	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, bio, iter, iter) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

static int write_block(struct fill *f)
{
	struct ckpt_store *store = f->t->store;
	u32 bytes = ckpt_block_sectors(&store->geometry) << SECTOR_SHIFT;
	void *buffer = mempool_alloc(&store->bounce, GFP_NOIO);
	int r = read_block(f, buffer, bytes);

	if (!r) {
		ckpt_fill_from_bio(f->bio, f->sectors, buffer + (f->offset << SECTOR_SHIFT));
		r = ckpt_io(store->bdev, REQ_OP_WRITE, f->place, buffer, bytes);
		WRITE_ONCE(store->data_written, true);
	}
	mempool_free(buffer, &store->bounce);
	ckpt_leaf_written(f->leaf, f->first, 1, !r);
	return r;
}

int ckpt_fill_block(struct ckpt_target *t, struct bio *bio)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u64 sector = bio->bi_iter.bi_sector;
	struct fill f = { .t = t, .bio = bio };
	int r;

	f.offset = sector & (ckpt_block_sectors(g) - 1);
	f.sectors = min(bio_sectors(bio), ckpt_block_sectors(g) - f.offset);
	f.start = sector - f.offset;
	f.first = (sector >> g->block_shift) % (CKPT_FANOUT * CKPT_CLUSTER_BLOCKS);

	r = ckpt_prepare_read(t, sector);
	if (!r)
		r = ckpt_prepare_write(t, sector, 1);
	if (r)
		return r;
	switch (begin_fill(&f)) {
	case FILL_WAITS:
		return -EAGAIN;
	case FILL_AGAIN:
		return 0;
	case FILL_PRESENT:
		/* Data are written in place by the usual way, zeros only from here. */
		if (bio_op(bio) == REQ_OP_WRITE_ZEROES)
			r = blkdev_issue_zeroout(t->store->bdev, f.place + f.offset, f.sectors,
						 GFP_NOIO, 0) ?: (int)f.sectors;
		WRITE_ONCE(t->store->data_written, true);
		break;
	case FILL_READY:
		r = write_block(&f);
		/* What was resolved has been evicted in between: once more. */
		r = r == -EAGAIN ? 0 : r ? r : (int)f.sectors;
		break;
	}
	ckpt_epoch_leave(&t->epoch, f.bank);
	return r;
}

int ckpt_zero_origin(struct ckpt_target *t, struct bio *bio)
{
	u32 sectors = min_t(u32, bio_sectors(bio), SZ_1M >> SECTOR_SHIFT);
	unsigned int bank;
	bool through;
	int r;

	if (!ckpt_gate_enter(t, bio, &bank))
		return -EAGAIN;
	rcu_read_lock();
	through = ckpt_target_top(t)->base;
	rcu_read_unlock();
	r = through ? blkdev_issue_zeroout(t->origin->bdev, bio->bi_iter.bi_sector, sectors,
					   GFP_NOIO, 0) : 0;
	WRITE_ONCE(t->origin_written, true);
	ckpt_epoch_leave(&t->epoch, bank);
	return r ? r : through ? (int)sectors : 0;
}
