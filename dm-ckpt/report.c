// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "admin.h"
#include "checkpoint.h"
#include "gc.h"
#include "leaf.h"
#include "quota.h"
#include "merge_base.h"
#include "report.h"

/* The longest line of a list: two names, three UUIDs, numbers. */
#define LIST_LINE	512u

/* ---- status ---- */

struct counts {
	unsigned int volumes, checkpoints, layers, hidden, freeing;
	u64 left;			/* units that are to be merged */
	u32 from, into;			/* numbers of the layers at work */
};

/* Is this layer on its way into another, or into its base? */
static bool is_merging(const struct ckpt_layer *layer)
{
	return ckpt_gc_merges(layer) ||
	       (layer->parent && !ckpt_layer_is_garbage(layer) && ckpt_base_merges(layer->parent));
}

static void count_objects(struct ckpt_store *store, struct counts *c)
{
	struct ckpt_object *object;
	unsigned long number;

	memset(c, 0, sizeof(*c));
	mutex_lock(&store->admin);
	xa_for_each(&store->objects, number, object) {
		c->volumes += object->type == CKPT_RECORD_VOLUME;
		c->checkpoints += object->type == CKPT_RECORD_CHECKPOINT;
		if (object->type != CKPT_RECORD_LAYER)
			continue;
		c->layers++;
		if (ckpt_layer_is_garbage(object->layer))
			c->freeing++;
		else if (object->layer->frozen && !object->layer->tags)
			c->hidden++;
		if (is_merging(object->layer))
			c->left += READ_ONCE(object->layer->used);
	}
	c->from = store->from;
	c->into = store->into;
	mutex_unlock(&store->admin);
}

static unsigned int emit_number(u32 number, char *result, unsigned int maxlen, unsigned int sz)
{
	if (number)
		DMEMIT(" %u", number);
	else
		DMEMIT(" -");
	return sz;
}

void ckpt_report_store(struct ckpt_store *store, char *result, unsigned int maxlen)
{
	static const char *const modes[] = { "rw", "ro" };
	static const char *const merging[] = {
		[CKPT_GC_IDLE] = "idle", [CKPT_GC_SETTLE] = "free", [CKPT_GC_FREE] = "free",
		[CKPT_GC_PACK] = "pack", [CKPT_GC_LAYERS] = "layers", [CKPT_GC_BASE] = "base",
		[CKPT_GC_WAIT] = "wait", [CKPT_GC_PAUSED] = "paused",
	};
	static const char *const spaces[] = { "ok", "low", "full" };
	const struct ckpt_geometry *g = &store->geometry;
	char uuid[CKPT_UUID_CHARS + 1];
	unsigned int sz = 0;
	struct counts c;

	if (!READ_ONCE(store->active)) {
		DMEMIT("-");
		return;
	}
	count_objects(store, &c);
	ckpt_uuid_format(store->super->uuid, uuid);
	DMEMIT("%s %s %u %u %llu/%llu %llu", uuid, modes[READ_ONCE(store->mode)],
	       ckpt_block_sectors(g), CKPT_NODE_SECTORS,
	       READ_ONCE(store->space.used) + ckpt_first_free_unit(g), ckpt_store_units(g),
	       ckpt_space_reserved(store));
	DMEMIT(" %u/%u %u/%u %ld/%lu", ckpt_journal_used(&store->journal),
	       store->journal.blocks, READ_ONCE(store->nr_dirty), store->dirty_limit,
	       atomic_long_read(&store->cached) >> 10,
	       (unsigned long)READ_ONCE(store->options.cache_mb) << 10);
	DMEMIT(" %llu %llu %u %u %u %u %u %llu %llu %llu", READ_ONCE(store->commits),
	       READ_ONCE(store->writebacks), c.volumes, c.checkpoints, c.layers, c.hidden,
	       c.freeing, (u64)atomic64_read(&store->moved),
	       (u64)atomic64_read(&store->copied), (u64)atomic64_read(&store->freed));
	DMEMIT(" %s", merging[READ_ONCE(store->gc_state)]);
	sz = emit_number(c.from, result, maxlen, sz);
	sz = emit_number(c.into, result, maxlen, sz);
	DMEMIT(" %llu %u %u %s %u %s", c.left, READ_ONCE(store->options.merge_rate),
	       READ_ONCE(store->options.merge_share), spaces[READ_ONCE(store->space_state)],
	       READ_ONCE(store->nr_waiting), ckpt_guard_state(store));
}

void ckpt_report_volume(struct ckpt_target *t, char *result, unsigned int maxlen)
{
	char uuid[CKPT_UUID_CHARS + 1];
	struct ckpt_layer *top;
	unsigned int sz = 0;

	mutex_lock(&t->store->admin);
	top = t->view ? t->layer : ckpt_volume_top(t->store, t->volume);
	ckpt_uuid_format(t->volume->uuid, uuid);
	DMEMIT("%s %s %s %u %llu %llu", uuid,
	       t->view || READ_ONCE(t->store->mode) != CKPT_MODE_RW ? "ro" : "rw",
	       top->base ? "passthrough" : "layered", ckpt_layer_depth(top), READ_ONCE(top->used),
	       t->view ? top->sectors : t->volume->sectors);
	mutex_unlock(&t->store->admin);
}

/* ---- list ---- */

static unsigned int list_base(struct ckpt_store *store, const struct ckpt_layer *layer,
			      char *result, unsigned int maxlen, unsigned int sz)
{
	const struct ckpt_base *base = layer->base;
	struct ckpt_object *owner = ckpt_object_find(store, base->owner);
	char uuid[CKPT_UUID_CHARS + 1], of[CKPT_UUID_CHARS + 1] = "-";

	ckpt_uuid_format(base->uuid, uuid);
	if (owner && owner->type == CKPT_RECORD_VOLUME)
		ckpt_uuid_format(owner->volume->uuid, of);
	DMEMIT("base %u %s %s %llu %s %s\n", layer->number, uuid,
	       base->template ? base->name : "-", layer->sectors,
	       base->template ? "template" : "owned", of);
	return sz;
}

/* What is to become of it. */
static const char *layer_state(const struct ckpt_layer *layer)
{
	if (ckpt_layer_is_garbage(layer))
		return "freeing";
	if (is_merging(layer))
		return "merging";
	return layer->frozen && !layer->tags && !layer->views ? "hidden" : "kept";
}

static unsigned int list_layer(const struct ckpt_layer *layer, char *result, unsigned int maxlen,
			       unsigned int sz)
{
	DMEMIT("layer %u ", layer->number);
	if (layer->parent)
		DMEMIT("%u", layer->parent->number);
	else
		DMEMIT("-");
	DMEMIT(" %llu %s %llu %llu %s\n", layer->sectors, layer->frozen ? "frozen" : "head",
	       READ_ONCE(layer->used), layer->created, layer_state(layer));
	return sz;
}

static unsigned int list_volume(struct ckpt_store *store, const struct ckpt_volume *volume,
				char *result, unsigned int maxlen, unsigned int sz)
{
	char uuid[CKPT_UUID_CHARS + 1];

	ckpt_uuid_format(volume->uuid, uuid);
	DMEMIT("volume %u %s %s %llu %u %llu %s %llu %llu\n", volume->number, uuid, volume->name,
	       volume->sectors, ckpt_volume_top(store, volume)->number, volume->created,
	       list_empty(&volume->targets) ? "inactive" : "active",
	       ckpt_quota_used(store, volume), volume->limit);
	return sz;
}

static unsigned int list_checkpoint(const struct ckpt_checkpoint *c, char *result,
				    unsigned int maxlen, unsigned int sz)
{
	char uuid[CKPT_UUID_CHARS + 1], of[CKPT_UUID_CHARS + 1];

	ckpt_uuid_format(c->uuid, uuid);
	ckpt_uuid_format(c->volume->uuid, of);
	DMEMIT("checkpoint %u %s %s %s %u %s %llu %u %s\n", c->number, uuid, c->name, of,
	       c->layer->number, ckpt_kind_name(c->kind), c->created, c->group,
	       c->views ? "viewed" : "idle");
	return sz;
}

static unsigned int list_object(struct ckpt_store *store, const struct ckpt_object *object,
				char *result, unsigned int maxlen, unsigned int sz)
{
	switch (object->type) {
	case CKPT_RECORD_BASE:
		return list_base(store, object->layer, result, maxlen, sz);
	case CKPT_RECORD_LAYER:
		return list_layer(object->layer, result, maxlen, sz);
	case CKPT_RECORD_VOLUME:
		return list_volume(store, object->volume, result, maxlen, sz);
	case CKPT_RECORD_CHECKPOINT:
		return list_checkpoint(object->checkpoint, result, maxlen, sz);
	case CKPT_RECORD_FREE:
		break;
	}
	return sz;
}

int ckpt_report_list(struct ckpt_store *store, u64 cursor, char *result, unsigned int maxlen)
{
	unsigned long number = min_t(u64, cursor, CKPT_RECORD_MAX);
	struct ckpt_object *object;
	unsigned int sz = 0;

	object = xa_find(&store->objects, &number, ULONG_MAX, XA_PRESENT);
	while (object && sz + 2 * LIST_LINE < maxlen) {
		sz = list_object(store, object, result, maxlen, sz);
		object = xa_find_after(&store->objects, &number, ULONG_MAX, XA_PRESENT);
	}
	if (object)
		DMEMIT("next %lu", number);
	else
		DMEMIT("end");
	return 1;
}
