// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jhash.h>
#include <linux/slab.h>

#include "names.h"
#include "store.h"

/* 64 records in each at the most. */
#define BUCKETS	4096u

struct ckpt_names {
	struct hlist_head name[BUCKETS];
	struct hlist_head uuid[BUCKETS];
};

int ckpt_names_init(struct ckpt_store *store)
{
	store->names = kvzalloc(sizeof(*store->names), GFP_KERNEL);
	return store->names ? 0 : -ENOMEM;
}

void ckpt_names_exit(struct ckpt_store *store)
{
	kvfree(store->names);
}

/* What an object is called, and within what. */
struct called {
	const char *name;
	const __u8 *uuid;
	u32 within;		/* number of a volume, or 0 */
};

static struct called called(const struct ckpt_object *object)
{
	switch (object->type) {
	case CKPT_RECORD_VOLUME:
		return (struct called){ object->volume->name, object->volume->uuid, 0 };
	case CKPT_RECORD_CHECKPOINT:
		return (struct called){ object->checkpoint->name, object->checkpoint->uuid,
					object->checkpoint->volume->number };
	default:
		return (struct called){ object->layer->base->name, object->layer->base->uuid, 0 };
	}
}

static struct hlist_head *by_name(struct ckpt_store *store, const char *name, u32 within)
{
	return &store->names->name[jhash(name, strlen(name), within) % BUCKETS];
}

static struct hlist_head *by_uuid(struct ckpt_store *store, const __u8 *uuid, u32 within)
{
	return &store->names->uuid[jhash(uuid, CKPT_UUID_BYTES, within) % BUCKETS];
}

void ckpt_name_changed(struct ckpt_store *store, u32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, number);
	struct called c = called(object);

	ckpt_name_drop(object);
	hlist_add_head(&object->by_name, by_name(store, c.name, c.within));
	hlist_add_head(&object->by_uuid, by_uuid(store, c.uuid, c.within));
}

void ckpt_name_drop(struct ckpt_object *object)
{
	hlist_del_init(&object->by_name);
	hlist_del_init(&object->by_uuid);
}

/* A name never looks like a UUID. */
static struct ckpt_object *find(struct ckpt_store *store, enum ckpt_record_type type, u32 within,
				const char *text)
{
	struct ckpt_object *object;
	__u8 uuid[CKPT_UUID_BYTES];

	if (ckpt_uuid_parse(text, uuid)) {
		hlist_for_each_entry(object, by_uuid(store, uuid, within), by_uuid) {
			struct called c = called(object);

			if (object->type == type && c.within == within &&
			    !memcmp(c.uuid, uuid, sizeof(uuid)))
				return object;
		}
		return NULL;
	}
	hlist_for_each_entry(object, by_name(store, text, within), by_name) {
		struct called c = called(object);

		if (object->type == type && c.within == within && !strcmp(c.name, text))
			return object;
	}
	return NULL;
}

struct ckpt_volume *ckpt_volume_find(struct ckpt_store *store, const char *name)
{
	struct ckpt_object *object = find(store, CKPT_RECORD_VOLUME, 0, name);

	return object ? object->volume : NULL;
}

struct ckpt_layer *ckpt_template_find(struct ckpt_store *store, const char *name)
{
	struct ckpt_object *object = find(store, CKPT_RECORD_BASE, 0, name);

	return object ? object->layer : NULL;
}

struct ckpt_checkpoint *ckpt_checkpoint_find(struct ckpt_store *store,
					     const struct ckpt_volume *volume, const char *name)
{
	struct ckpt_object *object = find(store, CKPT_RECORD_CHECKPOINT, volume->number, name);

	return object ? object->checkpoint : NULL;
}
