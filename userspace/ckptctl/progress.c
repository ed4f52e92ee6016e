// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libckpt/units.h"
#include "meter.h"
#include "out.h"
#include "progress.h"

#define BAR_WIDTH	16
#define POLL_SECONDS	0.25
#define LINE_SECONDS	15.0		/* between two lines where there is no terminal */
#define RATE_SECONDS	10.0
#define SETTLE_SECONDS	1.0		/* the state may be that of before a message */

struct progress {
	const struct cli *cli;
	bool draws;			/* a bar on a terminal */
	uint64_t unit_bytes;
	uint64_t total;			/* units */
	double start, told;
	struct meter left;
};

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One more thing that it may wait for. */
static void add(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	if (used)
		snprintf(text + used, size - used, ", or ");
	used = strlen(text);
	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/* The volume that must be open before its origin takes a layer in, or NULL. */
static const struct ckpt_volume *owner_to_open(const struct ckpt_model *m,
					       const struct ckpt_layer *layer)
{
	const struct ckpt_base *base = ckpt_model_base(m, layer->below);
	const struct ckpt_volume *owner;

	if (!base || base->is_template)
		return NULL;
	owner = ckpt_model_volume(m, base->owner);
	return owner && !owner->is_active ? owner : NULL;
}

/* Does a view of it read what is to be merged, or the base that it goes into? */
static bool holds_up(const struct ckpt_model *m, const struct ckpt_checkpoint *cp)
{
	for (size_t i = 0; i < m->layer_count; i++) {
		const struct ckpt_layer *l = &m->layers[i];

		if (l->state == CKPT_LAYER_MERGING &&
		    (ckpt_model_sits_on(m, cp->layer, l->number) ||
		     (ckpt_model_base(m, l->below) &&
		      ckpt_model_sits_on(m, cp->layer, l->below))))
			return true;
	}
	return false;
}

void progress_why(const struct ckpt_store *s, char *text, size_t size)
{
	const struct ckpt_model *m = &s->model;

	*text = '\0';
	if (!strcmp(s->status.merge, "paused")) {
		add(text, size, "for 'ckptctl store merge resume'");
		return;
	}
	if (strcmp(s->status.space, "ok"))
		add(text, size, "for room in the store");
	for (size_t i = 0; i < m->layer_count; i++) {
		const struct ckpt_volume *v = owner_to_open(m, &m->layers[i]);

		if (m->layers[i].state == CKPT_LAYER_MERGING && v)
			add(text, size, "until volume %s is open, into whose origin it goes",
			    v->name);
	}
	for (size_t i = 0; i < m->checkpoint_count; i++) {
		const struct ckpt_checkpoint *cp = &m->checkpoints[i];
		const struct ckpt_volume *v = ckpt_model_volume_of(m, cp);

		if (cp->is_viewed && holds_up(m, cp))
			add(text, size, "until the view of %s@%s is closed", v ? v->name : "?",
			    cp->name);
	}
	if (!*text)
		add(text, size, "for an origin that is not open, a view, or room in the store");
}

static const char *verb(const struct ckpt_store_status *t)
{
	if (!strcmp(t->merge, "pack"))
		return "moving blocks together";
	return !strcmp(t->merge, "free") || !t->left ? "freeing" : "merging";
}

/* "62 %, 76 MiB of 120 MiB, 35 MiB/s, 2 s left" */
static void put_amounts(const struct progress *p, const struct ckpt_store_status *t)
{
	uint64_t done = p->total - t->left;
	double speed = -meter_speed(&p->left);
	int64_t seconds = meter_time(t->left, speed);
	char part[CKPT_TEXT_LEN], total[CKPT_TEXT_LEN], text[CKPT_TEXT_LEN];

	fprintf(stderr, "%3u %%, %s of %s",
		p->total ? (unsigned int)(100.0 * (double)done / (double)p->total) : 0,
		ckpt_human(done * p->unit_bytes, part), ckpt_human(p->total * p->unit_bytes, total));
	if (speed > 0)
		fprintf(stderr, ", %s/s",
			ckpt_human((uint64_t)(speed * (double)p->unit_bytes), text));
	if (seconds >= 0)
		fprintf(stderr, ", %s left", ckpt_duration((uint64_t)seconds, text));
}

/* What is only freed has no amount: layers, some of them large. */
static void put_layers(const struct ckpt_store_status *t)
{
	fprintf(stderr, "%llu layer%s", (unsigned long long)t->freeing, t->freeing == 1 ? "" : "s");
}

static void tell(struct progress *p, const struct ckpt_store_status *t, double now)
{
	if (cli_has(p->cli, OPT_QUIET) || (!p->draws && p->told && now - p->told < LINE_SECONDS))
		return;
	p->told = now;
	if (p->draws) {
		fprintf(stderr, "\r\033[K%s ", verb(t));
		if (p->total)
			out_bar(stderr, p->total - t->left, p->total, BAR_WIDTH);
		fputs(p->total ? " " : "", stderr);
	} else {
		fprintf(stderr, "%s: ", verb(t));
	}
	if (p->total)
		put_amounts(p, t);
	else if (!strcmp(t->merge, "pack"))
		fputs("much of what is free are holes", stderr);
	else
		put_layers(t);
	fputs(p->draws ? "" : "\n", stderr);
	fflush(stderr);
}

static enum ckpt_result why_stopped(struct ckpt_store *s)
{
	const struct ckpt_store_status *t = &s->status;
	char why[400], left[CKPT_TEXT_LEN];
	enum ckpt_result result = ckpt_store_load(s);

	if (result)
		return result;
	progress_why(s, why, sizeof(why));
	return ckpt_fail(&s->c->error, CKPT_TIMEOUT, "%s are not merged yet: the merge waits %s",
			 ckpt_human(t->left * t->unit_sectors * CKPT_SECTOR, left), why);
}

static enum ckpt_result too_slow(struct ckpt_store *s, uint64_t limit)
{
	const struct ckpt_store_status *t = &s->status;
	char left[CKPT_TEXT_LEN];

	return ckpt_fail(&s->c->error, CKPT_TIMEOUT,
			 "%s are not merged yet after %llu s; that goes on in the background",
			 ckpt_human(t->left * t->unit_sectors * CKPT_SECTOR, left),
			 (unsigned long long)limit);
}

static void say_end(const struct progress *p, double now)
{
	char total[CKPT_TEXT_LEN], took[CKPT_TEXT_LEN];

	if (p->total)
		cli_say(p->cli, "all is merged: %s in %s",
			ckpt_human(p->total * p->unit_bytes, total),
			ckpt_duration((uint64_t)(now - p->start + 0.5), took));
}

static bool is_done(const struct ckpt_store_status *t)
{
	return !strcmp(t->merge, "idle") && !t->left && !t->freeing;
}

enum ckpt_result progress_wait(struct cli *cli, struct ckpt_store *s, uint64_t limit)
{
	struct progress p = {
		.cli = cli,
		.draws = isatty(STDERR_FILENO),
		.start = meter_now(),
		.left.window = RATE_SECONDS,
	};
	const struct ckpt_store_status *t = &s->status;
	enum ckpt_result result;
	double now = p.start, worked = p.start;

	for (;;) {
		result = ckpt_store_load_status(s);
		if (result || is_done(t))
			break;
		if (ckpt_merge_works(t))
			worked = now;
		else if (now - worked >= SETTLE_SECONDS)
			break;
		if (now - p.start >= (double)limit) {
			result = too_slow(s, limit);
			break;
		}
		p.unit_bytes = t->unit_sectors * CKPT_SECTOR;
		/* Somebody else may delete something meanwhile. */
		if (p.total < t->left)
			p.total = t->left;
		meter_look(&p.left, now, t->left);
		tell(&p, t, now);
		meter_sleep(POLL_SECONDS);
		now = meter_now();
	}
	if (p.draws && p.told)
		fputs("\r\033[K", stderr);
	if (!result && !is_done(t))
		result = why_stopped(s);
	if (!result)
		say_end(&p, now);
	return result;
}
