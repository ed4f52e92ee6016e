// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/string.h>

#include "repack.h"

/* So many windows are tried for what is wanted, so many for who is in its way, and then one. */
#define BEST	8u
#define BEST_THEN 2u
/* Long chains that are hardly branched find more than short ones that are. */
#define DEPTH	12u
/* Looks at the stretch that one of those windows may take, and all plans together. */
#define LOOKS	64u
#define LOOKS_ALL 1024u
/* From so many blocks on, all are alike. */
#define MANY	16u
#define NO_COST	(~0u)

/* A window to be in. */
struct candidate {
	u32 cost;
	s64 place;
};

void ckpt_repack_begin(struct ckpt_repack *repack, const struct ckpt_geometry *g, u64 first, u32 nr,
		       u32 random)
{
	u32 i;

	repack->first = first;
	repack->nr = nr < CKPT_REPACK_UNITS ? nr : CKPT_REPACK_UNITS;
	repack->each = 1u << (ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT);
	repack->random = random;
	repack->looks_left = LOOKS_ALL;
	repack->nr_slots = 0;
	repack->nr_moves = 0;
	for (i = 0; i < CKPT_REPACK_UNITS; i++)
		repack->holds[i] = CKPT_REPACK_FIXED;
}

void ckpt_repack_note_free(struct ckpt_repack *repack, u64 unit, u32 nr)
{
	for (; nr; nr--, unit++)
		if (unit >= repack->first && unit < repack->first + repack->nr)
			repack->holds[unit - repack->first] = CKPT_REPACK_FREE;
}

/* ---- the units of a window ---- */

/* A walk through the units that a mask stands for, all of which are inside. */
struct walk {
	s64 place;
	u32 mask, each, more, unit;
};

static struct walk units_of(const struct ckpt_repack *repack, s64 place, u32 mask)
{
	return (struct walk){ .place = place, .mask = mask, .each = repack->each };
}

static inline bool next_unit(struct walk *w)
{
	if (w->more) {
		w->more--;
		w->unit++;
		return true;
	}
	if (!w->mask)
		return false;
	w->unit = (u32)(w->place + (s64)__builtin_ctz(w->mask) * w->each);
	w->more = w->each - 1;
	w->mask &= w->mask - 1;
	return true;
}

static bool is_inside(const struct ckpt_repack *repack, s64 place, u32 units)
{
	return place + (s64)__builtin_ctz(units) * repack->each >= 0 &&
	       place + (32 - (s64)__builtin_clz(units)) * repack->each <= repack->nr;
}

static bool has_unit(const struct ckpt_repack *repack, s64 place, u32 units, u32 unit)
{
	s64 off = (s64)unit - place;

	return off >= 0 && off < 32 * (s64)repack->each &&
	       units >> ((u32)off / repack->each) & 1;
}

static s64 place_of(const struct ckpt_repack *repack, u64 where)
{
	return (s64)(where >> CKPT_UNIT_SHIFT) - (s64)repack->first;
}

int ckpt_repack_note_slot(struct ckpt_repack *repack, u64 where, u32 units, u32 needs)
{
	s64 place = place_of(repack, where);
	struct walk w;

	if (!is_inside(repack, place, units) || repack->nr_slots == CKPT_REPACK_UNITS)
		return -1;
	w = units_of(repack, place, units);
	while (next_unit(&w))
		repack->holds[w.unit] = (u16)repack->nr_slots;
	repack->slot[repack->nr_slots].place = place;
	repack->slot[repack->nr_slots].units = units;
	repack->slot[repack->nr_slots].needs = needs;
	return (int)repack->nr_slots++;
}

/* ---- changes, which can be undone ---- */

static bool set_unit(struct ckpt_repack *repack, u32 unit, u32 holds)
{
	if (repack->nr_undo == CKPT_REPACK_UNDO)
		return false;
	repack->undo[repack->nr_undo].unit = (u16)unit;
	repack->undo[repack->nr_undo++].holds = repack->holds[unit];
	repack->holds[unit] = (u16)holds;
	return true;
}

static bool fix(struct ckpt_repack *repack, s64 place, u32 units)
{
	struct walk w = units_of(repack, place, units);

	while (next_unit(&w))
		if (!set_unit(repack, w.unit, CKPT_REPACK_FIXED))
			return false;
	return true;
}

static void undo(struct ckpt_repack *repack, u32 nr_undo, u32 nr_moves)
{
	while (repack->nr_undo > nr_undo) {
		const struct ckpt_repack_undo *u = &repack->undo[--repack->nr_undo];

		repack->holds[u->unit] = u->holds;
	}
	repack->nr_moves = nr_moves;
}

/* ---- where it is likely to be short ---- */

/*
 * What moves most easily is what has few blocks: each block more needs its own place free by the
 * same step, so the chance falls as a power.
 */
static u32 cost_of(const struct ckpt_repack *repack, u32 slot)
{
	u32 blocks = hweight32(repack->slot[slot].needs);

	return 1u << (blocks < MANY ? blocks : MANY);
}

/* NO_COST also when it is @most or more. */
static u32 cost_at(const struct ckpt_repack *repack, s64 place, u32 units, u32 most)
{
	struct walk w = units_of(repack, place, units);
	u32 sum = 0, last = CKPT_REPACK_FREE;

	while (next_unit(&w)) {
		u32 holds = repack->holds[w.unit];

		if (holds == CKPT_REPACK_FIXED)
			return NO_COST;
		/* Blocks of one slot mostly stand together. */
		if (holds == CKPT_REPACK_FREE || holds == last)
			continue;
		sum += cost_of(repack, holds);
		last = holds;
		if (sum >= most)
			return NO_COST;
	}
	return sum;
}

/* The cheapest first; how many there are now. */
static u32 add_candidate(struct candidate *c, u32 nr, u32 most, u32 cost, s64 place)
{
	u32 i = nr < most ? nr++ : most - 1;

	for (; i && c[i - 1].cost > cost; i--)
		c[i] = c[i - 1];
	c[i].cost = cost;
	c[i].place = place;
	return nr;
}

/* The best @most windows for such units; or one, if nobody is in it. */
static u32 find(struct ckpt_repack *repack, u32 units, struct candidate *c, u32 most)
{
	s64 least = -(s64)__builtin_ctz(units) * repack->each;
	s64 span = (32 - (s64)__builtin_clz(units)) * repack->each + least;
	u32 nr = 0, places = repack->nr < span ? 0 : (u32)(repack->nr - span + 1), from, i;

	if (!places)
		return 0;
	/* Of many that are alike it is not always the same. */
	repack->random = repack->random * 1664525u + 1013904223u;
	from = (repack->random >> 16) % places;
	for (i = 0; i < places && !(nr && !c[0].cost); i++) {
		s64 place = least + (from + i < places ? from + i : from + i - places);
		u32 cost = cost_at(repack, place, units, nr == most ? c[most - 1].cost : NO_COST);

		if (cost != NO_COST)
			nr = add_candidate(c, nr, most, cost, place);
	}
	return nr && !c[0].cost ? 1 : nr;
}

/* ---- who goes where ---- */

static bool settle(struct ckpt_repack *repack, s64 place, u32 units, u32 depth);

static bool add_move(struct ckpt_repack *repack, u32 slot, s64 place)
{
	if (repack->nr_moves == CKPT_REPACK_MOVES)
		return false;
	repack->move[repack->nr_moves].slot = (u16)slot;
	repack->move[repack->nr_moves++].place = place;
	return true;
}

static bool evict(struct ckpt_repack *repack, u32 slot, u32 depth)
{
	const struct ckpt_repack_slot *s = &repack->slot[slot];
	struct candidate c[BEST_THEN];
	u32 nr, i;

	if (depth == DEPTH || !repack->looks)
		return false;
	repack->looks--;
	repack->looks_left--;
	/* A look goes through some ten thousand units. */
	cond_resched();
	nr = find(repack, s->needs, c, depth == 1 ? BEST_THEN : 1);
	for (i = 0; i < nr; i++) {
		u32 nr_undo = repack->nr_undo, nr_moves = repack->nr_moves;

		if (settle(repack, c[i].place, s->needs, depth) &&
		    add_move(repack, slot, c[i].place))
			return true;
		undo(repack, nr_undo, nr_moves);
	}
	return false;
}

/* What a slot has left that was in the way at @place is free, but for what it was evicted for. */
static bool leave(struct ckpt_repack *repack, u32 slot, s64 place, u32 units)
{
	const struct ckpt_repack_slot *s = &repack->slot[slot];
	struct walk w = units_of(repack, s->place, s->units);

	while (next_unit(&w))
		if (!has_unit(repack, place, units, w.unit) &&
		    !set_unit(repack, w.unit, CKPT_REPACK_FREE))
			return false;
	return true;
}

/* Who is in these units, those of the most blocks first; false: some of them have to stay. */
static bool list_evicted(struct ckpt_repack *repack, s64 place, u32 units, u16 *slot, u32 *nr)
{
	struct walk w = units_of(repack, place, units);
	u32 i;

	while (next_unit(&w)) {
		u16 holds = repack->holds[w.unit];

		if (holds == CKPT_REPACK_FIXED)
			return false;
		for (i = 0; i < *nr && slot[i] != holds; i++)
			;
		if (holds == CKPT_REPACK_FREE || i < *nr)
			continue;
		if (*nr == CKPT_CLUSTER_BLOCKS)
			return false;
		for (i = (*nr)++; i && cost_of(repack, slot[i - 1]) < cost_of(repack, holds); i--)
			slot[i] = slot[i - 1];
		slot[i] = holds;
	}
	return true;
}

/* Have these units for somebody.  After false all is to be undone. */
static bool settle(struct ckpt_repack *repack, s64 place, u32 units, u32 depth)
{
	u16 slot[CKPT_CLUSTER_BLOCKS];
	u32 nr = 0, i;

	if (!list_evicted(repack, place, units, slot, &nr) || !fix(repack, place, units))
		return false;
	/* Each goes once, and to no place from which one of them has still to be copied. */
	for (i = 0; i < nr; i++)
		if (!fix(repack, repack->slot[slot[i]].place, repack->slot[slot[i]].units))
			return false;
	for (i = 0; i < nr; i++)
		if (!evict(repack, slot[i], depth + 1) || !leave(repack, slot[i], place, units))
			return false;
	return true;
}

/* What it @has in that window stays. */
static bool try(struct ckpt_repack *repack, s64 place, u32 units, u32 has)
{
	u32 nr_moves = repack->nr_moves;

	repack->nr_undo = 0;
	repack->looks = repack->looks_left < LOOKS ? repack->looks_left : LOOKS;
	if (fix(repack, place, has) && settle(repack, place, units & ~has, 0))
		return true;
	undo(repack, 0, nr_moves);
	return false;
}

bool ckpt_repack_plan(struct ckpt_repack *repack, const struct ckpt_want *want)
{
	struct candidate c[BEST];
	u32 nr, i;

	for (i = 0; i < 2; i++) {
		s64 place = place_of(repack, want->home[i]);

		if (want->home[i] && is_inside(repack, place, want->units | want->has[i]) &&
		    try(repack, place, want->units, want->has[i]))
			return true;
	}
	nr = find(repack, want->units, c, BEST);
	for (i = 0; i < nr; i++)
		if (try(repack, c[i].place, want->units, 0))
			return true;
	return false;
}
