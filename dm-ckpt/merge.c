// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "copy.h"
#include "free.h"
#include "leaf.h"
#include "merge.h"
#include "move.h"
#include "pace.h"
#include "pressure.h"
#include "prune.h"
#include "resolve.h"
#include "room.h"
#include "store.h"
#include "trim.h"

/* Leaves, and slots whose blocks must be moved, that are merged with one drain and one commit. */
#define PAIRS	32u
#define MOVES	256u
#define MOVES_MAX (MOVES + CKPT_FANOUT)

/* Times that room is made in vain before it is tried more seldom. */
#define ROOM_TURNS	8u
/* Room that is made at once, in windows; more takes more moves than one plan has. */
#define ROOM_WINDOWS	2u
/* Spare windows that are left for that: with a large gap to begin from it takes far fewer moves. */
#define ROOM_SPARES	2u

/* A leaf that both layers have. */
struct pair {
	struct ckpt_node *leaf, *below;		/* the child's, the parent's */
	DECLARE_BITMAP(hard, CKPT_FANOUT);	/* slots whose blocks must be moved */
	DECLARE_BITMAP(moved, CKPT_FANOUT);	/* that have got another place */
	DECLARE_BITMAP(stuck, CKPT_FANOUT);	/* for which there was no space */
};

/* Where the blocks of a merged slot come together. */
enum into {
	INTO_MINE,				/* the child's place */
	INTO_THEIRS,				/* the parent's */
	INTO_NEW,				/* a window */
	INTO_ROW,				/* a place for a packed slot */
};

/* A slot of a pair that waits for its blocks to be copied. */
struct move {
	struct pair *pair;
	unsigned int slot;
	enum into into;
	u64 where;				/* of the merged slot */
	u32 own;				/* spots set aside there */
	u64 old[2];				/* places given up: the child's, the parent's */
	u32 old_own[2];				/* and the spots set aside there */
};

struct merge {
	struct ckpt_store *store;
	struct ckpt_layer *parent, *child;
	unsigned int nr_pairs, nr_moves, nr_hard, nr_stuck;
	bool full;				/* something found no space for good */
	bool again;				/* somebody else was at something */
	bool moved;				/* some hard slot has been merged */
	u32 want, want_most;			/* units that those need that found no space */
	struct pair pairs[PAIRS];
	struct move moves[MOVES_MAX];
};

/* ---- one slot ---- */

/* What a slot of both comes to. */
struct both {
	struct ckpt_state mine, theirs;
	u32 need;				/* blocks that only the parent has */
	u32 zero;				/* and those that it has zeros for */
};

static void look_at(const struct merge *m, const struct pair *pair, unsigned int slot,
		    struct both *b)
{
	u32 known;

	b->mine = ckpt_leaf_live(pair->leaf->leaf->w, slot);
	b->theirs = ckpt_leaf_still(pair->below, slot);
	known = b->mine.present | b->mine.zero;
	b->need = b->theirs.present & ~known;
	/* Over nothing, what is not there reads as zeros by itself. */
	b->zero = m->parent->parent ? b->theirs.zero & ~known : 0;
}

/* What it comes to in the place of one of them. */
static struct ckpt_state merged_in(const struct ckpt_state *place, const struct both *b)
{
	struct ckpt_state s = *place;

	s.present = b->mine.present | b->need;
	s.zero = b->mine.zero | b->zero;
	return s;
}

/* The child has nothing here, so the place is the parent's; or it hides all that the parent has. */
static struct ckpt_state merged_easily(const struct both *b)
{
	return merged_in(b->need ? &b->theirs : &b->mine, b);
}

static bool can_stay(const struct both *b)
{
	struct ckpt_state s = merged_easily(b);

	return !(b->need && b->mine.present) && ckpt_state_encodes(&s);
}

/* Else what it cannot say of a packed slot, in which nothing is left, it can behind a commit. */
static bool must_move(const struct both *b)
{
	return !can_stay(b) && (b->mine.present | b->need);
}

/* The slot is the child's as it is now; node->lock is held. */
static void settle_slot(struct pair *pair, unsigned int slot, const struct ckpt_state *s)
{
	ckpt_leaf_put(pair->leaf, slot, s);
	__set_bit(slot, pair->leaf->leaf->w->merged);
	ckpt_leaf_dirty(pair->leaf, slot);
}

/*
 * Live bits of the parent's places are the child's from the moment on when the slot is: with the
 * window that it takes over, or else they are given back.  So the slot can be written, discarded
 * and moved like any other before the commit that says so.
 */

/* The child hides all that the parent has; node->lock is held. */
static bool leave(struct merge *m, const struct both *b)
{
	return ckpt_free_blocks(m->store, b->theirs.where,
				ckpt_state_spots(&b->theirs, b->theirs.present),
				READ_ONCE(m->store->txn) + 1);
}

/* The child has nothing here.  node->lock is held. */
static bool take_over(struct merge *m, struct pair *pair, unsigned int slot, const struct both *b)
{
	struct ckpt_leaf_write *w = pair->leaf->leaf->w;

	/* What was present there until a moment ago is free when the commit that says so is. */
	if (w->own[slot] && !ckpt_free_blocks(m->store, b->mine.where, w->own[slot],
					      READ_ONCE(m->store->txn) + 1))
		return false;
	w->own[slot] = ckpt_state_whole(&m->store->geometry, &b->theirs);
	return true;
}

/* Merge a slot where no block must be moved; node->lock is held. */
static bool merge_slot(struct merge *m, struct pair *pair, unsigned int slot,
		       const struct both *b)
{
	struct ckpt_state s = merged_easily(b);

	if (b->need ? !take_over(m, pair, slot, b) : !leave(m, b))
		return false;
	settle_slot(pair, slot, &s);
	return true;
}

/* Merge a slot without moving blocks, if that can be; node->lock is held. */
static bool merge_easily(struct merge *m, struct pair *pair, unsigned int slot)
{
	struct ckpt_leaf_write *w = pair->leaf->leaf->w;
	struct both b;

	look_at(m, pair, slot, &b);
	if (!b.theirs.present && !b.theirs.zero)
		return true;
	/* It has been merged, and the commit is still to come. */
	if (test_bit(slot, w->merged))
		return true;
	if (w->pending[slot] || test_bit(slot, w->moving))
		return false;
	if (must_move(&b))
		return false;
	if (can_stay(&b))
		return merge_slot(m, pair, slot, &b);
	m->again = true;
	return true;
}

static void merge_easy_slots(struct merge *m, struct pair *pair)
{
	unsigned long flags;
	unsigned int slot;

	down_write(&m->store->chain);
	spin_lock_irqsave(&pair->leaf->lock, flags);
	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		if (merge_easily(m, pair, slot))
			continue;
		__set_bit(slot, pair->hard);
		m->nr_hard++;
	}
	spin_unlock_irqrestore(&pair->leaf->lock, flags);
	up_write(&m->store->chain);
}

/* ---- slots whose blocks must be moved ---- */

static void mark_moving(struct merge *m, struct pair *pair)
{
	struct ckpt_leaf_write *w = pair->leaf->leaf->w;
	unsigned long flags;
	unsigned int slot;

	spin_lock_irqsave(&pair->leaf->lock, flags);
	for_each_set_bit(slot, pair->hard, CKPT_FANOUT) {
		/* A write that found its place gone is at it: next time. */
		if (!test_and_set_bit(slot, w->moving))
			continue;
		__clear_bit(slot, pair->hard);
		m->again = true;
	}
	spin_unlock_irqrestore(&pair->leaf->lock, flags);
}

/* The parent's blocks go to the child's window; false when there is no room in it. */
static bool into_mine(struct merge *m, struct move *move, const struct both *b)
{
	struct ckpt_leaf_write *w = move->pair->leaf->leaf->w;

	if (b->mine.packed || !b->mine.present)
		return false;
	if (b->need & ~w->own[move->slot] &&
	    ckpt_slot_claim(m->store, CKPT_SPACE_MERGE, move->pair->leaf, move->slot, b->need))
		return false;
	move->into = INTO_MINE;
	move->where = b->mine.where;
	move->own = w->own[move->slot];
	return !(b->need & ~move->own);
}

/*
 * The child's blocks go to the parent's window, also over blocks that the child hides; false when
 * there is no room in it.
 */
static bool into_theirs(struct merge *m, struct move *move, const struct both *b)
{
	u32 theirs = ckpt_state_whole(&m->store->geometry, &b->theirs);
	u32 lacks = b->mine.present & ~theirs, got = 0;
	int r = 0;

	if (b->theirs.packed || !b->theirs.present)
		return false;
	if (lacks)
		r = ckpt_space_claim(m->store, CKPT_SPACE_MERGE, b->theirs.where, lacks, &got);
	if (r || lacks & ~got) {
		ckpt_free_mask(m->store, b->theirs.where,
			       ckpt_unit_mask(&m->store->geometry, got), 0);
		return false;
	}
	move->into = INTO_THEIRS;
	move->where = b->theirs.where;
	move->own = theirs | got;
	return true;
}

static bool into_new(struct merge *m, struct move *move, const struct both *b)
{
	move->into = INTO_NEW;
	return !ckpt_move_window(m->store, CKPT_SPACE_MERGE, b->mine.present | b->need,
				 &move->where, &move->own);
}

/* What is merged, where it comes to stand. */
static struct ckpt_state moved_to(const struct ckpt_geometry *g, const struct move *move,
				  const struct both *b)
{
	struct ckpt_state s = merged_in(&(struct ckpt_state){ .where = move->where }, b);

	return move->into == INTO_ROW ? ckpt_state_in_row(g, &s, move->where) : s;
}

/* That may be much shorter than a window. */
static bool into_row(struct merge *m, struct move *move, const struct both *b)
{
	u32 spots = ckpt_mask(0, hweight32(b->mine.present | b->need));
	u32 whole = ckpt_whole_units(&m->store->geometry, spots);
	struct ckpt_state to;

	if (ckpt_space_fit(m->store, CKPT_SPACE_MERGE, spots, &move->where) &&
	    ckpt_space_spare(m->store, ROOM_SPARES, whole, &move->where))
		return false;
	move->into = INTO_ROW;
	to = moved_to(&m->store->geometry, move, b);
	move->own = ckpt_state_whole(&m->store->geometry, &to);
	return true;
}

/* Find a place for the merged slot, the cheapest first. */
static bool find_place(struct merge *m, struct move *move, const struct both *b)
{
	bool mine_first = hweight32(b->need) <= hweight32(b->mine.present);

	return (mine_first && into_mine(m, move, b)) || into_theirs(m, move, b) ||
	       (!mine_first && into_mine(m, move, b)) || into_new(m, move, b) ||
	       into_row(m, move, b);
}

static void add_copies(struct merge *m, struct ckpt_copies *copies, const struct move *move,
		       const struct both *b)
{
	struct ckpt_state to = moved_to(&m->store->geometry, move, b);
	u32 blocks = 0;

	if (move->into != INTO_MINE) {
		ckpt_copies_add_blocks(copies, &b->mine, &to, b->mine.present);
		blocks |= b->mine.present;
	}
	if (move->into != INTO_THEIRS) {
		ckpt_copies_add_blocks(copies, &b->theirs, &to, b->need);
		blocks |= b->need;
	}
	atomic64_add(ckpt_blocks_units(&m->store->geometry, blocks), &m->store->copied);
}

/* Begin to copy what a pair's hard slots need.  Nobody changes those slots now. */
static void prepare_moves(struct merge *m, struct pair *pair, struct ckpt_copies *copies)
{
	unsigned int slot;

	for_each_set_bit(slot, pair->hard, CKPT_FANOUT) {
		struct move *move = &m->moves[m->nr_moves];
		struct both b;

		look_at(m, pair, slot, &b);
		if (!must_move(&b))
			continue;
		move->pair = pair;
		move->slot = slot;
		memset(move->old_own, 0, sizeof(move->old_own));
		if (find_place(m, move, &b)) {
			add_copies(m, copies, move, &b);
			__set_bit(slot, pair->moved);
			m->nr_moves++;
		} else {
			m->nr_stuck++;
			__set_bit(slot, pair->stuck);
			__clear_bit(slot, pair->hard);
			ckpt_move_end(pair->leaf, slot);
		}
	}
}

/* The copies are there: the slot says so.  node->lock is held. */
static void finish_move(struct merge *m, struct move *move)
{
	struct ckpt_node *leaf = move->pair->leaf;
	struct ckpt_leaf_write *w = leaf->leaf->w;
	struct ckpt_state to;
	struct both b;

	look_at(m, move->pair, move->slot, &b);
	to = moved_to(&m->store->geometry, move, &b);
	move->old[0] = b.mine.where;
	move->old[1] = b.theirs.where;
	if (move->into != INTO_THEIRS)
		move->old_own[1] = ckpt_state_spots(&b.theirs, b.theirs.present);
	if (move->into != INTO_MINE) {
		move->old_own[0] = w->own[move->slot] |
				   ckpt_state_spots(&b.mine, b.mine.present);
		w->own[move->slot] = move->own;
	}
	settle_slot(move->pair, move->slot, &to);
}

/* Hard slots that turned out to be easy once nobody was at them. */
static void finish_easy(struct merge *m, struct pair *pair)
{
	unsigned int slot;
	struct both b;

	for_each_set_bit(slot, pair->hard, CKPT_FANOUT) {
		if (test_bit(slot, pair->moved))
			continue;
		look_at(m, pair, slot, &b);
		if (!can_stay(&b) || !merge_slot(m, pair, slot, &b))
			m->again = true;
	}
}

/* The places that a move has left are free when the commit that says so is durable. */
static void free_old(struct merge *m, const struct move *move)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(move->old); i++)
		ckpt_free_mask(m->store, move->old[i],
			       ckpt_unit_mask(&m->store->geometry, move->old_own[i]),
			       READ_ONCE(m->store->txn) + 1);
}

static void finish_moves(struct merge *m, bool ok)
{
	unsigned int i, slot;
	unsigned long flags;

	down_write(&m->store->chain);
	for (i = 0; ok && i < m->nr_moves; i++) {
		struct ckpt_node *leaf = m->moves[i].pair->leaf;

		spin_lock_irqsave(&leaf->lock, flags);
		finish_move(m, &m->moves[i]);
		spin_unlock_irqrestore(&leaf->lock, flags);
	}
	for (i = 0; ok && i < m->nr_pairs; i++) {
		struct pair *pair = &m->pairs[i];

		spin_lock_irqsave(&pair->leaf->lock, flags);
		finish_easy(m, pair);
		spin_unlock_irqrestore(&pair->leaf->lock, flags);
		ckpt_resolve_forget(m->store, m->child, pair->leaf->index, pair->moved);
	}
	up_write(&m->store->chain);
	for (i = 0; i < m->nr_moves; i++)
		free_old(m, &m->moves[i]);
	for (i = 0; i < m->nr_pairs; i++)
		for_each_set_bit(slot, m->pairs[i].hard, CKPT_FANOUT)
			ckpt_move_end(m->pairs[i].leaf, slot);
}

/* What failed copies were for is free again; a window that has not changed keeps its own. */
static void undo_moves(struct merge *m)
{
	const struct ckpt_geometry *g = &m->store->geometry;
	unsigned int i;

	for (i = 0; i < m->nr_moves; i++) {
		struct move *move = &m->moves[i];
		u32 free = move->own;
		struct ckpt_state to;
		struct both b;

		if (move->into == INTO_MINE)
			continue;
		look_at(m, move->pair, move->slot, &b);
		to = moved_to(g, move, &b);
		if (move->into == INTO_THEIRS)
			free &= ~ckpt_state_whole(g, &b.theirs);
		ckpt_free_mask(m->store, to.where, ckpt_unit_mask(g, free), 0);
	}
}

static int merge_hard_slots(struct merge *m)
{
	struct ckpt_copies copies;
	unsigned int i;
	int r;

	for (i = 0; i < m->nr_pairs; i++)
		mark_moving(m, &m->pairs[i]);
	/* Nobody writes to these slots from here on, or reads what they hide ... */
	ckpt_store_drain(m->store);
	/* ... and that they hide it is durable. */
	r = ckpt_commit(m->store);
	ckpt_copies_begin(&copies, m->store);
	for (i = 0; !r && i < m->nr_pairs; i++)
		prepare_moves(m, &m->pairs[i], &copies);
	r = ckpt_copies_wait(&copies) ?: r;
	WRITE_ONCE(m->store->data_written, true);
	if (r)
		undo_moves(m);
	finish_moves(m, !r);
	return r;
}

/* ---- leaves ---- */

/* What found no space is hard once more; false when there is no such slot. */
static bool take_stuck(struct merge *m)
{
	bool any = m->nr_stuck;
	unsigned int i;

	m->nr_moves = 0;
	m->nr_stuck = 0;
	for (i = 0; i < m->nr_pairs; i++) {
		struct pair *pair = &m->pairs[i];

		bitmap_copy(pair->hard, pair->stuck, CKPT_FANOUT);
		bitmap_zero(pair->moved, CKPT_FANOUT);
		bitmap_zero(pair->stuck, CKPT_FANOUT);
	}
	return any;
}

/* There is no place for the merged slot, for which one row would do. */
static void want_room(struct merge *m, struct pair *pair, unsigned int slot)
{
	unsigned long flags;
	struct both b;
	u32 blocks;

	spin_lock_irqsave(&pair->leaf->lock, flags);
	look_at(m, pair, slot, &b);
	spin_unlock_irqrestore(&pair->leaf->lock, flags);
	blocks = hweight32(b.mine.present | b.need);
	if (must_move(&b)) {
		u32 units = ckpt_blocks_units(&m->store->geometry, ckpt_mask(0, blocks));

		m->want += units;
		m->want_most = max(m->want_most, units);
	}
}

/* None of the hard slots that are left in the batch has found a place. */
static void want_all(struct merge *m)
{
	unsigned int i, slot;

	for (i = 0; i < m->nr_pairs; i++)
		for_each_set_bit(slot, m->pairs[i].hard, CKPT_FANOUT)
			want_room(m, &m->pairs[i], slot);
	m->full = true;
}

/*
 * All hard slots of the batch.  On a full store a merge moves as many as its part of the reserve
 * has space for, which a batch before may have used; the places that they have left come back
 * with a commit, and are at least as many.
 */
static int merge_all_hard_slots(struct merge *m)
{
	bool moved;
	int r = 0;

	if (ckpt_space_borrowed(m->store))
		r = ckpt_free_repay(m->store);
	if (r)
		return r;
	do {
		r = merge_hard_slots(m);
		moved = m->nr_moves;
		m->moved |= moved;
		if (r || !take_stuck(m))
			return r;
		r = ckpt_free_repay(m->store);
	} while (!r && moved && ckpt_pace_may_run(m->store));
	if (!moved)
		want_all(m);
	else
		m->again = true;
	return r;
}

static int end_batch(struct merge *m)
{
	unsigned int i;
	int r = 0;

	if (m->nr_hard) {
		ckpt_pressure_lend(m->store);
		r = merge_all_hard_slots(m);
		ckpt_pressure_lent_back(m->store);
	}
	for (i = 0; i < m->nr_pairs; i++) {
		ckpt_node_put(m->pairs[i].leaf);
		ckpt_node_put(m->pairs[i].below);
	}
	m->nr_pairs = 0;
	m->nr_moves = 0;
	m->nr_hard = 0;
	if (!r && ckpt_commit_is_behind(m->store))
		r = ckpt_commit(m->store);
	return r;
}

static int merge_leaf(struct merge *m, u64 index)
{
	struct pair *pair = &m->pairs[m->nr_pairs];

	memset(pair, 0, sizeof(*pair));
	pair->below = ckpt_node_get(&m->parent->map, 0, index, false);
	if (IS_ERR_OR_NULL(pair->below))
		return PTR_ERR_OR_ZERO(pair->below);
	pair->leaf = ckpt_node_get(&m->child->map, 0, index, true);
	if (IS_ERR(pair->leaf)) {
		ckpt_node_put(pair->below);
		return PTR_ERR(pair->leaf);
	}
	/* It gets a live side, also when the child is frozen. */
	WRITE_ONCE(m->child->settled, false);
	m->child->stale = true;
	ckpt_leaf_make_writable(pair->leaf, m->child);
	m->nr_pairs++;
	merge_easy_slots(m, pair);
	return m->nr_pairs == PAIRS || m->nr_hard >= MOVES ? end_batch(m) : 0;
}

/* ---- subtrees ---- */

/*
 * Adopt what the child lacks of the parent's nodes in [@from, @end), which have the same
 * parent node; @both are those that the child has as well.
 */
static int adopt_children(struct merge *m, unsigned int level, u64 from, u64 end,
			  unsigned long *both)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(CKPT_FANOUT * sizeof(struct ckpt_entry_adopt));
	u64 index;
	int r = 0;

	if (!txn)
		return -ENOMEM;
	/* Nobody is below either layer, or comes there, until the commit is applied. */
	down_write(&m->store->chain);
	for (; from < end; from = index + 1) {
		r = ckpt_node_next_index(&m->parent->map, level, from, &index);
		if (r <= 0 || index >= end)
			break;
		r = ckpt_node_has(&m->parent->map, level, index, false);
		if (r > 0)
			r = ckpt_node_has(&m->child->map, level, index, true);
		else if (!r)
			continue;
		if (r < 0)
			break;
		if (r)
			__set_bit(index % CKPT_FANOUT, both);
		else
			ckpt_txn_adopt(txn, m->child->number, m->parent->number, level, index);
	}
	r = min(r, 0);
	if (!r && txn->bytes) {
		ckpt_txn_queue(m->store, txn);
		r = ckpt_txn_wait(txn);
	}
	up_write(&m->store->chain);
	ckpt_txn_free(txn);
	return r;
}

/* Nodes [@from, @end) of @level, all children of one node.  As deep as the tree is high. */
static int merge_nodes(struct merge *m, unsigned int level, u64 from, u64 end)
{
	DECLARE_BITMAP(both, CKPT_FANOUT);
	struct ckpt_pace pace;
	unsigned int i;
	int r;

	bitmap_zero(both, CKPT_FANOUT);
	r = adopt_children(m, level, from, end, both);
	for_each_set_bit(i, both, CKPT_FANOUT) {
		u64 index = from + i;

		if (r)
			break;
		if (!ckpt_pace_may_run(m->store))
			return -EINTR;
		if (level) {
			r = merge_nodes(m, level - 1, index << CKPT_FANOUT_SHIFT,
					(index + 1) << CKPT_FANOUT_SHIFT);
			continue;
		}
		ckpt_pace_begin(m->store, &pace);
		r = merge_leaf(m, index);
		ckpt_pace_end(m->store, &pace);
	}
	return r;
}

/* ---- the end ---- */

/* Nothing is left in the parent: the child takes its place. */
static int close_gap(struct merge *m)
{
	struct ckpt_store *store = m->store;
	struct ckpt_layer *parent = m->parent, *child = m->child;
	struct ckpt_txn *txn;
	int r;

	ckpt_prune_unpinned(parent);
	txn = ckpt_prune_last(store, parent, sizeof(struct ckpt_entry_record));
	if (IS_ERR(txn))
		return PTR_ERR(txn);
	mutex_lock(&store->admin);
	down_write(&store->chain);
	/*
	 * Leaves that both had remember of what was below what is theirs now.  Others had nothing
	 * of the parent below them, or have come from it and know what was below that.  Before the
	 * parent goes: over nothing a discard leaves no mark that would hide what is remembered.
	 */
	if (child->stale || parent->stale)
		ckpt_resolve_forget_all(child);
	child->stale = false;
	WRITE_ONCE(child->parent, parent->parent);
	parent->parent = NULL;
	parent->children = 0;
	child->merges = 0;
	ckpt_txn_record(txn, store, child->number);
	up_write(&store->chain);
	ckpt_txn_queue(store, txn);
	r = ckpt_txn_wait(txn);
	if (!r) {
		down_write(&store->chain);
		ckpt_object_drop(store, parent->number);
		up_write(&store->chain);
	}
	mutex_unlock(&store->admin);
	ckpt_txn_free(txn);
	return r;
}

/*
 * When it has not helped a few times, which the walk over all leaves is not worth, it is tried more
 * and more seldom.
 */
static int make_room(struct merge *m)
{
	struct ckpt_store *store = m->store;
	u32 window = ckpt_cluster_units(&store->geometry);
	unsigned int turns;
	int r;

	if (m->moved)
		store->room_fails = 0;
	else if (store->room_fails && time_before(jiffies, store->room_again))
		return -ENOSPC;
	/* Somebody was at all of them. */
	if (!m->want)
		return -EAGAIN;
	/* And the spare windows, from which the next one begins. */
	r = ckpt_room_make(store, m->want_most,
			   min(m->want, ROOM_WINDOWS * window) + ROOM_SPARES * window, true);
	if (r < 0 && r != -ENOSPC)
		return r;
	/* Whether this is a help the next call sees. */
	turns = store->room_fails++ / ROOM_TURNS;
	store->room_again = jiffies + (turns ? HZ << min(turns, 6u) : 0);
	return turns && r <= 0 ? -ENOSPC : -EAGAIN;
}

/* What was dropped is settled before the layers are merged. */
static int trim(struct merge *m)
{
	int r = ckpt_trim(m->store, m->child);

	return r > 0 ? -EAGAIN : r;
}

/* Who is short of space has what nobody reads at once, and not when all is merged. */
static int begin(struct merge *m)
{
	if (m->child->merges == m->parent->number)
		return 0;
	m->child->merges = m->parent->number;
	return READ_ONCE(m->store->space_state) == CKPT_SPACE_OK ? 0 : trim(m);
}

/* Something has found no space.  The base, which needs none, has its turn first. */
static int make_space(struct merge *m)
{
	int r = trim(m);

	if (r)
		return r;
	return m->store->gc_full ? make_room(m) : -ENOSPC;
}

static int merge(struct merge *m)
{
	int r = begin(m);

	if (r)
		return r;
	r = merge_nodes(m, CKPT_MAP_LEVELS - 1, 0, 1);
	r = end_batch(m) ?: r;
	/* Another call must find what has been merged gone from the parent. */
	r = ckpt_commit(m->store) ?: r;
	if (!r && m->again)
		r = -EAGAIN;
	if (!r && m->full)
		r = make_space(m);
	if (!r)
		r = ckpt_prune(m->store, m->parent);
	return r ? r : close_gap(m);
}

int ckpt_merge_layer(struct ckpt_store *store, struct ckpt_layer *parent,
		     struct ckpt_layer *child)
{
	struct merge *m = kvzalloc(sizeof(*m), GFP_NOIO);
	int r;

	if (!m)
		return -ENOMEM;
	m->store = store;
	m->parent = parent;
	m->child = child;
	r = merge(m);
	kvfree(m);
	return r;
}
