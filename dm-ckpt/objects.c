// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>
#include <linux/uuid.h>

#include "names.h"
#include "preload.h"
#include "store.h"
#include "through.h"

/* ---- the table of numbers ---- */

static int add_object(struct ckpt_store *store, struct ckpt_object *object, u32 *number)
{
	if (*number)
		return xa_insert(&store->objects, *number, object, GFP_NOIO);
	return xa_alloc(&store->objects, number, object,
			XA_LIMIT(1, CKPT_RECORD_MAX - 1), GFP_NOIO);
}

struct ckpt_object *ckpt_object_find(struct ckpt_store *store, u32 number)
{
	return xa_load(&store->objects, number);
}

/* A thing of @bytes with its entry in the table; *@number as add_object() has it. */
static void *new_object(struct ckpt_store *store, enum ckpt_record_type type, size_t bytes,
			u32 *number)
{
	struct ckpt_object *object = kzalloc(sizeof(*object), GFP_NOIO);
	void *thing = kzalloc(bytes, GFP_NOIO);
	int r = -ENOMEM;

	if (object && thing) {
		object->type = type;
		object->layer = thing;
		r = add_object(store, object, number);
	}
	if (r) {
		kfree(object);
		kfree(thing);
		return ERR_PTR(r == -EBUSY ? -ENOSPC : r);
	}
	return thing;
}

static struct ckpt_layer *new_layer(struct ckpt_store *store, bool base, u32 number)
{
	struct ckpt_layer *layer;

	layer = new_object(store, base ? CKPT_RECORD_BASE : CKPT_RECORD_LAYER,
			   sizeof(*layer), &number);
	if (IS_ERR(layer))
		return layer;
	layer->number = number;
	spin_lock_init(&layer->drops_lock);
	INIT_LIST_HEAD(&layer->drops);
	mutex_init(&layer->drops_flush);
	/* A base has none, but one that is not complete goes as a layer does. */
	ckpt_tree_init(&layer->map, store, CKPT_TREE_MAP, CKPT_MAP_LEVELS, number);
	if (base) {
		layer->base = kzalloc(sizeof(*layer->base), GFP_NOIO);
		if (!layer->base) {
			ckpt_object_drop(store, number);
			return ERR_PTR(-ENOMEM);
		}
	}
	return layer;
}

static void free_layer(struct ckpt_layer *layer)
{
	ckpt_drops_forget(layer);
	if (!layer->base)
		ckpt_tree_destroy(&layer->map);
	kfree(layer->base);
	kfree_rcu(layer, rcu);
}

void ckpt_object_drop(struct ckpt_store *store, u32 number)
{
	struct ckpt_object *object = xa_erase(&store->objects, number);

	if (!object)
		return;
	ckpt_name_drop(object);
	switch (object->type) {
	case CKPT_RECORD_BASE:
	case CKPT_RECORD_LAYER:
		free_layer(object->layer);
		break;
	case CKPT_RECORD_VOLUME:
		if (object->volume->limit)
			atomic_dec(&store->limits);
		kfree_rcu(object->volume, rcu);
		break;
	default:
		kfree(object->checkpoint);
	}
	kfree_rcu(object, rcu);
}

struct ckpt_layer *ckpt_layer_new(struct ckpt_store *store, struct ckpt_layer *parent,
				  u64 sectors, bool base, u32 volume)
{
	struct ckpt_layer *layer = new_layer(store, base, 0);

	if (IS_ERR(layer))
		return layer;
	layer->created = ktime_get_real_seconds();
	layer->sectors = sectors;
	layer->volume = volume;
	layer->parent = parent;
	if (parent)
		parent->children++;
	generate_random_uuid(layer->uuid);
	if (base) {
		generate_random_uuid(layer->base->uuid);
		layer->base->origin_sectors = sectors;
	}
	return layer;
}

u32 ckpt_volume_tag(const struct ckpt_volume *volume)
{
	__le32 tag;

	memcpy(&tag, volume->uuid, sizeof(tag));
	return le32_to_cpu(tag);
}

struct ckpt_volume *ckpt_volume_new(struct ckpt_store *store, const char *name, u64 sectors)
{
	struct ckpt_volume *volume;
	u32 number = 0;

	volume = new_object(store, CKPT_RECORD_VOLUME, sizeof(*volume), &number);
	if (IS_ERR(volume))
		return volume;
	volume->number = number;
	volume->created = ktime_get_real_seconds();
	volume->sectors = sectors;
	INIT_LIST_HEAD(&volume->targets);
	strscpy(volume->name, name, sizeof(volume->name));
	generate_random_uuid(volume->uuid);
	ckpt_name_changed(store, number);
	return volume;
}

struct ckpt_checkpoint *ckpt_checkpoint_new(struct ckpt_store *store, const char *name)
{
	struct ckpt_checkpoint *checkpoint;
	u32 number = 0;

	checkpoint = new_object(store, CKPT_RECORD_CHECKPOINT, sizeof(*checkpoint), &number);
	if (IS_ERR(checkpoint))
		return checkpoint;
	checkpoint->number = number;
	checkpoint->created = ktime_get_real_seconds();
	strscpy(checkpoint->name, name, sizeof(checkpoint->name));
	return checkpoint;
}

/* ---- finding ---- */

struct ckpt_layer *ckpt_volume_top(struct ckpt_store *store, const struct ckpt_volume *volume)
{
	return rcu_dereference_protected(volume->top, lockdep_is_held(&store->admin));
}

struct ckpt_layer *ckpt_layer_base(struct ckpt_layer *layer)
{
	while (layer && !layer->base)
		layer = layer->parent;
	return layer;
}

struct ckpt_layer *ckpt_layer_child(struct ckpt_store *store, const struct ckpt_layer *layer)
{
	struct ckpt_object *object;
	unsigned long number;

	xa_for_each(&store->objects, number, object)
		if (object->type == CKPT_RECORD_LAYER && object->layer->parent == layer)
			return object->layer;
	return NULL;
}

unsigned int ckpt_layer_depth(const struct ckpt_layer *layer)
{
	unsigned int depth = 0;

	for (; layer && !layer->base; layer = layer->parent)
		depth++;
	return depth;
}

bool ckpt_layer_is_below(const struct ckpt_layer *below, const struct ckpt_layer *layer)
{
	while (layer && layer != below)
		layer = layer->parent;
	return layer;
}

/* ---- to records ---- */

static void base_record(const struct ckpt_layer *layer, struct ckpt_base_record *r)
{
	const struct ckpt_base *base = layer->base;

	r->head.flags = cpu_to_le16((base->template ? CKPT_BASE_TEMPLATE : 0) |
				    (base->sampled ? CKPT_BASE_SAMPLED : 0) |
				    (base->adopted ? CKPT_BASE_ADOPTED : 0));
	r->head.created = cpu_to_le64(layer->created);
	memcpy(r->head.uuid, base->uuid, sizeof(base->uuid));
	memcpy(r->name, base->name, sizeof(r->name));
	r->sectors = cpu_to_le64(layer->sectors);
	r->owner = cpu_to_le32(base->owner);
	r->sample_crc = cpu_to_le32(base->sample_crc);
	r->origin_sectors = cpu_to_le64(base->origin_sectors);
}

static void layer_record(const struct ckpt_layer *layer, struct ckpt_layer_record *r)
{
	r->head.flags = cpu_to_le16(layer->frozen ? CKPT_LAYER_FROZEN : 0);
	r->head.created = cpu_to_le64(layer->created);
	memcpy(r->head.uuid, layer->uuid, sizeof(layer->uuid));
	r->parent = cpu_to_le32(layer->parent ? layer->parent->number : 0);
	r->volume = cpu_to_le32(layer->volume);
	r->sectors = cpu_to_le64(layer->sectors);
}

static void volume_record(struct ckpt_store *store, const struct ckpt_volume *volume,
			  struct ckpt_volume_record *r)
{
	r->head.created = cpu_to_le64(volume->created);
	memcpy(r->head.uuid, volume->uuid, sizeof(volume->uuid));
	memcpy(r->name, volume->name, sizeof(r->name));
	r->sectors = cpu_to_le64(volume->sectors);
	r->top = cpu_to_le32(ckpt_volume_top(store, volume)->number);
	r->limit = cpu_to_le64(volume->limit);
}

static void checkpoint_record(const struct ckpt_checkpoint *checkpoint,
			      struct ckpt_checkpoint_record *r)
{
	r->head.created = cpu_to_le64(checkpoint->created);
	memcpy(r->head.uuid, checkpoint->uuid, sizeof(checkpoint->uuid));
	memcpy(r->name, checkpoint->name, sizeof(r->name));
	r->volume = cpu_to_le32(checkpoint->volume->number);
	r->layer = cpu_to_le32(checkpoint->layer->number);
	r->kind = cpu_to_le32(checkpoint->kind);
	r->group = cpu_to_le32(checkpoint->group);
}

void ckpt_object_record(struct ckpt_store *store, const struct ckpt_object *object, u32 number,
			union ckpt_record *record)
{
	memset(record, 0, sizeof(*record));
	if (!object)
		return;
	record->head.type = cpu_to_le16(object->type);
	record->head.number = cpu_to_le32(number);
	switch (object->type) {
	case CKPT_RECORD_BASE:
		base_record(object->layer, &record->base);
		break;
	case CKPT_RECORD_LAYER:
		layer_record(object->layer, &record->layer);
		break;
	case CKPT_RECORD_VOLUME:
		volume_record(store, object->volume, &record->volume);
		break;
	case CKPT_RECORD_CHECKPOINT:
		checkpoint_record(object->checkpoint, &record->checkpoint);
		break;
	case CKPT_RECORD_FREE:
		break;
	}
}

/* ---- from records ---- */

typedef int (*record_fn)(struct ckpt_store *store, const union ckpt_record *record, u32 number);

static int bad_record(struct ckpt_store *store, u32 number, const char *why)
{
	ckpt_log(err, store, "record %u is damaged: %s", number, why);
	return -EIO;
}

/* Call @fn for each record that is in use, once it is checked by itself. */
static int walk_records(struct ckpt_store *store, record_fn fn)
{
	u64 index = 0;

	for (;; index++) {
		struct ckpt_node *leaf = ckpt_node_next(&store->records, 0, index);
		const union ckpt_record *record;
		unsigned int i;
		int r = 0;

		if (IS_ERR_OR_NULL(leaf))
			return PTR_ERR_OR_ZERO(leaf);
		index = leaf->index;
		record = leaf->image;
		for (i = 0; !r && i < CKPT_RECORDS_PER_LEAF; i++) {
			u32 number = index * CKPT_RECORDS_PER_LEAF + i;
			const char *bad;

			if (!record[i].head.type)
				continue;
			bad = ckpt_record_verify(&store->geometry, &record[i], number);
			if (!bad && !number)
				bad = "there is none";
			r = bad ? bad_record(store, number, bad) : fn(store, &record[i], number);
		}
		ckpt_node_put(leaf);
		if (r)
			return r;
	}
}

/* Step 1: layers with a map, so that replay finds them. */
static int begin_record(struct ckpt_store *store, const union ckpt_record *record, u32 number)
{
	struct ckpt_layer *layer;

	if (le16_to_cpu(record->head.type) != CKPT_RECORD_LAYER)
		return 0;
	layer = new_layer(store, false, number);
	if (IS_ERR(layer))
		return PTR_ERR(layer);
	layer->map.root_ref = record->layer.root;
	layer->used = ckpt_ref_used(&record->layer.root);
	layer->durable = true;
	return 0;
}

int ckpt_objects_begin(struct ckpt_store *store)
{
	struct ckpt_preload *preload = ckpt_preload_begin();

	ckpt_preload_tree(preload, &store->records);
	ckpt_preload_end(preload);
	return walk_records(store, begin_record);
}

/* Step 2: a record has become something else. */
int ckpt_objects_replay(struct ckpt_store *store, const union ckpt_record *record, u32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, number);
	struct ckpt_layer *layer;

	if (le16_to_cpu(record->head.type) != CKPT_RECORD_LAYER) {
		ckpt_object_drop(store, number);
		return 0;
	}
	if (object)
		return 0;
	layer = new_layer(store, false, number);
	if (IS_ERR(layer))
		return PTR_ERR(layer);
	layer->durable = true;
	return 0;
}

/* Step 3: everything by itself ... */
static int fill_base(struct ckpt_store *store, const struct ckpt_base_record *r, u32 number)
{
	struct ckpt_layer *layer = new_layer(store, true, number);
	u32 flags = le16_to_cpu(r->head.flags);

	if (IS_ERR(layer))
		return PTR_ERR(layer);
	layer->created = le64_to_cpu(r->head.created);
	layer->sectors = le64_to_cpu(r->sectors);
	layer->durable = true;
	layer->base->template = flags & CKPT_BASE_TEMPLATE;
	layer->base->sampled = flags & CKPT_BASE_SAMPLED;
	layer->base->adopted = flags & CKPT_BASE_ADOPTED;
	layer->base->sample_crc = le32_to_cpu(r->sample_crc);
	layer->base->owner = le32_to_cpu(r->owner);
	layer->base->origin_sectors = le64_to_cpu(r->origin_sectors);
	memcpy(layer->base->name, r->name, sizeof(r->name));
	memcpy(layer->base->uuid, r->head.uuid, sizeof(r->head.uuid));
	if (layer->base->template)
		ckpt_name_changed(store, number);
	return 0;
}

static int fill_layer(struct ckpt_store *store, const struct ckpt_layer_record *r, u32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, number);
	struct ckpt_layer *layer;

	if (!object || object->type != CKPT_RECORD_LAYER)
		return bad_record(store, number, "its layer is not there");
	layer = object->layer;
	layer->frozen = le16_to_cpu(r->head.flags) & CKPT_LAYER_FROZEN;
	layer->settled = layer->frozen;
	layer->created = le64_to_cpu(r->head.created);
	layer->sectors = le64_to_cpu(r->sectors);
	layer->volume = le32_to_cpu(r->volume);
	memcpy(layer->uuid, r->head.uuid, sizeof(layer->uuid));
	return 0;
}

static int fill_volume(struct ckpt_store *store, const struct ckpt_volume_record *r, u32 number)
{
	struct ckpt_volume *volume = new_object(store, CKPT_RECORD_VOLUME, sizeof(*volume),
						&number);

	if (IS_ERR(volume))
		return PTR_ERR(volume);
	volume->number = number;
	volume->created = le64_to_cpu(r->head.created);
	volume->sectors = le64_to_cpu(r->sectors);
	volume->limit = le64_to_cpu(r->limit);
	if (volume->limit)
		atomic_inc(&store->limits);
	INIT_LIST_HEAD(&volume->targets);
	memcpy(volume->name, r->name, sizeof(volume->name));
	memcpy(volume->uuid, r->head.uuid, sizeof(volume->uuid));
	ckpt_name_changed(store, number);
	return 0;
}

static int fill_checkpoint(struct ckpt_store *store, const struct ckpt_checkpoint_record *r,
			   u32 number)
{
	struct ckpt_checkpoint *checkpoint;

	checkpoint = new_object(store, CKPT_RECORD_CHECKPOINT, sizeof(*checkpoint), &number);
	if (IS_ERR(checkpoint))
		return PTR_ERR(checkpoint);
	checkpoint->number = number;
	checkpoint->created = le64_to_cpu(r->head.created);
	checkpoint->kind = le32_to_cpu(r->kind);
	checkpoint->group = le32_to_cpu(r->group);
	memcpy(checkpoint->name, r->name, sizeof(checkpoint->name));
	memcpy(checkpoint->uuid, r->head.uuid, sizeof(checkpoint->uuid));
	return 0;
}

static int fill_record(struct ckpt_store *store, const union ckpt_record *record, u32 number)
{
	switch (le16_to_cpu(record->head.type)) {
	case CKPT_RECORD_BASE:
		return fill_base(store, &record->base, number);
	case CKPT_RECORD_LAYER:
		return fill_layer(store, &record->layer, number);
	case CKPT_RECORD_VOLUME:
		return fill_volume(store, &record->volume, number);
	default:
		return fill_checkpoint(store, &record->checkpoint, number);
	}
}

/* ... and then how it hangs together. */
static struct ckpt_layer *layer_or_base(struct ckpt_store *store, __le32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, le32_to_cpu(number));

	if (!object || (object->type != CKPT_RECORD_LAYER && object->type != CKPT_RECORD_BASE))
		return NULL;
	return object->layer;
}

static int link_layer(struct ckpt_store *store, const struct ckpt_layer_record *r, u32 number)
{
	struct ckpt_layer *layer = ckpt_object_find(store, number)->layer;

	if (!r->parent)
		return 0;
	layer->parent = layer_or_base(store, r->parent);
	if (!layer->parent)
		return bad_record(store, number, "what its layer sits on is not there");
	layer->parent->children++;
	return 0;
}

static int link_volume(struct ckpt_store *store, const struct ckpt_volume_record *r, u32 number)
{
	struct ckpt_volume *volume = ckpt_object_find(store, number)->volume;
	struct ckpt_layer *top = layer_or_base(store, r->top);

	if (!top)
		return bad_record(store, number, "its volume's head is not there");
	if (top->frozen || top->heads++)
		return bad_record(store, number, "its volume's head is not its own");
	rcu_assign_pointer(volume->top, top);
	return 0;
}

static int link_checkpoint(struct ckpt_store *store, const struct ckpt_checkpoint_record *r,
			   u32 number)
{
	struct ckpt_checkpoint *checkpoint = ckpt_object_find(store, number)->checkpoint;
	struct ckpt_object *volume = ckpt_object_find(store, le32_to_cpu(r->volume));

	if (!volume || volume->type != CKPT_RECORD_VOLUME)
		return bad_record(store, number, "its checkpoint's volume is not there");
	checkpoint->volume = volume->volume;
	checkpoint->volume->checkpoints++;
	ckpt_name_changed(store, number);
	checkpoint->layer = layer_or_base(store, r->layer);
	if (!checkpoint->layer || (!checkpoint->layer->base && !checkpoint->layer->frozen))
		return bad_record(store, number, "its checkpoint's layer is not there");
	checkpoint->layer->tags++;
	return 0;
}

static int link_record(struct ckpt_store *store, const union ckpt_record *record, u32 number)
{
	switch (le16_to_cpu(record->head.type)) {
	case CKPT_RECORD_LAYER:
		return link_layer(store, &record->layer, number);
	case CKPT_RECORD_VOLUME:
		return link_volume(store, &record->volume, number);
	case CKPT_RECORD_CHECKPOINT:
		return link_checkpoint(store, &record->checkpoint, number);
	}
	return 0;
}

/*
 * No layer may be below itself.  A walk down ends where another one has been, which ended
 * too; where it has been itself there is a ring.
 */
static int check_chains(struct ckpt_store *store)
{
	struct ckpt_object *object;
	unsigned long number;

	xa_for_each(&store->objects, number, object) {
		struct ckpt_layer *layer = object->layer;

		if (object->type != CKPT_RECORD_LAYER)
			continue;
		for (; layer && !layer->checked; layer = layer->parent)
			layer->checked = number;
		if (layer && layer->checked == number)
			return bad_record(store, number, "its layer is below itself");
	}
	return 0;
}

int ckpt_objects_finish(struct ckpt_store *store)
{
	int r = walk_records(store, fill_record);

	if (!r)
		r = walk_records(store, link_record);
	return r ? r : check_chains(store);
}

void ckpt_objects_free(struct ckpt_store *store)
{
	struct ckpt_object *object;
	unsigned long number;

	xa_for_each(&store->objects, number, object)
		ckpt_object_drop(store, number);
	xa_destroy(&store->objects);
}
