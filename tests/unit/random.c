// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "random.h"

static u64 state;

void random_begin(void)
{
	const char *seed = getenv("CKPT_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	state = seed ? strtoull(seed, NULL, 0) : (u64)now.tv_sec * 1000000007 + now.tv_nsec;
	printf("# CKPT_SEED=%llu\n", state);
	fflush(stdout);
}

/* splitmix64 */
u64 random64(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void random_bytes(void *to, size_t bytes)
{
	u8 *p = to;

	while (bytes--)
		*p++ = (u8)random64();
}

u32 random_mask(void)
{
	u32 a = (u32)random64(), b = (u32)random64(), c = (u32)random64();

	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return ~0u;
	case 2:
		return a & b & c;
	case 3:
		return a | b | c;
	case 4:
		return ~0u >> below(32) << below(32);
	}
	return a;
}
