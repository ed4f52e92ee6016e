/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that can be had again: the seed is printed. */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <linux/types.h>

/* Seed from the environment (CKPT_SEED) or the clock, and say which. */
void random_begin(void);

u64 random64(void);
void random_bytes(void *to, size_t bytes);

/* 0 to @n - 1. */
static inline u64 below(u64 n)
{
	return random64() % n;
}

/* True once in @n times. */
static inline bool once_in(u64 n)
{
	return !below(n);
}

/* 32 bits, often few, many, none, all, or one row of them set. */
u32 random_mask(void);

#endif
