// SPDX-License-Identifier: GPL-2.0-only
#include "first.h"
#include "leaf.h"
#include "lookup.h"
#include "prepare.h"
#include "pressure.h"
#include "quota.h"
#include "remap.h"
#include "resolve.h"
#include "through.h"
#include "writeback.h"

/* What is to be done with the front of a bio. */
enum step {
	STEP_SEND,			/* send it where struct front says */
	STEP_ZERO,			/* fill it with zeros, it is done */
	STEP_DONE,			/* it is done */
	STEP_PREPARE,			/* a worker must load or find something first */
	STEP_FILL,			/* a worker must complete a block */
	STEP_ZEROOUT,			/* a worker must write zeros to the origin */
	STEP_GUARD,			/* a worker must look whether the store is still ours */
	STEP_WAIT,			/* it has been put on a list: hands off */
	STEP_WOULD_BLOCK,		/* it would have been, but must not wait */
	STEP_AGAIN,			/* what was looked at has changed */
	STEP_ERROR,
};

struct front {
	u32 sectors;			/* so many of the bio */
	struct block_device *bdev;
	u64 sector;
	struct ckpt_piece piece;
	bool commit;			/* not durable before a commit */
};

/* ---- what to do: any context, under rcu_read_lock(), epoch entered ---- */

static enum step step_read(struct ckpt_target *t, struct ckpt_layer *top, u64 sector, u32 nr,
			   struct front *f)
{
	struct ckpt_place place;

	ckpt_lookup(t, top, sector, nr, &place);
	f->sectors = place.sectors;
	f->sector = place.sector;
	switch (place.where) {
	case CKPT_IN_STORE:
		f->bdev = t->store->bdev;
		return STEP_SEND;
	case CKPT_IN_ORIGIN:
		f->bdev = t->origin->bdev;
		return STEP_SEND;
	case CKPT_ZEROS:
		return STEP_ZERO;
	case CKPT_UNKNOWN:
		break;
	}
	return STEP_PREPARE;
}

/* A volume without a head of its own: to the origin with it. */
static enum step step_origin(struct ckpt_target *t, struct bio *bio, u64 sector, u32 nr,
			     struct front *f)
{
	struct block_device *bdev = t->origin->bdev;

	f->sectors = nr;
	if (bio_op(bio) == REQ_OP_DISCARD && !bdev_max_discard_sectors(bdev))
		return STEP_DONE;
	if (bio_op(bio) == REQ_OP_WRITE_ZEROES && !bdev_write_zeroes_sectors(bdev))
		return STEP_ZEROOUT;
	f->bdev = bdev;
	f->sector = sector;
	f->piece.to_origin = true;
	return STEP_SEND;
}

/* Wait for somebody else's blocks; node->lock is held. */
static enum step wait_on_leaf(struct ckpt_leaf_write *w, struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		return STEP_WOULD_BLOCK;
	bio_list_add(&w->waiters, bio);
	return STEP_WAIT;
}

/* A run of present blocks is written in place: no lock, nothing to remember. */
static enum step step_overwrite(struct ckpt_target *t, struct ckpt_node *leaf,
				struct bio *bio, u64 sector, u32 nr, struct front *f)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u64 end = (sector | (ckpt_node_span(g, 0) - 1)) + 1;
	u32 done = 0;

	nr = min_t(u64, nr, end - sector);
	while (done < nr) {
		u64 at = sector + done;
		u32 block = ckpt_block_in_cluster(g, at);
		u64 offset = at & (ckpt_cluster_sectors(g) - 1), place;
		struct ckpt_state s;

		s = ckpt_leaf_state(leaf, ckpt_cluster_of(g, at) % CKPT_FANOUT);
		place = ckpt_state_sector(g, &s, offset);
		if (!(s.present & ckpt_mask(block, 1)) || (done && place != f->sector + done))
			break;
		if (!done)
			f->sector = place;
		done += min_t(u64, nr - done,
			      ((u64)(block + ckpt_run(s.present, block)) << g->block_shift) -
			      offset);
	}
	if (!done)
		return STEP_AGAIN;
	f->sectors = done;
	f->bdev = t->store->bdev;
	f->piece.in_store = true;
	f->commit = bio->bi_opf & REQ_FUA && !ckpt_commit_covers(t->store, leaf);
	return STEP_SEND;
}

/*
 * How many of @nr blocks from @block on may be written first, at what place: 0 if the slot has
 * to be prepared, -EBUSY if somebody else is at it.  node->lock is held.
 */
static int first_run(struct ckpt_target *t, struct ckpt_node *leaf, unsigned int slot, u32 block,
		     u32 nr, u64 *sector)
{
	struct ckpt_store *store = t->store;
	struct ckpt_leaf_write *w = leaf->leaf->w;
	u32 present = le32_to_cpu(w->live[slot].present);

	if (test_bit(slot, w->moving) || w->pending[slot] & ckpt_mask(block, 1))
		return -EBUSY;
	if (w->live[slot].where & cpu_to_le64(CKPT_SLOT_PACKED) || !ckpt_quota_allows(t->volume))
		return 0;
	nr = min(nr, ckpt_run(~(w->pending[slot] | present), block));
	if (!w->own[slot] && (present || w->pending[slot] ||
			      !ckpt_first_place(store, leaf, slot, block, nr)))
		return 0;
	*sector = le64_to_cpu(w->live[slot].where) +
		  ((u64)block << store->geometry.block_shift);
	return min(nr, ckpt_run(w->own[slot], block));
}

/* Whole blocks that are not present take their places and are pending from now on. */
static enum step step_first_write(struct ckpt_target *t, struct ckpt_node *leaf, struct bio *bio,
				  u64 sector, u32 nr, struct front *f)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u32 first = (sector >> g->block_shift) % (CKPT_FANOUT * CKPT_CLUSTER_BLOCKS);
	u32 blocks = min(nr >> g->block_shift, CKPT_FANOUT * CKPT_CLUSTER_BLOCKS - first);
	struct ckpt_leaf_write *w;
	enum step step = STEP_PREPARE;
	unsigned long flags;
	u32 done = 0;
	int run = 0;

	spin_lock_irqsave(&leaf->lock, flags);
	w = leaf->leaf->w;
	if (!w || test_bit(CKPT_NODE_DEAD, &leaf->flags))
		goto out;
	while (done < blocks) {
		u32 slot = (first + done) / CKPT_CLUSTER_BLOCKS;
		u32 block = (first + done) % CKPT_CLUSTER_BLOCKS;
		u64 place;

		run = first_run(t, leaf, slot, block,
				min(blocks - done, CKPT_CLUSTER_BLOCKS - block), &place);
		if (run <= 0 || (done && place != f->sector + ((u64)done << g->block_shift)))
			break;
		if (!done)
			f->sector = place;
		ckpt_first_take(t, w, slot, ckpt_mask(block, run), run);
		done += run;
	}
	if (done) {
		f->sectors = done << g->block_shift;
		f->bdev = t->store->bdev;
		f->piece.leaf = leaf;
		f->piece.first = first;
		f->piece.nr = done;
		f->piece.in_store = true;
		f->commit = bio->bi_opf & REQ_FUA;
		step = STEP_SEND;
	} else if (run == -EBUSY) {
		step = wait_on_leaf(w, bio);
	}
out:
	spin_unlock_irqrestore(&leaf->lock, flags);
	return step;
}

static bool moving(struct ckpt_node *leaf)
{
	/* One that is set meanwhile waits for this bio's epoch. */
	return unlikely(!data_race(bitmap_empty(ckpt_leaf_w(leaf)->moving, CKPT_FANOUT)));
}

/* A slot of the leaf is being moved: writes of present blocks of it wait. */
static enum step step_moving(struct ckpt_node *leaf, unsigned int slot, struct bio *bio)
{
	enum step step = STEP_AGAIN;
	unsigned long flags;

	spin_lock_irqsave(&leaf->lock, flags);
	if (leaf->leaf->w && test_bit(slot, leaf->leaf->w->moving))
		step = wait_on_leaf(leaf->leaf->w, bio);
	spin_unlock_irqrestore(&leaf->lock, flags);
	return step;
}

static enum step step_write(struct ckpt_target *t, struct ckpt_layer *top, struct bio *bio,
			    u64 sector, u32 nr, struct front *f)
{
	struct ckpt_store *store = t->store;
	const struct ckpt_geometry *g = &store->geometry;
	u32 inside = sector & (ckpt_block_sectors(g) - 1);
	u64 cluster = ckpt_cluster_of(g, sector);
	unsigned int slot = cluster % CKPT_FANOUT;
	struct ckpt_state state;
	struct ckpt_node *leaf;

	leaf = ckpt_node_find(&top->map, 0, cluster >> CKPT_FANOUT_SHIFT);
	if (!leaf || !ckpt_leaf_w(leaf))
		return STEP_PREPARE;
	state = ckpt_leaf_state(leaf, slot);
	if (state.present & ckpt_mask(ckpt_block_in_cluster(g, sector), 1)) {
		if (moving(leaf)) {
			if (test_bit(slot, ckpt_leaf_w(leaf)->moving))
				return step_moving(leaf, slot, bio);
			/* Others may be moving: only this slot's part. */
			nr = min_t(u64, nr, ckpt_cluster_sectors(g) -
				   (sector & (ckpt_cluster_sectors(g) - 1)));
		}
		smp_rmb();	/* the bits come before the places, as in may_write() */
		return step_overwrite(t, leaf, bio, sector, nr, f);
	}
	if (ckpt_commit_is_behind(store))
		return STEP_PREPARE;
	if (inside || nr < ckpt_block_sectors(g))
		return STEP_FILL;
	return step_first_write(t, leaf, bio, sector, nr, f);
}

/* The head is merged into the base: what is written goes there. */
static enum step step_through(struct ckpt_target *t, struct ckpt_layer *top, struct bio *bio,
			      u64 sector, u32 nr, struct front *f)
{
	int r;

	f->piece.through = true;
	f->commit = bio->bi_opf & REQ_FUA;
	if (bio_op(bio) != REQ_OP_WRITE)
		return STEP_ZEROOUT;
	r = ckpt_through_begin(t, top, bio, sector, nr, &f->piece);
	if (r > 0) {
		f->sectors = r;
		f->bdev = t->origin->bdev;
		f->sector = sector;
		return STEP_SEND;
	}
	switch (r) {
	case 0:
		return STEP_FILL;
	case -EBUSY:
		return STEP_WAIT;
	case -EWOULDBLOCK:
		return STEP_WOULD_BLOCK;
	default:
		return STEP_PREPARE;
	}
}

/* Discard and zeroes are entries in the map; what is not a whole block, is not discarded. */
static enum step zero_slots(struct ckpt_target *t, struct ckpt_layer *top, struct ckpt_node *leaf,
			    struct bio *bio, u64 sector, u32 nr, struct front *f)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u32 first = (sector >> g->block_shift) % (CKPT_FANOUT * CKPT_CLUSTER_BLOCKS);
	u32 blocks = min(nr >> g->block_shift, CKPT_FANOUT * CKPT_CLUSTER_BLOCKS - first);
	bool over = READ_ONCE(top->parent);
	enum step step = STEP_PREPARE;
	struct ckpt_leaf_write *w;
	unsigned long flags;
	u32 done = 0;

	spin_lock_irqsave(&leaf->lock, flags);
	w = leaf->leaf->w;
	if (!w || test_bit(CKPT_NODE_DEAD, &leaf->flags))
		goto out;
	while (done < blocks) {
		u32 slot = (first + done) / CKPT_CLUSTER_BLOCKS;
		u32 block = (first + done) % CKPT_CLUSTER_BLOCKS;
		u32 part = min(blocks - done, CKPT_CLUSTER_BLOCKS - block);
		u32 mask = ckpt_mask(block, part);
		struct ckpt_state s;

		if (test_bit(slot, w->moving) || w->pending[slot] & mask) {
			if (!done)
				step = wait_on_leaf(w, bio);
			break;
		}
		s = ckpt_leaf_live(w, slot);
		/* Over nothing, what is not there reads as zeros by itself. */
		if (s.present & mask || (over && ~s.zero & mask)) {
			/* The places stay the slot's until the commit, or for good. */
			if (!w->own[slot])
				w->own[slot] = ckpt_state_whole(g, &s);
			ckpt_state_zero(&s, mask, over);
			if (!ckpt_state_encodes(&s))
				break;
			ckpt_leaf_put(leaf, slot, &s);
			ckpt_leaf_dirty(leaf, slot);
		}
		done += part;
		step = STEP_DONE;
	}
	f->sectors = done << g->block_shift;
	f->commit = bio->bi_opf & REQ_FUA;
out:
	spin_unlock_irqrestore(&leaf->lock, flags);
	return step;
}

static enum step step_zero(struct ckpt_target *t, struct ckpt_layer *top, struct bio *bio,
			   u64 sector, u32 nr, struct front *f)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u32 block = ckpt_block_sectors(g), inside = sector & (block - 1);
	struct ckpt_node *leaf;

	if (inside || nr < block) {
		f->sectors = min(nr, block - inside);
		return bio_op(bio) == REQ_OP_DISCARD ? STEP_DONE : STEP_FILL;
	}
	leaf = ckpt_node_find(&top->map, 0,
			      ckpt_cluster_of(g, sector) >> CKPT_FANOUT_SHIFT);
	if (!leaf || !ckpt_leaf_w(leaf) || ckpt_commit_is_behind(t->store))
		return STEP_PREPARE;
	if (unlikely(ckpt_writeback_is_short(t->store, false)) && ckpt_leaf_is_new(leaf))
		return STEP_PREPARE;
	return zero_slots(t, top, leaf, bio, sector, nr, f);
}

static enum step next_step(struct ckpt_target *t, struct bio *bio, struct front *f)
{
	struct ckpt_layer *top = ckpt_target_top(t);
	u64 sector = bio->bi_iter.bi_sector;
	u32 nr = bio_sectors(bio);

	if (bio_op(bio) == REQ_OP_READ)
		return step_read(t, top, sector, nr, f);
	if (unlikely(READ_ONCE(t->store->barred)))
		return READ_ONCE(t->store->mode) != CKPT_MODE_RW ? STEP_ERROR : STEP_GUARD;
	if (top->base)
		return step_origin(t, bio, sector, nr, f);
	if (unlikely(READ_ONCE(top->through)))
		return step_through(t, top, bio, sector, nr, f);
	if (bio_op(bio) == REQ_OP_WRITE)
		return step_write(t, top, bio, sector, nr, f);
	return step_zero(t, top, bio, sector, nr, f);
}

/*
 * Decide on the front of a bio, with the gate and the epoch around it.  The epoch stays
 * entered for what is sent, and only for that.
 */
static enum step decide(struct ckpt_target *t, struct bio *bio, struct front *f)
{
	unsigned int bank;
	enum step step;

	do {
		memset(f, 0, sizeof(*f));
		bank = ckpt_epoch_enter(&t->epoch);
		if (unlikely(READ_ONCE(t->gate))) {
			ckpt_epoch_leave(&t->epoch, bank);
			if (bio->bi_opf & REQ_NOWAIT)
				return STEP_WOULD_BLOCK;
			if (ckpt_gate_park(t, bio))
				return STEP_WAIT;
			step = STEP_AGAIN;
			continue;
		}
		rcu_read_lock();
		step = next_step(t, bio, f);
		if (step == STEP_SEND)
			f->piece.epoch = bank;
		else
			ckpt_epoch_leave(&t->epoch, bank);
		/* One that waits may have ended by now, and the table go, but not before this. */
		rcu_read_unlock();
	} while (step == STEP_AGAIN);
	return step;
}

/* ---- sending, and what comes back ---- */

static void direct(struct bio *bio, const struct front *f)
{
	bio_set_dev(bio, f->bdev);
	bio->bi_iter.bi_sector = f->sector;
	/* The commit behind it flushes the data too. */
	if (f->commit)
		bio->bi_opf &= ~REQ_FUA;
}

/* All but leaving the epoch. */
static void end_write(struct ckpt_target *t, const struct ckpt_piece *piece, bool ok)
{
	if (piece->in_store)
		ckpt_note_written(&t->store->data_written);
	if (piece->to_origin)
		ckpt_note_written(&t->origin_written);
	if (!piece->leaf)
		return;
	if (piece->through)
		ckpt_through_end(piece->leaf, piece->first, piece->nr, ok);
	else
		ckpt_leaf_written(piece->leaf, piece->first, piece->nr, ok);
}

static inline void end_piece(struct ckpt_target *t, const struct ckpt_piece *piece, bool ok)
{
	if (piece->in_store || piece->to_origin)
		end_write(t, piece, ok);
	ckpt_epoch_leave(&t->epoch, piece->epoch);
}

/* A write that went through to the base keeps its epoch until a commit has it. */
static int end_through(struct ckpt_io *io, struct bio *bio)
{
	if (io->sent)
		end_write(io->target, &io->piece, true);
	else
		io->piece.epoch = CKPT_NO_EPOCH;
	io->sent = false;
	io->commit = false;
	ckpt_through_bio(io->target, bio);
	return DM_ENDIO_INCOMPLETE;
}

static int end_commit(struct ckpt_io *io, struct bio *bio)
{
	if (io->through)
		return end_through(io, bio);
	if (io->sent) {
		io->sent = false;
		end_piece(io->target, &io->piece, true);
	}
	io->commit = false;
	ckpt_commit_bio(io->target->store, bio);
	return DM_ENDIO_INCOMPLETE;
}

int ckpt_remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (unlikely(io->commit) && !*error)
		return end_commit(io, bio);
	if (io->sent) {
		io->sent = false;
		end_piece(ti->private, &io->piece, !*error);
	}
	return DM_ENDIO_DONE;
}

static struct ckpt_io *io_of_part(struct bio *part)
{
	return (void *)part - ckpt_split_front();
}

unsigned int ckpt_split_front(void)
{
	return ALIGN(sizeof(struct ckpt_io), __alignof__(struct bio));
}

static void end_part(struct bio *part)
{
	struct ckpt_io *io = io_of_part(part);
	struct bio *parent = io->parent;

	end_piece(io->target, &io->piece, !part->bi_status);
	if (part->bi_status && !parent->bi_status)
		parent->bi_status = part->bi_status;
	bio_put(part);
	bio_endio(parent);
}

/* Send the front of a bio, in a worker; true if that was all of it. */
static bool send_front(struct ckpt_io *io, struct front *f)
{
	struct bio *bio = io->bio, *part;
	struct ckpt_io *part_io;

	io->commit |= f->commit;
	io->through |= f->piece.through;
	if (f->sectors == bio_sectors(bio)) {
		io->piece = f->piece;
		io->sent = true;
		direct(bio, f);
		dm_submit_bio_remap(bio, NULL);
		return true;
	}
	part = bio_split(bio, f->sectors, GFP_NOIO, &io->target->store->split);
	part_io = io_of_part(part);
	part_io->target = io->target;
	part_io->piece = f->piece;
	part_io->parent = bio;
	bio_inc_remaining(bio);
	part->bi_end_io = end_part;
	direct(part, f);
	submit_bio_noacct(part);
	return false;
}

static void end_bio(struct bio *bio, int error)
{
	if (error)
		bio->bi_status = errno_to_blk_status(error);
	bio_endio(bio);
}

/* The front is done; true if that was all of it. */
static bool advance(struct ckpt_io *io, u32 sectors)
{
	struct bio *bio = io->bio;

	if (sectors == bio_sectors(bio)) {
		bio_endio(bio);
		return true;
	}
	bio_advance(bio, sectors << SECTOR_SHIFT);
	return false;
}

static void zero_front(struct bio *bio, u32 sectors)
{
	struct bvec_iter iter = bio->bi_iter;
	struct bio_vec bv;

	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, bio, iter, iter)
		memzero_bvec(&bv);
}

/* What a worker has to see to before the front can be looked at again. */
static int prepare(struct ckpt_target *t, struct bio *bio)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u64 sector = bio->bi_iter.bi_sector;
	u32 blocks = bio_sectors(bio) >> g->block_shift;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return ckpt_prepare_read(t, sector);
	case REQ_OP_WRITE:
		return ckpt_prepare_write(t, sector, max(blocks, 1u));
	default:
		return ckpt_prepare_zero(t, bio);
	}
}

/* One turn of a worker with the front of a bio; true when the bio is out of our hands. */
static bool work_front(struct ckpt_io *io)
{
	struct ckpt_target *t = io->target;
	struct bio *bio = io->bio;
	struct front f;
	int r = 0;

	switch (decide(t, bio, &f)) {
	case STEP_SEND:
		return send_front(io, &f);
	case STEP_ZERO:
		zero_front(bio, f.sectors);
		return advance(io, f.sectors);
	case STEP_DONE:
		io->commit |= f.commit;
		return advance(io, f.sectors);
	case STEP_PREPARE:
		r = prepare(t, bio);
		if (r > 0)
			return advance(io, r);
		break;
	case STEP_FILL:
		r = f.piece.through ? ckpt_through_fill(t, bio) : ckpt_fill_block(t, bio);
		if (r == -EAGAIN)
			return true;
		if (r > 0) {
			io->through |= f.piece.through;
			io->commit |= !!(bio->bi_opf & REQ_FUA);
			return advance(io, r);
		}
		break;
	case STEP_ZEROOUT:
		r = f.piece.through ? ckpt_through_zero(t, bio) : ckpt_zero_origin(t, bio);
		if (r == -EAGAIN)
			return true;
		if (r > 0) {
			io->through |= f.piece.through;
			io->commit |= f.commit;
			return advance(io, r);
		}
		break;
	case STEP_GUARD:
		r = ckpt_guard_check(t->store);
		break;
	case STEP_WAIT:
		return true;
	case STEP_WOULD_BLOCK:
	case STEP_AGAIN:
		break;
	case STEP_ERROR:
		r = -EIO;
		break;
	}
	/* A commit is refused while the store is suspended; then the bio waits at the gate. */
	if (r == -EBUSY)
		return false;
	if ((r == -ENOSPC || r == -EDQUOT) && ckpt_pressure_wait(t, bio, r))
		return true;
	if (r < 0) {
		io->commit = false;
		end_bio(bio, r == -EDQUOT ? -ENOSPC : r);
	}
	return r < 0;
}

/*
 * The origin's own flush while everything passes through, a commit otherwise.  A flush that has
 * got past the gate is in the commit which a suspend of the store waits for.
 */
static int map_flush(struct ckpt_target *t, struct bio *bio)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct ckpt_layer *top;
	unsigned int bank;
	bool base;

	if (t->view || t->store->options.read_only) {
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (!ckpt_gate_enter(t, bio, &bank))
		return DM_MAPIO_SUBMITTED;
	rcu_read_lock();
	top = ckpt_target_top(t);
	if (READ_ONCE(top->through)) {
		rcu_read_unlock();
		io->piece.epoch = bank;
		ckpt_through_bio(t, bio);
		return DM_MAPIO_SUBMITTED;
	}
	base = top->base;
	rcu_read_unlock();
	if (base)
		bio_set_dev(bio, t->origin->bdev);
	else
		ckpt_commit_bio(t->store, bio);
	ckpt_epoch_leave(&t->epoch, bank);
	return base ? DM_MAPIO_REMAPPED : DM_MAPIO_SUBMITTED;
}

static void do_io(struct work_struct *work)
{
	struct ckpt_io *io = container_of(work, struct ckpt_io, work);

	/* It can wait from here on. */
	io->bio->bi_opf &= ~REQ_NOWAIT;
	if (io->bio->bi_opf & REQ_PREFLUSH) {
		struct bio *bio = io->bio;
		int r;

		/* The bio may end and the table go, but not before this: see volume_dtr(). */
		rcu_read_lock();
		r = map_flush(io->target, bio);
		rcu_read_unlock();
		if (r == DM_MAPIO_REMAPPED)
			dm_submit_bio_remap(bio, NULL);
		return;
	}
	while (!work_front(io))
		cond_resched();
}

void ckpt_bio_retry(struct bio *bio)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));

	queue_work(io->target->store->io_wq, &io->work);
}

/* ---- map() ---- */

static int defer(struct ckpt_io *io, struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		bio_wouldblock_error(bio);
	else
		queue_work(io->target->store->io_wq, &io->work);
	return DM_MAPIO_SUBMITTED;
}

int ckpt_remap_map(struct dm_target *ti, struct bio *bio)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct ckpt_target *t = ti->private;
	struct front f;
	enum step step;

	io->target = t;
	io->bio = bio;
	io->sent = false;
	io->commit = false;
	io->through = false;
	bio->bi_private = NULL;
	INIT_WORK(&io->work, do_io);
	if (unlikely(bio->bi_opf & REQ_PREFLUSH))
		return map_flush(t, bio);
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	if (unlikely(t->view && op_is_write(bio_op(bio))))
		return DM_MAPIO_KILL;

	step = decide(t, bio, &f);
	if (step <= STEP_DONE && f.sectors < bio_sectors(bio))
		dm_accept_partial_bio(bio, f.sectors);
	switch (step) {
	case STEP_SEND:
		io->commit = f.commit;
		io->through = f.piece.through;
		io->piece = f.piece;
		io->sent = true;
		direct(bio, &f);
		return DM_MAPIO_REMAPPED;
	case STEP_ZERO:
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	case STEP_DONE:
		io->commit = f.commit;
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	case STEP_WAIT:
		return DM_MAPIO_SUBMITTED;
	case STEP_WOULD_BLOCK:
		bio_wouldblock_error(bio);
		return DM_MAPIO_SUBMITTED;
	case STEP_ERROR:
		return DM_MAPIO_KILL;
	default:
		return defer(io, bio);
	}
}
