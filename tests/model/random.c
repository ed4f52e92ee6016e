// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands at random, beside the threads that do I/O.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "check.h"
#include "crash.h"
#include "dmdev.h"
#include "evlog.h"
#include "io.h"
#include "random.h"
#include "stack.h"
#include "verify.h"

#define MAX_VIEWS	6

static struct rng rng;
static struct worker self;		/* for I/O between commands */
static struct view views[MAX_VIEWS];
static unsigned int nr_views;
static unsigned int counts[32];

void random_init(uint64_t seed)
{
	rng_init(&rng, seed << 8 | 0xff);
	worker_init(&self, 0);
}

static unsigned int nr_vols(void)
{
	struct vol *v;
	unsigned int n = 0;

	for each_vol(v)
		n++;
	return n;
}

static unsigned int nr_cks(void)
{
	struct ckpt *ck;
	unsigned int n = 0;

	for each_ck(ck)
		n++;
	return n;
}

static struct vol *any_vol(void)
{
	struct vol *v, *found = NULL;
	unsigned int n = 0;

	for each_vol(v)
		if (v->state == VOL_ACTIVE && !rng_below(&rng, ++n))
			found = v;
	return found;
}

static struct ckpt *any_ck(bool idle)
{
	struct ckpt *ck, *found = NULL;
	unsigned int n = 0;

	for each_ck(ck)
		if ((!idle || !ck->views) && !rng_below(&rng, ++n))
			found = ck;
	return found;
}

static struct base *any_base(bool template)
{
	struct base *found = NULL;
	unsigned int n = 0;

	for (unsigned int i = 0; i < model.nr_bases; i++) {
		struct base *b = &model.base[i];

		if (b->template == template && (template || !b->taken) &&
		    !rng_below(&rng, ++n))
			found = b;
	}
	return found;
}

static uint64_t random_size(void)
{
	if (cfg.huge && rng_chance(&rng, 35))
		return (9ull << 31) + rng_below(&rng, 7) * (1ull << 31);
	return (uint64_t)cfg.size_mib * MIB_SECTORS;
}

static void do_create(void)
{
	struct ckpt *ck = any_ck(false);
	struct base *b;

	/* One that shall be alone stays so: nothing keeps it from merging into its base. */
	if (nr_vols() >= cfg.volumes + (cfg.volumes > 1 ? 2 : 0))
		return;
	switch (rng_below(&rng, 4)) {
	case 0:
		admin_create(random_size());
		break;
	case 1:
		b = any_base(rng_chance(&rng, 50));
		if (b && b->template)
			admin_clone_template(b);
		else if (b)
			admin_adopt(b);
		break;
	default:
		if (ck)
			admin_clone(ck);
	}
}

static void do_delete(void)
{
	struct vol *v = any_vol();
	struct ckpt *ck;

	if (!v || nr_vols() <= cfg.volumes)
		return;
	/* There are few that merge into their base, and none comes back. */
	if (cfg.marks && v->owner && rng_chance(&rng, 90))
		return;
	for each_ck(ck)
		if (ck->vol == v && ck->views)
			return;
	admin_delete(v);
}

static unsigned int some_vols(struct vol **list, unsigned int most)
{
	unsigned int want = 1 + rng_below(&rng, most), n = 0;
	struct vol *v;

	for each_vol(v)
		if (v->state == VOL_ACTIVE && n < want && rng_chance(&rng, 60))
			list[n++] = v;
	return n;
}

static void do_drop(void)
{
	struct ckpt *list[4], *ck;
	unsigned int n = 0, want = 1 + rng_below(&rng, 4);

	for each_ck(ck)
		if (!ck->views && n < want && rng_chance(&rng, 30))
			list[n++] = ck;
	if (n)
		admin_drop(list, n);
}

/* All of one volume: it may come to pass through. */
static void do_strip(void)
{
	struct ckpt *list[MAX_MEMBERS], *ck;
	struct vol *v = any_vol();
	unsigned int n = 0;

	for each_ck(ck)
		if (ck->vol == v && !ck->views && n < MAX_MEMBERS)
			list[n++] = ck;
	if (n)
		admin_drop(list, n);
}

static void do_take(void)
{
	struct vol *list[MAX_MEMBERS];
	struct ckpt *ck[MAX_MEMBERS];
	unsigned int n = some_vols(list, cfg.marks ? 8 : 5);

	while (!failed && nr_cks() + n > cfg.checkpoints && nr_cks() > nr_views)
		do_drop();
	if (!n || !admin_take(list, n, ck) || cfg.marks || !rng_chance(&rng, 40))
		return;
	for (unsigned int i = 0; i < n && !failed; i++)
		verify_ckpt(ck[i]);
}

static void do_apply(void)
{
	struct ckpt *list[3], *ck;
	unsigned int n = 0, want = 1 + rng_below(&rng, 3);

	for each_ck(ck) {
		bool twice = false;

		for (unsigned int i = 0; i < n; i++)
			twice |= list[i]->vol == ck->vol;
		if (!twice && n < want && rng_chance(&rng, 25))
			list[n++] = ck;
	}
	if (n)
		admin_apply(list, n);
}

static void do_rename(void)
{
	struct vol *v = any_vol();

	if (v)
		admin_rename(v);
}

static void do_rename_ck(void)
{
	struct ckpt *ck = any_ck(false);

	if (ck)
		admin_rename_ck(ck);
}

static void do_grow(void)
{
	const struct window *top = &layout.w[layout.nr - 1];
	struct vol *v = any_vol();
	uint64_t limit, size;

	if (!v)
		return;
	limit = layout.w[0].len;
	if (v->size > limit)
		limit = top->start + top->len;
	if (v->owner)
		limit = min(limit, cfg.origin[v->base->id].len);
	if (v->size >= limit)
		return;
	size = v->size + rng_below(&rng, limit - v->size) + 128;
	admin_grow(v, min(limit, size - size % 128));
}

static void do_reload(void)
{
	struct vol *v = any_vol();

	if (v)
		vol_reload(v, rng_chance(&rng, 70));
}

static bool dm_good(int err, const char *what)
{
	if (err)
		failure("%s: %s", what, strerror(-err));
	return !err;
}

static void do_suspend(void)
{
	struct vol *list[MAX_MEMBERS];
	unsigned int n = some_vols(list, 3);
	bool noflush = rng_chance(&rng, 40);

	for (unsigned int i = 0; i < n; i++) {
		history("suspend %s%s", VOL_DEV(list[i]), noflush ? ", noflush" : "");
		dm_good(dm->suspend(VOL_DEV(list[i]), noflush), "suspend");
	}
	sleep_ms(rng_below(&rng, 15));
	if (n && rng_chance(&rng, 50) && nr_cks() + n <= cfg.checkpoints)
		admin_take(list, n, NULL);
	for (unsigned int i = 0; i < n; i++) {
		history("resume %s", VOL_DEV(list[i]));
		dm_good(dm->resume(VOL_DEV(list[i])), "resume");
	}
}

static void do_suspend_store(void)
{
	history("suspend the store");
	dm_good(dm->suspend(store_dev(), rng_chance(&rng, 40)), "suspend the store");
	sleep_ms(rng_below(&rng, 15));
	dm_good(dm->resume(store_dev()), "resume the store");
	history("resumed the store");
}

static void do_view(void)
{
	struct ckpt *ck = any_ck(false);

	if (ck && nr_views < MAX_VIEWS && view_open(&views[nr_views], ck))
		nr_views++;
}

static void do_verify_views(void)
{
	struct view list[MAX_VIEWS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < nr_views; i++) {
		bool twice = false;

		for (unsigned int k = 0; k < n; k++)
			twice |= list[k].ck == views[i].ck;
		if (!twice)
			list[n++] = views[i];
	}
	if (n)
		verify_views(list, n);
}

static void do_unview(void)
{
	unsigned int i = rng_below(&rng, nr_views);

	if (!nr_views)
		return;
	view_close(&views[i]);
	views[i] = views[--nr_views];
}

void close_views(void)
{
	while (nr_views)
		view_close(&views[--nr_views]);
}

static void do_verify_vol(void)
{
	struct vol *v = any_vol();

	if (v)
		verify_vol(v);
}

static void do_cycle(void)
{
	close_views();
	admin_cycle(rng_chance(&rng, 50));
}

static void do_commit(void)
{
	dm_good(send_message(NULL, "commit"), "commit");
	admin_status();
}

static void do_list(void)
{
	verify_list();
}

static void do_diff(void)
{
	struct ckpt *a = any_ck(false), *b, *with = NULL;

	if (cfg.fake || !a)
		return;
	for each_ck(b)
		if (b->vol == a->vol && b != a)
			with = b;
	if (!with || (a->watch.ops.nr && !verify_ckpt(a)) ||
	    (with->watch.ops.nr && !verify_ckpt(with)))
		return;
	verify_diff(min(a, with), max(a, with));
}

static void refused(const char *what, int err)
{
	if (!err)
		failure("%s was not refused", what);
}

/* What must be refused, and must change nothing. */
static void do_refused(void)
{
	struct vol *v = any_vol();
	struct ckpt *ck = any_ck(false);

	if (v && rng_chance(&rng, 50))
		refused("delete_volume of an active volume",
			send_message(NULL, "delete_volume %s", VOL_NAME(v)));
	else if (ck && ck->vol->state == VOL_ACTIVE && rng_chance(&rng, 50))
		refused("apply to an active volume",
			send_message(NULL, "apply %s", CK_NAME(ck)));
	else if (ck && rng_chance(&rng, 50))
		refused("a checkpoint with a name that exists",
			send_message(NULL, "checkpoint %s standard %s",
				     strchr(CK_NAME(ck), '@') + 1, VOL_NAME(ck->vol)));
	else if (nr_views)
		refused("delete_checkpoint of a view",
			send_message(NULL, "delete_checkpoint %s", CK_NAME(views[0].ck)));
}

static void do_deactivate(void)
{
	struct vol *v = any_vol();

	if (!v || !vol_deactivate(v))
		return;
	sleep_ms(rng_below(&rng, 30));
	if (rng_chance(&rng, 50))
		do_drop();
	vol_activate(v, rng_chance(&rng, 50));
}

/* Merging may stop, or be slow, while all else goes on. */
static void do_merge(void)
{
	int err;

	switch (rng_below(&rng, 6)) {
	case 0:
		err = send_message(NULL, "merge pause");
		break;
	case 1:
		err = send_message(NULL, "merge rate %u", 128u << rng_below(&rng, 8));
		break;
	case 2:
		err = send_message(NULL, "merge rate 0");
		break;
	case 3:
		err = send_message(NULL, "merge share %u", 1 + (unsigned int)rng_below(&rng, 100));
		break;
	default:
		err = send_message(NULL, "merge resume");
	}
	dm_good(err, "merge");
}

/* What is to become of writes that find no space; some of those that wait get it in time. */
static void do_space(void)
{
	dm_good(send_message(NULL, rng_chance(&rng, 90) ? "no_space error" : "no_space queue 1"),
		"no_space");
}

static void do_estimate(void)
{
	struct ckpt *ck = any_ck(false);
	unsigned long long frees, copies;
	char *text = NULL;
	int err;

	if (cfg.fake || !ck)
		return;
	err = send_message(&text, "estimate %s", CK_NAME(ck));
	if (err || !text || sscanf(text, "%llu %llu", &frees, &copies) != 2)
		failure("estimate: %s", err ? strerror(-err) : text ? text : "no answer");
	free(text);
}

static void do_store_grow(void)
{
	store_grow();
}

static const struct {
	void (*fn)(void);
	unsigned int weight;
	unsigned int recorded;	/* weight if it is looked at later: what changes something */
	const char *name;
} actions[] = {
	{ do_take, 22, 24, "take" }, { do_drop, 8, 8, "drop" }, { do_strip, 3, 16, "strip" },
	{ do_apply, 5, 5, "apply" },
	{ do_create, 6, 5, "create" }, { do_delete, 5, 8, "delete" },
	{ do_view, 8, 2, "view" }, { do_verify_views, 4, 0, "verify views" },
	{ do_unview, 7, 4, "close view" }, { do_verify_vol, 4, 0, "verify volume" },
	{ do_rename, 3, 2, "rename" }, { do_rename_ck, 3, 2, "rename checkpoint" },
	{ do_grow, 3, 3, "grow" }, { do_reload, 4, 2, "reload" },
	{ do_suspend, 5, 3, "suspend" }, { do_suspend_store, 3, 1, "suspend store" },
	{ do_cycle, 3, 2, "cycle" }, { do_commit, 3, 12, "commit" }, { do_list, 3, 0, "list" },
	{ do_diff, 4, 0, "diff" }, { do_refused, 4, 1, "refused" },
	{ do_store_grow, 1, 1, "grow store" }, { do_merge, 8, 5, "merge" },
	{ do_deactivate, 3, 2, "deactivate" }, { do_estimate, 2, 0, "estimate" },
	{ do_space, 6, 0, "no space" },
};

static unsigned int weight(unsigned int i)
{
	if (actions[i].fn == do_space && !cfg.full)
		return 0;
	return cfg.marks ? actions[i].recorded : actions[i].weight;
}

static void act(void)
{
	unsigned int sum = 0, pick;

	for (unsigned int i = 0; i < ARRAY_SIZE(actions); i++)
		sum += weight(i);
	pick = rng_below(&rng, sum);
	for (unsigned int i = 0; i < ARRAY_SIZE(actions); i++) {
		if (pick < weight(i)) {
			counts[i]++;
			actions[i].fn();
			return;
		}
		pick -= weight(i);
	}
}

static void say_counts(void)
{
	char text[700];
	unsigned int len = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(actions); i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s %u", i ? ", " : "",
				actions[i].name, counts[i]);
	note("%llu operations, %llu without space; %s", (unsigned long long)ops_done(),
	     (unsigned long long)ops_without_space(), text);
}

bool phase_setup(void)
{
	struct vol *v = NULL;

	for (unsigned int i = 0; i < model.nr_bases && !failed; i++) {
		struct base *b = &model.base[i];

		/* The first is adopted, the second a template, and so on. */
		if (i & 1)
			v = admin_template(b) ? admin_clone_template(b) : NULL;
		else
			v = admin_adopt(b);
	}
	while (!failed && nr_vols() < cfg.volumes)
		v = admin_create(nr_vols() & 1 ? random_size() :
				 (uint64_t)cfg.size_mib * MIB_SECTORS);
	return !failed && v;
}

bool phase_random(void)
{
	uint64_t end = now_ms() + cfg.seconds * 1000ull;

	/* So slow that there is I/O in the middle of one. */
	if (cfg.marks)
		dm_good(send_message(NULL, "merge rate 256"), "merge");
	if (cfg.die)
		crash_after(now_ms() + rng_below(&rng, cfg.seconds * 1000ull));
	workers_start(cfg.ops);
	while (!failed && !workers_done() && (!cfg.seconds || now_ms() < end)) {
		if (!cfg.threads && !rng_chance(&rng, 4)) {
			worker_step(&self);
			continue;
		}
		act();
		crash_here();
		if (cfg.copy_to && crash_copied())
			break;
		if (cfg.threads)
			sleep_ms(rng_below(&rng, 12));
	}
	workers_stop();
	say_counts();
	return !failed;
}

bool phase_verify(void)
{
	do_verify_views();
	close_views();
	return !failed && verify_list() && verify_all() && admin_status();
}

bool phase_cycle(void)
{
	close_views();
	return admin_cycle(false) && verify_list() && verify_all();
}
