/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bits of one leaf of the space map: bit n of the little-endian bit string is
 * unit n of the leaf, 1 means in use.  Pure functions, any context.
 */
#ifndef CKPT_SPACEBITS_H
#define CKPT_SPACEBITS_H

#include "format.h"

/* Set or clear @nr bits from @first on; returns how many of them changed. */
u32 ckpt_bits_set(__le64 *bits, u32 first, u32 nr);
u32 ckpt_bits_clear(__le64 *bits, u32 first, u32 nr);

/* Is any of the @nr bits from @first on set? */
bool ckpt_bits_any(const __le64 *bits, u32 first, u32 nr);

/* Number of bits that are set in the leaf. */
u32 ckpt_bits_count(const __le64 *bits);

/*
 * The first run of clear bits at or behind @from and before @end.  Returns its
 * length, 0 if there is none, and at most @most; its first bit in *@first.
 */
u32 ckpt_bits_find(const __le64 *bits, u32 from, u32 end, u32 most, u32 *first);

/*
 * The first place at or behind @from where a pattern fits: for every bit n of @mask, the
 * @each bits from place + n * @each on are clear and before @end.  The lowest bit of @mask is
 * set, and @mask is not 0.  Returns @end if there is none.
 */
u32 ckpt_bits_fit(const __le64 *bits, u32 from, u32 end, u32 mask, u32 each);

#endif
