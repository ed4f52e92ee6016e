// SPDX-License-Identifier: GPL-2.0-only
#include "first.h"
#include "plain.h"
#include "remap.h"
#include "resolve.h"

/*
 * WHAT IS PLAIN, a read or a write that is sent on as a whole and is complete when that has ended,
 * leaves nothing in struct ckpt_io but, if it is a first write, what becomes present.  All else
 * that its end has to know stands in the bio's bi_private, which is for whoever set bi_end_io.
 * That is device-mapper, which makes each clone with none and has no use of its own for it, so it
 * is the target's; who takes a bio below gives it back as it was.
 */
#define PLAIN_BANK	1ul		/* that was entered */
#define PLAIN		2ul		/* it is one; in all others bi_private is NULL */
#define PLAIN_STORE	4ul		/* a write to the store */
#define PLAIN_ORIGIN	8ul		/* a write to the origin */
#define PLAIN_FIRST	16ul		/* a first write: its blocks stand in struct ckpt_io */
#define PLAIN_WRITE	(PLAIN_STORE | PLAIN_ORIGIN | PLAIN_FIRST)

/* On its own, so that all others need no registers saved. */
static noinline int end_first(struct dm_target *ti, struct bio *bio, blk_status_t *error,
			      unsigned int bank)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct ckpt_target *t = ti->private;

	ckpt_note_written(&t->store->data_written);
	ckpt_leaf_written_in(io->piece.leaf, io->slot, io->mask, !*error);
	ckpt_epoch_leave(&t->epoch, bank);
	return DM_ENDIO_DONE;
}

int ckpt_plain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	unsigned long plain = (unsigned long)bio->bi_private;
	struct ckpt_target *t = ti->private;

	if (unlikely(!plain))
		return ckpt_remap_end_io(ti, bio, error);
	/* Before the epoch is left, as in end_piece(). */
	if (plain & PLAIN_WRITE) {
		if (plain & PLAIN_ORIGIN)
			ckpt_note_written(&t->origin_written);
		else if (plain & PLAIN_STORE)
			ckpt_note_written(&t->store->data_written);
		else
			return end_first(ti, bio, error, plain & PLAIN_BANK);
	}
	ckpt_epoch_leave(&t->epoch, plain & PLAIN_BANK);
	return DM_ENDIO_DONE;
}

/* A plain bio is a read or a write, and may be answered before a commit. */
#define NOT_PLAIN	(REQ_PREFLUSH | REQ_FUA | ((__force blk_opf_t)REQ_OP_MASK & ~REQ_OP_WRITE))

/* All these blocks have one place below the head. */
static inline bool find_below(const struct ckpt_node *leaf, unsigned int slot, u32 mask,
			      u64 *where)
{
	const struct ckpt_under *under = ckpt_under(leaf, slot);
	u32 i;

	for (i = 0; under && i < under->nr; i++) {
		if (under->extent[i].mask & mask) {
			*where = under->extent[i].where;
			return !(mask & ~under->extent[i].mask);
		}
	}
	return false;
}

/* What a plain bio that lies inside of one cluster is about. */
struct plain {
	struct ckpt_node *leaf;
	unsigned int slot;
	u32 offset;		/* sectors, in the cluster */
	u32 first, nr;		/* blocks that it touches, the same */
};

static inline bool find_leaf(struct ckpt_target *t, struct ckpt_layer *top, u64 sector, u32 nr,
			     struct plain *p)
{
	const struct ckpt_geometry *g = &t->store->geometry;
	u64 cluster = ckpt_cluster_of(g, sector);

	p->offset = sector & (ckpt_cluster_sectors(g) - 1);
	if (p->offset + nr > ckpt_cluster_sectors(g))
		return false;
	p->slot = cluster % CKPT_FANOUT;
	p->first = p->offset >> g->block_shift;
	p->nr = ((p->offset + nr - 1) >> g->block_shift) - p->first + 1;
	p->leaf = ckpt_map_leaf(&top->map, cluster >> CKPT_FANOUT_SHIFT);
	return p->leaf;
}

/*
 * All of it stands at one place in the store: found without a look at anything else.  With
 * preemption off, epoch entered.
 */
static inline bool find_present(const struct plain *p, bool write, u64 *place)
{
	struct ckpt_state state = ckpt_leaf_plain(p->leaf, p->slot);
	u32 mask = ckpt_mask(p->first, p->nr);

	if (unlikely(state.where & CKPT_WHERE_FLAGS))
		return false;
	if (mask & ~state.present &&
	    (write || mask & (state.present | state.zero) ||
	     !find_below(p->leaf, p->slot, mask, &state.where)))
		return false;
	*place = state.where + p->offset;
	return true;
}

/*
 * May it be written in place, if it is there?  That a slot is not being moved is seen before its
 * place: a move that begins then waits for this epoch.
 */
static inline bool may_write(const struct ckpt_layer *top, const struct plain *p)
{
	const struct ckpt_leaf_write *w = ckpt_leaf_w(p->leaf);

	if (!w || test_bit(p->slot, w->moving) || READ_ONCE(top->through))
		return false;
	smp_rmb();	/* the bit comes before the place */
	return true;
}

/* Whole blocks of one slot, all of them or none, as by first_run(); node->lock is held. */
static inline bool take_whole(struct ckpt_target *t, const struct plain *p, u64 *place)
{
	struct ckpt_leaf_write *w = p->leaf->leaf->w;
	u32 mask = ckpt_mask(p->first, p->nr), used;

	if (!w || test_bit(CKPT_NODE_DEAD, &p->leaf->flags) || test_bit(p->slot, w->moving))
		return false;
	used = le32_to_cpu(w->live[p->slot].present) | w->pending[p->slot];
	if (mask & used || !ckpt_quota_allows(t->volume))
		return false;
	if (!w->own[p->slot] &&
	    (used || !ckpt_first_place(t->store, p->leaf, p->slot, p->first, p->nr)))
		return false;
	if (mask & ~w->own[p->slot])
		return false;
	*place = le64_to_cpu(w->live[p->slot].where);
	if (unlikely(*place & CKPT_WHERE_FLAGS))
		return false;
	*place += p->offset;
	ckpt_first_take(t, w, p->slot, mask, p->nr);
	return true;
}

/*
 * Whole blocks that nobody has written yet take their places, all of them or none;
 * ckpt_remap_map() sees to what has to wait, to be split, or to be prepared.
 */
static bool begin_first(struct ckpt_target *t, const struct plain *p, u32 nr, u64 *place)
{
	unsigned long flags;
	bool begun;

	if (nr != p->nr << t->store->geometry.block_shift || ckpt_commit_is_behind(t->store))
		return false;
	spin_lock_irqsave(&p->leaf->lock, flags);
	begun = take_whole(t, p, place);
	spin_unlock_irqrestore(&p->leaf->lock, flags);
	return begun;
}

/* As a whole to one place. */
static inline int send_plain(struct bio *bio, struct block_device *bdev, u64 sector,
			     unsigned long plain)
{
	bio->bi_private = (void *)(plain | PLAIN);
	bio->bi_iter.bi_sector = sector;
	/* Last, as nothing has to be kept over a call then. */
	bio_set_dev(bio, bdev);
	return DM_MAPIO_REMAPPED;
}

/* The same, and its blocks are present when it has ended. */
static inline int send_first(struct bio *bio, struct block_device *bdev, u64 sector,
			     const struct plain *p, unsigned int bank)
{
	struct ckpt_io *io = dm_per_bio_data(bio, sizeof(*io));

	io->piece.leaf = p->leaf;
	io->slot = p->slot;
	io->mask = ckpt_mask(p->first, p->nr);
	return send_plain(bio, bdev, sector, bank | PLAIN_FIRST);
}

/* From preemption off to where a spinlock may be taken, which can sleep with PREEMPT_RT. */
static inline void before_lock(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		rcu_read_lock();
		preempt_enable();
	}
}

static inline void after_lock(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		rcu_read_unlock();
	else
		preempt_enable();
}

/* A plain bio of a volume or view that has a layer on top; the epoch is entered. */
static noinline int map_layered(struct dm_target *ti, struct bio *bio, unsigned int bank)
{
	u64 sector = dm_target_offset(ti, bio->bi_iter.bi_sector), place;
	bool write = op_is_write(bio_op(bio)), known = false, found = false;
	struct ckpt_target *t = ti->private;
	struct ckpt_layer *top;
	struct plain p;

	if (unlikely(READ_ONCE(t->gate)) ||
	    (write && unlikely(t->view || READ_ONCE(t->store->barred))))
		goto any;
	/* It costs less than rcu_read_lock(), and grace periods wait for it as well. */
	preempt_disable();
	/* A base has no map, so nothing is found in one. */
	top = ckpt_target_top(t);
	if (find_leaf(t, top, sector, bio_sectors(bio), &p))
		known = !write || may_write(top, &p);
	if (known)
		found = find_present(&p, write, &place);
	if (likely(found || !known || !write)) {
		preempt_enable();
		if (found)
			return send_plain(bio, t->store->bdev, place,
					  bank | (write ? PLAIN_STORE : 0));
		goto any;
	}
	before_lock();
	found = begin_first(t, &p, bio_sectors(bio), &place);
	after_lock();
	if (found)
		return send_first(bio, t->store->bdev, place, &p, bank);
any:
	ckpt_epoch_leave(&t->epoch, bank);
	return ckpt_remap_map(ti, bio);
}

/*
 * Most bios want nothing but to be sent on as a whole, and that is to cost next to nothing;
 * ckpt_remap_map() sees to whatever else there is.
 *
 * What passes straight through takes no look at the volume: t->straight says how far that goes,
 * and is 0 from when the gate is shut until it is open, which is the only time at which the top
 * of a live volume changes; see ckpt_gate_straight().  Entering the epoch comes before the look,
 * as with the gate.
 */
int ckpt_plain_map(struct dm_target *ti, struct bio *bio)
{
	struct ckpt_target *t = ti->private;
	u64 sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	unsigned int bank;

	if (unlikely(bio->bi_opf & NOT_PLAIN))
		return ckpt_remap_map(ti, bio);
	bank = ckpt_epoch_enter(&t->epoch);
	if (sector + bio_sectors(bio) > READ_ONCE(t->straight))
		return map_layered(ti, bio, bank);
	if (!op_is_write(bio_op(bio)))
		return send_plain(bio, t->origin->bdev, sector, bank);
	if (unlikely(READ_ONCE(t->store->barred)))
		return map_layered(ti, bio, bank);
	return send_plain(bio, t->origin->bdev, sector, bank | PLAIN_ORIGIN);
}
