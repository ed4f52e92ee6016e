// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "copy.h"
#include "room.h"
#include "free.h"
#include "move.h"
#include "pace.h"
#include "pressure.h"
#include "repack.h"
#include "store.h"

/* Slots that are moved with one drain and one commit, at the most. */
#define BATCH	256u

/* Whose slot a number of the plan is. */
struct owner {
	struct ckpt_layer *layer;
	u64 index;			/* of the leaf */
	unsigned int slot;
};

/* A slot that is moved. */
struct occupant {
	struct ckpt_moving moving;
	struct ckpt_repack_move move;
	bool again;			/* its new place is not free yet */
};

/* A spare window that slots go to. */
struct gap {
	u64 where;			/* sector */
	u32 left;			/* units that nobody has, as ckpt_unit_mask() makes them */
};

struct room {
	struct ckpt_store *store;
	bool urgent;			/* also slots that have places for writes to come */
	bool found;			/* a stretch that has enough in pieces */
	unsigned int nr;
	struct gap gap[CKPT_REPACK_GAPS];
	struct occupant occupant[BATCH];
	struct owner owner[CKPT_REPACK_UNITS];
	struct ckpt_repack repack;
};

/* ---- who is where ---- */

/* As many spots as a slot has blocks. */
static u32 packed(const struct ckpt_state *s)
{
	return ckpt_mask(0, hweight32(s->present));
}

/* What is set aside for a slot is in the way as well.  Nobody else takes a live side away. */
static void note_leaf(struct room *room, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	const struct ckpt_leaf_write *w = ckpt_leaf_w(leaf);
	unsigned int slot;

	for (slot = 0; slot < CKPT_FANOUT; slot++) {
		u32 own = w ? READ_ONCE(w->own[slot]) : 0;
		struct ckpt_state s = ckpt_leaf_look(leaf, slot);
		u32 spots = ckpt_state_spots(&s, s.present), has = ckpt_unit_mask(g, spots | own);
		int number = -1;

		if (s.present && (room->urgent || has == ckpt_unit_mask(g, spots)))
			number = ckpt_repack_note_slot(&room->repack, s.where, has,
						       hweight32(ckpt_unit_mask(g, packed(&s))));
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
		if (!ckpt_pace_may_copy(room->store))
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

/* Spare windows to begin with, as far as there are any. */
static int take_gaps(struct room *room)
{
	u32 whole = ckpt_unit_mask(&room->store->geometry, ~0u);
	int r = 0;

	while (room->repack.nr_gaps < CKPT_REPACK_GAPS) {
		struct gap *gap = &room->gap[room->repack.nr_gaps];

		r = ckpt_space_spare(room->store, 0, ~0u, &gap->where);
		if (r)
			break;
		gap->left = whole;
		ckpt_repack_note_gap(&room->repack, gap->where >> CKPT_UNIT_SHIFT,
				     ckpt_cluster_units(&room->store->geometry));
	}
	return r == -ENOSPC ? 0 : r;
}

static void give_back_gaps(struct room *room)
{
	unsigned int i;

	for (i = 0; i < room->repack.nr_gaps; i++)
		ckpt_free_mask(room->store, room->gap[i].where, room->gap[i].left, 0);
}

/* The next stretch where there is anything to gain; all others are passed without a walk. */
static int find_stretch(struct room *room, u32 least)
{
	struct ckpt_store *store = room->store;
	u64 units = 0;
	int r;

	ckpt_space_drop_stock(store);
	do {
		r = ckpt_space_survey(store, &store->room_cursor, &room->repack);
		units += room->repack.nr;
		room->found = !r && ckpt_repack_holes(&room->repack) >= least;
		cond_resched();
	} while (!r && !room->found && units < ckpt_store_units(&store->geometry));
	return r;
}

static int look_around(struct room *room, u32 least)
{
	struct ckpt_store *store = room->store;
	struct ckpt_layer *layer;
	unsigned long number = 0;
	int r = find_stretch(room, least);

	while (!r && room->found && (layer = next_layer(store, &number)))
		r = note_layer(room, layer);
	return r;
}

/* ---- moving them ---- */

/* Writes to a slot wait after this, unless somebody is at it. */
static bool begin(struct room *room, const struct ckpt_repack_move *move, struct occupant *o)
{
	const struct owner *owner = &room->owner[move->slot];

	o->move = *move;
	o->again = false;
	return ckpt_moving_begin(&o->moving, owner->layer, owner->index, owner->slot);
}

static void begin_all(struct room *room)
{
	struct ckpt_repack *repack = &room->repack;
	unsigned int i, most = min(BATCH, ckpt_commit_slots(room->store));

	for (i = 0; i < repack->nr_moves && room->nr < most; i++)
		if (begin(room, &repack->move[i], &room->occupant[room->nr]))
			room->nr++;
	repack->nr_moves -= i;
	memmove(repack->move, repack->move + i, repack->nr_moves * sizeof(repack->move[0]));
}

/* Those whose places are not free yet come first next time: others wait for what they leave. */
static void put_back(struct room *room)
{
	struct ckpt_repack *repack = &room->repack;
	unsigned int i, again = 0;

	for (i = 0; i < room->nr; i++)
		again += room->occupant[i].again;
	memmove(repack->move + again, repack->move, repack->nr_moves * sizeof(repack->move[0]));
	repack->nr_moves += again;
	for (i = room->nr; again; i--)
		if (room->occupant[i - 1].again)
			repack->move[--again] = room->occupant[i - 1].move;
}

/* Has nobody moved it since it was looked at, or written more to it? */
static bool is_there(const struct room *room, const struct occupant *o,
		     const struct ckpt_state *s)
{
	const struct ckpt_repack_slot *slot = &room->repack.slot[o->move.slot];
	u64 place = room->repack.first + (u64)slot->place;
	u32 units = hweight32(ckpt_unit_mask(&room->store->geometry, packed(s)));

	return s->present && s->where >> CKPT_UNIT_SHIFT == place &&
	       units * room->repack.each <= slot->needs;
}

/* Its new place, if all of that is free. */
static int claim(struct room *room, struct occupant *o, const struct ckpt_state *s)
{
	const struct ckpt_geometry *g = &room->store->geometry;
	struct ckpt_moving *m = &o->moving;
	u64 unit;
	u32 wanted;
	int gap, r = 0;

	if (!is_there(room, o, s))
		return 0;
	unit = ckpt_repack_unit(&room->repack, o->move.to, &gap);
	m->to = ckpt_state_in_row(g, s, unit << CKPT_UNIT_SHIFT);
	wanted = ckpt_state_whole(g, &m->to);
	if (gap >= 0) {
		u64 before = unit - room->repack.gap[gap];

		room->gap[gap].left &= ~(ckpt_unit_mask(g, packed(s)) <<
					 (u32)before / room->repack.each);
		m->own = wanted;
	} else {
		r = ckpt_space_claim(room->store, CKPT_SPACE_MERGE, m->to.where, wanted, &m->own);
	}
	m->placed = !r && m->own == wanted;
	o->again = !m->placed;
	if (o->again)
		ckpt_free_mask(room->store, m->to.where, ckpt_unit_mask(g, m->own), 0);
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
		struct ckpt_state s = ckpt_moving_state(&o->moving);

		r = claim(room, o, &s);
		if (o->moving.placed)
			ckpt_copies_add_blocks(&copies, &s, &o->moving.to, s.present);
	}
	r = ckpt_copies_wait(&copies) ?: r;
	WRITE_ONCE(room->store->data_written, true);
	return r;
}

/*
 * A batch: all whose new places are free; the others are still to be moved.  How many, or an error;
 * all are let go.
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
	for (i = 0; i < room->nr; i++)
		moved += ckpt_moving_end(room->store, &room->occupant[i].moving, !r);
	put_back(room);
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
	} while (!r && moved && room->repack.nr_moves && ckpt_pace_may_copy(room->store));
	return r ? r : all;
}

/* Nothing is planned yet; what is left of the gaps goes back in the end. */
static int make(struct room *room, u32 least, u32 wanted)
{
	int moved = 0, r = take_gaps(room);

	if (!r) {
		ckpt_repack_plan(&room->repack, least, wanted);
		moved = move_all(room);
		r = min(moved, 0);
	}
	give_back_gaps(room);
	ckpt_free_now(room->store);
	/* Before somebody else has what it takes: the next sweep begins from there. */
	r = r ?: ckpt_space_make_spares(room->store);
	return r ? r : moved;
}

int ckpt_room_make(struct ckpt_store *store, u32 least, u32 wanted, bool urgent)
{
	struct room *room = kvzalloc(sizeof(*room), GFP_NOIO);
	struct ckpt_pace pace;
	int r;

	if (!room)
		return -ENOMEM;
	room->store = store;
	room->urgent = urgent;
	ckpt_pace_begin(store, &pace);
	r = look_around(room, least);
	if (!r) {
		ckpt_pressure_lend(store);
		r = make(room, least, wanted);
		ckpt_pressure_lent_back(store);
	}
	if (!r && !room->found)
		r = -ENOSPC;
	ckpt_pace_end(store, &pace);
	kvfree(room);
	return r;
}
