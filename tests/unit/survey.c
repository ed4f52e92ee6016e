// SPDX-License-Identifier: GPL-2.0-only
/* The window where the least is in the way, against a look at each by the rule's words. */
#include "survey.h"
#include "test.h"

static struct ckpt_survey *survey;

static int set_up(void **state)
{
	(void)state;
	survey = malloc(sizeof(*survey));
	return !survey;
}

static int tear_down(void **state)
{
	(void)state;
	free(survey);
	return 0;
}

/* Units of a stretch, most of them of a few kinds, so that there are many ties. */
static void random_stretch(void)
{
	u32 nr = (u32)below(3) ? 64 + (u32)below(600) : CKPT_SURVEY_UNITS, i, run, fixed;
	u64 first = 100 + below(1ull << 40);

	fixed = 1u << below(12);
	ckpt_survey_begin(survey, first, nr);
	for (i = 0; i < nr; i += run) {
		run = 1 + (u32)below(once_in(4) ? 40 : 3);
		if (once_in(fixed))
			continue;
		ckpt_survey_note(survey, first + i, run,
				 once_in(3) ? CKPT_SURVEY_FREE : (u8)below(33));
	}
}

/* What it costs to have that unit; a double is exact up to 2^53. */
static double cost(u8 holds)
{
	double sum = 1;
	unsigned int i;

	for (i = 0; i < holds && i < 16; i++)
		sum *= 8;
	return holds ? sum : 0;
}

/* The sum for a window that begins @offset units before or behind the stretch, or -1. */
static double cost_of_window(const struct ckpt_geometry *g, int64_t offset, u32 blocks)
{
	u32 window = ckpt_cluster_units(g), i, block;
	double sum = 0;

	for (i = 0; i < window; i++) {
		bool wanted = false;

		for (block = 0; block < CKPT_CLUSTER_BLOCKS; block++) {
			u32 from = (block << g->block_shift) >> CKPT_UNIT_SHIFT;
			u32 to = (((block + 1) << g->block_shift) - 1) >> CKPT_UNIT_SHIFT;

			wanted |= blocks >> block & 1 && from <= i && i <= to;
		}
		if (!wanted)
			continue;
		if (offset + i < 0 || offset + i >= survey->nr ||
		    survey->holds[offset + i] == CKPT_SURVEY_FIXED)
			return -1;
		sum += cost(survey->holds[offset + i]);
	}
	return sum;
}

static void the_cheapest(void **state)
{
	unsigned int round, none = 0;

	(void)state;
	for (round = 0; round < 1500; round++) {
		struct ckpt_geometry g = geometry((unsigned int)below(BLOCK_SHIFTS));
		u32 blocks = once_in(3) ? 1u << below(32) : (u32)random64() | 1;
		double least = -1, found;
		u64 where = 0;
		int64_t offset;
		bool any;

		if (once_in(4))
			blocks = ~0u;
		random_stretch();
		/* All of a long stretch would take long. */
		if (survey->nr == CKPT_SURVEY_UNITS && !once_in(50))
			survey->nr = 200;
		for (offset = -(int64_t)ckpt_cluster_units(&g); offset < survey->nr; offset++) {
			found = cost_of_window(&g, offset, blocks);
			if (found >= 0 && (least < 0 || found < least))
				least = found;
		}
		any = ckpt_survey_place(survey, &g, ckpt_unit_mask(&g, blocks), &where);
		assert_int_equal(any, least >= 0);
		none += !any;
		if (!any)
			continue;
		assert_int_equal(where % CKPT_NODE_SECTORS, 0);
		offset = (int64_t)(where >> CKPT_UNIT_SHIFT) - (int64_t)survey->first;
		/* It is taken now, all of it, and nothing else. */
		assert_true(cost_of_window(&g, offset, blocks) < 0);
		found = 0;
		ckpt_survey_note_mask(survey, &g, where, ckpt_unit_mask(&g, blocks),
				      CKPT_SURVEY_FREE);
		assert_true(cost_of_window(&g, offset, blocks) == 0);
	}
	assert_true(none > 10 && none < 1400);
}

static void one_of_many_is_worse_than_many_of_one(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);
	u64 where;

	(void)state;
	ckpt_survey_begin(survey, 1000, 64);
	ckpt_survey_note(survey, 1000, 64, 1);
	ckpt_survey_note(survey, 1000, 31, CKPT_SURVEY_FREE);
	ckpt_survey_note(survey, 1031, 1, 4);
	assert_true(ckpt_survey_place(survey, &g, ~0u, &where));
	assert_int_equal(where >> CKPT_UNIT_SHIFT, 1032);
}

/* What is noted of units about the stretch must not be written anywhere. */
static void beyond_the_ends(void **state)
{
	struct ckpt_geometry g = geometry(7);
	u32 i;

	(void)state;
	ckpt_survey_begin(survey, 1ull << 32, CKPT_SURVEY_UNITS + 1);
	assert_int_equal(survey->nr, CKPT_SURVEY_UNITS);
	ckpt_survey_note_mask(survey, &g, ((1ull << 32) - 500) << CKPT_UNIT_SHIFT, ~0u, 7);
	ckpt_survey_note_mask(survey, &g, ((1ull << 32) + CKPT_SURVEY_UNITS - 12) << CKPT_UNIT_SHIFT,
			      ~0u, 7);
	for (i = 0; i < CKPT_SURVEY_UNITS; i++)
		assert_int_equal(survey->holds[i], i < 12 || i >= CKPT_SURVEY_UNITS - 12 ? 7 :
				 CKPT_SURVEY_FIXED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_cheapest, set_up, tear_down),
	cmocka_unit_test_setup_teardown(one_of_many_is_worse_than_many_of_one, set_up, tear_down),
	cmocka_unit_test_setup_teardown(beyond_the_ends, set_up, tear_down),
};

RUN("survey", tests)
