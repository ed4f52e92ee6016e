// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../model/util.h"
#include "disks.h"

/* ---- one entry on a medium ---- */

static bool bit(const uint8_t *map, uint64_t i)
{
	return map && map[i / 8] & 1u << i % 8;
}

static void put_sector(struct disks *d, const struct entry *entry, uint64_t i)
{
	const struct rec_entry *e = entry->e;
	char *to = d->image[e->device] + (e->sector + i) * SECTOR_SIZE;

	if (e->type == REC_WRITE)
		memcpy(to, (const char *)entry->data + i * SECTOR_SIZE, SECTOR_SIZE);
	else
		memset(to, e->type == REC_DISCARD && !e->device ? 0xdb : 0, SECTOR_SIZE);
}

/* All but the sectors in @dead and @lost. */
static void put(struct disks *d, const struct loose *l, const uint8_t *lost)
{
	const struct entry *entry = &d->trace->entry[l->nr];

	for (uint64_t i = 0; i < entry->e->sectors; i++)
		if (!bit(l->dead, i) && !bit(lost, i))
			put_sector(d, entry, i);
}

/* ---- what happens ---- */

void disks_init(struct disks *d, const struct trace *t)
{
	memset(d, 0, sizeof(*d));
	d->trace = t;
	for (unsigned int i = 0; i < MAX_DISKS; i++) {
		if (!t->sectors[i])
			continue;
		d->image[i] = mmap(NULL, t->sectors[i] * SECTOR_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (d->image[i] == MAP_FAILED)
			abort();
	}
}

static void begin(struct disks *d, uint32_t nr)
{
	if (d->nr == d->room) {
		d->room = d->room ? 2 * d->room : 1024;
		d->loose = xrealloc(d->loose, d->room * sizeof(*d->loose));
	}
	d->loose[d->nr++] = (struct loose) { nr, NULL };
}

/* @l had ended before @later began, which is on the medium now. */
static void kill_sectors(struct disks *d, struct loose *l, const struct rec_entry *later)
{
	const struct rec_entry *e = d->trace->entry[l->nr].e;
	uint64_t from = max(e->sector, later->sector);
	uint64_t to = min(e->sector + e->sectors, later->sector + later->sectors);

	if (from >= to)
		return;
	if (!l->dead)
		l->dead = xzalloc((e->sectors + 7) / 8);
	for (uint64_t i = from - e->sector; i < to - e->sector; i++)
		l->dead[i / 8] |= 1u << i % 8;
}

static void settle(struct disks *d, uint32_t i)
{
	const struct rec_entry *e = d->trace->entry[d->loose[i].nr].e;

	put(d, &d->loose[i], NULL);
	for (uint32_t k = 0; k < i; k++) {
		const struct entry *other = &d->trace->entry[d->loose[k].nr];

		if (other->e->device == e->device && other->end < d->loose[i].nr)
			kill_sectors(d, &d->loose[k], e);
	}
}

/* A flush that began as entry @began has ended. */
static void flushed(struct disks *d, uint32_t began)
{
	unsigned int device = d->trace->entry[began].e->device;
	uint32_t left = 0;

	for (uint32_t i = 0; i < d->nr; i++) {
		const struct entry *entry = &d->trace->entry[d->loose[i].nr];

		/* All that ended before it did so as well, so nothing is to be killed. */
		if (entry->e->device == device && entry->end < began) {
			put(d, &d->loose[i], NULL);
			free(d->loose[i].dead);
		} else {
			d->loose[left++] = d->loose[i];
		}
	}
	d->nr = left;
}

/* It is not loose any more: it is on the medium, or has failed. */
static void ended(struct disks *d, uint32_t nr, bool failed)
{
	for (uint32_t i = 0; i < d->nr; i++) {
		if (d->loose[i].nr != nr)
			continue;
		if (!failed)
			settle(d, i);
		free(d->loose[i].dead);
		memmove(&d->loose[i], &d->loose[i + 1], (--d->nr - i) * sizeof(*d->loose));
		return;
	}
}

void disks_advance(struct disks *d, uint32_t to)
{
	for (; d->now < to; d->now++) {
		const struct entry *entry = &d->trace->entry[d->now];
		const struct entry *began;

		if (trace_changes(entry))
			begin(d, d->now);
		if (entry->e->type != REC_END)
			continue;
		began = &d->trace->entry[entry->end];
		if (began->e->type == REC_FLUSH)
			flushed(d, entry->end);
		else if ((began->e->flags | entry->e->flags) & (REC_FUA | REC_FAILED))
			ended(d, entry->end, entry->e->flags & REC_FAILED);
	}
}

/* ---- the cut ---- */

/* Some of the sectors: the first ones, the last ones, or here and there. */
static uint8_t *tear(struct rng *r, uint64_t sectors)
{
	uint8_t *lost = xzalloc((sectors + 7) / 8);
	uint64_t at = 1 + rng_below(r, sectors - 1);
	unsigned int how = rng_below(r, 3);

	for (uint64_t i = 0; i < sectors; i++)
		if (how == 0 ? i >= at : how == 1 ? i < at : rng_chance(r, 50))
			lost[i / 8] |= 1u << i % 8;
	return lost;
}

struct coming {
	uint32_t i;		/* in loose */
	uint64_t when;
};

static int by_when(const void *a, const void *b)
{
	const struct coming *x = a, *y = b;

	return x->when != y->when ? (x->when < y->when ? -1 : 1) : x->i < y->i ? -1 : 1;
}

void disks_cut(struct disks *d, const uint8_t *fate, uint64_t seed)
{
	struct coming *coming = xmalloc(d->nr * sizeof(*coming));

	/* Those that were in flight together come in any order. */
	for (uint32_t i = 0; i < d->nr; i++) {
		const struct entry *entry = &d->trace->entry[d->loose[i].nr];
		uint32_t began = d->loose[i].nr, end = min(entry->end, d->now);
		struct rng r;

		rng_init(&r, seed ^ began);
		coming[i] = (struct coming) { i, began + (seed ? rng_below(&r, end - began) : 0) };
	}
	qsort(coming, d->nr, sizeof(*coming), by_when);
	for (uint32_t k = 0; k < d->nr; k++) {
		const struct loose *l = &d->loose[coming[k].i];
		uint64_t sectors = d->trace->entry[l->nr].e->sectors;
		uint8_t *lost = NULL;
		struct rng r;

		if (fate[coming[k].i] == FATE_LOST)
			continue;
		rng_init(&r, ~seed ^ l->nr);
		if (fate[coming[k].i] == FATE_TORN)
			lost = tear(&r, sectors);
		put(d, l, lost);
		free(lost);
	}
	free(coming);
}
