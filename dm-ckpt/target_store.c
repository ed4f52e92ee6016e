// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store target: a device that owns a store and receives its messages.
 *
 *	ckpt-store <store dev> [<#feature args> [<feature> [<value>]]...]
 */
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include "message.h"
#include "pace.h"
#include "report.h"
#include "store.h"
#include "super.h"
#include "targets.h"

struct store_table {
	struct ckpt_store *store;
	struct dm_dev *dev;
	struct ckpt_options options;
	struct ckpt_format format;
	bool do_format;			/* until it has been done */
};

/* ---- construction ---- */

static int parse_value(struct dm_arg_set *as, unsigned int *argc, u32 least, u32 most, u32 *value)
{
	const char *text;

	if (!*argc)
		return -EINVAL;
	(*argc)--;
	text = dm_shift_arg(as);
	return !text || kstrtou32(text, 10, value) || *value < least || *value > most ?
	       -EINVAL : 0;
}

/* What messages can change as well. */
static int parse_setting(struct ckpt_options *o, struct dm_arg_set *as, unsigned int *argc,
			 const char *name, char **error)
{
	u32 low_water;
	int r;

	if (!strcasecmp(name, "low_water")) {
		*error = "low_water is a number of units, 4294967295 at most";
		r = parse_value(as, argc, 0, U32_MAX, &low_water);
		o->low_water = low_water;
		return r;
	}
	if (!strcasecmp(name, "error_if_no_space")) {
		o->error_if_no_space = true;
		return 0;
	}
	if (!strcasecmp(name, "no_space_timeout")) {
		*error = "no_space_timeout is a number of seconds, 1048576 at most";
		return parse_value(as, argc, 0, CKPT_NO_SPACE_TIMEOUT_MAX, &o->no_space_timeout);
	}
	if (!strcasecmp(name, "merge_rate")) {
		*error = "merge_rate is a number of KiB/s, 4294967295 at most";
		return parse_value(as, argc, 0, U32_MAX, &o->merge_rate);
	}
	if (!strcasecmp(name, "merge_share")) {
		*error = "merge_share is a number from 1 to 100";
		return parse_value(as, argc, 1, 100, &o->merge_share);
	}
	if (!strcasecmp(name, "merge_paused")) {
		o->merge_paused = true;
		return 0;
	}
	if (!strcasecmp(name, "discard_passdown")) {
		o->discard_passdown = true;
		return 0;
	}
	*error = "unknown feature, or not one of a store";
	return -EINVAL;
}

static int parse_feature(struct store_table *st, struct dm_arg_set *as, unsigned int *argc,
			 char **error)
{
	const char *name = dm_shift_arg(as);
	int r;

	(*argc)--;
	if (!strcasecmp(name, "format")) {
		st->do_format = true;
		return 0;
	}
	if (!strcasecmp(name, "read_only")) {
		st->options.read_only = true;
		return 0;
	}
	if (!strcasecmp(name, "block_size")) {
		*error = "block_size is a power of two from 1 to 128 sectors";
		r = parse_value(as, argc, CKPT_BLOCK_SECTORS_MIN, CKPT_BLOCK_SECTORS_MAX,
				&st->format.block_sectors);
		return r ? r : is_power_of_2(st->format.block_sectors) ? 0 : -EINVAL;
	}
	if (!strcasecmp(name, "journal_blocks")) {
		*error = "journal_blocks is a number from 256 to 262144";
		return parse_value(as, argc, CKPT_JOURNAL_BLOCKS_MIN, CKPT_JOURNAL_BLOCKS_MAX,
				   &st->format.journal_blocks);
	}
	if (!strcasecmp(name, "cache_mb")) {
		*error = "cache_mb is a number from 8 to 1048576";
		return parse_value(as, argc, CKPT_CACHE_MB_MIN, 1u << 20, &st->options.cache_mb);
	}
	if (!strcasecmp(name, "commit_ms")) {
		*error = "commit_ms is a number from 10 to 60000";
		return parse_value(as, argc, 10, 60000, &st->options.commit_ms);
	}
	if (!strcasecmp(name, "no_guard")) {
		st->options.no_guard = true;
		return 0;
	}
	if (!strcasecmp(name, "guard_interval")) {
		*error = "guard_interval is a number of seconds from 1 to 60";
		return parse_value(as, argc, CKPT_GUARD_INTERVAL_MIN, CKPT_GUARD_INTERVAL_MAX,
				   &st->options.guard_interval);
	}
	return parse_setting(&st->options, as, argc, name, error);
}

static int parse_features(struct store_table *st, struct dm_arg_set *as, char **error)
{
	static const struct dm_arg args[] = {
		{ 0, 32, "the number of feature arguments is wrong" },
	};
	unsigned int argc;
	int r;

	st->options.cache_mb = CKPT_CACHE_MB_DEFAULT;
	st->options.commit_ms = CKPT_COMMIT_MS_DEFAULT;
	st->options.guard_interval = CKPT_GUARD_INTERVAL_DEFAULT;
	st->options.low_water = CKPT_LOW_WATER_DEFAULT;
	st->options.no_space_timeout = CKPT_NO_SPACE_TIMEOUT_DEFAULT;
	st->options.merge_share = CKPT_MERGE_SHARE_DEFAULT;
	st->format.block_sectors = 8;
	if (!as->argc)
		return 0;
	r = dm_read_arg_group(args, as, &argc, error);
	while (!r && argc)
		r = parse_feature(st, as, &argc, error);
	if (r)
		return r;
	if (as->argc) {
		*error = "there are more words than feature arguments";
		return -EINVAL;
	}
	if (!st->do_format && (st->format.block_sectors != 8 || st->format.journal_blocks)) {
		*error = "block_size and journal_blocks go with format only";
		return -EINVAL;
	}
	if (st->do_format && st->options.read_only) {
		*error = "format and read_only exclude each other";
		return -EINVAL;
	}
	return 0;
}

static bool guard_differs(const struct ckpt_options *a, const struct ckpt_options *b)
{
	return a->no_guard != b->no_guard || a->guard_interval != b->guard_interval;
}

/*
 * What a table cannot ask of a store that is active: said when it is loaded, as at its resume the
 * former table is gone; and then once more, as the store may have become active in between.
 */
static char *active_error(struct dm_target *ti, const struct store_table *st)
{
	const struct ckpt_store *store = st->store;

	if (!READ_ONCE(store->active))
		return NULL;
	if (st->do_format)
		return "the store is active and cannot be formatted";
	if (store->options.read_only != (st->options.read_only || store->only_read))
		return "read_only cannot change while the store is active";
	if (guard_differs(&store->options, &st->options))
		return "the guard cannot change while the store is active";
	if (ti->len < READ_ONCE(store->geometry.sectors))
		return "the table is shorter than the store";
	return NULL;
}

static int open_store(struct dm_target *ti, struct store_table *st)
{
	if (bdev_nr_sectors(st->dev->bdev) < ti->len) {
		ti->error = "the store device is smaller than the table says";
		return -EINVAL;
	}
	if (st->format.block_sectors << SECTOR_SHIFT < bdev_logical_block_size(st->dev->bdev) &&
	    st->do_format) {
		ti->error = "block_size is less than a sector of the store device";
		return -EINVAL;
	}
	st->store = ckpt_store_get(dm_table_get_md(ti->table), st->dev->bdev, &st->options);
	if (IS_ERR(st->store)) {
		ti->error = PTR_ERR(st->store) == -EBUSY ?
			    "the device is in use by another store target" :
			    "there is no memory for the store";
		return PTR_ERR(st->store);
	}
	ti->error = active_error(ti, st);
	if (ti->error) {
		ckpt_store_put(st->store);
		return -EBUSY;
	}
	return 0;
}

static int store_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct store_table *st;
	const char *path;
	int r;

	if (!argc) {
		ti->error = "the store device is missing";
		return -EINVAL;
	}
	st = kzalloc(sizeof(*st), GFP_KERNEL);
	if (!st) {
		ti->error = "there is no memory for the table";
		return -ENOMEM;
	}
	path = dm_shift_arg(&as);
	r = parse_features(st, &as, &ti->error);
	if (r)
		goto out_free;
	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &st->dev);
	if (r) {
		ti->error = "the store device cannot be opened: it is not there, or in use";
		goto out_free;
	}
	r = open_store(ti, st);
	if (r)
		goto out_put;
	ti->num_flush_bios = 1;
	ti->private = st;
	return 0;

out_put:
	dm_put_device(ti, st->dev);
out_free:
	kfree(st);
	return r;
}

static void store_dtr(struct dm_target *ti)
{
	struct store_table *st = ti->private;

	mutex_lock(&st->store->event_lock);
	if (st->store->ti == ti)
		st->store->ti = NULL;
	mutex_unlock(&st->store->event_lock);
	ckpt_store_put(st->store);
	dm_put_device(ti, st->dev);
	kfree(st);
}

/* ---- life ---- */

static int store_preresume(struct dm_target *ti)
{
	struct store_table *st = ti->private;
	struct ckpt_store *store = st->store;
	struct ckpt_options options = st->options;
	const char *why = active_error(ti, st);
	int r;

	if (why) {
		ckpt_log(err, store, "%s", why);
		return -EBUSY;
	}
	/* Not what the table says. */
	options.read_only |= READ_ONCE(store->active) && store->only_read;
	if (st->do_format) {
		r = ckpt_super_format(st->dev->bdev, ti->len, &st->format);
		if (r)
			return r;
		st->do_format = false;
	}
	/* Each is a word, or less, at a place of its own: readers see the old or the new one. */
	data_race(store->options = options);
	return ckpt_store_activate(store, ti->len);
}

static void store_resume(struct dm_target *ti)
{
	struct store_table *st = ti->private;

	ckpt_store_set_live(st->store, ti);
	ckpt_store_resume(st->store);
}

static void store_postsuspend(struct dm_target *ti)
{
	struct store_table *st = ti->private;

	ckpt_store_suspend(st->store);
}

static int store_map(struct dm_target *ti, struct bio *bio)
{
	if (bio_op(bio) == REQ_OP_READ)
		zero_fill_bio(bio);
	else if (!(bio->bi_opf & REQ_PREFLUSH))
		return DM_MAPIO_KILL;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int store_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			 unsigned int maxlen)
{
	struct store_table *st = ti->private;
	int r = ckpt_message(st->store, argc, argv, result, maxlen);

	/* What a message has changed is shown by the table, and comes with it when it is loaded. */
	if (READ_ONCE(st->store->active))
		st->options = st->store->options;
	return r;
}

/* The features' words without their number; returns the number. */
static unsigned int emit_features(const struct ckpt_options *o, char *result, unsigned int maxlen)
{
	const struct {
		const char *name;
		u64 value, usual;
		bool flag;
	} features[] = {
		{ "cache_mb", o->cache_mb, CKPT_CACHE_MB_DEFAULT },
		{ "commit_ms", o->commit_ms, CKPT_COMMIT_MS_DEFAULT },
		{ "guard_interval", o->guard_interval, CKPT_GUARD_INTERVAL_DEFAULT },
		{ "no_guard", o->no_guard, 0, true },
		{ "low_water", o->low_water, CKPT_LOW_WATER_DEFAULT },
		{ "no_space_timeout", o->no_space_timeout, CKPT_NO_SPACE_TIMEOUT_DEFAULT },
		{ "merge_rate", o->merge_rate, 0 },
		{ "merge_share", o->merge_share, CKPT_MERGE_SHARE_DEFAULT },
		{ "error_if_no_space", o->error_if_no_space, 0, true },
		{ "merge_paused", o->merge_paused, 0, true },
		{ "discard_passdown", o->discard_passdown, 0, true },
		{ "read_only", o->read_only, 0, true },
	};
	unsigned int words = 0, sz = 0, i;

	result[0] = 0;
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].value == features[i].usual)
			continue;
		DMEMIT(" %s", features[i].name);
		if (!features[i].flag)
			DMEMIT(" %llu", features[i].value);
		words += 1 + !features[i].flag;
	}
	return words;
}

static void emit_table(struct store_table *st, char *result, unsigned int maxlen)
{
	char features[320];
	unsigned int words = emit_features(&st->options, features, sizeof(features)), sz = 0;

	DMEMIT("%s", st->dev->name);
	if (words)
		DMEMIT(" %u%s", words, features);
}

static void store_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			 char *result, unsigned int maxlen)
{
	struct store_table *st = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		ckpt_report_store(st->store, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		emit_table(st, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",store_device=%s;", st->dev->name);
		break;
	}
}

static int store_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct store_table *st = ti->private;

	return fn(ti, st->dev, 0, ti->len, data);
}

struct target_type ckpt_store_target = {
	.name = "ckpt-store",
	.version = { 1, 0, 0 },
	.features = DM_TARGET_SINGLETON,
	.module = THIS_MODULE,
	.ctr = store_ctr,
	.dtr = store_dtr,
	.map = store_map,
	.preresume = store_preresume,
	.resume = store_resume,
	.postsuspend = store_postsuspend,
	.message = store_message,
	.status = store_status,
	.iterate_devices = store_iterate_devices,
};
