// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/slab.h>

#include "copy.h"
#include "room.h"
#include "free.h"
#include "move.h"
#include "pace.h"
#include "pressure.h"
#include "resolve.h"
#include "store.h"
#include "survey.h"

/* Slots that are moved with one drain and one commit. */
#define BATCH	256u
/* Places that are looked for with one survey; each takes a look at all of the stretch. */
#define PLACES	32u
#define HINT_BITS 12
/* Room is made for those that are in the way and fit nowhere, and so on, so often. */
#define DEPTH	3u

/* A slot that is in the way. */
struct occupant {
	struct ckpt_layer *layer;
	struct ckpt_node *leaf;
	unsigned int slot;
	bool placed;
	u64 where;			/* its new place */
	u32 own;			/* and what is set aside there */
};

struct room {
	struct ckpt_store *store;
	struct ckpt_wants *wants;
	/* Stretches of the store, each as long as a window, that a wanted window touches. */
	DECLARE_BITMAP(hint, 1 << HINT_BITS);
	struct ckpt_survey survey;
	/* Places for those that are in the way and fit nowhere, and for those in their way, ... */
	unsigned int depth;
	struct ckpt_wants others[DEPTH];
	unsigned int nr;
	struct occupant occupant[BATCH];
};

typedef void look_fn(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf);

/* ---- what is wanted ---- */

/* A window need not be aligned to a stretch, so it may touch the next one too. */
static unsigned int hint_of(const struct room *room, u64 where, unsigned int next)
{
	return hash_64((where >> room->store->geometry.cluster_shift) + next, HINT_BITS);
}

/* Set aside what is free of the wanted places already, so that nobody is moved there. */
static int claim_wanted(struct room *room)
{
	unsigned int i;
	int r = 0;

	ckpt_space_drop_stock(room->store);
	for (i = 0; !r && i < room->wants->nr; i++) {
		struct ckpt_want *want = &room->wants->want[i];

		__set_bit(hint_of(room, want->where, 0), room->hint);
		__set_bit(hint_of(room, want->where, 1), room->hint);
		r = ckpt_space_claim(room->store, CKPT_SPACE_MERGE, want->where, want->blocks,
				     &want->got);
	}
	return r;
}

static void unclaim(struct room *room, struct ckpt_wants *wants)
{
	unsigned int i;

	for (i = 0; i < wants->nr; i++) {
		struct ckpt_want *want = &wants->want[i];

		ckpt_free_mask(room->store, want->where,
			       ckpt_unit_mask(&room->store->geometry, want->got), 0);
		want->got = 0;
	}
}

/* Do two masks have a bit in common when one is shifted by @off to the other? */
static bool overlap(u32 mask, u32 other, s64 off)
{
	if (off >= CKPT_CLUSTER_BLOCKS || off <= -(s64)CKPT_CLUSTER_BLOCKS)
		return false;
	return off >= 0 ? (u64)mask << off & other : (u64)other << -off & mask;
}

/*
 * Do blocks of the window at @where touch wanted places?  A large block need not be aligned to its
 * own size, and then touches two of another window.
 */
static bool touches(const struct ckpt_geometry *g, u64 where, u32 blocks,
		    const struct ckpt_want *want)
{
	u32 shift = ckpt_unit_mask_shift(g), mask = ckpt_unit_mask(g, blocks);
	u32 wanted = ckpt_unit_mask(g, want->blocks);
	s64 off = (s64)where - (s64)want->where;

	return overlap(mask, wanted, off >> shift) ||
	       (off & ((1 << shift) - 1) && overlap(mask, wanted, (off >> shift) + 1));
}

static bool is_wanted(const struct room *room, u64 where, u32 blocks)
{
	unsigned int i;

	if (!test_bit(hint_of(room, where, 0), room->hint) &&
	    !test_bit(hint_of(room, where, 1), room->hint))
		return false;
	for (i = 0; i < room->wants->nr; i++)
		if (touches(&room->store->geometry, where, blocks, &room->wants->want[i]))
			return true;
	return false;
}

/* ---- who is in the way ---- */

static void add_occupant(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf,
			 unsigned int slot)
{
	struct occupant *o = &room->occupant[room->nr++];

	refcount_inc(&leaf->refs);
	o->layer = layer;
	o->leaf = leaf;
	o->slot = slot;
	o->placed = false;
}

/* What is set aside for a slot is in the way as well.  Nobody else takes a live side away. */
static void look_in_leaf(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	const struct ckpt_leaf_write *w = ckpt_leaf_w(leaf);
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT && room->nr < BATCH; slot++) {
		u32 own = w ? READ_ONCE(w->own[slot]) : 0;
		struct ckpt_state s = ckpt_leaf_look(leaf, slot);

		if (s.present && is_wanted(room, s.where, s.present | own))
			add_occupant(room, layer, leaf, slot);
	}
}

static int look_in_layer(struct room *room, struct ckpt_layer *layer, look_fn *look)
{
	struct ckpt_node *leaf;
	u64 index, from = 0;
	int r;

	while (room->nr < BATCH) {
		if (!ckpt_pace_may_run(room->store))
			return -EINTR;
		r = ckpt_node_next_index(&layer->map, 0, from, &index);
		if (r <= 0)
			return r;
		from = index + 1;
		leaf = ckpt_node_get(&layer->map, 0, index, false);
		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		if (!leaf)
			continue;
		look(room, layer, leaf);
		ckpt_node_put(leaf);
		cond_resched();
	}
	return 0;
}

/* Only the background worker frees layers, so one that it has found stays. */
static struct ckpt_layer *next_layer(struct ckpt_store *store, unsigned long *number)
{
	struct ckpt_layer *layer = NULL;
	struct ckpt_object *object;

	mutex_lock(&store->admin);
	while (!layer && (object = xa_find_after(&store->objects, number, ULONG_MAX, XA_PRESENT)))
		/* What a head drops that is merged into its base stays where it is. */
		if (object->type == CKPT_RECORD_LAYER && READ_ONCE(object->layer->durable) &&
		    !object->layer->broken && !object->layer->through)
			layer = object->layer;
	mutex_unlock(&store->admin);
	return layer;
}

static int look_around(struct room *room, look_fn *look)
{
	struct ckpt_layer *layer;
	unsigned long number = 0;
	int r = 0;

	while (!r && room->nr < BATCH && (layer = next_layer(room->store, &number)))
		r = look_in_layer(room, layer, look);
	return r;
}

/* ---- where the least is in the way ---- */

static void survey_leaf(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	const struct ckpt_leaf_write *w = ckpt_leaf_w(leaf);
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		u32 own = w ? READ_ONCE(w->own[slot]) : 0;
		struct ckpt_state s = ckpt_leaf_look(leaf, slot);

		if (s.present)
			ckpt_survey_note_mask(&room->survey, g, s.where,
					      ckpt_unit_mask(g, s.present | own),
					      hweight32(s.present));
	}
}

/* Those that may be anywhere get a window, or are forgotten. */
static void place_wanted(struct room *room)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	struct ckpt_wants *wants = room->wants;
	unsigned int i, nr = 0, places = 0;

	for (i = 0; i < wants->nr; i++) {
		struct ckpt_want *want = &wants->want[i];
		u32 units = ckpt_unit_mask(g, want->blocks);

		if (want->where || (places++ < PLACES &&
				    ckpt_survey_place(&room->survey, g, units, &want->where)))
			wants->want[nr++] = *want;
		cond_resched();
	}
	wants->nr = nr;
}

static bool any_anywhere(const struct ckpt_wants *wants)
{
	unsigned int i;

	for (i = 0; i < wants->nr; i++)
		if (!wants->want[i].where)
			return true;
	return false;
}

static int find_places(struct room *room)
{
	int r;

	if (!any_anywhere(room->wants))
		return 0;
	ckpt_space_drop_stock(room->store);
	r = ckpt_space_survey(room->store, &room->store->room_cursor, &room->survey) ?:
	    look_around(room, survey_leaf);
	if (!r)
		place_wanted(room);
	return r;
}

/* ---- moving them ---- */

static bool begin(struct occupant *o)
{
	bool mine;

	ckpt_leaf_make_writable(o->leaf, o->layer);
	/* A frozen one has a live side again, to be settled before it is merged. */
	o->layer->settled = false;
	mine = ckpt_move_begin(o->leaf, o->slot);
	if (mine && READ_ONCE(o->leaf->leaf->w->drops)) {
		ckpt_move_end(o->leaf, o->slot);
		mine = false;
	}
	return mine;
}

static void begin_all(struct room *room)
{
	unsigned int i, nr = 0;

	for (i = 0; i < room->nr; i++) {
		if (begin(&room->occupant[i]))
			room->occupant[nr++] = room->occupant[i];
		else
			ckpt_node_put(room->occupant[i].leaf);
	}
	room->nr = nr;
}

/* Nobody changes these slots now. */
static struct ckpt_state state_of(const struct occupant *o)
{
	return ckpt_slot_decode(&o->leaf->leaf->w->live[o->slot]);
}

static int copy_all(struct room *room)
{
	struct ckpt_copies copies;
	unsigned int i;
	int r = 0;

	ckpt_copies_begin(&copies, room->store);
	for (i = 0; !r && i < room->nr; i++) {
		struct occupant *o = &room->occupant[i];
		struct ckpt_state s = state_of(o);

		if (!s.present)
			continue;
		r = ckpt_move_window(room->store, CKPT_SPACE_MERGE, s.present, &o->where, &o->own);
		o->placed = !r;
		if (o->placed)
			ckpt_copies_add_blocks(&copies, s.where, o->where, s.present);
		if (r == -ENOSPC) {
			if (room->depth < DEPTH)
				ckpt_wants_add(&room->others[room->depth], 0, s.present);
			r = 0;
		}
	}
	r = ckpt_copies_wait(&copies) ?: r;
	WRITE_ONCE(room->store->data_written, true);
	return r;
}

/* The copies are there: the slot says so; *@old_own are the blocks set aside at *@old. */
static void place(struct occupant *o, u64 *old, u32 *old_own)
{
	struct ckpt_leaf_write *w = o->leaf->leaf->w;
	struct ckpt_state s;
	unsigned long flags;

	spin_lock_irqsave(&o->leaf->lock, flags);
	s = state_of(o);
	*old = s.where;
	*old_own = w->own[o->slot] | s.present;
	w->own[o->slot] = o->own;
	ckpt_leaf_place(o->leaf, o->slot, o->where);
	ckpt_leaf_dirty(o->leaf, o->slot);
	spin_unlock_irqrestore(&o->leaf->lock, flags);
}

/* What sits on the layer must not remember the old place, which is free after a commit. */
static void finish(struct room *room, struct occupant *o)
{
	DECLARE_BITMAP(slots, CKPT_FANOUT);
	struct ckpt_store *store = room->store;
	u32 present = state_of(o).present, old_own;
	u64 old;

	bitmap_zero(slots, CKPT_FANOUT);
	__set_bit(o->slot, slots);
	down_write(&store->chain);
	place(o, &old, &old_own);
	ckpt_resolve_forget(store, o->layer, o->leaf->index, slots);
	up_write(&store->chain);
	ckpt_free_mask(store, old, ckpt_unit_mask(&store->geometry, old_own),
		       READ_ONCE(store->txn) + 1);
	atomic64_add(ckpt_blocks_units(&store->geometry, present), &store->copied);
}

/* How many were moved, or an error; all occupants are let go. */
static int move_all(struct room *room)
{
	unsigned int i, moved = 0;
	int r;

	begin_all(room);
	if (!room->nr)
		return 0;
	/* Nobody writes to these slots from here on. */
	ckpt_store_drain(room->store);
	r = copy_all(room);
	for (i = 0; i < room->nr; i++) {
		struct occupant *o = &room->occupant[i];

		if (o->placed && !r) {
			finish(room, o);
			moved++;
		} else if (o->placed) {
			ckpt_free_mask(room->store, o->where,
				       ckpt_unit_mask(&room->store->geometry, o->own), 0);
		}
		ckpt_move_end(o->leaf, o->slot);
		ckpt_node_put(o->leaf);
	}
	room->nr = 0;
	return r ? r : (int)moved;
}

static void let_go(struct room *room)
{
	while (room->nr)
		ckpt_node_put(room->occupant[--room->nr].leaf);
}

/* Whoever is in a wanted place goes where it fits.  How many were moved, or an error. */
static int clear_wanted(struct room *room)
{
	int r = look_around(room, look_in_leaf);

	if (r) {
		let_go(room);
		return r;
	}
	return move_all(room);
}

/* What is free of the wanted places is claimed afterwards, also after an error. */
static int want(struct room *room, struct ckpt_wants *wants)
{
	int r;

	room->wants = wants;
	r = find_places(room);
	return r ? r : claim_wanted(room) ?: clear_wanted(room);
}

static int make(struct room *room, struct ckpt_wants *wants);

/* Room for those that fitted nowhere, which is free with a commit, and then they go there. */
static int make_for_others(struct room *room)
{
	struct ckpt_wants *wants = room->wants, *others = &room->others[room->depth];
	int moved, r;

	room->depth++;
	moved = make(room, others);
	room->depth--;
	room->wants = wants;
	others->nr = 0;
	if (moved <= 0)
		return moved;
	r = ckpt_commit(room->store);
	ckpt_free_now(room->store);
	r = r ? r : clear_wanted(room);
	return r < 0 ? r : moved + r;
}

/* As deep as it may go. */
static int make(struct room *room, struct ckpt_wants *wants)
{
	int moved = want(room, wants), more = 0;

	if (moved >= 0 && room->depth < DEPTH && room->others[room->depth].nr)
		more = make_for_others(room);
	unclaim(room, wants);
	return min(moved, 0) ?: min(more, 0) ?: moved + more;
}

int ckpt_room_make(struct ckpt_store *store, struct ckpt_wants *wants)
{
	struct room *room = kvzalloc(sizeof(*room), GFP_NOIO);
	struct ckpt_pace pace;
	int moved, r;

	if (!room)
		return -ENOMEM;
	room->store = store;
	ckpt_pace_begin(store, &pace);
	ckpt_pressure_lend(store);
	moved = make(room, wants);
	r = ckpt_free_repay(store);
	ckpt_pressure_lent_back(store);
	ckpt_pace_end(store, &pace);
	kvfree(room);
	return r ? r : moved;
}
