// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pattern.h"
#include "report.h"
#include "util.h"

#define MAX_REPORTS	8	/* of one pass */
#define MAX_COVER	512	/* uncertain operations on one sector */

void check_init(struct check *c)
{
	uint32_t nr = c->maybe ? c->maybe->nr : 0;

	c->block = xmalloc(nr * sizeof(*c->block));
	c->in = xzalloc(nr);
	memset(c->block, 0xff, nr * sizeof(*c->block));
}

void check_free(struct check *c)
{
	free(c->block);
	free(c->in);
}

static bool val_zero(uint32_t id)
{
	const struct op *op = id ? op_get(id) : NULL;

	return !op || op->type != OP_WRITE;
}

/* Would this value read as what was found? */
static bool val_matches(uint32_t id, enum found kind, const struct tag *t)
{
	if (val_zero(id))
		return kind == FOUND_ZERO;
	return kind == FOUND_TAG && t->op == id;
}

static void say_name(const struct check *c, char *buf, size_t size)
{
	if (c->ck)
		snprintf(buf, size, "checkpoint c%u of v%u (group %u, begun @%llu)",
			 c->ck->id, c->vol->id, c->ck->group->id,
			 (unsigned long long)c->ck->begun);
	else
		snprintf(buf, size, "volume v%u", c->vol->id);
}

static void say_wrong(struct check *c, uint64_t sector, uint32_t val, enum found kind,
		      const struct tag *t, const uint64_t *raw)
{
	const struct op *op;
	char name[100];

	if (c->quiet || c->bad > MAX_REPORTS)
		return;
	if (c->bad > 1 && sector == c->last_bad + 1) {
		/* One line is enough for what goes on like the last one. */
		c->last_bad = sector;
		failure("... sector %llu too", (unsigned long long)sector);
		return;
	}
	c->last_bad = sector;
	say_name(c, name, sizeof(name));
	failure("%s, %s of %s: sector %llu is wrong", name, c->how, c->dev,
		(unsigned long long)sector);
	if (val_zero(VAL_OP(val)))
		note("  expected: zeros%s (value %u)", val & VAL_SOFT ? " (discarded)" : "",
		     VAL_OP(val));
	else
		op_print(val & VAL_SOFT ? "  expected: zeros or" : "  expected:",
			 op_get(VAL_OP(val)));
	for (uint32_t i = 0; c->maybe && i < c->maybe->nr; i++) {
		const struct op *op = op_get(c->maybe->id[i]);

		if (sector >= op->sector && sector < op->sector + op->len)
			op_print("  or:", op);
	}
	if (kind == FOUND_ZERO)
		note("  found: zeros");
	else if (kind == FOUND_BAD)
		note("  found: no pattern of ours: %016llx %016llx %016llx %016llx",
		     (unsigned long long)raw[0], (unsigned long long)raw[1],
		     (unsigned long long)raw[2], (unsigned long long)raw[3]);
	else
		note("  found: op %u of v%u for sector %llu%s", t->op, t->vol,
		     (unsigned long long)t->sector,
		     t->seed == cfg.seed ? "" : ", of another run");
	if (kind == FOUND_TAG && t->seed == cfg.seed && t->op <= op_last())
		op_print("  which is", op_get(t->op));
	sector_history(sector);
	op = op_get(VAL_OP(val));
	if (op && op->durable) {
		note("  events of the volume around @%llu, newest first:",
		     (unsigned long long)op->durable);
		evlog_print(c->vol->id, op->durable + 20, 40);
	}
}

static void say_torn(struct check *c, uint64_t sector, const struct op *op, bool in)
{
	char name[100];

	c->bad++;
	if (c->quiet || c->bad > MAX_REPORTS)
		return;
	say_name(c, name, sizeof(name));
	failure("%s, %s of %s: a write is torn inside a block at sector %llu", name,
		c->how, c->dev, (unsigned long long)sector);
	op_print(in ? "  in here, but not before:" : "  not here, but before:", op);
}

/* It is known of @op (number @i in the list) whether it is in at this sector. */
static void verdict(struct check *c, uint32_t i, const struct op *op, uint64_t sector,
		    bool in)
{
	static pthread_mutex_t group_lock = PTHREAD_MUTEX_INITIALIZER;
	uint64_t block = sector / cfg.block;

	pthread_mutex_lock(&group_lock);
	if (c->group && in && op->start > c->group->after) {
		c->group->after = op->start;
		c->group->after_op = op->id;
	}
	if (c->group && !in && op->end && op->end < c->group->before) {
		c->group->before = op->end;
		c->group->before_op = op->id;
	}
	pthread_mutex_unlock(&group_lock);
	if (!(c->whole_all && op->len <= SMALL_OP) && !(c->whole_first && op->first))
		return;
	if (op->type != OP_WRITE)
		return;
	if (c->block[i] == block && c->in[i] != in)
		say_torn(c, sector, op, in);
	c->block[i] = block;
	c->in[i] = in;
}

static void check_sector(struct check *c, uint64_t sector, const void *buf,
			 uint32_t *val, const uint32_t *cover, uint32_t nr)
{
	uint32_t id = VAL_OP(*val), hits = 0, chosen = 0;
	int at = -1;			/* in cover, or -1: the certain value */
	struct tag t;
	enum found kind = pattern_read(buf, &t);
	bool ours = kind != FOUND_TAG ||
		    (t.sector == sector && t.seed == cfg.seed);

	if (ours && val_matches(id, kind, &t)) {
		hits++;
		chosen = id;
	}
	if (kind == FOUND_ZERO && *val & VAL_SOFT && !val_zero(id))
		hits++;
	for (uint32_t k = 0; k < nr; k++) {
		const struct op *op = op_get(c->maybe->id[cover[k]]);

		if (sector < op->sector || sector >= op->sector + op->len || op->id < id)
			continue;
		if (ours && val_matches(op->id, kind, &t)) {
			hits++;
			chosen = op->id;
			at = k;
		}
		/* Memory below is copied without a lock. */
		if (c->racing && kind == FOUND_BAD)
			return;
	}
	if (!hits) {
		c->bad++;
		say_wrong(c, sector, *val, kind, &t, buf);
		return;
	}
	if (hits == 1 && !c->quiet) {
		for (uint32_t k = 0; k < nr; k++) {
			const struct op *op = op_get(c->maybe->id[cover[k]]);

			if (sector < op->sector || sector >= op->sector + op->len ||
			    op->id < id)
				continue;
			if ((int)k == at)
				verdict(c, cover[k], op, sector, true);
			else if ((at < 0 || op->id > chosen) && !op_soft(op, sector))
				verdict(c, cover[k], op, sector, false);
		}
	}
	/*
	 * Also of zeros it is kept who wrote them, as part of a block of zeros takes space as data
	 * do; and that nobody knows it, if several may have.
	 */
	if (at >= 0 || (*val & VAL_SOFT && !val_zero(id)))
		*val = chosen | (kind == FOUND_ZERO && hits > 1 ? VAL_SOFT : 0);
}

void check_range(struct check *c, uint64_t sector, uint32_t len, const void *buf,
		 uint32_t *vals)
{
	const char *p = buf;
	uint32_t cover[MAX_COVER], nr;

	for (uint32_t i = 0; i < len; i += 64) {
		uint32_t part = min(64u, len - i);

		nr = 0;
		for (uint32_t k = 0; c->maybe && k < c->maybe->nr; k++) {
			const struct op *op = op_get(c->maybe->id[k]);

			if (sector + i < op->sector + op->len &&
			    op->sector < sector + i + part && nr < MAX_COVER)
				cover[nr++] = k;
		}
		for (uint32_t k = i; k < i + part; k++)
			check_sector(c, sector + k, p + (size_t)k * SECTOR_SIZE,
				     &vals[k], cover, nr);
	}
}

void check_group(const struct group *g)
{
	if (g->after < g->before)
		return;
	failure("group %u has no single instant: one write is in it that began after another ended that is not",
		g->id);
	op_print("  in:", op_get(g->after_op));
	op_print("  not in:", op_get(g->before_op));
}
