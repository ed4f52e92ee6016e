// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "check.h"
#include "crash.h"
#include "dmdev.h"
#include "settle.h"
#include "stack.h"
#include "verify.h"

static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_cond = PTHREAD_COND_INITIALIZER;
static bool held;

void admin_hold(bool hold)
{
	pthread_mutex_lock(&hold_lock);
	held = hold;
	pthread_cond_broadcast(&hold_cond);
	pthread_mutex_unlock(&hold_lock);
}

static void begin(struct cmd *c)
{
	pthread_mutex_lock(&hold_lock);
	while (held)
		pthread_cond_wait(&hold_cond, &hold_lock);
	cmd_begin(c);
	pthread_mutex_unlock(&hold_lock);
}

/* Say it to the store, between the model's begin and end. */
static int try_cmd(struct cmd *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int try_cmd(struct cmd *c, const char *fmt, ...)
{
	char msg[DM_TEXT];
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	begin(c);
	crash_here();
	err = send_message(NULL, "%s", msg);
	crash_here();
	cmd_end(c, !err);
	crash_mark(NULL);
	crash_mark(NULL);
	return err;
}

static bool must(int err, const char *what)
{
	if (err)
		failure("%s: %s", what, strerror(-err));
	return !err;
}

/* A store that may be full may have no space for more metadata either; then nothing changes. */
static bool no_space(int err, const char *what)
{
	if (err != -ENOSPC || !(cfg.full || cfg.marks))
		return false;
	note("%s: no space for more metadata", what);
	return true;
}

struct vol *next_vol(uint32_t *i)
{
	for (; *i < model.nr_vols; (*i)++)
		if (model.vol[*i] && model.vol[*i]->state != VOL_NONE)
			return model.vol[*i];
	return NULL;
}

struct ckpt *next_ck(uint32_t *i)
{
	for (; *i < model.nr_cks; (*i)++)
		if (model.ck[*i] && model.ck[*i]->there)
			return model.ck[*i];
	return NULL;
}

static struct vol *created(struct vol *v, int err)
{
	if (no_space(err, "a new volume") || !must(err, "a new volume") ||
	    !vol_activate(v, false))
		return NULL;
	return v;
}

struct vol *admin_create(uint64_t sectors)
{
	struct vol *v = vol_new(model.nr_vols, sectors, NULL);
	struct cmd c = { .type = CMD_CREATE, .nr = 1, .m = { { v, NULL } }, .arg = sectors };

	return created(v, try_cmd(&c, "create_volume %s %llu", VOL_NAME(v),
				  (unsigned long long)sectors));
}

struct vol *admin_adopt(struct base *b)
{
	struct vol *v = vol_new(model.nr_vols, b->size, b);
	struct cmd c = { .type = CMD_CREATE, .nr = 1, .m = { { v, NULL } },
			 .arg = b->size, .base = b };

	return created(v, try_cmd(&c, "adopt_volume %s %llu", VOL_NAME(v),
				  (unsigned long long)b->size));
}

bool admin_template(struct base *b)
{
	b->template = true;
	return must(send_message(NULL, "create_template b%u %llu", b->id,
				 (unsigned long long)b->size), "create_template");
}

struct vol *admin_clone_template(struct base *b)
{
	struct vol *v = vol_new(model.nr_vols, b->size, b);
	struct cmd c = { .type = CMD_CREATE, .nr = 1, .m = { { v, NULL } },
			 .arg = b->size, .base = b };

	return created(v, try_cmd(&c, "clone b%u %s", b->id, VOL_NAME(v)));
}

/* A checkpoint that something shall grow from must be known exactly. */
static bool resolved(struct ckpt *ck)
{
	return !ck->watch.ops.nr || verify_ckpt(ck);
}

struct vol *admin_clone(struct ckpt *ck)
{
	struct vol *v;
	struct cmd c = { .type = CMD_CREATE, .nr = 1, .arg = ck->size,
			 .base = ck->vol->base };

	if (!resolved(ck))
		return NULL;
	v = vol_new(model.nr_vols, ck->size, ck->vol->base);
	c.m[0].vol = v;
	c.m[0].ck = ck;
	return created(v, try_cmd(&c, "clone %s %s", CK_NAME(ck), VOL_NAME(v)));
}

bool admin_take(struct vol **v, unsigned int nr, struct ckpt **ck)
{
	static const char *const kinds[] = {
		"standard", "production", "offline", "recovery"
	};
	struct cmd c = { .type = CMD_TAKE, .nr = nr, .group = model.nr_groups };
	char names[MAX_MEMBERS * NAME_LEN];
	unsigned int len = 0;
	int err;

	for (unsigned int i = 0; i < nr; i++) {
		c.m[i].vol = v[i];
		c.m[i].ck = ckpt_new(model.nr_cks, v[i], c.group);
		len += snprintf(names + len, sizeof(names) - len, " %s", VOL_NAME(v[i]));
		if (ck)
			ck[i] = c.m[i].ck;
	}
	err = try_cmd(&c, "checkpoint g%u %s%s", c.group, kinds[c.group % 4], names);
	/* The drain is bounded, and the machine may be slow. */
	if (err == -ETIMEDOUT || err == -EAGAIN) {
		note("a checkpoint gave up: %s", strerror(-err));
		return false;
	}
	return !no_space(err, "a checkpoint") && must(err, "checkpoint");
}

static unsigned int join_cks(char *buf, size_t size, struct ckpt **ck, unsigned int nr)
{
	unsigned int len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += snprintf(buf + len, size - len, " %s", CK_NAME(ck[i]));
	return len;
}

bool admin_apply(struct ckpt **ck, unsigned int nr)
{
	struct cmd c = { .type = CMD_APPLY, .nr = nr };
	char names[MAX_MEMBERS * NAME_LEN];
	bool was[MAX_MEMBERS];
	int err;

	join_cks(names, sizeof(names), ck, nr);
	for (unsigned int i = 0; i < nr; i++) {
		c.m[i].vol = ck[i]->vol;
		c.m[i].ck = ck[i];
		was[i] = ck[i]->vol->state == VOL_ACTIVE;
		if (!resolved(ck[i]))
			return false;
		if (was[i] && !vol_deactivate(ck[i]->vol))
			return false;
	}
	err = try_cmd(&c, "apply%s", names);
	for (unsigned int i = 0; i < nr; i++)
		if (was[i] && !vol_activate(ck[i]->vol, i & 1))
			return false;
	return must(err, "apply");
}

bool admin_drop(struct ckpt **ck, unsigned int nr)
{
	struct cmd c = { .type = CMD_DROP, .nr = nr };
	char names[MAX_MEMBERS * NAME_LEN];

	join_cks(names, sizeof(names), ck, nr);
	for (unsigned int i = 0; i < nr; i++)
		c.m[i].ck = ck[i];
	return must(try_cmd(&c, "delete_checkpoint%s", names), "delete_checkpoint");
}

bool admin_delete(struct vol *v)
{
	struct cmd c = { .type = CMD_DELETE, .nr = 1, .m = { { v, NULL } } };
	struct ckpt *list[MAX_MEMBERS], *ck;

	for (;;) {
		unsigned int nr = 0;

		for each_ck(ck)
			if (ck->vol == v && nr < MAX_MEMBERS)
				list[nr++] = ck;
		if (!nr)
			break;
		if (!admin_drop(list, nr))
			return false;
	}
	/*
	 * A merge into its base that ends with it may have come anywhere: then nobody knows which
	 * layers there are, and what they hold.
	 */
	if (v->owner && v->state == VOL_ACTIVE && !cfg.log && !cfg.fake && !settle_now())
		return false;
	if (v->state == VOL_ACTIVE && !vol_deactivate(v))
		return false;
	return must(try_cmd(&c, "delete_volume %s", VOL_NAME(v)), "delete_volume");
}

bool admin_rename(struct vol *v)
{
	struct cmd c = { .type = CMD_RENAME, .nr = 1, .m = { { v, NULL } },
			 .arg = v->rev + 1 };

	return must(try_cmd(&c, "rename_volume %s v%u.%u", VOL_NAME(v), v->id, v->rev + 1),
		    "rename_volume");
}

bool admin_rename_ck(struct ckpt *ck)
{
	struct cmd c = { .type = CMD_RENAME_CK, .nr = 1, .m = { { NULL, ck } },
			 .arg = ck->rev + 1 };

	return must(try_cmd(&c, "rename_checkpoint %s g%u.%u", CK_NAME(ck), ck->group->id,
			    ck->rev + 1), "rename_checkpoint");
}

bool admin_grow(struct vol *v, uint64_t sectors)
{
	struct cmd c = { .type = CMD_GROW, .nr = 1, .m = { { v, NULL } }, .arg = sectors };
	int err;

	if (v->owner && sectors > v->base->size && !origin_grow(v->base, sectors))
		return false;
	err = try_cmd(&c, "resize_volume %s %llu", VOL_NAME(v),
		      (unsigned long long)sectors);
	/* A clone on somebody else's base may not be allowed to outgrow it. */
	if (err && v->base && !v->owner)
		return true;
	if (!must(err, "resize_volume"))
		return false;
	return v->state != VOL_ACTIVE || vol_reload(v, false);
}

bool admin_cycle(bool by_uuid)
{
	bool was[MAX_VOLS] = { false };
	struct vol *v;

	for each_vol(v) {
		was[v->id] = v->state == VOL_ACTIVE;
		if (was[v->id] && !vol_deactivate(v))
			return false;
	}
	stack_down();
	if (failed || !stack_up(false))
		return false;
	for each_vol(v)
		if (was[v->id] && !vol_activate(v, by_uuid))
			return false;
	return true;
}

bool admin_status(void)
{
	char text[DM_TEXT], uuid[100], mode[20];
	int err = dm->status(store_dev(), text, sizeof(text));

	if (!must(err, "status"))
		return false;
	history("status: %s", text);
	if (cfg.fake)
		return true;
	if (sscanf(text, "%99s %19s", uuid, mode) == 2 && !strcmp(mode, "rw"))
		return true;
	failure("the store is not in order: %s", text);
	return false;
}

void admin_autopsy(void)
{
	char text[DM_TEXT], *list = NULL;
	struct vol *v;

	if (!dm->status(store_dev(), text, sizeof(text)))
		note("status: %s", text);
	for each_vol(v)
		if (v->state == VOL_ACTIVE && !dm->status(VOL_DEV(v), text, sizeof(text)))
			note("status of %s: %s", VOL_DEV(v), text);
	if (cfg.verbose && !dm->message(store_dev(), "list", &list) && list)
		for (char *p = strtok(list, "\n"); p; p = strtok(NULL, "\n"))
			note("list: %s", p);
	free(list);
}
