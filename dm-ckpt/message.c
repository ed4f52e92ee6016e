// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>

#include "admin.h"
#include "checkpoint.h"
#include "diff.h"
#include "estimate.h"
#include "gc.h"
#include "message.h"
#include "pace.h"
#include "pressure.h"
#include "report.h"
#include "writeback.h"

/* What a message's function gets: the words behind its name. */
struct args {
	struct ckpt_store *store;
	unsigned int argc;
	char **argv;
	char *result;
	unsigned int maxlen;
};

static int need_number(struct args *a, const char *text, u64 *value)
{
	if (*text != '+' && !kstrtoull(text, 10, value))
		return 0;
	ckpt_log(err, a->store, "'%s' is not a number", text);
	return -EINVAL;
}

/* Take "volume@checkpoint" apart, in place. */
static int need_pair(struct args *a, char *text, struct ckpt_checkpoint_name *name)
{
	char *at = strchr(text, '@');

	if (!at || at == text || !at[1]) {
		ckpt_log(err, a->store, "'%s' is not <volume>@<checkpoint>", text);
		return -EINVAL;
	}
	*at = 0;
	name->volume = text;
	name->checkpoint = at + 1;
	return 0;
}

static int answer_uuid(struct args *a, int r, const __u8 *uuid)
{
	if (r || a->maxlen <= CKPT_UUID_CHARS + 1)
		return r;
	ckpt_uuid_format(uuid, a->result);
	return 1;
}

static int create_volume(struct args *a, enum ckpt_volume_from from)
{
	__u8 uuid[CKPT_UUID_BYTES];
	u64 sectors;
	int r = need_number(a, a->argv[1], &sectors);

	if (!r)
		r = ckpt_create_volume(a->store, a->argv[0], sectors, from, uuid);
	return answer_uuid(a, r, uuid);
}

static int msg_create_volume(struct args *a)
{
	return create_volume(a, CKPT_FROM_NOTHING);
}

static int msg_adopt_volume(struct args *a)
{
	return create_volume(a, CKPT_FROM_ORIGIN);
}

static int msg_create_template(struct args *a)
{
	__u8 uuid[CKPT_UUID_BYTES];
	u64 sectors;
	int r = need_number(a, a->argv[1], &sectors);

	if (!r)
		r = ckpt_create_template(a->store, a->argv[0], sectors, uuid);
	return answer_uuid(a, r, uuid);
}

static int msg_clone(struct args *a)
{
	struct ckpt_checkpoint_name source = { .volume = a->argv[0] };
	__u8 uuid[CKPT_UUID_BYTES];
	int r = 0;

	if (strchr(a->argv[0], '@'))
		r = need_pair(a, a->argv[0], &source);
	if (!r)
		r = ckpt_clone(a->store, source.volume, source.checkpoint, a->argv[1], uuid);
	return answer_uuid(a, r, uuid);
}

static int msg_resize_volume(struct args *a)
{
	u64 sectors;
	int r = need_number(a, a->argv[1], &sectors);

	return r ? r : ckpt_resize_volume(a->store, a->argv[0], sectors);
}

static int msg_limit_volume(struct args *a)
{
	u64 units;
	int r = need_number(a, a->argv[1], &units);

	return r ? r : ckpt_limit_volume(a->store, a->argv[0], units);
}

static int msg_rename_volume(struct args *a)
{
	return ckpt_rename_volume(a->store, a->argv[0], a->argv[1]);
}

static int msg_rename_template(struct args *a)
{
	return ckpt_rename_template(a->store, a->argv[0], a->argv[1]);
}

static int msg_delete_volume(struct args *a)
{
	return ckpt_delete_volume(a->store, a->argv[0]);
}

static int msg_delete_template(struct args *a)
{
	return ckpt_delete_template(a->store, a->argv[0]);
}

static int msg_checkpoint(struct args *a)
{
	__u8 uuid[CKPT_UUID_BYTES];
	int kind = ckpt_kind_parse(a->argv[1]);

	if (kind < 0) {
		ckpt_log(err, a->store, "'%s' is not a kind: those are standard, production, offline, recovery",
			 a->argv[1]);
		return kind;
	}
	return answer_uuid(a, ckpt_take(a->store, a->argv[0], kind, a->argv + 2, a->argc - 2,
					uuid), uuid);
}

static int msg_rename_checkpoint(struct args *a)
{
	struct ckpt_checkpoint_name name;
	int r = need_pair(a, a->argv[0], &name);

	return r ? r : ckpt_rename_checkpoint(a->store, &name, a->argv[1]);
}

typedef int (*names_fn)(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			unsigned int nr);

static int with_names(struct args *a, names_fn fn)
{
	struct ckpt_checkpoint_name *names = kcalloc(a->argc, sizeof(*names), GFP_NOIO);
	unsigned int i;
	int r = names ? 0 : -ENOMEM;

	for (i = 0; i < a->argc && !r; i++)
		r = need_pair(a, a->argv[i], &names[i]);
	if (!r)
		r = fn(a->store, names, a->argc);
	kfree(names);
	return r;
}

static int msg_apply(struct args *a)
{
	return with_names(a, ckpt_apply_checkpoints);
}

static int msg_delete_checkpoint(struct args *a)
{
	return with_names(a, ckpt_delete_checkpoints);
}

static int msg_list(struct args *a)
{
	u64 cursor = 0;
	int r = a->argc ? need_number(a, a->argv[0], &cursor) : 0;

	return r ? r : ckpt_report_list(a->store, cursor, a->result, a->maxlen);
}

static int msg_diff(struct args *a)
{
	u64 cursor = 0;
	int r = a->argc > 3 ? need_number(a, a->argv[3], &cursor) : 0;

	return r ? r : ckpt_diff(a->store, a->argv[0], a->argv[1], a->argv[2], cursor, a->result,
				 a->maxlen);
}

static int merge_setting(struct args *a, u32 least, u32 most, u32 *setting)
{
	u64 value;
	int r = a->argc == 2 ? need_number(a, a->argv[1], &value) : -EINVAL;

	if (!r && value >= least && value <= most) {
		WRITE_ONCE(*setting, value);
		return 0;
	}
	ckpt_log(err, a->store, "message merge %s goes with a number from %u to %u", a->argv[0],
		 least, most);
	return -EINVAL;
}

static int msg_merge(struct args *a)
{
	struct ckpt_store *store = a->store;
	const char *what = a->argv[0];
	int r = 0;

	if (!strcmp(what, "pause") && a->argc == 1)
		WRITE_ONCE(store->options.merge_paused, true);
	else if (!strcmp(what, "resume") && a->argc == 1)
		WRITE_ONCE(store->options.merge_paused, false);
	else if (!strcmp(what, "rate"))
		r = merge_setting(a, 0, U32_MAX, &store->options.merge_rate);
	else if (!strcmp(what, "share"))
		r = merge_setting(a, 1, 100, &store->options.merge_share);
	else
		r = -EINVAL;
	if (r) {
		ckpt_log(err, store, "message merge goes: merge pause|resume|rate <KiB/s>|share <percent>");
		return r;
	}
	ckpt_pace_wake(store);
	ckpt_gc_kick(store);
	return 0;
}

static int msg_estimate(struct args *a)
{
	struct ckpt_checkpoint_name name;
	struct ckpt_checkpoint *c;
	struct ckpt_estimate e;
	u64 cursor = 0;
	int r = need_pair(a, a->argv[0], &name);

	if (!r && a->argc > 1)
		r = need_number(a, a->argv[1], &cursor);
	if (r)
		return r;
	c = ckpt_need_checkpoint(a->store, name.volume, name.checkpoint);
	r = IS_ERR(c) ? PTR_ERR(c) : ckpt_estimate(a->store, c, &cursor, &e);
	if (r < 0)
		return r;
	if (r)
		scnprintf(a->result, a->maxlen, "%llu %llu\nnext %llu", e.freed, e.copied, cursor);
	else
		scnprintf(a->result, a->maxlen, "%llu %llu\nend", e.freed, e.copied);
	return 1;
}

static int msg_low_water(struct args *a)
{
	u64 units;
	int r = need_number(a, a->argv[0], &units);

	if (!r && units > U32_MAX) {
		ckpt_log(err, a->store, "a low-water mark is a number of units, 4294967295 at most");
		r = -EINVAL;
	}
	if (r)
		return r;
	WRITE_ONCE(a->store->options.low_water, units);
	ckpt_pressure_kick(a->store);
	return 0;
}

static int msg_no_space(struct args *a)
{
	struct ckpt_options *o = &a->store->options;
	u64 seconds;

	if (!strcmp(a->argv[0], "error") && a->argc == 1) {
		WRITE_ONCE(o->error_if_no_space, true);
	} else if (!strcmp(a->argv[0], "queue") && a->argc == 2 &&
		   !need_number(a, a->argv[1], &seconds) &&
		   seconds <= CKPT_NO_SPACE_TIMEOUT_MAX) {
		WRITE_ONCE(o->no_space_timeout, seconds);
		WRITE_ONCE(o->error_if_no_space, false);
	} else {
		ckpt_log(err, a->store, "message no_space goes: no_space error|queue <seconds, %u at most>",
			 CKPT_NO_SPACE_TIMEOUT_MAX);
		return -EINVAL;
	}
	ckpt_pressure_changed(a->store);
	return 0;
}

static int msg_commit(struct args *a)
{
	int r = ckpt_need_writable(a->store);

	if (!r)
		r = ckpt_commit(a->store);
	if (!r)
		r = ckpt_writeback(a->store);
	return r;
}

static const struct {
	const char *name;
	unsigned int least, most;	/* words behind the name */
	int (*fn)(struct args *a);
	const char *usage;
} messages[] = {
	{ "create_volume", 2, 2, msg_create_volume, "<name> <sectors>" },
	{ "adopt_volume", 2, 2, msg_adopt_volume, "<name> <sectors>" },
	{ "create_template", 2, 2, msg_create_template, "<name> <sectors>" },
	{ "clone", 2, 2, msg_clone, "<volume>@<checkpoint>|<template> <name>" },
	{ "resize_volume", 2, 2, msg_resize_volume, "<volume> <sectors>" },
	{ "limit_volume", 2, 2, msg_limit_volume, "<volume> <units>" },
	{ "rename_volume", 2, 2, msg_rename_volume, "<volume> <name>" },
	{ "rename_template", 2, 2, msg_rename_template, "<template> <name>" },
	{ "delete_volume", 1, 1, msg_delete_volume, "<volume>" },
	{ "delete_template", 1, 1, msg_delete_template, "<template>" },
	{ "checkpoint", 3, UINT_MAX, msg_checkpoint, "<name> <kind> <volume>..." },
	{ "rename_checkpoint", 2, 2, msg_rename_checkpoint, "<volume>@<checkpoint> <name>" },
	{ "delete_checkpoint", 1, UINT_MAX, msg_delete_checkpoint, "<volume>@<checkpoint>..." },
	{ "apply", 1, UINT_MAX, msg_apply, "<volume>@<checkpoint>..." },
	{ "list", 0, 1, msg_list, "[<cursor>]" },
	{ "diff", 3, 4, msg_diff, "<volume> <from>|- <to>|- [<cursor>]" },
	{ "merge", 1, 2, msg_merge, "pause|resume|rate <KiB/s>|share <percent>" },
	{ "low_water", 1, 1, msg_low_water, "<units>" },
	{ "no_space", 1, 2, msg_no_space, "error|queue <seconds>" },
	{ "estimate", 1, 2, msg_estimate, "<volume>@<checkpoint> [<cursor>]" },
	{ "commit", 0, 0, msg_commit, "" },
};

int ckpt_message(struct ckpt_store *store, unsigned int argc, char **argv, char *result,
		 unsigned int maxlen)
{
	struct args a = {
		.store = store, .argc = argc - 1, .argv = argv + 1,
		.result = result, .maxlen = maxlen,
	};
	unsigned int i;
	int r;

	if (!READ_ONCE(store->active)) {
		ckpt_log(err, store, "the store is not active: resume its device first");
		return -ENODEV;
	}
	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		if (strcmp(argv[0], messages[i].name))
			continue;
		if (a.argc >= messages[i].least && a.argc <= messages[i].most) {
			mutex_lock(&store->admin);
			r = messages[i].fn(&a);
			mutex_unlock(&store->admin);
			return r;
		}
		ckpt_log(err, store, "message %s goes: %s %s", argv[0], argv[0],
			 messages[i].usage);
		return -EINVAL;
	}
	ckpt_log(err, store, "there is no message '%s'", argv[0]);
	return -EINVAL;
}
