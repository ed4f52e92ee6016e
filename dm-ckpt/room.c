// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "copy.h"
#include "room.h"
#include "free.h"
#include "move.h"
#include "pace.h"
#include "pressure.h"
#include "resolve.h"
#include "store.h"

/* Slots that are moved with one drain and one commit. */
#define BATCH	CKPT_REPACK_MOVES

/* Whose slot a number of the plan is. */
struct owner {
	struct ckpt_layer *layer;
	u64 index;			/* of the leaf */
	unsigned int slot;
};

/* A slot that is moved. */
struct occupant {
	struct ckpt_layer *layer;
	struct ckpt_node *leaf;
	unsigned int slot;
	struct ckpt_repack_move move;
	u64 where;			/* its new place */
	u32 own;			/* and what is set aside there */
	bool placed;			/* it is the slot's */
	bool again;			/* it is not free yet */
};

struct room {
	struct ckpt_store *store;
	unsigned int nr;
	struct occupant occupant[BATCH];
	struct owner owner[CKPT_REPACK_UNITS];
	struct ckpt_repack repack;
};

/* ---- who is where ---- */

/* What is set aside for a slot is in the way as well.  Nobody else takes a live side away. */
static void note_leaf(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	const struct ckpt_leaf_write *w = ckpt_leaf_w(leaf);
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		u32 own = w ? READ_ONCE(w->own[slot]) : 0;
		struct ckpt_state s = ckpt_leaf_look(leaf, slot);
		int number = -1;

		if (s.present)
			number = ckpt_repack_note_slot(&room->repack, s.where,
						       ckpt_unit_mask(g, s.present | own),
						       ckpt_unit_mask(g, s.present));
		if (number >= 0)
			room->owner[number] = (struct owner){ layer, leaf->index, slot };
	}
}

static int note_layer(struct room *room, struct ckpt_layer *layer)
{
	struct ckpt_node *leaf;
	u64 index, from = 0;
	int r;

	for (;;) {
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
		note_leaf(room, layer, leaf);
		ckpt_node_put(leaf);
		cond_resched();
	}
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

static int look_around(struct room *room, u64 *cursor)
{
	struct ckpt_layer *layer;
	unsigned long number = 0;
	int r;

	ckpt_space_drop_stock(room->store);
	r = ckpt_space_survey(room->store, cursor, &room->repack);
	while (!r && (layer = next_layer(room->store, &number)))
		r = note_layer(room, layer);
	return r;
}

/* What takes long to find no room does not always come first. */
static void plan(struct room *room, const struct ckpt_wants *wants)
{
	unsigned int i;

	for (i = 0; i < wants->nr && ckpt_pace_may_run(room->store); i++) {
		unsigned int n = (i + room->store->room_fails) % wants->nr;

		ckpt_repack_plan(&room->repack, &wants->want[n]);
		cond_resched();
	}
}

/* ---- moving them ---- */

/* Writes to a slot wait after this, unless somebody is at it. */
static bool begin(struct room *room, const struct ckpt_repack_move *move, struct occupant *o)
{
	const struct owner *owner = &room->owner[move->slot];
	struct ckpt_node *leaf = ckpt_node_get(&owner->layer->map, 0, owner->index, false);

	if (IS_ERR_OR_NULL(leaf))
		return false;
	*o = (struct occupant){ .layer = owner->layer, .leaf = leaf, .slot = owner->slot,
				.move = *move, .where = ckpt_repack_where(&room->repack, move) };
	ckpt_leaf_make_writable(leaf, o->layer);
	/* A frozen one has a live side again, to be settled before it is merged. */
	WRITE_ONCE(o->layer->settled, false);
	if (ckpt_move_begin(leaf, o->slot)) {
		if (!READ_ONCE(leaf->leaf->w->drops))
			return true;
		ckpt_move_end(leaf, o->slot);
	}
	ckpt_node_put(leaf);
	return false;
}

static void begin_all(struct room *room)
{
	unsigned int i;

	for (i = 0; i < room->repack.nr_moves; i++)
		if (begin(room, &room->repack.move[i], &room->occupant[room->nr]))
			room->nr++;
	room->repack.nr_moves = 0;
}

/* Nobody changes these slots now. */
static struct ckpt_state state_of(const struct occupant *o)
{
	return ckpt_slot_decode(&o->leaf->leaf->w->live[o->slot]);
}

/* Its new place, if all of that is free, and nobody has moved it since it was looked at. */
static int claim(struct room *room, struct occupant *o, const struct ckpt_state *s)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	int r;

	if (!s->present || s->where != ckpt_repack_from(&room->repack, &o->move))
		return 0;
	r = ckpt_space_claim(room->store, CKPT_SPACE_MERGE, o->where,
			     ckpt_whole_units(g, s->present), &o->own);
	o->placed = !r && !(s->present & ~o->own);
	o->again = !o->placed;
	if (o->again)
		ckpt_free_mask(room->store, o->where, ckpt_unit_mask(g, o->own), 0);
	return r;
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

		r = claim(room, o, &s);
		if (o->placed)
			ckpt_copies_add_blocks(&copies, s.where, o->where, s.present);
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

/*
 * All whose new places are free; the others are still to be moved.  How many, or an error; all are
 * let go.
 */
static int move_some(struct room *room)
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
		} else if (o->again) {
			room->repack.move[room->repack.nr_moves++] = o->move;
		}
		ckpt_move_end(o->leaf, o->slot);
		ckpt_node_put(o->leaf);
	}
	room->nr = 0;
	return r ? r : (int)moved;
}

/* What has been left is free with a commit, and then those go there who waited for it. */
static int move_all(struct room *room)
{
	int all = 0, moved, r;

	do {
		moved = move_some(room);
		all += max(moved, 0);
		r = ckpt_free_repay(room->store) ?: min(moved, 0);
	} while (!r && moved && room->repack.nr_moves && ckpt_pace_may_run(room->store));
	return r ? r : all;
}

int ckpt_room_make(struct ckpt_store *store, const struct ckpt_wants *wants, u64 *cursor)
{
	struct room *room = kvzalloc(sizeof(*room), GFP_NOIO);
	struct ckpt_pace pace;
	int r;

	if (!room)
		return -ENOMEM;
	room->store = store;
	ckpt_pace_begin(store, &pace);
	r = look_around(room, cursor);
	if (!r)
		plan(room, wants);
	if (!r && room->repack.nr_moves) {
		ckpt_pressure_lend(store);
		r = move_all(room);
		ckpt_pressure_lent_back(store);
	}
	ckpt_pace_end(store, &pace);
	kvfree(room);
	return r;
}
