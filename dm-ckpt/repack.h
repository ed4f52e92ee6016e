/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is in a stretch of the store, and who goes where so that a slot has room.
 *
 * Where what is free lies in single units, there is hardly a window in which all places of a slot
 * are free.  Who is in the way may fit elsewhere, or would if somebody else went: a chain of
 * evictions, as in cuckoo hashing, but with several who go for each one that comes.  It is looked
 * for depth first, from the windows on where it is likely to be short, and not for long.  Pure
 * functions; a plan lets others run, all else is for any context.
 */
#ifndef CKPT_REPACK_H
#define CKPT_REPACK_H

#include "geometry.h"

#define CKPT_REPACK_UNITS 8192u
#define CKPT_REPACK_MOVES 256u
/* Units that a plan may change until it is complete. */
#define CKPT_REPACK_UNDO  8192u

/* What a unit holds: nothing, what has to stay, or the slot of that number. */
#define CKPT_REPACK_FREE  0xffffu
#define CKPT_REPACK_FIXED 0xfffeu

struct ckpt_repack {
	u64 first;			/* unit */
	u32 nr;				/* units */
	u32 each;			/* units that a bit of a mask stands for */
	u32 random;
	u32 looks;			/* that may still be taken at the stretch for this window */
	u32 looks_left;			/* and for all plans */
	u32 nr_slots, nr_moves, nr_undo;
	u16 holds[CKPT_REPACK_UNITS];
	struct ckpt_repack_slot {
		s64 place;		/* of its window, in units of the stretch */
		u32 units;		/* that it has; masks as ckpt_unit_mask() makes them */
		u32 needs;		/* and where it goes */
	} slot[CKPT_REPACK_UNITS];
	struct ckpt_repack_move {
		u16 slot;
		s64 place;
	} move[CKPT_REPACK_MOVES];
	struct ckpt_repack_undo {
		u16 unit, holds;
	} undo[CKPT_REPACK_UNDO];
};

/* What room is wanted for. */
struct ckpt_want {
	u32 units;			/* as ckpt_unit_mask() makes them */
	/* Windows, in sectors, in which it has some of its places; 0: none. */
	u64 home[2];
	u32 has[2];
};

/*
 * Units [@first, @first + @nr), of which nothing is known: all has to stay.  Plans that are made
 * with another @random are others.
 */
void ckpt_repack_begin(struct ckpt_repack *repack, const struct ckpt_geometry *g, u64 first, u32 nr,
		       u32 random);

/* These are free; those outside of the stretch are left out. */
void ckpt_repack_note_free(struct ckpt_repack *repack, u64 unit, u32 nr);

/*
 * A slot is in these units of a window, of which it @needs some when it goes elsewhere.  Its
 * number; -1: it has some outside of the stretch.
 */
int ckpt_repack_note_slot(struct ckpt_repack *repack, u64 where, u32 units, u32 needs);

/*
 * Add moves that make room for it, in one of its windows or else in another one; false, and there
 * are none, when nothing was found.  Each place is somebody's new one only once, so moves may be
 * done in any order in which the places are free, those that others have left too.
 */
bool ckpt_repack_plan(struct ckpt_repack *repack, const struct ckpt_want *want);

/* Where a move goes from, and to, in sectors. */
static inline u64 ckpt_repack_from(const struct ckpt_repack *repack,
				   const struct ckpt_repack_move *move)
{
	return (repack->first + (u64)repack->slot[move->slot].place) << CKPT_UNIT_SHIFT;
}

static inline u64 ckpt_repack_where(const struct ckpt_repack *repack,
				    const struct ckpt_repack_move *move)
{
	return (repack->first + (u64)move->place) << CKPT_UNIT_SHIFT;
}

#endif
