// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cut.h"

uint32_t cut_moment(const struct trace *t, uint32_t first, uint64_t states, uint64_t i,
		    struct rng *r)
{
	uint64_t moments = t->nr_moments - first, each = states / moments;
	uint64_t point = first + i * moments / states, rest = i * moments % states;
	uint32_t from = t->moment[point];
	uint32_t to = point + 1 < t->nr_moments ? t->moment[point + 1] : t->nr;

	/* That itself, then others up to the next one. */
	if (rest < moments && (each > 1 || rng_chance(r, 50)))
		return from;
	rest = min(rest + rng_below(r, moments), states - 1);
	return from + rest * (to - from) / states;
}

static enum fate some_fate(struct rng *r, unsigned int kept, unsigned int torn)
{
	if (!rng_chance(r, kept))
		return FATE_LOST;
	return rng_chance(r, torn) ? FATE_TORN : FATE_KEPT;
}

/* Each by itself, more or less of them. */
static void choose_each(struct cut *c, struct rng *r)
{
	unsigned int kept = rng_below(r, 101), torn = rng_chance(r, 50) ? rng_below(r, 50) : 0;

	for (uint32_t i = 0; i < c->nr; i++)
		c->fate[i] = some_fate(r, kept, torn);
}

/* All of some disks, nothing of the others. */
static void choose_disks(const struct disks *d, struct cut *c, struct rng *r)
{
	unsigned int kept = 1 + rng_below(r, (1u << MAX_DISKS) - 1);

	/* The store against all others is what matters most. */
	if (rng_chance(r, 60))
		kept = rng_chance(r, 50) ? 1 : ~1u;
	for (uint32_t i = 0; i < c->nr; i++)
		c->fate[i] = kept >> d->trace->entry[d->loose[i].nr].e->device & 1 ?
			FATE_KEPT : FATE_LOST;
}

/* All alike, but one. */
static void choose_one(struct cut *c, struct rng *r)
{
	bool kept = rng_chance(r, 50);

	memset(c->fate, kept ? FATE_KEPT : FATE_LOST, c->nr);
	if (c->nr)
		c->fate[rng_below(r, c->nr)] = rng_chance(r, 30) ? FATE_TORN :
			kept ? FATE_LOST : FATE_KEPT;
}

/* What began first, up to one that is torn; or what began last. */
static void choose_row(struct cut *c, struct rng *r)
{
	uint32_t split = rng_below(r, c->nr + 1);
	bool early = rng_chance(r, 60);

	for (uint32_t i = 0; i < c->nr; i++)
		c->fate[i] = (i < split) == early ? FATE_KEPT : FATE_LOST;
	if (split < c->nr)
		c->fate[split] = FATE_TORN;
}

void cut_choose(const struct disks *d, struct cut *c, struct rng *r)
{
	c->at = d->now;
	c->nr = min(d->nr, MAX_LOOSE);
	c->seed = rng_chance(r, 30) ? 0 : rng_u32(r);
	c->spoil = rng_chance(r, 10) ? 1 + rng_below(r, SPOIL_KINDS - 1) : SPOIL_NOTHING;
	if (spoil_journal(d) && rng_chance(r, 30))
		c->spoil = SPOIL_JOURNAL;
	switch (rng_below(r, 10)) {
	case 0:
		memset(c->fate, FATE_LOST, c->nr);
		break;
	case 1:
		memset(c->fate, FATE_KEPT, c->nr);
		break;
	case 2 ... 3:
		choose_disks(d, c, r);
		break;
	case 4 ... 5:
		choose_one(c, r);
		break;
	case 6:
		choose_row(c, r);
		break;
	default:
		choose_each(c, r);
	}
}
