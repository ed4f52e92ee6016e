/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is in a stretch of the store, and who goes where so that what is free stands together.
 *
 * Where what is free lies in single units, there is no row for a slot, not even for a packed one.
 * So a row is cleared, where those who are in it are so small that they fit elsewhere.  Where there
 * is none, slots are packed behind each other, as by a compacting garbage collector: from a gap on,
 * the next slot behind it goes to its front, which leaves the gap a little further on, and longer
 * by what was free in between.  While the gap is as long as a window and what the slots at its end
 * reach over that, each finds room in it, and is clear of its old place.  What cannot move is left
 * where it is, and then there are two gaps, of which each takes what fits.  Pure functions; a plan
 * lets others run, all else is for any context.
 */
#ifndef CKPT_REPACK_H
#define CKPT_REPACK_H

#include "geometry.h"

#define CKPT_REPACK_UNITS 8192u
#define CKPT_REPACK_MOVES 2048u
/* Gaps that are elsewhere, and units of one. */
#define CKPT_REPACK_GAPS  4u
#define CKPT_REPACK_GAP   512u
/* Behind the stretch stand the gaps, each with something between that has to stay. */
#define CKPT_REPACK_HOLDS (CKPT_REPACK_UNITS + CKPT_REPACK_GAPS * (CKPT_REPACK_GAP + 1))

/* What a unit holds: nothing, what has to stay, or the slot of that number. */
#define CKPT_REPACK_FREE  0xffffu
#define CKPT_REPACK_FIXED 0xfffeu

struct ckpt_repack {
	u64 first;			/* unit */
	u32 nr;				/* units */
	u32 each;			/* units that a bit of a mask stands for */
	u32 nr_slots, nr_moves, nr_gaps;
	u64 gap[CKPT_REPACK_GAPS];	/* first units */
	u16 holds[CKPT_REPACK_HOLDS];
	struct ckpt_repack_slot {
		s64 place;		/* where it begins, in units of the stretch */
		u32 units;		/* that it has, as ckpt_unit_mask() makes them */
		u32 needs;		/* units in a row where it goes to */
		bool moved;
	} slot[CKPT_REPACK_UNITS];
	struct ckpt_repack_move {
		u16 slot;
		u16 to;			/* number of the unit, see ckpt_repack_unit() */
	} move[CKPT_REPACK_MOVES];
};

/* Units [@first, @first + @nr), of which nothing is known: all has to stay. */
void ckpt_repack_begin(struct ckpt_repack *repack, const struct ckpt_geometry *g, u64 first,
		       u32 nr);

/* These are free; those outside of the stretch are left out. */
void ckpt_repack_note_free(struct ckpt_repack *repack, u64 unit, u32 nr);

/* These are the planner's, wherever they are, CKPT_REPACK_GAP at the most; its number. */
unsigned int ckpt_repack_note_gap(struct ckpt_repack *repack, u64 unit, u32 nr);

/*
 * A slot is in these units from @where on, and when it goes elsewhere @needs so many blocks or
 * units in a row.  Its number; -1: it has some outside of the stretch.
 */
int ckpt_repack_note_slot(struct ckpt_repack *repack, u64 where, u32 units, u32 needs);

/* Units of the stretch that are free, but in rows shorter than a window. */
u32 ckpt_repack_holes(const struct ckpt_repack *repack);

/*
 * Plan moves after which @wanted units of the stretch stand in rows of at least @least.  How many
 * there are in the longest row then, which may be less.  Each place is somebody's new one only
 * once, so the moves may be done in any order in which the places are free, those that others have
 * left too.
 */
u32 ckpt_repack_plan(struct ckpt_repack *repack, u32 least, u32 wanted);

/* Which unit of the store has that number; @gap: and of which gap it is, or -1. */
u64 ckpt_repack_unit(const struct ckpt_repack *repack, u32 number, int *gap);

#endif
