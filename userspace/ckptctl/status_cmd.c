// SPDX-License-Identifier: GPL-2.0-only
/* How full a store gets and how its merge gets on, once or again and again. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "libckpt/units.h"
#include "meter.h"
#include "out.h"
#include "progress.h"
#include "store_text.h"

/* What is used is told as of the last commit, and these are a second apart. */
#define LOOK_SECONDS	2.0
#define GROWTH_SECONDS	60.0
#define MERGE_SECONDS	10.0
#define BAR_WIDTH	30

struct look {
	struct cli *cli;
	const char *name;		/* of the store, as it was given */
	struct ckpt_store s;
	struct meter used, left;	/* units */
	uint64_t unit_bytes;
	uint64_t most_left;		/* units, since the merge was last idle */
	/* Of the table, with what goes without saying. */
	uint64_t low_water, timeout, guard_interval;
	bool fails_at_once;
};

/* The store as it is now, with its table: messages change that too. */
static enum ckpt_result look(struct look *l)
{
	enum ckpt_result result = cli_store(l->cli, l->name, &l->s);
	const struct ckpt_store_status *t = &l->s.status;
	double now = meter_now();

	if (result)
		return result;
	l->unit_bytes = t->unit_sectors * CKPT_SECTOR;
	meter_look(&l->used, now, t->used_units);
	if (!t->left)
		l->left.count = 0;
	meter_look(&l->left, now, t->left);
	l->most_left = t->left > l->most_left || !t->left ? t->left : l->most_left;

	l->low_water = t->total_units / 64;
	l->timeout = CLI_NO_SPACE_SECONDS;
	l->guard_interval = CLI_GUARD_SECONDS;
	ckpt_store_feature(l->s.dev, "low_water", &l->low_water);
	ckpt_store_feature(l->s.dev, "no_space_timeout", &l->timeout);
	ckpt_store_feature(l->s.dev, "guard_interval", &l->guard_interval);
	l->fails_at_once = ckpt_store_feature(l->s.dev, "error_if_no_space", NULL);
	return CKPT_DONE;
}

static uint64_t free_units(const struct ckpt_store_status *t)
{
	return t->total_units - t->used_units;
}

static uint64_t bytes_of(const struct look *l, double units)
{
	return units > 0 ? (uint64_t)(units * (double)l->unit_bytes) : 0;
}

static const struct out_field fields[] = {
	{ "name", OUT_TEXT, false },
	{ "mode", OUT_TEXT, false },
	{ "used", OUT_BYTES, false },
	{ "total", OUT_BYTES, false },
	{ "free", OUT_BYTES, false },
	{ "reserved", OUT_BYTES, false },	/* a part of what is used */
	{ "space", OUT_TEXT, false },		/* ok, low or full */
	{ "low_water", OUT_BYTES, false },
	{ "when_full", OUT_TEXT, false },	/* queue or error */
	{ "timeout", OUT_COUNT, false },	/* seconds; none: for ever */
	{ "queued", OUT_COUNT, false },		/* writes that wait for space */
	{ "growth", OUT_BYTES, false },		/* in a second */
	{ "full_in", OUT_COUNT, false },	/* seconds */
	{ "merge", OUT_TEXT, false },
	{ "from", OUT_COUNT, false },		/* numbers as "checkpoint tree --json" has them */
	{ "into", OUT_COUNT, false },
	{ "left", OUT_BYTES, false },
	{ "speed", OUT_BYTES, false },		/* of the merge, in a second */
	{ "done_in", OUT_COUNT, false },	/* seconds */
	{ "merge_rate", OUT_BYTES, false },	/* the limit, in a second */
	{ "merge_share", OUT_COUNT, false },	/* percent */
	{ "guard", OUT_TEXT, false },		/* off, held, late or lost */
	{ "guard_interval", OUT_COUNT, false },	/* seconds */
	{ NULL, OUT_TEXT, false },
};

static void number_or_none(struct out *out, bool is_there, uint64_t number)
{
	if (is_there)
		out_number(out, number);
	else
		out_none(out);
}

static void add_row(struct out *out, const struct look *l)
{
	const struct ckpt_store_status *t = &l->s.status;
	double growth = meter_speed(&l->used), speed = -meter_speed(&l->left);
	int64_t full = meter_time(free_units(t), growth), done = meter_time(t->left, speed);

	out_text(out, l->s.dev->name);
	out_text(out, t->mode);
	out_number(out, t->used_units * l->unit_bytes);
	out_number(out, t->total_units * l->unit_bytes);
	out_number(out, free_units(t) * l->unit_bytes);
	out_number(out, t->reserved_units * l->unit_bytes);
	out_text(out, t->space);
	out_number(out, l->low_water * l->unit_bytes);
	out_text(out, l->fails_at_once ? "error" : "queue");
	number_or_none(out, !l->fails_at_once && l->timeout, l->timeout);
	out_number(out, t->queued);
	out_number(out, bytes_of(l, growth));
	number_or_none(out, full >= 0, (uint64_t)full);
	out_text(out, t->merge);
	number_or_none(out, t->from, t->from);
	number_or_none(out, t->into, t->into);
	out_number(out, t->left * l->unit_bytes);
	out_number(out, bytes_of(l, speed));
	number_or_none(out, t->left && done >= 0, (uint64_t)done);
	number_or_none(out, t->rate_kib, t->rate_kib * 1024);
	out_number(out, t->share);
	out_text(out, t->guard);
	number_or_none(out, strcmp(t->guard, "off"), l->guard_interval);
}

/* A size for a person, or for a program with --bytes. */
static const char *size(const struct look *l, uint64_t bytes, char buf[CKPT_TEXT_LEN])
{
	if (!cli_has(l->cli, OPT_BYTES))
		return ckpt_human(bytes, buf);
	snprintf(buf, CKPT_TEXT_LEN, "%llu", (unsigned long long)bytes);
	return buf;
}

static void draw_space(const struct look *l)
{
	const struct ckpt_store_status *t = &l->s.status;
	uint64_t used = t->used_units * l->unit_bytes, total = t->total_units * l->unit_bytes;
	char a[CKPT_TEXT_LEN], b[CKPT_TEXT_LEN];

	printf("%-10s ", "space");
	out_bar(stdout, used, total, BAR_WIDTH);
	printf(" %5.1f %%  %s of %s\n", total ? 100.0 * (double)used / (double)total : 0.0,
	       size(l, used, a), size(l, total, b));
	printf("%-10s %s", "free", size(l, free_units(t) * l->unit_bytes, a));
	if (!strcmp(t->space, "full"))
		puts("; FULL: what needs space cannot be written");
	else if (!strcmp(t->space, "low") && free_units(t) >= l->low_water)
		printf("; LOW: hardly more than the mark of %s\n",
		       size(l, l->low_water * l->unit_bytes, a));
	else if (!strcmp(t->space, "low"))
		printf("; LOW: below the mark of %s\n", size(l, l->low_water * l->unit_bytes, a));
	else if (l->low_water)
		printf(" (called low below %s)\n", size(l, l->low_water * l->unit_bytes, a));
	else
		puts("");
	if (t->reserved_units)
		printf("%-10s %s of what is used are set aside for writes to come\n", "reserved",
		       size(l, t->reserved_units * l->unit_bytes, a));
}

static void draw_growth(const struct look *l)
{
	double growth = meter_speed(&l->used);
	int64_t seconds = meter_time(free_units(&l->s.status), growth);
	char a[CKPT_TEXT_LEN], b[CKPT_TEXT_LEN];

	printf("%-10s ", "growth");
	if (growth < 0)
		printf("gets smaller by %s/s\n", size(l, bytes_of(l, -growth), a));
	else if (growth > 0 && seconds >= 0)
		printf("%s/s; full in %s if that goes on\n", size(l, bytes_of(l, growth), a),
		       ckpt_duration((uint64_t)seconds, b));
	else
		puts("none");
}

static void draw_full(const struct look *l)
{
	uint64_t queued = l->s.status.queued;
	char text[CKPT_TEXT_LEN];

	printf("%-10s ", "when full");
	if (l->fails_at_once)
		puts("writes fail");
	else if (l->timeout)
		printf("writes wait %s for space and then fail\n", ckpt_duration(l->timeout, text));
	else
		puts("writes wait until there is space");
	if (queued)
		printf("%-10s %llu write%s wait%s for space; delete checkpoints, or 'ckptctl store grow'\n",
		       "waiting", (unsigned long long)queued, queued == 1 ? "" : "s",
		       queued == 1 ? "s" : "");
}

/* What a record is to a person: "disk@monday", "the origin of disk", "disk". */
static const char *record_name(const struct ckpt_model *m, uint32_t number, char *buf, size_t room)
{
	const struct ckpt_volume *user = ckpt_model_user(m, number);

	if (ckpt_model_base(m, number)) {
		snprintf(buf, room, "the origin of %s", user ? user->name : "nobody");
		return buf;
	}
	for (size_t i = 0; i < m->checkpoint_count; i++)
		if (m->checkpoints[i].layer == number) {
			const struct ckpt_volume *v = ckpt_model_volume_of(m, &m->checkpoints[i]);

			snprintf(buf, room, "%s@%s", v ? v->name : "?", m->checkpoints[i].name);
			return buf;
		}
	if (user && user->top == number)
		snprintf(buf, room, "%s", user->name);
	else
		snprintf(buf, room, "a layer%s%s", user ? " of " : "", user ? user->name : "");
	return buf;
}

static void draw_merge(const struct look *l)
{
	const struct ckpt_store_status *t = &l->s.status;
	char from[2 * CKPT_NAME_BYTES + 32], into[2 * CKPT_NAME_BYTES + 32], why[400];

	if (t->from)
		record_name(&l->s.model, t->from, from, sizeof(from));
	if (t->into)
		record_name(&l->s.model, t->into, into, sizeof(into));
	printf("%-10s ", "merge");
	if (!strcmp(t->merge, "idle")) {
		puts("nothing to do");
	} else if (!strcmp(t->merge, "free")) {
		puts("frees what nobody needs any more");
	} else if (!strcmp(t->merge, "pack")) {
		puts("moves blocks together: much of what is free are holes");
	} else if (!ckpt_merge_works(t)) {
		progress_why(&l->s, why, sizeof(why));
		printf("waits %s\n", why);
	} else if (t->from && t->into) {
		printf("%s %s %s\n", from, !strcmp(t->merge, "base") ? "is copied to" : "goes into",
		       into);
	} else {
		puts("at work");
	}
}

static void draw_left(const struct look *l)
{
	const struct ckpt_store_status *t = &l->s.status;
	double speed = -meter_speed(&l->left);
	int64_t seconds = meter_time(t->left, speed);
	char a[CKPT_TEXT_LEN], b[CKPT_TEXT_LEN];

	if (t->left) {
		printf("%-10s ", "to merge");
		out_bar(stdout, l->most_left - t->left, l->most_left, BAR_WIDTH);
		printf(" %s left", size(l, t->left * l->unit_bytes, a));
		if (speed > 0)
			printf(", %s/s", size(l, bytes_of(l, speed), b));
		if (seconds >= 0)
			printf(", done in %s", ckpt_duration((uint64_t)seconds, b));
		puts("");
	}
	printf("%-10s ", "limits");
	if (t->rate_kib)
		printf("%s/s, ", size(l, t->rate_kib * 1024, a));
	printf("%llu %% of the time while there is other I/O\n", (unsigned long long)t->share);
}

static void draw_guard(const struct look *l)
{
	const char *guard = l->s.status.guard;

	printf("%-10s ", "guard");
	if (!strcmp(guard, "held"))
		printf("held by this host, with a sign of life every %llu s\n",
		       (unsigned long long)l->guard_interval);
	else if (!strcmp(guard, "late"))
		puts("LATE: the store's device does not answer, and nothing is written before it does");
	else if (!strcmp(guard, "lost"))
		puts("LOST: another host has opened the store (see the kernel's log)");
	else
		puts("off: nothing keeps other hosts from opening the store");
}

static void draw(const struct look *l)
{
	char path[PATH_MAX];

	store_path(&l->s, path);
	printf("%s on %s, %s\n", l->s.dev->name, path, store_mode_text(l->s.status.mode));
	draw_space(l);
	draw_growth(l);
	draw_full(l);
	draw_merge(l);
	draw_left(l);
	draw_guard(l);
}

static bool is_raw(const struct cli *cli)
{
	return cli_has(cli, OPT_JSON) || cli_has(cli, OPT_FIELDS) || cli_has(cli, OPT_NO_HEADINGS);
}

static enum ckpt_result show(const struct look *l)
{
	struct out *out;

	if (!is_raw(l->cli)) {
		draw(l);
		return CKPT_DONE;
	}
	out = out_new(l->cli, "dm-ckpt.store-status.v1", NULL, fields);
	if (!out)
		return l->cli->c.error.result;
	add_row(out, l);
	out_end(out);
	return CKPT_DONE;
}

/* Until somebody ends it, or the store is gone. */
static enum ckpt_result watch(struct look *l, double seconds)
{
	bool redraws = !is_raw(l->cli) && isatty(STDOUT_FILENO);
	enum ckpt_result result;

	for (;;) {
		if (redraws)
			fputs("\033[H\033[J", stdout);
		result = show(l);
		if (!is_raw(l->cli) && !redraws)
			puts("");
		if (result || fflush(stdout) || ferror(stdout))
			return result;
		meter_sleep(seconds);
		ckpt_store_free(&l->s);
		result = look(l);
		if (result)
			return result;
	}
}

enum ckpt_result run_store_status(struct cli *cli, char **arg, int count)
{
	struct look l = {
		.cli = cli,
		.name = count ? arg[0] : NULL,
		.used.window = GROWTH_SECONDS,
		.left.window = MERGE_SECONDS,
	};
	const char *wanted = cli->option[OPT_WATCH];
	uint64_t seconds = (uint64_t)LOOK_SECONDS;
	enum ckpt_result result = CKPT_DONE;

	if (wanted && *wanted)
		result = ckpt_parse_number(wanted, "--watch", 1, 86400, &seconds, &cli->c.error);
	if (!result)
		result = look(&l);
	/* A speed takes two looks. */
	if (!result && !wanted) {
		meter_sleep(LOOK_SECONDS);
		ckpt_store_free(&l.s);
		result = look(&l);
	}
	if (!result)
		result = wanted ? watch(&l, (double)seconds) : show(&l);
	ckpt_store_free(&l.s);
	return result;
}
