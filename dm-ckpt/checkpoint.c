// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/uuid.h>

#include "admin.h"
#include "base.h"
#include "checkpoint.h"
#include "fault.h"
#include "gc.h"
#include "io.h"
#include "names.h"
#include "prepare.h"
#include "target.h"
#include "through.h"

/* Leaves of 32 MiB that new heads have from the beginning, all heads of a group together. */
#define HEAD_LEAVES	64u

static const char *const kinds[CKPT_KINDS] = {
	[CKPT_KIND_STANDARD] = "standard",
	[CKPT_KIND_PRODUCTION] = "production",
	[CKPT_KIND_OFFLINE] = "offline",
	[CKPT_KIND_RECOVERY] = "recovery",
};

int ckpt_kind_parse(const char *text)
{
	unsigned int i;

	for (i = 0; i < CKPT_KINDS; i++)
		if (!strcmp(text, kinds[i]))
			return i;
	return -EINVAL;
}

const char *ckpt_kind_name(enum ckpt_kind kind)
{
	return kinds[kind];
}

static int need_group(struct ckpt_store *store, unsigned int nr)
{
	if (nr <= CKPT_GROUP_MAX)
		return 0;
	ckpt_log(err, store, "a message names %u volumes or checkpoints at most", CKPT_GROUP_MAX);
	return -EINVAL;
}

/* ---- taking ---- */

/* One volume of a group that is being taken. */
struct part {
	struct ckpt_volume *volume;
	struct ckpt_checkpoint *checkpoint;
	struct ckpt_layer *head;	/* the new one */
};

static int need_part(struct ckpt_store *store, struct part *parts, unsigned int i,
		     const char *volume, const char *name)
{
	unsigned int k;

	parts[i].volume = ckpt_need_volume(store, volume);
	if (IS_ERR(parts[i].volume))
		return PTR_ERR(parts[i].volume);
	for (k = 0; k < i; k++) {
		if (parts[k].volume == parts[i].volume) {
			ckpt_log(err, store, "volume %s is named twice", parts[i].volume->name);
			return -EINVAL;
		}
	}
	if (!ckpt_checkpoint_find(store, parts[i].volume, name))
		return 0;
	ckpt_log(err, store, "volume %s has a checkpoint %s already", parts[i].volume->name, name);
	return -EEXIST;
}

/* The objects that will be needed, so that nothing can fail later on. */
static int make_part(struct ckpt_store *store, struct part *part, const char *name)
{
	part->head = ckpt_layer_new(store, NULL, part->volume->sectors, false,
				    ckpt_volume_tag(part->volume));
	if (IS_ERR(part->head))
		return PTR_ERR(part->head);
	part->checkpoint = ckpt_checkpoint_new(store, name);
	return PTR_ERR_OR_ZERO(part->checkpoint);
}

static void unmake_parts(struct ckpt_store *store, struct part *parts, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!IS_ERR_OR_NULL(parts[i].head))
			ckpt_object_drop(store, parts[i].head->number);
		if (!IS_ERR_OR_NULL(parts[i].checkpoint))
			ckpt_object_drop(store, parts[i].checkpoint->number);
	}
}

/*
 * Writes that a passed-through origin has completed must not be lost while the checkpoint that
 * has them is durable.
 */
static int flush_origin(struct ckpt_store *store, struct part *part)
{
	struct ckpt_layer *top = ckpt_volume_top(store, part->volume);
	struct ckpt_target *t = ckpt_live_target(part->volume);
	int r = 0;

	if (ckpt_fault(CKPT_FAULT_TAKE_NO_FLUSH))
		return 0;
	if (t && (top->base || top->through))
		r = ckpt_through_flush(t, top);
	else if (!list_empty(&top->drops))
		r = -EIO;
	if (r)
		ckpt_log(err, store, "origin of volume %s cannot be flushed", part->volume->name);
	return r;
}

static void open_gates(struct part *parts, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct ckpt_target *t = ckpt_live_target(parts[i].volume);

		if (t)
			ckpt_gate_open(t);
	}
}

/* All gates close, then all drain: the stall is that of the slowest, not the sum. */
static int close_gates(struct ckpt_store *store, struct part *parts, unsigned int nr)
{
	unsigned long until = jiffies + CKPT_DRAIN_JIFFIES;
	unsigned int i;
	int r = 0;

	for (i = 0; i < nr; i++) {
		struct ckpt_target *t = ckpt_live_target(parts[i].volume);

		if (t)
			ckpt_gate_shut(t);
	}
	for (i = 0; i < nr && !r; i++) {
		struct ckpt_target *t = ckpt_live_target(parts[i].volume);

		if (t)
			r = ckpt_gate_drain(t, max_t(long, until - jiffies, 1));
		if (r)
			ckpt_log(err, store, "volume %s has I/O in flight that does not end",
				 parts[i].volume->name);
	}
	for (i = 0; i < nr && !r; i++)
		r = flush_origin(store, &parts[i]);
	if (r)
		open_gates(parts, nr);
	return r;
}

/* The new head goes on top of the old one, which is frozen and tagged. */
static void switch_head(struct ckpt_store *store, struct part *part, struct ckpt_txn *txn)
{
	struct ckpt_volume *volume = part->volume;
	struct ckpt_layer *old = ckpt_volume_top(store, volume), *head = part->head;

	head->parent = old;
	old->children++;
	old->heads--;
	old->tags++;
	/* It was written while it was passed through: it is sampled anew. */
	if (old->base)
		old->base->sampled = false;
	else
		WRITE_ONCE(old->frozen, true);
	WRITE_ONCE(old->through, false);
	head->heads++;
	volume->checkpoints++;
	part->checkpoint->volume = volume;
	part->checkpoint->layer = old;
	ckpt_name_changed(store, part->checkpoint->number);
	rcu_assign_pointer(volume->top, head);
	ckpt_txn_record(txn, store, old->number);
	ckpt_txn_record(txn, store, head->number);
	ckpt_txn_record(txn, store, volume->number);
	ckpt_txn_record(txn, store, part->checkpoint->number);
}

static int take(struct ckpt_store *store, const char *name, enum ckpt_kind kind,
		struct part *parts, unsigned int nr, __u8 *uuid)
{
	struct ckpt_txn *txn;
	unsigned int i;
	int r;

	txn = ckpt_txn_alloc(nr * 4 * sizeof(struct ckpt_entry_record));
	if (!txn)
		return -ENOMEM;
	generate_random_uuid(uuid);
	/* Here they hold up nobody. */
	for (i = 0; i < nr; i++)
		ckpt_prepare_head(store, parts[i].head, ckpt_volume_top(store, parts[i].volume),
				  max(HEAD_LEAVES / nr, 1u));
	/* Most of what an origin has to flush, it flushes before the gates close. */
	for (i = 0, r = 0; i < nr && !r; i++)
		r = flush_origin(store, &parts[i]);
	if (!r)
		r = close_gates(store, parts, nr);
	if (r) {
		ckpt_txn_free(txn);
		return r;
	}
	/* A worker that prepares a write in a head is through before that is frozen. */
	down_write(&store->chain);
	for (i = 0; i < nr; i++) {
		parts[i].checkpoint->kind = kind;
		parts[i].checkpoint->group = nr;
		memcpy(parts[i].checkpoint->uuid, uuid, CKPT_UUID_BYTES);
		switch_head(store, &parts[i], txn);
	}
	up_write(&store->chain);
	/* No commit of what is written from now on can leave this out. */
	ckpt_txn_queue(store, txn);
	open_gates(parts, nr);
	r = ckpt_txn_wait(txn);
	/* The sample, below, flushes after all. */
	if (ckpt_fault(CKPT_FAULT_TAKE_NO_FLUSH))
		msleep(20);
	ckpt_txn_free(txn);
	/* From here on the objects are in use, whatever became of the commit. */
	for (i = 0; i < nr; i++)
		parts[i].head = NULL;
	for (i = 0; i < nr; i++) {
		struct ckpt_target *t = ckpt_live_target(parts[i].volume);

		parts[i].checkpoint = NULL;
		if (t && !r)
			ckpt_base_sample(t);
	}
	return r;
}

int ckpt_take(struct ckpt_store *store, const char *name, enum ckpt_kind kind,
	      char *const *volumes, unsigned int nr, __u8 *uuid)
{
	struct part *parts;
	unsigned int i;
	int r = ckpt_need_name(store, name);

	if (!r)
		r = ckpt_need_writable(store);
	if (!r)
		r = ckpt_need_nodes(store);
	if (!r)
		r = need_group(store, nr);
	if (r)
		return r;
	parts = kcalloc(nr, sizeof(*parts), GFP_NOIO);
	if (!parts)
		return -ENOMEM;
	for (i = 0; i < nr && !r; i++)
		r = need_part(store, parts, i, volumes[i], name);
	for (i = 0; i < nr && !r; i++)
		r = make_part(store, &parts[i], name);
	if (!r)
		r = take(store, name, kind, parts, nr, uuid);
	if (r)
		unmake_parts(store, parts, nr);
	kfree(parts);
	ckpt_gc_kick(store);
	return r;
}

/* ---- applying ---- */

static int need_applicable(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			   unsigned int i, struct part *parts)
{
	struct ckpt_checkpoint *c;
	unsigned int k;

	c = ckpt_need_checkpoint(store, names[i].volume, names[i].checkpoint);
	if (IS_ERR(c))
		return PTR_ERR(c);
	parts[i].checkpoint = c;
	parts[i].volume = c->volume;
	if (c->volume->tables) {
		ckpt_log(err, store, "volume %s is active, so no checkpoint can be applied: remove its device first",
			 c->volume->name);
		return -EBUSY;
	}
	for (k = 0; k < i; k++) {
		if (parts[k].volume == c->volume) {
			ckpt_log(err, store, "volume %s is named twice", c->volume->name);
			return -EINVAL;
		}
	}
	return 0;
}

/* The old head is garbage, unless it was checkpointed. */
static void apply_part(struct ckpt_store *store, struct part *part, struct ckpt_txn *txn)
{
	struct ckpt_volume *volume = part->volume;
	struct ckpt_layer *old = ckpt_volume_top(store, volume);

	part->head->parent = part->checkpoint->layer;
	part->head->parent->children++;
	part->head->heads++;
	old->heads--;
	if (!old->base)
		WRITE_ONCE(old->frozen, true);
	volume->sectors = part->head->sectors;
	rcu_assign_pointer(volume->top, part->head);
	ckpt_txn_record(txn, store, old->number);
	ckpt_txn_record(txn, store, part->head->number);
	ckpt_txn_record(txn, store, volume->number);
}

int ckpt_apply_checkpoints(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			   unsigned int nr)
{
	struct ckpt_txn *txn;
	struct part *parts;
	unsigned int i;
	int r = ckpt_need_writable(store);

	if (r)
		return r;
	r = need_group(store, nr);
	if (r)
		return r;
	parts = kcalloc(nr, sizeof(*parts), GFP_NOIO);
	txn = ckpt_txn_alloc(nr * 3 * sizeof(struct ckpt_entry_record));
	if (!parts || !txn)
		r = -ENOMEM;
	for (i = 0; i < nr && !r; i++)
		r = need_applicable(store, names, i, parts);
	for (i = 0; i < nr && !r; i++) {
		parts[i].head = ckpt_layer_new(store, NULL, parts[i].checkpoint->layer->sectors,
					       false, ckpt_volume_tag(parts[i].volume));
		r = PTR_ERR_OR_ZERO(parts[i].head);
	}
	if (!r) {
		for (i = 0; i < nr; i++)
			apply_part(store, &parts[i], txn);
		r = ckpt_txn_run(store, txn);
		ckpt_gc_kick(store);
	} else {
		for (i = 0; parts && i < nr; i++)
			if (!IS_ERR_OR_NULL(parts[i].head))
				ckpt_object_drop(store, parts[i].head->number);
		ckpt_txn_free(txn);
	}
	kfree(parts);
	return r;
}

/* ---- deleting and naming ---- */

int ckpt_delete_checkpoints(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			    unsigned int nr)
{
	struct ckpt_checkpoint **list;
	struct ckpt_txn *txn;
	unsigned int i, k;
	int r = ckpt_need_writable(store);

	if (r)
		return r;
	r = need_group(store, nr);
	if (r)
		return r;
	list = kcalloc(nr, sizeof(*list), GFP_NOIO);
	txn = ckpt_txn_alloc(nr * sizeof(struct ckpt_entry_record));
	if (!list || !txn)
		r = -ENOMEM;
	for (i = 0; i < nr && !r; i++) {
		list[i] = ckpt_need_checkpoint(store, names[i].volume, names[i].checkpoint);
		if (IS_ERR(list[i])) {
			r = PTR_ERR(list[i]);
		} else if (list[i]->views) {
			ckpt_log(err, store, "checkpoint %s of volume %s is active as a view",
				 list[i]->name, list[i]->volume->name);
			r = -EBUSY;
		}
		for (k = 0; k < i && !r; k++) {
			if (list[k] != list[i])
				continue;
			ckpt_log(err, store, "checkpoint %s of volume %s is named twice",
				 list[i]->name, list[i]->volume->name);
			r = -EINVAL;
		}
	}
	if (!r) {
		for (i = 0; i < nr; i++) {
			u32 number = list[i]->number;

			list[i]->layer->tags--;
			list[i]->volume->checkpoints--;
			ckpt_object_drop(store, number);
			ckpt_txn_record(txn, store, number);
		}
		r = ckpt_txn_run(store, txn);
		ckpt_gc_kick(store);
	} else {
		ckpt_txn_free(txn);
	}
	kfree(list);
	return r;
}

int ckpt_rename_checkpoint(struct ckpt_store *store, const struct ckpt_checkpoint_name *name,
			   const char *new)
{
	struct ckpt_checkpoint *c = ckpt_need_checkpoint(store, name->volume, name->checkpoint);
	struct ckpt_txn *txn;
	int r;

	if (IS_ERR(c))
		return PTR_ERR(c);
	r = ckpt_need_name(store, new);
	if (!r && ckpt_checkpoint_find(store, c->volume, new)) {
		ckpt_log(err, store, "volume %s has a checkpoint %s already", c->volume->name, new);
		r = -EEXIST;
	}
	if (!r)
		r = ckpt_need_writable(store);
	if (r)
		return r;
	txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_record));
	if (!txn)
		return -ENOMEM;
	memset(c->name, 0, sizeof(c->name));
	strscpy(c->name, new, sizeof(c->name));
	ckpt_name_changed(store, c->number);
	ckpt_txn_record(txn, store, c->number);
	return ckpt_txn_run(store, txn);
}
