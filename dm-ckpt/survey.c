// SPDX-License-Identifier: GPL-2.0-only
#include <linux/string.h>

#include "survey.h"

/* A block more has an eighth of the chance.  From so many blocks on, all are alike. */
#define STEP_SHIFT	3
#define MANY		16u
#define NO_COST		(~0ull)

void ckpt_survey_begin(struct ckpt_survey *survey, u64 first, u32 nr)
{
	survey->first = first;
	survey->nr = nr < CKPT_SURVEY_UNITS ? nr : CKPT_SURVEY_UNITS;
	memset(survey->holds, CKPT_SURVEY_FIXED, sizeof(survey->holds));
}

void ckpt_survey_note(struct ckpt_survey *survey, u64 unit, u32 nr, u8 holds)
{
	for (; nr; nr--, unit++)
		if (unit >= survey->first && unit < survey->first + survey->nr)
			survey->holds[unit - survey->first] = holds;
}

void ckpt_survey_note_mask(struct ckpt_survey *survey, const struct ckpt_geometry *g, u64 where,
			   u32 units, u8 holds)
{
	u32 shift = ckpt_unit_mask_shift(g);

	while (units) {
		u32 first = (u32)__builtin_ctz(units), nr = ckpt_run(units, first);

		ckpt_survey_note(survey, (where + ((u64)first << shift)) >> CKPT_UNIT_SHIFT,
				 nr << (shift - CKPT_UNIT_SHIFT), holds);
		units &= ~ckpt_mask(first, nr);
	}
}

static u64 cost_of(u8 holds)
{
	if (holds == CKPT_SURVEY_FIXED)
		return NO_COST;
	return holds ? 1ull << STEP_SHIFT * (holds < MANY ? holds : MANY) : 0;
}

/* NO_COST also when it is @most or more. */
static u64 cost_at(const struct ckpt_survey *survey, u32 place, u32 mask, u32 each, u64 most)
{
	u64 sum = 0;
	u32 i;

	for (; mask; mask &= mask - 1) {
		const u8 *holds = &survey->holds[place + (u32)__builtin_ctz(mask) * each];

		for (i = 0; i < each; i++) {
			u64 cost = cost_of(holds[i]);

			if (cost >= most - sum)
				return NO_COST;
			sum += cost;
		}
	}
	return sum;
}

bool ckpt_survey_place(struct ckpt_survey *survey, const struct ckpt_geometry *g, u32 units,
		       u64 *where)
{
	u32 shift = ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT, each = 1u << shift;
	u32 skip = (u32)__builtin_ctz(units), mask = units >> skip, place;
	u32 span = (32 - (u32)__builtin_clz(mask)) * each;
	u64 least = NO_COST;

	for (place = 0; least && place + span <= survey->nr; place++) {
		u64 cost = cost_at(survey, place, mask, each, least);

		if (cost == NO_COST)
			continue;
		least = cost;
		*where = (survey->first + place - ((u64)skip << shift)) << CKPT_UNIT_SHIFT;
	}
	if (least != NO_COST)
		ckpt_survey_note_mask(survey, g, *where, units, CKPT_SURVEY_FIXED);
	return least != NO_COST;
}
