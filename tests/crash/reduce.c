// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reduce.h"

#define MAX_SHOWN	40u

static struct try try;
static unsigned int tried;

static bool fails(const struct disks *d, const struct cut *c)
{
	bool ok;

	memcpy(try.cut, c, sizeof(*c));
	try_begin(&try, d, NULL);
	ok = try_end(&try);
	try_forget(&try);
	tried++;
	return !ok;
}

/* Let some have this fate, if it fails all the same. */
static bool change(const struct disks *d, struct cut *c, uint32_t from, uint32_t to,
		   enum fate fate)
{
	static struct cut other;
	bool any = false;

	memcpy(&other, c, sizeof(other));
	for (uint32_t i = from; i < to; i++) {
		any |= other.fate[i] != fate;
		other.fate[i] = fate;
	}
	if (any && !fails(d, &other))
		return false;
	memcpy(c, &other, sizeof(other));
	return any;
}

/* As many as possible shall have this fate: large parts first, then single ones. */
static void make_alike(const struct disks *d, struct cut *c, enum fate fate)
{
	for (uint32_t step = c->nr; step; step /= 2)
		for (uint32_t at = 0; at < c->nr; at += step)
			change(d, c, at, min(at + step, c->nr), fate);
}

static uint32_t unlike(const struct cut *c, enum fate fate)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nr; i++)
		n += c->fate[i] != fate;
	return n;
}

static void mend_order(const struct disks *d, struct cut *c)
{
	uint64_t seed = c->seed;

	c->seed = 0;
	if (!fails(d, c))
		c->seed = seed;
}

static void mend_spoilt(const struct disks *d, struct cut *c)
{
	enum spoil spoil = c->spoil;

	c->spoil = SPOIL_NOTHING;
	if (!fails(d, c))
		c->spoil = spoil;
}

static void say(const struct disks *d, const struct cut *c, enum fate fate)
{
	static const char *const names[] = { "lost", "kept", "torn" };
	uint32_t shown = 0;
	char buf[200];

	printf("# smallest state, found with %u more: --cut %u --order %" PRIu64 " --%s", tried,
	       c->at, c->seed, names[fate]);
	for (uint32_t i = 0; i < c->nr; i++)
		if (c->fate[i] != fate)
			printf(" --%s %u", c->fate[i] == FATE_TORN ? "tear" :
			       c->fate[i] == FATE_KEPT ? "keep" : "lose", d->loose[i].nr);
	if (c->spoil)
		printf(" --spoil %s", spoil_names[c->spoil]);
	printf("\n# of %u writes that no flush covers, all are %s", c->nr, names[fate]);
	puts(unlike(c, fate) ? " but" : "");
	for (uint32_t i = 0; i < c->nr && shown < MAX_SHOWN; i++) {
		if (c->fate[i] == fate)
			continue;
		printf("#   %s: %s\n", names[c->fate[i]],
		       trace_describe(d->trace, d->loose[i].nr, buf, sizeof(buf)));
		shown++;
	}
}

bool reduce(const struct disks *d, struct cut *c, const char *save)
{
	static struct cut kept, lost;
	struct cut *best = &kept;
	enum fate fate = FATE_KEPT;

	try_init(&try);
	if (!fails(d, c))
		return false;
	mend_spoilt(d, c);
	mend_order(d, c);
	memcpy(&kept, c, sizeof(kept));
	make_alike(d, &kept, FATE_KEPT);
	memcpy(&lost, c, sizeof(lost));
	make_alike(d, &lost, FATE_LOST);
	if (unlike(&lost, FATE_LOST) <= unlike(&kept, FATE_KEPT)) {
		best = &lost;
		fate = FATE_LOST;
	}
	say(d, best, fate);
	memcpy(try.cut, best, sizeof(*best));
	try_begin(&try, d, save);
	try_end(&try);
	try_print(&try);
	try_forget(&try);
	return true;
}
