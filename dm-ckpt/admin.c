// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "admin.h"
#include "gc.h"
#include "merge_base.h"
#include "names.h"
#include "pressure.h"
#include "quota.h"
#include "target.h"
#include "through.h"
#include "writeback.h"

#define RECORDS(n) ((n) * (unsigned int)sizeof(struct ckpt_entry_record))

/* ---- checks ---- */

struct ckpt_volume *ckpt_need_volume(struct ckpt_store *store, const char *name)
{
	struct ckpt_volume *volume = ckpt_volume_find(store, name);

	if (volume)
		return volume;
	ckpt_log(err, store, "there is no volume %s", name);
	return ERR_PTR(-ENOENT);
}

static struct ckpt_layer *need_template(struct ckpt_store *store, const char *name)
{
	struct ckpt_layer *base = ckpt_template_find(store, name);

	if (base)
		return base;
	ckpt_log(err, store, "there is no template %s", name);
	return ERR_PTR(-ENOENT);
}

struct ckpt_checkpoint *ckpt_need_checkpoint(struct ckpt_store *store, const char *volume,
					     const char *name)
{
	struct ckpt_volume *v = ckpt_need_volume(store, volume);
	struct ckpt_checkpoint *checkpoint;

	if (IS_ERR(v))
		return ERR_CAST(v);
	checkpoint = ckpt_checkpoint_find(store, v, name);
	if (checkpoint)
		return checkpoint;
	ckpt_log(err, store, "volume %s has no checkpoint %s", v->name, name);
	return ERR_PTR(-ENOENT);
}

int ckpt_need_name(struct ckpt_store *store, const char *name)
{
	const char *bad = ckpt_name_verify(name);

	if (!bad)
		return 0;
	ckpt_log(err, store, "'%.*s' cannot be a name: %s", CKPT_NAME_BYTES, name, bad);
	return -EINVAL;
}

int ckpt_need_writable(struct ckpt_store *store)
{
	int r = ckpt_store_writable(store);

	if (r == -EBUSY)
		ckpt_log(err, store, "the store is suspended: resume its device first");
	else if (r)
		ckpt_log(err, store, "the store is read-only");
	return r;
}

int ckpt_need_nodes(struct ckpt_store *store)
{
	if (!ckpt_writeback_is_short(store, true))
		return 0;
	ckpt_log(err, store, "there is no space for more metadata: grow the store, or delete checkpoints or volumes");
	return -ENOSPC;
}

/* Volumes and templates share their names, as clone takes either. */
static int need_new_name(struct ckpt_store *store, const char *name)
{
	int r = ckpt_need_name(store, name);

	if (r)
		return r;
	if (!ckpt_volume_find(store, name) && !ckpt_template_find(store, name))
		return 0;
	ckpt_log(err, store, "the name %s is taken", name);
	return -EEXIST;
}

static int need_size(struct ckpt_store *store, u64 sectors)
{
	u32 block = ckpt_block_sectors(&store->geometry);

	if (sectors && sectors <= CKPT_VOLUME_SECTORS_MAX && !(sectors & (block - 1)))
		return 0;
	ckpt_log(err, store, "a size of %llu sectors cannot be: it is a multiple of %u and %llu at most",
		 sectors, block, CKPT_VOLUME_SECTORS_MAX);
	return -EINVAL;
}

static int need_inactive(struct ckpt_store *store, struct ckpt_volume *volume, const char *what)
{
	if (!volume->tables)
		return 0;
	ckpt_log(err, store, "volume %s is active and cannot be %s: remove its device first",
		 volume->name, what);
	return -EBUSY;
}

/* ---- making ---- */

/* A volume on @below (NULL: nothing), with a head of its own unless it passes through. */
static int make_volume(struct ckpt_store *store, const char *name, u64 sectors,
		       struct ckpt_layer *below, struct ckpt_layer *through, __u8 *uuid)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(RECORDS(3));
	struct ckpt_volume *volume;
	struct ckpt_layer *top = through;

	if (!txn)
		return -ENOMEM;
	volume = ckpt_volume_new(store, name, sectors);
	if (IS_ERR(volume)) {
		ckpt_txn_free(txn);
		return PTR_ERR(volume);
	}
	if (!top)
		top = ckpt_layer_new(store, below, sectors, false, ckpt_volume_tag(volume));
	if (IS_ERR(top)) {
		ckpt_object_drop(store, volume->number);
		ckpt_txn_free(txn);
		return PTR_ERR(top);
	}
	top->heads++;
	rcu_assign_pointer(volume->top, top);
	if (through) {
		through->base->owner = volume->number;
		through->durable = true;
	}
	memcpy(uuid, volume->uuid, CKPT_UUID_BYTES);
	ckpt_txn_record(txn, store, top->number);
	ckpt_txn_record(txn, store, volume->number);
	return ckpt_txn_run(store, txn);
}

int ckpt_create_volume(struct ckpt_store *store, const char *name, u64 sectors,
		       enum ckpt_volume_from from, __u8 *uuid)
{
	struct ckpt_layer *base = NULL;
	int r = need_new_name(store, name);

	if (!r)
		r = need_size(store, sectors);
	if (!r)
		r = ckpt_need_writable(store);
	if (!r)
		r = ckpt_need_nodes(store);
	if (r)
		return r;
	if (from == CKPT_FROM_ORIGIN) {
		base = ckpt_layer_new(store, NULL, sectors, true, 0);
		if (IS_ERR(base))
			return PTR_ERR(base);
		base->base->adopted = true;
	}
	r = make_volume(store, name, sectors, NULL, base, uuid);
	if (r && base && !base->heads)
		ckpt_object_drop(store, base->number);
	return r;
}

int ckpt_create_template(struct ckpt_store *store, const char *name, u64 sectors, __u8 *uuid)
{
	struct ckpt_layer *base;
	struct ckpt_txn *txn;
	int r = need_new_name(store, name);

	if (!r)
		r = need_size(store, sectors);
	if (!r)
		r = ckpt_need_writable(store);
	if (!r)
		r = ckpt_need_nodes(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(RECORDS(1));
	if (!txn)
		return -ENOMEM;
	base = ckpt_layer_new(store, NULL, sectors, true, 0);
	if (IS_ERR(base)) {
		ckpt_txn_free(txn);
		return PTR_ERR(base);
	}
	base->base->template = true;
	base->durable = true;
	strscpy(base->base->name, name, sizeof(base->base->name));
	ckpt_name_changed(store, base->number);
	memcpy(uuid, base->base->uuid, CKPT_UUID_BYTES);
	ckpt_txn_record(txn, store, base->number);
	return ckpt_txn_run(store, txn);
}

int ckpt_clone(struct ckpt_store *store, const char *source, const char *checkpoint,
	       const char *name, __u8 *uuid)
{
	struct ckpt_layer *below;
	int r;

	if (checkpoint) {
		struct ckpt_checkpoint *c = ckpt_need_checkpoint(store, source, checkpoint);

		if (IS_ERR(c))
			return PTR_ERR(c);
		below = c->layer;
	} else {
		below = need_template(store, source);
		if (IS_ERR(below))
			return PTR_ERR(below);
	}
	r = need_new_name(store, name);
	if (!r)
		r = ckpt_need_writable(store);
	if (!r)
		r = ckpt_need_nodes(store);
	return r ? r : make_volume(store, name, below->sectors, below, NULL, uuid);
}

/* ---- changing ---- */

/* The base is too small for what is written from now on, until the merge has made it grow. */
static int stop_through(struct ckpt_store *store, struct ckpt_volume *volume,
			struct ckpt_layer *top)
{
	struct ckpt_target *t = ckpt_live_target(volume);
	int r;

	if (!t) {
		ckpt_through_stop(store, top);
		return 0;
	}
	r = ckpt_through_off(t, top);
	if (r)
		ckpt_log(err, store, "volume %s has I/O in flight that does not end, or its origin cannot be flushed",
			 volume->name);
	return r;
}

/*
 * So large its origin may be from now on, or is already; whoever has gone back to a checkpoint and
 * grows by less now, has one that is larger.
 */
static u64 most_origin(struct ckpt_volume *volume, const struct ckpt_base *base, u64 sectors)
{
	struct ckpt_target *t = ckpt_live_target(volume);

	if (t && t->origin)
		sectors = max_t(u64, sectors, bdev_nr_sectors(t->origin->bdev));
	return max(sectors, base->origin_sectors);
}

int ckpt_resize_volume(struct ckpt_store *store, const char *name, u64 sectors)
{
	struct ckpt_volume *volume = ckpt_need_volume(store, name);
	struct ckpt_layer *top, *base;
	struct ckpt_txn *txn;
	int r;

	if (IS_ERR(volume))
		return PTR_ERR(volume);
	r = need_size(store, sectors);
	if (!r && sectors < volume->sectors) {
		ckpt_log(err, store, "volume %s has %llu sectors and cannot shrink to %llu",
			 volume->name, volume->sectors, sectors);
		r = -EINVAL;
	}
	if (!r)
		r = ckpt_need_writable(store);
	if (r)
		return r;
	top = ckpt_volume_top(store, volume);
	if (top->through) {
		r = stop_through(store, volume, top);
		if (r)
			return r;
	}
	txn = ckpt_txn_alloc(RECORDS(3));
	if (!txn)
		return -ENOMEM;
	WRITE_ONCE(top->sectors, sectors);
	volume->sectors = sectors;
	base = ckpt_layer_base(top);
	if (base && base->base->owner == volume->number) {
		base->base->origin_sectors = most_origin(volume, base->base, sectors);
		if (base != top)
			ckpt_txn_record(txn, store, base->number);
	}
	ckpt_txn_record(txn, store, top->number);
	ckpt_txn_record(txn, store, volume->number);
	r = ckpt_txn_run(store, txn);
	ckpt_gc_kick(store);
	return r;
}

/* The name that is given stands in @field, the record is @number's. */
static int rename_thing(struct ckpt_store *store, char *field, u32 number, const char *name)
{
	struct ckpt_txn *txn;
	int r = need_new_name(store, name);

	if (!r)
		r = ckpt_need_writable(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(RECORDS(1));
	if (!txn)
		return -ENOMEM;
	memset(field, 0, CKPT_NAME_BYTES);
	strscpy(field, name, CKPT_NAME_BYTES);
	ckpt_name_changed(store, number);
	ckpt_txn_record(txn, store, number);
	return ckpt_txn_run(store, txn);
}

int ckpt_limit_volume(struct ckpt_store *store, const char *name, u64 units)
{
	struct ckpt_volume *volume = ckpt_need_volume(store, name);
	struct ckpt_txn *txn;
	int r = PTR_ERR_OR_ZERO(volume);

	if (!r)
		r = ckpt_need_writable(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(RECORDS(1));
	if (!txn)
		return -ENOMEM;
	atomic_add((units != 0) - (volume->limit != 0), &store->limits);
	WRITE_ONCE(volume->used, ckpt_quota_used(store, volume));
	WRITE_ONCE(volume->limit, units);
	ckpt_txn_record(txn, store, volume->number);
	r = ckpt_txn_run(store, txn);
	ckpt_pressure_changed(store);
	return r;
}

int ckpt_rename_volume(struct ckpt_store *store, const char *name, const char *new)
{
	struct ckpt_volume *volume = ckpt_need_volume(store, name);

	if (IS_ERR(volume))
		return PTR_ERR(volume);
	return rename_thing(store, volume->name, volume->number, new);
}

int ckpt_rename_template(struct ckpt_store *store, const char *name, const char *new)
{
	struct ckpt_layer *base = need_template(store, name);

	if (IS_ERR(base))
		return PTR_ERR(base);
	return rename_thing(store, base->base->name, base->number, new);
}

/* ---- deleting ---- */

/*
 * What a volume leaves behind: its head is frozen without a tag, and so garbage; its base is a
 * template from now on, under the volume's name, for as long as something sits on it.
 */
static void orphan(struct ckpt_store *store, struct ckpt_volume *volume, struct ckpt_txn *txn)
{
	struct ckpt_layer *top = ckpt_volume_top(store, volume), *base = ckpt_layer_base(top);
	u32 number = volume->number;

	top->heads--;
	if (!top->base) {
		WRITE_ONCE(top->frozen, true);
		ckpt_txn_record(txn, store, top->number);
	}
	if (base && base->base->owner == number) {
		/* In the middle of a merge it is no point in time, only what its layers need. */
		base->base->template = !ckpt_base_merges(base);
		base->base->owner = 0;
		if (base->base->template) {
			memcpy(base->base->name, volume->name, sizeof(base->base->name));
			ckpt_name_changed(store, base->number);
		}
		ckpt_txn_record(txn, store, base->number);
	}
	ckpt_object_drop(store, number);
	ckpt_txn_record(txn, store, number);
}

int ckpt_delete_volume(struct ckpt_store *store, const char *name)
{
	struct ckpt_volume *volume = ckpt_need_volume(store, name);
	struct ckpt_txn *txn;
	int r;

	if (IS_ERR(volume))
		return PTR_ERR(volume);
	r = need_inactive(store, volume, "deleted");
	if (!r && volume->checkpoints) {
		ckpt_log(err, store, "volume %s has %u checkpoints: delete those first",
			 volume->name, volume->checkpoints);
		r = -EBUSY;
	}
	if (!r)
		r = ckpt_need_writable(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(RECORDS(3));
	if (!txn)
		return -ENOMEM;
	orphan(store, volume, txn);
	r = ckpt_txn_run(store, txn);
	ckpt_gc_kick(store);
	return r;
}

int ckpt_delete_template(struct ckpt_store *store, const char *name)
{
	struct ckpt_layer *base = need_template(store, name);
	struct ckpt_txn *txn;
	u32 number;
	int r;

	if (IS_ERR(base))
		return PTR_ERR(base);
	if (base->children || base->tags) {
		ckpt_log(err, store, "template %s is needed by %u layers", base->base->name,
			 base->children);
		return -EBUSY;
	}
	r = ckpt_need_writable(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(RECORDS(1));
	if (!txn)
		return -ENOMEM;
	number = base->number;
	ckpt_object_drop(store, number);
	ckpt_txn_record(txn, store, number);
	return ckpt_txn_run(store, txn);
}
