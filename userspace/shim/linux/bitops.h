/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_BITOPS_H
#define CKPT_SHIM_BITOPS_H

#include <linux/types.h>

static inline unsigned int hweight32(u32 word)
{
	return (unsigned int)__builtin_popcount(word);
}

static inline unsigned long hweight64(u64 word)
{
	return (unsigned long)__builtin_popcountll(word);
}

#endif
