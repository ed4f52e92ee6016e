// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say how many thousand times a second this machine's time stamp counter counts, by the clock
 * that QEMU has for its machines, for the kernel's tsc_early_khz.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define NSEC_PER_SEC	1000000000ll
#define SPAN_NSEC	20000000l
/* Both are read within so many ns, or once more: somebody else had the CPU in between. */
#define CLOSE_NSEC	1000
#define TRIES		100000

struct moment {
	int64_t ns;
	uint64_t tsc;
};

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

/* The closest of the pairs that were read. */
static struct moment now(void)
{
	struct moment best = { 0 };
	int64_t closest = INT64_MAX;
	int i;

	for (i = 0; i < TRIES && closest > CLOSE_NSEC; i++) {
		int64_t before = clock_ns();
		uint64_t tsc = __rdtsc();
		int64_t took = clock_ns() - before;

		if (took < closest) {
			closest = took;
			best = (struct moment){ before + took / 2, tsc };
		}
	}
	return best;
}

int main(void)
{
	struct moment begin = now(), end;

	nanosleep(&(struct timespec){ .tv_nsec = SPAN_NSEC }, NULL);
	end = now();
	printf("%.0f\n", (double)(end.tsc - begin.tsc) * (NSEC_PER_SEC / 1000) /
	       (double)(end.ns - begin.ns));
	return 0;
}
