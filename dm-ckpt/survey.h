/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is in a stretch of the store, and where the least is in the way of a merged slot.
 *
 * What moves elsewhere most easily is what has few blocks: where the free units of a store lie
 * singly, each block more needs its own place free, by the same step, so the chance falls as a
 * power.  One slot of many blocks in the way is worse than many slots of one.  Pure functions, any
 * context.
 */
#ifndef CKPT_SURVEY_H
#define CKPT_SURVEY_H

#include "geometry.h"

#define CKPT_SURVEY_UNITS 8192u

/* What a unit holds: nothing, a block of a slot that has so many, or what has to stay. */
#define CKPT_SURVEY_FREE  0u
#define CKPT_SURVEY_FIXED 255u

struct ckpt_survey {
	u64 first;			/* unit */
	u32 nr;
	u8 holds[CKPT_SURVEY_UNITS];
};

/* Units [@first, @first + @nr), of which nothing is known: all has to stay. */
void ckpt_survey_begin(struct ckpt_survey *survey, u64 first, u32 nr);

/* These hold that; those outside of the stretch are left out. */
void ckpt_survey_note(struct ckpt_survey *survey, u64 unit, u32 nr, u8 holds);
/* The same for the places of blocks @units of a window; a mask as ckpt_unit_mask() makes them. */
void ckpt_survey_note_mask(struct ckpt_survey *survey, const struct ckpt_geometry *g, u64 where,
			   u32 units, u8 holds);

/*
 * The best window for such blocks: *@where, in sectors.  It is taken then: what is looked for next
 * gets another one.  False when there is something that has to stay wherever it might be.
 */
bool ckpt_survey_place(struct ckpt_survey *survey, const struct ckpt_geometry *g, u32 units,
		       u64 *where);

#endif
