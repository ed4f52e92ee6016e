// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "geometry.h"
#include "spacebits.h"

/* The part of word @word that the run [@first, @first + @nr) covers. */
static u64 word_mask(u32 word, u32 first, u32 nr)
{
	u64 mask = ~0ull;

	if (first > word * 64)
		mask &= ~0ull << (first - word * 64);
	if (first + nr < (word + 1) * 64)
		mask &= ~0ull >> ((word + 1) * 64 - first - nr);
	return mask;
}

u32 ckpt_bits_set(__le64 *bits, u32 first, u32 nr)
{
	u32 word, changed = 0;

	if (!nr)
		return 0;
	for (word = first / 64; word <= (first + nr - 1) / 64; word++) {
		u64 mask = word_mask(word, first, nr), old = le64_to_cpu(bits[word]);

		changed += (u32)hweight64(mask & ~old);
		bits[word] = cpu_to_le64(old | mask);
	}
	return changed;
}

u32 ckpt_bits_clear(__le64 *bits, u32 first, u32 nr)
{
	u32 word, changed = 0;

	if (!nr)
		return 0;
	for (word = first / 64; word <= (first + nr - 1) / 64; word++) {
		u64 mask = word_mask(word, first, nr), old = le64_to_cpu(bits[word]);

		changed += (u32)hweight64(mask & old);
		bits[word] = cpu_to_le64(old & ~mask);
	}
	return changed;
}

bool ckpt_bits_any(const __le64 *bits, u32 first, u32 nr)
{
	u32 word;

	for (word = first / 64; nr && word <= (first + nr - 1) / 64; word++)
		if (le64_to_cpu(bits[word]) & word_mask(word, first, nr))
			return true;
	return false;
}

u32 ckpt_bits_count(const __le64 *bits)
{
	u32 word, count = 0;

	for (word = 0; word < CKPT_SPACE_LEAF_UNITS / 64; word++)
		count += (u32)hweight64(le64_to_cpu(bits[word]));
	return count;
}

/* The first bit at or behind @from that is @value; @end if there is none. */
static u32 next_bit(const __le64 *bits, u32 from, u32 end, bool value)
{
	while (from < end) {
		u64 word = le64_to_cpu(bits[from / 64]);

		if (!value)
			word = ~word;
		word &= ~0ull << (from % 64);
		if (word) {
			from = from / 64 * 64 + (u32)__builtin_ctzll(word);
			break;
		}
		from = (from / 64 + 1) * 64;
	}
	return from < end ? from : end;
}

u32 ckpt_bits_find(const __le64 *bits, u32 from, u32 end, u32 most, u32 *first)
{
	u32 start = next_bit(bits, from, end, false), stop;

	if (start == end)
		return 0;
	stop = next_bit(bits, start, end - start > most ? start + most : end, true);
	*first = start;
	return stop - start;
}

static bool fits(const __le64 *bits, u32 place, u32 end, u32 mask, u32 each)
{
	while (mask) {
		u32 first = (u32)__builtin_ctz(mask), nr = ckpt_run(mask, first);

		if (place + (first + nr) * each > end ||
		    ckpt_bits_any(bits, place + first * each, nr * each))
			return false;
		mask &= ~ckpt_mask(first, nr);
	}
	return true;
}

u32 ckpt_bits_fit(const __le64 *bits, u32 from, u32 end, u32 mask, u32 each)
{
	u32 need = ckpt_run(mask, 0) * each, start, found;

	while ((found = ckpt_bits_find(bits, from, end, end, &start))) {
		for (from = start; from + need <= start + found; from++)
			if (fits(bits, from, end, mask, each))
				return from;
		from = start + found;
	}
	return end;
}
