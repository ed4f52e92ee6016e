/* SPDX-License-Identifier: GPL-2.0-only */
/* How long something lasts: a clock that nobody sets. */
#ifndef CKPTD_CLOCK_H
#define CKPTD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds since some moment, in all processes the same. */
static inline uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline uint64_t clock_seconds(void)
{
	return clock_us() / 1000000;
}

#endif
