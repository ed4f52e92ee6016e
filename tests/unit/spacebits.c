// SPDX-License-Identifier: GPL-2.0-only
/* Bits of the space map against an array with a byte for each. */
#include "geometry.h"
#include "spacebits.h"
#include "test.h"

#define BITS CKPT_SPACE_LEAF_UNITS

/* The leaf is on the heap by itself, so that a step beyond it is seen. */
static __le64 *bits;
static u8 model[BITS];

static int set_up(void **state)
{
	(void)state;
	bits = calloc(1, CKPT_NODE_BYTES);
	memset(model, 0, sizeof(model));
	return !bits;
}

static int tear_down(void **state)
{
	(void)state;
	free(bits);
	return 0;
}

static void check_all(void)
{
	const u8 *bytes = (const u8 *)bits;
	unsigned int i, count = 0;

	for (i = 0; i < BITS; i++) {
		if ((bytes[i / 8] >> (i % 8) & 1) != model[i])
			fail_msg("bit %u is wrong", i);
		count += model[i];
	}
	assert_int_equal(ckpt_bits_count(bits), count);
}

static u32 model_fill(u32 first, u32 nr, u8 value)
{
	u32 changed = 0;

	for (; nr--; first++) {
		changed += model[first] != value;
		model[first] = value;
	}
	return changed;
}

static u32 model_count(u32 first, u32 nr)
{
	u32 count = 0;

	while (nr--)
		count += model[first++];
	return count;
}

static u32 model_find(u32 from, u32 end, u32 most, u32 *first)
{
	u32 nr = 0;

	while (from < end && model[from])
		from++;
	*first = from;
	while (from < end && nr < most && !model[from]) {
		from++;
		nr++;
	}
	return nr;
}

/* A run: short, long, about the edges of words, at both ends of the leaf. */
static void random_run(u32 *first, u32 *nr)
{
	*first = (u32)below(BITS);
	if (once_in(3))
		*first &= ~63u;
	if (once_in(16))
		*first = BITS - (u32)below(130) - 1;
	if (once_in(16))
		*first = (u32)below(130);
	switch (below(4)) {
	case 0:
		*nr = (u32)below(4);
		break;
	case 1:
		*nr = (u32)below(3) * 64;
		break;
	case 2:
		*nr = (u32)below(300);
		break;
	default:
		*nr = once_in(10) ? (u32)below(BITS) : (u32)below(64);
	}
	if (*nr > BITS - *first)
		*nr = BITS - *first;
}

static void check_find(void)
{
	u32 from, nr, most, first = 12345, want_first, want;

	random_run(&from, &nr);
	most = once_in(3) ? ~0u : (u32)below(200);
	want = model_find(from, from + nr, most, &want_first);
	assert_int_equal(ckpt_bits_find(bits, from, from + nr, most, &first), want);
	if (want)
		assert_int_equal(first, want_first);
}

/* How many bits of the pattern are in use there; ~0u if it does not lie before @end. */
static u32 model_misfits(u32 place, u32 end, u32 mask, u32 each)
{
	u32 i, k, used, misfits = 0;

	for (i = 0; i < 32; i++) {
		used = 0;
		for (k = 0; mask >> i & 1 && k < each; k++) {
			if (place + i * each + k >= end)
				return ~0u;
			used |= model[place + i * each + k];
		}
		misfits += used;
	}
	return misfits;
}

static void random_pattern(u32 *mask, u32 *each)
{
	*mask = (u32)random64() | 1;
	*each = 1u << below(5);
	if (once_in(2))
		*mask = ckpt_mask(0, (u32)below(32) + 1);
	if (once_in(2))
		*mask = 1u | 1u << below(32);
}

static void check_fit(void)
{
	u32 from, nr, mask, each, want;

	random_pattern(&mask, &each);
	random_run(&from, &nr);
	for (want = from; want < from + nr && model_misfits(want, from + nr, mask, each); want++)
		;
	assert_int_equal(ckpt_bits_fit(bits, from, from + nr, mask, each), want);
}

static void against_the_model(void **state)
{
	u32 first, nr, changed;
	unsigned int round;
	bool any;

	(void)state;
	for (round = 0; round < 100000; round++) {
		random_run(&first, &nr);
		switch (below(8)) {
		case 0:
			changed = ckpt_bits_set(bits, first, nr);
			assert_int_equal(changed, model_fill(first, nr, 1));
			break;
		case 1:
			changed = ckpt_bits_clear(bits, first, nr);
			assert_int_equal(changed, model_fill(first, nr, 0));
			break;
		case 2:
		case 3:
			any = ckpt_bits_any(bits, first, nr);
			assert_int_equal(any, model_count(first, nr) > 0);
			break;
		case 4:
			check_fit();
			break;
		default:
			check_find();
		}
		if (once_in(1000))
			check_all();
	}
	check_all();
}

/* All runs that begin and end in the first words, on zeros and on ones. */
static void edges_of_words(void **state)
{
	u32 first, nr;

	(void)state;
	for (first = 0; first < 140; first++) {
		for (nr = 0; nr < 140; nr++) {
			assert_int_equal(ckpt_bits_set(bits, first, nr), nr);
			assert_int_equal(ckpt_bits_set(bits, first, nr), 0);
			assert_int_equal(ckpt_bits_count(bits), nr);
			assert_int_equal(ckpt_bits_any(bits, first + nr, 100), false);
			assert_int_equal(ckpt_bits_any(bits, 0, first), false);
			if (nr)
				assert_true(ckpt_bits_any(bits, first + nr - 1, 100));
			assert_int_equal(ckpt_bits_clear(bits, first, nr), nr);
			assert_int_equal(ckpt_bits_clear(bits, first, nr), 0);
			assert_int_equal(ckpt_bits_count(bits), 0);
		}
	}
}

static void a_whole_leaf(void **state)
{
	u32 first;

	(void)state;
	assert_int_equal(ckpt_bits_find(bits, 0, BITS, ~0u, &first), BITS);
	assert_int_equal(first, 0);
	assert_int_equal(ckpt_bits_set(bits, 0, BITS), BITS);
	assert_int_equal(ckpt_bits_count(bits), BITS);
	assert_int_equal(ckpt_bits_find(bits, 0, BITS, ~0u, &first), 0);
	assert_int_equal(ckpt_bits_clear(bits, BITS - 1, 1), 1);
	assert_int_equal(ckpt_bits_find(bits, 0, BITS, ~0u, &first), 1);
	assert_int_equal(first, BITS - 1);
	assert_int_equal(ckpt_bits_find(bits, 0, BITS - 1, ~0u, &first), 0);
	assert_int_equal(ckpt_bits_find(bits, BITS, BITS, ~0u, &first), 0);
	assert_int_equal(ckpt_bits_find(bits, 0, BITS, 0, &first), 0);
	assert_int_equal(ckpt_bits_clear(bits, 0, BITS), BITS - 1);
	assert_false(ckpt_bits_any(bits, 0, BITS));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(against_the_model, set_up, tear_down),
	cmocka_unit_test_setup_teardown(edges_of_words, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_whole_leaf, set_up, tear_down),
};

RUN("spacebits", tests)
