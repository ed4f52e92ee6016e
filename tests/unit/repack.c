// SPDX-License-Identifier: GPL-2.0-only
/* Plans for room, carried out on a map of their own. */
#include "repack.h"
#include "test.h"

/* Of a stretch; what stands beyond its end is seen in the map. */
#define UNITS	1024u
#define MARGIN	512u
/* Where the gaps are, which are elsewhere, in units from the stretch on. */
#define GAPS	(UNITS + 2 * MARGIN)
#define APART	600u
#define FREE	0xffffu
#define FIXED	0xfffeu

static struct ckpt_repack *repack;
/* Who has which unit, without a look at what the plan thinks; slots by number. */
static u16 map[GAPS + CKPT_REPACK_GAPS * APART + MARGIN];
static u64 first;

static int set_up(void **state)
{
	(void)state;
	repack = malloc(sizeof(*repack));
	return !repack;
}

static int tear_down(void **state)
{
	(void)state;
	free(repack);
	return 0;
}

static u16 *unit_at(s64 unit)
{
	return &map[MARGIN + unit];
}

/* Units [@from, @from + @nr), counted from the stretch's first one. */
static bool all_are(s64 from, u32 nr, u16 what)
{
	while (nr--)
		if (*unit_at(from++) != what)
			return false;
	return true;
}

static void set_all(s64 from, u32 nr, u16 what)
{
	while (nr--)
		*unit_at(from++) = what;
}

/* The same for those that a mask stands for. */
static bool mask_is(s64 from, u32 units, u16 what)
{
	for (; units; units &= units - 1)
		if (!all_are(from + __builtin_ctz(units) * repack->each, repack->each, what))
			return false;
	return true;
}

static void set_mask(s64 from, u32 units, u16 what)
{
	for (; units; units &= units - 1)
		set_all(from + __builtin_ctz(units) * repack->each, repack->each, what);
}

static void begin(const struct ckpt_geometry *g, unsigned int gaps)
{
	unsigned int i;

	first = 4096 + below(1ull << 40);
	ckpt_repack_begin(repack, g, first, UNITS);
	ckpt_repack_note_free(repack, first - 9, UNITS + 18);
	set_all(-(s64)MARGIN, sizeof(map) / sizeof(map[0]), FIXED);
	set_all(0, UNITS, FREE);
	for (i = 0; i < gaps; i++) {
		u32 whole = ckpt_cluster_units(g);

		assert_int_equal(ckpt_repack_note_gap(repack, first + GAPS + i * APART, whole), i);
		set_all(GAPS + i * APART, whole, FREE);
	}
}

/* Something that has to stay. */
static void fix(u32 unit)
{
	if (*unit_at(unit) != FREE)
		return;
	*unit_at(unit) = FIXED;
	repack->holds[unit] = CKPT_REPACK_FIXED;
}

/* A slot that has room there, and needs as many units as it has, or fewer. */
static void add(s64 from, u32 units, u32 needs)
{
	int number;

	if (!mask_is(from, units, FREE))
		return;
	number = ckpt_repack_note_slot(repack, (u64)((s64)first + from) << CKPT_UNIT_SHIFT, units,
				       needs);
	assert_true(number >= 0);
	set_mask(from, units, (u16)number);
}

static u32 random_units(const struct ckpt_geometry *g, unsigned int thin)
{
	u32 mask = 0;

	while (!mask)
		for (mask = (u32)random64(); thin && mask & (mask - 1); thin--)
			mask &= (u32)random64() | mask >> 1;
	return ckpt_unit_mask(g, mask);
}

static void fill(const struct ckpt_geometry *g, unsigned int tries, unsigned int fixed)
{
	u32 span = ckpt_cluster_units(g);

	while (fixed--)
		fix((u32)below(UNITS));
	while (tries--) {
		u32 units = random_units(g, (unsigned int)below(4)), needs = hweight32(units);

		if (once_in(4))
			needs = 1 + (u32)below(needs);
		add((s64)below(UNITS + span) - span / 2, units, needs);
	}
}

static u32 longest(void)
{
	u32 best = 0, nr = 0, i;

	for (i = 0; i < UNITS; i++) {
		nr = *unit_at(i) == FREE ? nr + 1 : 0;
		if (nr > best)
			best = nr;
	}
	return best;
}

/* In passes, each move as soon as its place is free; all must come to their end. */
static void carry_out(void)
{
	unsigned int left = repack->nr_moves, i;
	bool done[CKPT_REPACK_MOVES] = { false }, any = true;

	while (any) {
		any = false;
		for (i = 0; i < repack->nr_moves; i++) {
			const struct ckpt_repack_move *move = &repack->move[i];
			const struct ckpt_repack_slot *slot = &repack->slot[move->slot];
			int gap;
			s64 to = (s64)(ckpt_repack_unit(repack, move->to, &gap) - first);

			if (done[i] || !all_are(to, slot->needs, FREE))
				continue;
			assert_true(gap == (to < (s64)UNITS ? -1 : (to - (s64)GAPS) / (s64)APART));
			assert_true(mask_is(slot->place, slot->units, move->slot));
			set_all(to, slot->needs, move->slot);
			set_mask(slot->place, slot->units, FREE);
			done[i] = any = true;
			left--;
		}
	}
	assert_int_equal(left, 0);
}

/* What is promised is there; and it is no less than what was there before. */
static void it_stands_together(void **state)
{
	unsigned int round, more = 0, moves = 0;

	(void)state;
	for (round = 0; round < 1500; round++) {
		struct ckpt_geometry g = geometry((unsigned int)below(BLOCK_SHIFTS));
		u32 wanted = 1 + (u32)below(3 * ckpt_cluster_units(&g)), was, is;
		u32 least = 1 + (u32)below(wanted);

		begin(&g, (unsigned int)below(CKPT_REPACK_GAPS + 1));
		fill(&g, 200 + (unsigned int)below(2000), (unsigned int)below(3) * 10);
		was = longest();
		is = ckpt_repack_plan(repack, least, wanted);
		moves += repack->nr_moves;
		carry_out();
		assert_true(longest() >= is);
		assert_true(is >= was || is >= least);
		if (was >= wanted)
			assert_int_equal(repack->nr_moves, 0);
		more += is > was;
	}
	assert_true(more > 300);
	assert_true(moves > 3000);
}

/*
 * From a gap of two windows on, all that is free comes to stand together where nothing has to stay,
 * however little that is: a window, and what slots at the front reach over it, is never too short.
 */
static void nothing_is_in_the_way(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 300; round++) {
		u32 free = 0, gap = 2 * ckpt_cluster_units(&g), wanted;

		begin(&g, 0);
		/* The gap is held by somebody while the rest is filled to the brim. */
		set_all(0, gap, FIXED);
		fill(&g, 3000, 0);
		for (i = gap; i < UNITS; i++)
			if (*unit_at(i) == FREE && !once_in(8))
				add(i, 1, 1);
		set_all(0, gap, FREE);
		for (i = 0; i < UNITS; i++)
			free += *unit_at(i) == FREE;
		wanted = gap + (u32)below(free - gap + 1);
		/* Slots that reach beyond the end may be left; and a plan has only so many moves. */
		if (ckpt_repack_plan(repack, wanted, wanted) < wanted)
			assert_true(repack->nr_moves == CKPT_REPACK_MOVES ||
				    wanted > free - ckpt_cluster_units(&g));
		carry_out();
	}
}

/* Slots of which each fills most of a window: what is left between them makes whole ones. */
static void holes(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);
	u32 window = ckpt_cluster_units(&g), i, n = UNITS / window, wanted;

	(void)state;
	begin(&g, 1);
	for (i = 0; i < n; i++)
		add(i * window, 0x3ffffff, 26);
	assert_int_equal(ckpt_repack_holes(repack), n * 6);
	wanted = n * 6 / window * window;
	assert_true(ckpt_repack_plan(repack, window, wanted) >= wanted);
	carry_out();
	assert_true(longest() >= wanted);

	/* One that is easy to clear does not keep others from being made. */
	begin(&g, 1);
	add(5, 1, 1);
	for (i = 1; i < n; i++)
		add(i * window, 0x3ffffff, 26);
	assert_int_equal(ckpt_repack_holes(repack), n * 6 + 25);
	assert_true(ckpt_repack_plan(repack, window, wanted) >= wanted - window);
	carry_out();
	assert_true(longest() >= wanted - window);

	/* Rows as long as a window are none. */
	begin(&g, 0);
	assert_int_equal(ckpt_repack_holes(repack), 0);
	add(window, 1, 1);
	assert_int_equal(ckpt_repack_holes(repack), 0);
	add(window + 8, 1, 1);
	assert_int_equal(ckpt_repack_holes(repack), 7);
}

/* What has to stay splits a gap, and the next slot may be too long for what is on either side. */
static void two_gaps(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);

	(void)state;
	begin(&g, 0);
	set_all(0, UNITS, FIXED);
	ckpt_repack_begin(repack, &g, first, UNITS);
	ckpt_repack_note_free(repack, first, 20);
	set_all(0, 20, FREE);
	/* Units 0 to 3, something fixed, 5 and 6; a slot of two, one of three, and single ones. */
	fix(4);
	add(7, 3, 2);
	add(9, 0x15, 3);
	add(10, 1, 1);
	add(15, 0x1f, 5);
	assert_int_equal(longest(), 4);
	assert_true(ckpt_repack_plan(repack, 5, 5) >= 5);
	carry_out();
	assert_true(longest() >= 5);
	assert_int_equal(*unit_at(4), FIXED);
}

static void beyond_the_ends(void **state)
{
	struct ckpt_geometry g = geometry(CKPT_UNIT_SHIFT);

	(void)state;
	begin(&g, 0);
	assert_int_equal(ckpt_repack_note_slot(repack, (first - 1) << CKPT_UNIT_SHIFT, 3, 2), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, (first + UNITS - 1) << CKPT_UNIT_SHIFT, 3, 2), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, (first - 1) << CKPT_UNIT_SHIFT, 2, 1), 0);
	assert_int_equal(ckpt_repack_note_slot(repack, CKPT_NODE_SECTORS, 3, 2), -1);
	assert_int_equal(ckpt_repack_note_slot(repack, ~0ull << 12, ~0u, 32), -1);
	/* A stretch of one unit, and one with as many as there can be. */
	ckpt_repack_begin(repack, &g, first, 1);
	ckpt_repack_note_free(repack, first, 1);
	assert_int_equal(ckpt_repack_plan(repack, 2, 2), 1);
	ckpt_repack_begin(repack, &g, first, CKPT_REPACK_UNITS + 1);
	assert_int_equal(repack->nr, CKPT_REPACK_UNITS);
	assert_int_equal(ckpt_repack_plan(repack, 1, 1), 0);
	assert_int_equal(repack->nr_moves, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(it_stands_together, set_up, tear_down),
	cmocka_unit_test_setup_teardown(nothing_is_in_the_way, set_up, tear_down),
	cmocka_unit_test_setup_teardown(holes, set_up, tear_down),
	cmocka_unit_test_setup_teardown(two_gaps, set_up, tear_down),
	cmocka_unit_test_setup_teardown(beyond_the_ends, set_up, tear_down),
};

RUN("repack", tests)
