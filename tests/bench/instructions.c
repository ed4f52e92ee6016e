// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: instructions DEVICE read|write BYTES BLOCKS NUMBER TIMES SEED
 *
 * Transfer NUMBER blocks of BYTES of a device, one after the other, past the page cache, TIMES
 * over, and print for each time what one took, in ticks of the time stamp counter: where
 * `scripts/vm -n` counts, these are instructions.  The device's first BLOCKS blocks are taken in
 * an order that depends on SEED alone; each of them once before any is taken again, so that
 * first writes can be told from later ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

struct plan {
	int fd;
	int writes;
	uint32_t bytes, blocks, at;
	uint32_t *order;
	char *buffer;
};

static void die(const char *what)
{
	fprintf(stderr, "instructions: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end || end == text) {
		fprintf(stderr, "instructions: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void shuffle(struct plan *plan, uint64_t seed)
{
	uint32_t i, j;

	plan->order = malloc(plan->blocks * sizeof(*plan->order));
	if (!plan->order)
		die("no memory");
	for (i = 0; i < plan->blocks; i++) {
		j = next_random(&seed) % (i + 1);
		plan->order[i] = plan->order[j];
		plan->order[j] = i;
	}
}

static double transfer(struct plan *plan, uint32_t nr)
{
	uint64_t begin = __rdtsc();
	uint32_t i;

	for (i = 0; i < nr; i++) {
		off_t offset = (off_t)plan->order[plan->at] * plan->bytes;
		ssize_t r;

		if (++plan->at == plan->blocks)
			plan->at = 0;
		r = plan->writes ? pwrite(plan->fd, plan->buffer, plan->bytes, offset) :
				   pread(plan->fd, plan->buffer, plan->bytes, offset);
		if (r != plan->bytes)
			die("a short transfer");
	}
	return (double)(__rdtsc() - begin) / nr;
}

int main(int argc, char **argv)
{
	struct plan plan = { 0 };
	uint32_t nr, times;

	if (argc != 8) {
		fputs("usage: instructions DEVICE read|write BYTES BLOCKS NUMBER TIMES SEED\n",
		      stderr);
		return 2;
	}
	plan.writes = !strcmp(argv[2], "write");
	plan.bytes = number(argv[3]);
	plan.blocks = number(argv[4]);
	nr = number(argv[5]);
	times = number(argv[6]);
	shuffle(&plan, number(argv[7]));
	plan.fd = open(argv[1], (plan.writes ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (plan.fd < 0)
		die(argv[1]);
	if (posix_memalign((void **)&plan.buffer, 4096, plan.bytes))
		die("no memory");
	memset(plan.buffer, 0x5a, plan.bytes);
	while (times--)
		printf("%.1f\n", transfer(&plan, nr));
	return 0;
}
