// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dmdev.h"
#include "stack.h"
#include "util.h"

/* The tables that the kernel gave at the last removal, with UUIDs. */
static struct table vol_tables[MAX_VOLS];
static bool store_small = true;		/* a part of its device is unused yet */
static bool store_up;
static unsigned int nr_origins_up;

const char *vol_name(char *buf, const struct vol *v)
{
	if (v->rev)
		snprintf(buf, NAME_LEN, "v%u.%u", v->id, v->rev);
	else
		snprintf(buf, NAME_LEN, "v%u", v->id);
	return buf;
}

const char *ck_name(char *buf, const struct ckpt *ck)
{
	int n = strlen(vol_name(buf, ck->vol));

	if (ck->rev)
		snprintf(buf + n, NAME_LEN - n, "@g%u.%u", ck->group->id, ck->rev);
	else
		snprintf(buf + n, NAME_LEN - n, "@g%u", ck->group->id);
	return buf;
}

const char *vol_dev(char *buf, const struct vol *v)
{
	snprintf(buf, NAME_LEN, "%s-v%u", cfg.prefix, v->id);
	return buf;
}

const char *base_name(char *buf, const struct base *b)
{
	snprintf(buf, NAME_LEN, "%s-o%u", cfg.prefix, b->id);
	return buf;
}

const char *store_dev(void)
{
	static char name[NAME_LEN];

	snprintf(name, sizeof(name), "%s-store", cfg.prefix);
	return name;
}

const char *lower_dev(void)
{
	static char name[NAME_LEN];

	snprintf(name, sizeof(name), "%s-low", cfg.prefix);
	return name;
}

static bool good(int err, const char *what, const char *name)
{
	if (err < 0)
		failure("%s %s: %s", what, name, strerror(-err));
	return err >= 0;
}

static bool linear_up(const char *name, const char *dev, uint64_t start, uint64_t len)
{
	struct table t;

	table_fill(&t, len, "linear", "%s %llu", dev, (unsigned long long)start);
	return good(dm->create(name, &t, false), "create", name);
}

bool lower_up(void)
{
	uint64_t end = cfg.store.start + cfg.store.len;

	for (unsigned int i = 0; i < cfg.origins; i++)
		end = max(end, cfg.origin[i].start + cfg.origin[i].len);
	return linear_up(lower_dev(), cfg.disk, 0, end);
}

bool origins_up(void)
{
	for (; nr_origins_up < cfg.origins; nr_origins_up++) {
		unsigned int i = nr_origins_up;
		const struct slice *s = &cfg.origin[i];
		uint64_t size = i < model.nr_bases ? model.base[i].size : s->len;

		if (!linear_up(BASE_NAME(&(struct base){ .id = i }), s->dev, s->start, size))
			return false;
	}
	return true;
}

bool origins_down(void)
{
	bool ok = true;

	while (nr_origins_up) {
		const char *name = BASE_NAME(&(struct base){ .id = --nr_origins_up });

		ok = good(dm->remove(name), "remove", name) && ok;
	}
	return ok;
}

bool origin_grow(const struct base *b, uint64_t sectors)
{
	const struct slice *s = &cfg.origin[b->id];
	const char *name = BASE_NAME(b);
	struct table t;

	table_fill(&t, sectors, "linear", "%s %llu", s->dev, (unsigned long long)s->start);
	return good(dm->reload(name, &t, false), "reload", name) &&
	       good(dm->suspend(name, false), "suspend", name) &&
	       good(dm->resume(name), "resume", name);
}

static struct table *store_table(struct table *t, const char *features)
{
	uint64_t len = store_small ? cfg.store.len / 4 * 3 : cfg.store.len;

	len -= len % 128;
	return table_fill(t, len, "ckpt-store", "%s%s", cfg.store.dev, features);
}

/* Returns @nr, how many words these are. */
__attribute__((format(printf, 4, 5)))
static unsigned int add_words(char *words, size_t bytes, unsigned int nr, const char *fmt, ...)
{
	size_t used = strlen(words);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words + used, bytes - used, fmt, ap);
	va_end(ap);
	return nr;
}

bool stack_up(bool format)
{
	char words[120] = "", features[120] = "";
	unsigned int cache = cfg.seed & 1 ? 8 : 64, nr = 0;
	struct table t;

	if (!origins_up())
		return false;
	if (format)
		nr += add_words(words, sizeof(words), 3, " format block_size %u", cfg.block);
	if (format || cfg.marks)
		nr += add_words(words, sizeof(words), 2, " cache_mb %u", cache);
	else if (cfg.seed & 2)
		nr += add_words(words, sizeof(words), 2, " cache_mb 8");
	/* What is recorded may be full for long, and shall be so. */
	if (cfg.marks || cfg.full)
		nr += add_words(words, sizeof(words), 2, " no_space_timeout 1");
	if (cfg.low)
		nr += add_words(words, sizeof(words), 2, " low_water 4294967295");
	/* The machine that it was active in has been killed, so nobody need watch for it. */
	if (cfg.resume)
		nr += add_words(words, sizeof(words), 1, " no_guard");
	if (nr)
		snprintf(features, sizeof(features), " %u%s", nr, words);
	if (!format && cfg.resume)
		store_small = false;
	store_up = good(dm->create(store_dev(), store_table(&t, features), false),
			"create", store_dev());
	return store_up;
}

void stack_down(void)
{
	for (uint32_t i = 0; i < model.nr_vols; i++)
		if (model.vol[i] && model.vol[i]->state == VOL_ACTIVE)
			vol_deactivate(model.vol[i]);
	if (store_up)
		good(dm->remove(store_dev()), "remove", store_dev());
	store_up = false;
	origins_down();
}

bool store_grow(void)
{
	struct table t, was;

	if (!store_small)
		return true;
	store_small = false;
	/* As a person would: the table that is shown, with another length. */
	if (!good(dm->table(store_dev(), &was), "table", store_dev()))
		return false;
	t = was;
	t.sectors = cfg.store.len - cfg.store.len % 128;
	return good(dm->reload(store_dev(), &t, false), "reload", store_dev()) &&
	       good(dm->suspend(store_dev(), false), "suspend", store_dev()) &&
	       good(dm->resume(store_dev()), "resume", store_dev());
}

int send_message(char **answer, const char *fmt, ...)
{
	char msg[DM_TEXT];
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err = dm->message(store_dev(), msg, answer);
	history("%s: %s", msg, err ? strerror(-err) : "done");
	return err;
}

char *send_paged(const char *fmt, ...)
{
	char msg[DM_TEXT], cursor[200] = "", *all = xzalloc(1), *page, *next, *end;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	for (unsigned int pages = 0; pages < 100000; pages++) {
		int err;

		snprintf(msg + n, sizeof(msg) - n, "%s%s", *cursor ? " " : "", cursor);
		err = dm->message(store_dev(), msg, &page);
		if (err || !page) {
			failure("%s: %s", msg, err ? strerror(-err) : "no answer");
			free(all);
			return NULL;
		}
		all = xrealloc(all, strlen(all) + strlen(page) + 2);
		strcat(all, page);
		free(page);
		/* The last line is "end", or "next <cursor>". */
		end = all + strlen(all);
		while (end > all && end[-1] == '\n')
			*--end = 0;
		next = strrchr(all, '\n');
		next = next ? next + 1 : all;
		if (!strcmp(next, "end")) {
			*next = 0;
			return all;
		}
		if (sscanf(next, "next %199s", cursor) != 1) {
			failure("%s: the last line is neither end nor next: '%s'", msg, next);
			break;
		}
		*next = 0;
	}
	free(all);
	return NULL;
}

static void volume_table(struct table *t, const struct vol *v, const char *spec,
			 uint64_t size, uint32_t variant)
{
	char origin[NAME_LEN + 20] = "";

	if (v->base)
		snprintf(origin, sizeof(origin), " %s/%s", dm->dir, BASE_NAME(v->base));
	else if (variant & 1)
		snprintf(origin, sizeof(origin), " -");
	table_fill(t, size, "ckpt", "%s/%s %s%s%s", dm->dir, store_dev(), spec, origin,
		   *origin && variant & 2 ? " 0" : "");
}

/* What the kernel said last, if that still has the right length. */
static void pick_table(struct table *t, const struct vol *v, bool by_uuid)
{
	const struct table *last = &vol_tables[v->id];

	if (by_uuid && last->sectors == v->size)
		*t = *last;
	else
		volume_table(t, v, VOL_NAME(v), v->size, v->id + v->rev);
}

bool vol_activate(struct vol *v, bool by_uuid)
{
	const char *name = VOL_DEV(v);
	struct table t;
	int fd;

	pick_table(&t, v, by_uuid);
	history("create %s: %s", name, t.params);
	if (!good(dm->create(name, &t, false), "create", name))
		return false;
	fd = dm->open(name, false);
	if (!good(fd, "open", name))
		return false;
	pthread_mutex_lock(&model.lock);
	v->fd = fd;
	v->dev_size = t.sectors;
	v->closing = false;
	v->state = VOL_ACTIVE;
	pthread_cond_broadcast(&model.cond);
	pthread_mutex_unlock(&model.lock);
	return true;
}

static void keep_table(struct vol *v)
{
	struct table t;

	vol_tables[v->id].sectors = 0;
	if (!dm->table(VOL_DEV(v), &t) && !strcmp(t.target, "ckpt"))
		vol_tables[v->id] = t;
}

bool vol_deactivate(struct vol *v)
{
	const char *name = VOL_DEV(v);

	history("remove %s", name);
	pthread_mutex_lock(&model.lock);
	v->closing = true;
	while (v->users)
		pthread_cond_wait(&model.cond, &model.lock);
	v->state = VOL_INACTIVE;
	pthread_mutex_unlock(&model.lock);
	close(v->fd);
	v->fd = -1;
	keep_table(v);
	return good(dm->remove(name), "remove", name);
}

static bool swap_table(struct vol *v, const struct table *t)
{
	const char *name = VOL_DEV(v);

	history("reload %s: %llu %s %s", name, (unsigned long long)t->sectors, t->target, t->params);
	if (!good(dm->reload(name, t, false), "reload", name) ||
	    !good(dm->suspend(name, false), "suspend", name) ||
	    !good(dm->resume(name), "resume", name))
		return false;
	v->dev_size = t->sectors;
	return true;
}

bool vol_reload(struct vol *v, bool by_uuid)
{
	struct table t;

	keep_table(v);
	pick_table(&t, v, by_uuid);
	return swap_table(v, &t);
}

bool vol_linear(struct vol *v)
{
	struct table t;

	table_fill(&t, v->size, "linear", "%s/%s 0", dm->dir, BASE_NAME(v->base));
	return swap_table(v, &t);
}

bool view_open(struct view *w, struct ckpt *ck)
{
	static unsigned int count;
	struct table t;

	w->ck = ck;
	snprintf(w->name, sizeof(w->name), "%s-c%u-%u", cfg.prefix, ck->id, count++);
	volume_table(&t, ck->vol, CK_NAME(ck), ck->size, count);
	history("create %s, read-only: %s", w->name, t.params);
	if (!good(dm->create(w->name, &t, true), "create view", w->name))
		return false;
	w->fd = dm->open(w->name, true);
	if (!good(w->fd, "open view", w->name)) {
		dm->remove(w->name);
		return false;
	}
	ck->views++;
	return true;
}

bool view_close(struct view *w)
{
	history("remove %s", w->name);
	close(w->fd);
	w->ck->views--;
	return good(dm->remove(w->name), "remove view", w->name);
}
