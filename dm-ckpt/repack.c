// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched.h>
#include <linux/string.h>

#include "repack.h"

/* Places that a sweep begins at, when the longest row is none to begin from. */
#define SWEEPS	4u
/* Rows of one length that are tried to be cleared, the cheapest. */
#define BEST	8u
/* From so many units on, all slots are alike. */
#define MANY	16u
#define NO_COST	(~0u)
/* A row that any slot fits in, in bits of a mask. */
#define WINDOW	CKPT_CLUSTER_BLOCKS

void ckpt_repack_begin(struct ckpt_repack *repack, const struct ckpt_geometry *g, u64 first,
		       u32 nr)
{
	u32 i;

	repack->first = first;
	repack->nr = nr < CKPT_REPACK_UNITS ? nr : CKPT_REPACK_UNITS;
	repack->each = 1u << (ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT);
	repack->nr_slots = 0;
	repack->nr_moves = 0;
	repack->nr_gaps = 0;
	for (i = 0; i < CKPT_REPACK_HOLDS; i++)
		repack->holds[i] = CKPT_REPACK_FIXED;
}

void ckpt_repack_note_free(struct ckpt_repack *repack, u64 unit, u32 nr)
{
	for (; nr; nr--, unit++)
		if (unit >= repack->first && unit < repack->first + repack->nr)
			repack->holds[unit - repack->first] = CKPT_REPACK_FREE;
}

static u32 gap_start(unsigned int gap)
{
	return CKPT_REPACK_UNITS + gap * (CKPT_REPACK_GAP + 1) + 1;
}

unsigned int ckpt_repack_note_gap(struct ckpt_repack *repack, u64 unit, u32 nr)
{
	unsigned int gap = repack->nr_gaps++;
	u32 i;

	repack->gap[gap] = unit;
	for (i = 0; i < nr; i++)
		repack->holds[gap_start(gap) + i] = CKPT_REPACK_FREE;
	return gap;
}

u64 ckpt_repack_unit(const struct ckpt_repack *repack, u32 number, int *gap)
{
	*gap = -1;
	if (number < CKPT_REPACK_UNITS)
		return repack->first + number;
	*gap = (int)((number - CKPT_REPACK_UNITS) / (CKPT_REPACK_GAP + 1));
	return repack->gap[*gap] + (number - gap_start((unsigned int)*gap));
}

/* ---- slots ---- */

static void fill(struct ckpt_repack *repack, s64 from, u32 nr, u32 holds)
{
	for (; nr; nr--, from++)
		repack->holds[from] = (u16)holds;
}

/* The units that a mask stands for, all of which are inside. */
static void set_units(struct ckpt_repack *repack, s64 place, u32 units, u32 holds)
{
	for (; units; units &= units - 1)
		fill(repack, place + (s64)__builtin_ctz(units) * repack->each, repack->each, holds);
}

static bool is_inside(const struct ckpt_repack *repack, s64 place, u32 units)
{
	return place + (s64)__builtin_ctz(units) * repack->each >= 0 &&
	       place + (32 - (s64)__builtin_clz(units)) * repack->each <= repack->nr;
}

int ckpt_repack_note_slot(struct ckpt_repack *repack, u64 where, u32 units, u32 needs)
{
	s64 place = (s64)(where >> CKPT_UNIT_SHIFT) - (s64)repack->first;
	struct ckpt_repack_slot *slot;

	if (!is_inside(repack, place, units) || repack->nr_slots == CKPT_REPACK_UNITS)
		return -1;
	set_units(repack, place, units, repack->nr_slots);
	slot = &repack->slot[repack->nr_slots];
	slot->place = place;
	slot->units = units;
	slot->needs = needs * repack->each;
	slot->moved = false;
	return (int)repack->nr_slots++;
}

/* ---- rows ---- */

struct row {
	u32 from, nr;
};

/* The next row of free units in [@from, @end); nr is 0 when there is none. */
static struct row next_row(const struct ckpt_repack *repack, u32 from, u32 end)
{
	struct row row = {};

	while (from < end && repack->holds[from] != CKPT_REPACK_FREE)
		from++;
	row.from = from;
	while (from < end && repack->holds[from] == CKPT_REPACK_FREE)
		from++;
	row.nr = from - row.from;
	return row;
}

static struct row longest_row(const struct ckpt_repack *repack, u32 from, u32 end)
{
	struct row best = { .from = from }, row;

	while ((row = next_row(repack, from, end)).nr) {
		if (row.nr > best.nr)
			best = row;
		from = row.from + row.nr;
	}
	return best;
}

/* The shortest one that is long enough, the first of those; nr is 0 when there is none. */
static struct row fitting_row(const struct ckpt_repack *repack, u32 from, u32 end, u32 needs)
{
	struct row best = {}, row;

	while ((row = next_row(repack, from, end)).nr) {
		if (row.nr >= needs && (!best.nr || row.nr < best.nr))
			best = row;
		if (best.nr == needs)
			break;
		from = row.from + row.nr;
	}
	return best;
}

u32 ckpt_repack_holes(const struct ckpt_repack *repack)
{
	u32 from = 0, holes = 0;
	struct row row;

	while ((row = next_row(repack, from, repack->nr)).nr) {
		if (row.nr < WINDOW * repack->each)
			holes += row.nr;
		from = row.from + row.nr;
	}
	return holes;
}

/* ---- the plan ---- */

static void add_move(struct ckpt_repack *repack, u32 number, u32 to)
{
	struct ckpt_repack_slot *slot = &repack->slot[number];

	set_units(repack, slot->place, slot->units, CKPT_REPACK_FREE);
	fill(repack, to, slot->needs, number);
	slot->moved = true;
	repack->move[repack->nr_moves].slot = (u16)number;
	repack->move[repack->nr_moves++].to = (u16)to;
}

/* Back to so many moves. */
static void undo(struct ckpt_repack *repack, u32 nr_moves)
{
	while (repack->nr_moves > nr_moves) {
		const struct ckpt_repack_move *move = &repack->move[--repack->nr_moves];
		struct ckpt_repack_slot *slot = &repack->slot[move->slot];

		fill(repack, move->to, slot->needs, CKPT_REPACK_FREE);
		set_units(repack, slot->place, slot->units, move->slot);
		slot->moved = false;
	}
}

/* The slot at the front goes to a place behind it, or to a gap that is elsewhere, if it can. */
static bool pack_slot(struct ckpt_repack *repack, u32 number, u32 from, u32 front)
{
	u32 needs = repack->slot[number].needs;
	struct row row = fitting_row(repack, from, front, needs);

	if (!row.nr)
		row = fitting_row(repack, CKPT_REPACK_UNITS, CKPT_REPACK_HOLDS, needs);
	if (row.nr)
		add_move(repack, number, row.from);
	return row.nr;
}

/*
 * Pack what is behind @from, until there is such a row.  What has to stay may end a gap that was
 * longer before: so as far as it was the longest.
 */
static u32 sweep(struct ckpt_repack *repack, u32 from, u32 best, u32 wanted)
{
	u32 front, nr_moves = repack->nr_moves;

	for (front = from; front < repack->nr && best < wanted; front++) {
		u32 number = repack->holds[front], row;

		if (repack->nr_moves == CKPT_REPACK_MOVES)
			break;
		if (number >= repack->nr_slots || repack->slot[number].moved)
			continue;
		/* A look goes through some thousand units. */
		cond_resched();
		if (!pack_slot(repack, number, from, front))
			continue;
		row = longest_row(repack, from, repack->nr).nr;
		if (row > best) {
			best = row;
			nr_moves = repack->nr_moves;
		}
	}
	undo(repack, nr_moves);
	return best;
}

/* ---- clearing a row ---- */

/* A row of units, and how hard it is to clear it. */
struct candidate {
	u32 from, cost;
};

/*
 * Each unit more that a slot needs in a row makes it less likely that there is one.  NO_COST: the
 * row has something that has to stay, or nothing to gain.
 */
static u32 cost_of(const struct ckpt_repack *repack, u32 from, u32 nr, u32 most)
{
	u32 cost = 0, last = CKPT_REPACK_FREE, unit;

	for (unit = from; unit < from + nr && cost < most; unit++) {
		u32 holds = repack->holds[unit], needs;

		if (holds == CKPT_REPACK_FREE || holds == last)
			continue;
		if (holds >= repack->nr_slots || repack->slot[holds].moved)
			return NO_COST;
		/* Blocks of one slot mostly stand together. */
		needs = repack->slot[holds].needs / repack->each;
		cost += 1u << (needs < MANY ? needs : MANY);
		last = holds;
	}
	return cost ? cost : NO_COST;
}

/* The cheapest first; how many. */
static u32 find_candidates(const struct ckpt_repack *repack, u32 nr, struct candidate *c)
{
	u32 step = nr / 4 ? nr / 4 : 1, found = 0, from, i;

	for (from = 0; from + nr <= repack->nr; from += step) {
		u32 cost = cost_of(repack, from, nr, found == BEST ? c[BEST - 1].cost : NO_COST);

		if (cost == NO_COST || (found == BEST && cost >= c[BEST - 1].cost))
			continue;
		for (i = found < BEST ? found++ : BEST - 1; i && c[i - 1].cost > cost; i--)
			c[i] = c[i - 1];
		c[i].from = from;
		c[i].cost = cost;
	}
	return found;
}

/* The largest slot that is in the row still, which finds room least; CKPT_REPACK_FREE: none. */
static u32 largest_in(const struct ckpt_repack *repack, u32 from, u32 nr)
{
	u32 best = CKPT_REPACK_FREE, unit;

	for (unit = from; unit < from + nr; unit++) {
		u32 holds = repack->holds[unit];

		if (holds < repack->nr_slots &&
		    (best == CKPT_REPACK_FREE ||
		     repack->slot[holds].needs > repack->slot[best].needs))
			best = holds;
	}
	return best;
}

/* All who are in the row go elsewhere, but to no gap, a row itself; else nothing changes. */
static bool clear_row(struct ckpt_repack *repack, u32 from, u32 nr)
{
	u32 nr_moves = repack->nr_moves, number;

	while ((number = largest_in(repack, from, nr)) != CKPT_REPACK_FREE) {
		u32 needs = repack->slot[number].needs;
		struct row row = fitting_row(repack, 0, from, needs);

		/* A look goes through some thousand units. */
		cond_resched();
		if (!row.nr)
			row = fitting_row(repack, from + nr, repack->nr, needs);
		if (!row.nr || repack->nr_moves == CKPT_REPACK_MOVES) {
			undo(repack, nr_moves);
			return false;
		}
		add_move(repack, number, row.from);
	}
	/* For nobody who is moved for another row. */
	fill(repack, from, nr, CKPT_REPACK_FIXED);
	return true;
}

/* As many rows as it takes, of so many units each; how many units there are now. */
static u32 clear_rows(struct ckpt_repack *repack, u32 nr, u32 wanted)
{
	struct candidate c[BEST];
	u32 got = 0, found, i;

	do {
		found = find_candidates(repack, nr, c);
		for (i = 0; i < found && !clear_row(repack, c[i].from, nr); i++)
			;
		if (i < found)
			got += nr;
	} while (i < found && got < wanted);
	return got;
}

u32 ckpt_repack_plan(struct ckpt_repack *repack, u32 least, u32 wanted)
{
	struct row gap = longest_row(repack, 0, repack->nr);
	u32 window = WINDOW * repack->each, cleared, best, i;

	if (gap.nr >= wanted)
		return gap.nr;
	/* In a whole window there is room for any slot, and for a next sweep. */
	best = least < window ? clear_rows(repack, window, wanted) : 0;
	if (best)
		return window;
	cleared = clear_rows(repack, least, wanted);
	if (cleared && (least < window || cleared >= wanted))
		return least;
	/* Where there are not as many windows as that, slots are in most of them. */
	gap = longest_row(repack, 0, repack->nr);
	best = sweep(repack, gap.from, gap.nr, wanted);
	/* Or wherever it may be better. */
	for (i = 0; i < SWEEPS && best < wanted; i++)
		best = sweep(repack, i * repack->nr / SWEEPS, best, wanted);
	best = longest_row(repack, 0, repack->nr).nr;
	return cleared && best < least ? least : best;
}
