// SPDX-License-Identifier: GPL-2.0-only
/*
 * The volume target: a volume, or a view of a checkpoint.
 *
 *	ckpt <store> <volume>[@<checkpoint>] [<origin dev>|-] [<#opts> <option>...]
 */
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include "base.h"
#include "compat.h"
#include "gc.h"
#include "io.h"
#include "names.h"
#include "plain.h"
#include "pressure.h"
#include "remap.h"
#include "report.h"
#include "target.h"
#include "targets.h"
#include "through.h"

/* What one discard or write-zeroes may cover: 1 GiB. */
#define MAX_ZERO_SECTORS (1u << 21)

/* ---- construction ---- */

static int fail(struct dm_target *ti, char *why, int r)
{
	ti->error = why;
	return r;
}

/*
 * The store, by its target's device.  The device below it is opened by us as well, so that a
 * store target that is torn out by force does not take it away.
 */
static int get_store(struct dm_target *ti, struct ckpt_target *t, const char *path)
{
	struct mapped_device *md;
	char dev[24];
	int r;

	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &t->store_dev);
	if (r)
		return fail(ti, "the store's device cannot be opened", r);
	md = dm_get_md(t->store_dev->bdev->bd_dev);
	if (!md)
		return fail(ti, "the store's device is not a device-mapper device", -EINVAL);
	t->store = ckpt_store_find(md);
	dm_put(md);
	if (IS_ERR(t->store)) {
		t->store = NULL;
		return fail(ti, "the store's device has no ckpt-store target", -EINVAL);
	}
	snprintf(dev, sizeof(dev), "%u:%u", MAJOR(t->store->bdev->bd_dev),
		 MINOR(t->store->bdev->bd_dev));
	r = dm_get_device(ti, dev, dm_table_get_mode(ti->table), &t->data_dev);
	return r ? fail(ti, "the device below the store cannot be opened", r) : 0;
}

static int get_origin(struct dm_target *ti, struct ckpt_target *t, const char *path)
{
	int r;

	if (!path || !strcmp(path, "-"))
		return 0;
	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &t->origin);
	/* Most volumes only read it; ckpt_base_check() knows those that do not. */
	if (r == -EROFS || r == -EACCES)
		r = dm_get_device(ti, path, dm_table_get_mode(ti->table) & ~BLK_OPEN_WRITE,
				  &t->origin);
	if (r)
		return fail(ti, "the origin cannot be opened: it is not there, or in use", r);
	if (t->origin->bdev == t->store->bdev || t->origin->bdev == t->store_dev->bdev)
		return fail(ti, "the origin is the store", -EINVAL);
	/* A block that only the store has is merged into it as such. */
	if (ckpt_block_sectors(&t->store->geometry) << SECTOR_SHIFT <
	    bdev_logical_block_size(t->origin->bdev))
		return fail(ti, "the store's blocks are smaller than the sectors of the origin",
			    -EINVAL);
	return 0;
}

/* Somebody else's live table of the same volume; store->admin is held. */
static bool active_elsewhere(struct dm_target *ti, const struct ckpt_target *t)
{
	struct ckpt_target *other;

	if (t->view)
		return false;
	list_for_each_entry(other, &t->volume->targets, of_volume)
		if (dm_table_get_md(other->ti->table) != dm_table_get_md(ti->table))
			return true;
	return false;
}

static int check_object(struct dm_target *ti, struct ckpt_target *t)
{
	struct ckpt_layer *top = t->view ? t->layer : ckpt_volume_top(t->store, t->volume);
	u64 sectors = t->view ? t->layer->sectors : t->volume->sectors;

	if (t->view && dm_table_get_mode(ti->table) & BLK_OPEN_WRITE)
		return fail(ti, "a checkpoint can only be viewed: use a read-only table", -EROFS);
	if (active_elsewhere(ti, t))
		return fail(ti, "the volume is active already", -EBUSY);
	if (ckpt_layer_base(top) && !t->origin)
		return fail(ti, "the volume has an origin, which must be given", -EINVAL);
	if (!ckpt_layer_base(top) && t->origin)
		return fail(ti, "the volume has no origin", -EINVAL);
	if (ti->len > sectors) {
		pr_err("%s: the table has %llu sectors, but volume %s only %llu\n",
		       dm_table_device_name(ti->table), (u64)ti->len, t->volume->name, sectors);
		return fail(ti, "the table is longer than the volume", -EINVAL);
	}
	return 0;
}

/* From here until put_object() the volume, and what is viewed, can not be deleted. */
static int get_object_locked(struct dm_target *ti, struct ckpt_target *t, char *name)
{
	char *at = strchr(name, '@');
	int r;

	if (at)
		*at++ = 0;
	t->volume = ckpt_volume_find(t->store, name);
	if (!t->volume)
		return fail(ti, "there is no such volume in the store", -ENOENT);
	if (at) {
		t->view = ckpt_checkpoint_find(t->store, t->volume, at);
		if (!t->view)
			return fail(ti, "the volume has no such checkpoint", -ENOENT);
		t->layer = t->view->layer;
	}
	r = check_object(ti, t);
	if (r)
		return r;
	t->volume->tables += !t->view;
	if (t->view) {
		t->view->views++;
		t->layer->views++;
	}
	return 0;
}

static int get_object(struct dm_target *ti, struct ckpt_target *t, const char *text)
{
	char *name = kstrdup(text, GFP_KERNEL);
	int r;

	if (!name)
		return fail(ti, "there is no memory for the table", -ENOMEM);
	mutex_lock(&t->store->admin);
	r = get_object_locked(ti, t, name);
	if (r)
		t->volume = NULL;
	mutex_unlock(&t->store->admin);
	kfree(name);
	return r;
}

static void put_object(struct ckpt_target *t)
{
	if (!t->volume)
		return;
	mutex_lock(&t->store->admin);
	t->volume->tables -= !t->view;
	if (t->view) {
		t->view->views--;
		t->layer->views--;
	}
	mutex_unlock(&t->store->admin);
	ckpt_gc_kick(t->store);
}

static void volume_dtr(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;

	ckpt_through_exit(t);
	if (t->store) {
		ckpt_store_remove_target(t->store, t);
		put_object(t);
		ckpt_store_put(t->store);
	}
	/* A worker that has sent the last bio on may be about to leave the epoch. */
	synchronize_rcu();
	ckpt_epoch_exit(&t->epoch);
	if (t->origin)
		dm_put_device(ti, t->origin);
	if (t->data_dev)
		dm_put_device(ti, t->data_dev);
	if (t->store_dev)
		dm_put_device(ti, t->store_dev);
	kfree(t);
}

static int parse(struct dm_target *ti, struct ckpt_target *t, unsigned int argc, char **argv)
{
	u32 options;
	int r;

	if (argc < 2)
		return fail(ti, "it goes: <store> <volume>[@<checkpoint>] [<origin dev>|-] [0]",
			    -EINVAL);
	if (argc > 4 || (argc == 4 && (kstrtou32(argv[3], 10, &options) || options)))
		return fail(ti, "there are no options yet", -EINVAL);
	r = get_store(ti, t, argv[0]);
	if (!r)
		r = get_origin(ti, t, argc > 2 ? argv[2] : NULL);
	return r ? r : get_object(ti, t, argv[1]);
}

static int volume_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct ckpt_target *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int r;

	if (!t)
		return fail(ti, "there is no memory for the table", -ENOMEM);
	t->ti = ti;
	spin_lock_init(&t->lock);
	bio_list_init(&t->parked);
	init_waitqueue_head(&t->unpinned);
	ckpt_through_init(t);
	/* Until it is resumed. */
	t->resting = true;
	ti->private = t;
	r = ckpt_epoch_init(&t->epoch);
	if (r)
		ti->error = "there is no memory for the table";
	else
		r = parse(ti, t, argc, argv);
	if (r) {
		volume_dtr(ti);
		return r;
	}
	ti->num_flush_bios = 1;
	ti->num_discard_bios = t->view ? 0 : 1;
	ti->num_write_zeroes_bios = t->view ? 0 : 1;
	ti->discards_supported = !t->view;
	ti->flush_supported = true;
	ti->accounts_remapped_io = true;
	ti->per_io_data_size = sizeof(struct ckpt_io);
	return 0;
}

/* ---- work in the background ---- */

bool ckpt_target_pin(struct ckpt_target *t)
{
	bool pinned;

	spin_lock_irq(&t->lock);
	pinned = !t->resting;
	t->pins += pinned;
	spin_unlock_irq(&t->lock);
	return pinned;
}

void ckpt_target_unpin(struct ckpt_target *t)
{
	spin_lock_irq(&t->lock);
	t->pins--;
	/* Under the lock, as the table may go as soon as it is dropped. */
	wake_up_all(&t->unpinned);
	spin_unlock_irq(&t->lock);
}

static void set_resting(struct ckpt_target *t, bool resting)
{
	spin_lock_irq(&t->lock);
	WRITE_ONCE(t->resting, resting);
	spin_unlock_irq(&t->lock);
}

static bool is_unpinned(struct ckpt_target *t)
{
	bool unpinned;

	spin_lock_irq(&t->lock);
	unpinned = !t->pins;
	spin_unlock_irq(&t->lock);
	return unpinned;
}

/* ---- life ---- */

static int volume_preresume(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;
	int r = 0;

	mutex_lock(&t->store->admin);
	if (active_elsewhere(ti, t)) {
		ckpt_log(err, t->store, "volume %s is active already", t->volume->name);
		r = -EBUSY;
	}
	if (!r)
		r = ckpt_base_check(t);
	mutex_unlock(&t->store->admin);
	return r;
}

static void volume_resume(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;

	ckpt_gate_requeue(t, false);
	set_resting(t, false);
	ckpt_store_add_target(t->store, t);
	/* A merge into its base may have waited for it. */
	ckpt_gc_kick(t->store);
}

static void volume_presuspend(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;

	/* In this order: whoever finds it resting finds out, too, whether bios go back. */
	if (dm_noflush_suspending(ti))
		ckpt_gate_requeue(t, true);
	set_resting(t, true);
	ckpt_pressure_end(t);
}

static void volume_presuspend_undo(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;

	ckpt_gate_requeue(t, false);
	set_resting(t, false);
	ckpt_gc_kick(t->store);
}

/* A checkpoint that is taken meanwhile has what the origin completed: see to it here. */
static void volume_postsuspend(struct dm_target *ti)
{
	struct ckpt_target *t = ti->private;
	struct ckpt_layer *top;

	wait_event(t->unpinned, is_unpinned(t));
	if (!t->origin || t->view)
		return;
	mutex_lock(&t->store->admin);
	top = ckpt_volume_top(t->store, t->volume);
	if (!(top->base || top->through) || !ckpt_through_flush(t, top)) {
		ckpt_through_stop(t->store, top);
		ckpt_base_rest(t);
	}
	mutex_unlock(&t->store->admin);
}

static void volume_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			  char *result, unsigned int maxlen)
{
	struct ckpt_target *t = ti->private;
	char uuid[CKPT_UUID_CHARS + 1];
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		ckpt_report_volume(t, result, maxlen);
		return;
	case STATUSTYPE_TABLE:
		DMEMIT("%s ", t->store_dev->name);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",store=%s,volume=", t->store_dev->name);
		break;
	}
	ckpt_uuid_format(t->volume->uuid, uuid);
	DMEMIT("%s", uuid);
	if (t->view) {
		ckpt_uuid_format(t->view->uuid, uuid);
		DMEMIT("@%s", uuid);
	}
	if (type == STATUSTYPE_IMA)
		DMEMIT(",origin=%s;", t->origin ? t->origin->name : "-");
	else if (t->origin)
		DMEMIT(" %s", t->origin->name);
}

static int volume_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct ckpt_target *t = ti->private;
	int r = fn(ti, t->data_dev, 0, READ_ONCE(t->store->geometry.sectors), data);

	if (!r && t->origin)
		r = fn(ti, t->origin, 0, bdev_nr_sectors(t->origin->bdev), data);
	return r;
}

static void volume_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct ckpt_target *t = ti->private;
	u32 block = ckpt_block_sectors(&t->store->geometry) << SECTOR_SHIFT;

	limits->io_min = max(limits->physical_block_size, block);
	limits->io_opt = block * CKPT_CLUSTER_BLOCKS;
	if (t->view)
		return;
	limits->discard_granularity = max(limits->logical_block_size, block);
	limits->discard_alignment = 0;
	limits->max_discard_sectors = MAX_ZERO_SECTORS;
	limits->max_hw_discard_sectors = MAX_ZERO_SECTORS;
	limits->max_write_zeroes_sectors = MAX_ZERO_SECTORS;
}

struct target_type ckpt_volume_target = {
	.name = "ckpt",
	.version = { 1, 0, 0 },
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = volume_ctr,
	.dtr = volume_dtr,
	.map = ckpt_plain_map,
	.end_io = ckpt_plain_end_io,
	.preresume = volume_preresume,
	.resume = volume_resume,
	.presuspend = volume_presuspend,
	.presuspend_undo = volume_presuspend_undo,
	.postsuspend = volume_postsuspend,
	.status = volume_status,
	.iterate_devices = volume_iterate_devices,
	.io_hints = volume_io_hints,
};
