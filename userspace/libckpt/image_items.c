// SPDX-License-Identifier: GPL-2.0-only
/* Records of an image as items, and how they hang together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image_tree.h"

struct image_tree *image_map(const struct ckpt_image *image, uint32_t number)
{
	return number < image->item_count ? image->maps[number] : NULL;
}

const struct ckpt_item *ckpt_image_item(const struct ckpt_image *image, uint32_t number)
{
	return number < image->item_count ? image->items[number] : NULL;
}

const struct ckpt_item *ckpt_image_next(const struct ckpt_image *image, uint32_t number)
{
	for (; number < image->item_count; number++)
		if (image->items[number])
			return image->items[number];
	return NULL;
}

/* Places in both tables, so that @number is one. */
static enum ckpt_result make_places(struct ckpt_image *image, uint32_t number,
				    struct ckpt_error *e)
{
	uint32_t count = image->item_count ? image->item_count : 64;
	struct image_tree **maps;
	struct ckpt_item **items;

	if (number < image->item_count)
		return CKPT_DONE;
	while (count <= number)
		count *= 2;
	maps = reallocarray(image->maps, count, sizeof(*maps));
	if (maps)
		image->maps = maps;
	items = reallocarray(image->items, count, sizeof(*items));
	if (items)
		image->items = items;
	if (!maps || !items)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	memset(maps + image->item_count, 0, (count - image->item_count) * sizeof(*maps));
	memset(items + image->item_count, 0, (count - image->item_count) * sizeof(*items));
	image->item_count = count;
	return CKPT_DONE;
}

static void drop_map(struct ckpt_image *image, uint32_t number)
{
	struct image_tree *map = image_map(image, number);

	if (!map)
		return;
	image_tree_drop(image, map);
	free(map);
	image->maps[number] = NULL;
}

static enum ckpt_result make_map(struct ckpt_image *image, uint32_t number,
				 const struct ckpt_ref *root, struct ckpt_error *e)
{
	enum ckpt_result result = make_places(image, number, e);
	struct image_tree *map;

	if (result || image->maps[number])
		return result;
	map = malloc(sizeof(*map));
	if (!map)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	image_tree_init(map, CKPT_TREE_MAP, CKPT_MAP_LEVELS, number);
	if (root)
		map->root_ref = *root;
	image->maps[number] = map;
	return CKPT_DONE;
}

void image_drop_items(struct ckpt_image *image)
{
	for (uint32_t i = 0; i < image->item_count; i++) {
		drop_map(image, i);
		free(image->items[i]);
	}
	free(image->maps);
	free(image->items);
	image->maps = NULL;
	image->items = NULL;
	image->item_count = 0;
}

/* ---- from records ---- */

typedef enum ckpt_result (*record_fn)(struct ckpt_image *image, const union ckpt_record *record,
				      uint32_t number, struct ckpt_error *e);

static enum ckpt_result bad_record(struct ckpt_image *image, uint32_t number, const char *why,
				   struct ckpt_error *e)
{
	return image_damage(image, e, "record %u is damaged: %s", number, why);
}

struct each {
	struct ckpt_image *image;
	record_fn fn;
	struct ckpt_error *e;
};

/* What is damaged ends it, unless it is to be salvaged. */
static enum ckpt_result go_on(const struct ckpt_image *image, enum ckpt_result result)
{
	return image->options.salvage && result == CKPT_INTEGRITY ? CKPT_DONE : result;
}

static enum ckpt_result each_record(void *arg, const struct image_tree *tree,
				    const struct image_node *node, uint64_t index,
				    const struct ckpt_ref *ref)
{
	const union ckpt_record *record = (const void *)node->content;
	const struct each *each = arg;
	enum ckpt_result result = CKPT_DONE;

	(void)tree;
	(void)ref;
	if (node->bad)
		return go_on(each->image, CKPT_INTEGRITY);
	for (unsigned int i = 0; !node->level && !result && i < CKPT_RECORDS_PER_LEAF; i++) {
		uint32_t number = (uint32_t)index * CKPT_RECORDS_PER_LEAF + i;
		const char *bad;

		if (!record[i].head.type)
			continue;
		bad = ckpt_record_verify(&each->image->geometry, &record[i], number);
		if (!bad && !number)
			bad = "there is none";
		result = bad ? bad_record(each->image, number, bad, each->e) :
			       each->fn(each->image, &record[i], number, each->e);
		result = go_on(each->image, result);
	}
	return result;
}

static enum ckpt_result walk_records(struct ckpt_image *image, record_fn fn, struct ckpt_error *e)
{
	struct each each = { image, fn, e };

	return image_walk(image, &image->records, each_record, &each, e);
}

static enum ckpt_result begin_record(struct ckpt_image *image, const union ckpt_record *record,
				     uint32_t number, struct ckpt_error *e)
{
	if (le16_to_cpu(record->head.type) != CKPT_RECORD_LAYER)
		return CKPT_DONE;
	return make_map(image, number, &record->layer.root, e);
}

enum ckpt_result image_begin_items(struct ckpt_image *image, struct ckpt_error *e)
{
	return walk_records(image, begin_record, e);
}

enum ckpt_result image_change_item(struct ckpt_image *image, const union ckpt_record *record,
				   uint32_t number, struct ckpt_error *e)
{
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER)
		return make_map(image, number, NULL, e);
	drop_map(image, number);
	return CKPT_DONE;
}

static void fill_base(const struct ckpt_base_record *r, struct ckpt_item *item)
{
	memcpy(item->name, r->name, sizeof(item->name) - 1);
	item->sectors = le64_to_cpu(r->sectors);
	item->volume = le32_to_cpu(r->owner);
	item->sample_crc = le32_to_cpu(r->sample_crc);
	item->origin_sectors = le64_to_cpu(r->origin_sectors);
}

static void fill_layer(const struct ckpt_layer_record *r, struct ckpt_item *item)
{
	item->sectors = le64_to_cpu(r->sectors);
	item->below = le32_to_cpu(r->parent);
	item->volume = le32_to_cpu(r->volume);
}

static void fill_volume(const struct ckpt_volume_record *r, struct ckpt_item *item)
{
	memcpy(item->name, r->name, sizeof(item->name) - 1);
	item->sectors = le64_to_cpu(r->sectors);
	item->below = le32_to_cpu(r->top);
	item->limit = le64_to_cpu(r->limit);
}

static void fill_checkpoint(const struct ckpt_checkpoint_record *r, struct ckpt_item *item)
{
	memcpy(item->name, r->name, sizeof(item->name) - 1);
	item->volume = le32_to_cpu(r->volume);
	item->below = le32_to_cpu(r->layer);
	item->kind = le32_to_cpu(r->kind);
	item->group = le32_to_cpu(r->group);
}

static enum ckpt_result fill_record(struct ckpt_image *image, const union ckpt_record *record,
				    uint32_t number, struct ckpt_error *e)
{
	enum ckpt_result result = make_places(image, number, e);
	struct ckpt_item *item;

	if (result)
		return result;
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER && !image_map(image, number))
		return bad_record(image, number, "its layer is not there", e);
	item = calloc(1, sizeof(*item));
	if (!item)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	image->items[number] = item;
	item->type = le16_to_cpu(record->head.type);
	item->number = number;
	item->flags = le16_to_cpu(record->head.flags);
	item->created = le64_to_cpu(record->head.created);
	memcpy(item->uuid, record->head.uuid, sizeof(item->uuid));
	switch (item->type) {
	case CKPT_RECORD_BASE:
		fill_base(&record->base, item);
		break;
	case CKPT_RECORD_LAYER:
		fill_layer(&record->layer, item);
		break;
	case CKPT_RECORD_VOLUME:
		fill_volume(&record->volume, item);
		break;
	case CKPT_RECORD_CHECKPOINT:
		fill_checkpoint(&record->checkpoint, item);
		break;
	case CKPT_RECORD_FREE:
		break;
	}
	return CKPT_DONE;
}

/* ---- how they hang together ---- */

static struct ckpt_item *layer_or_base(const struct ckpt_image *image, uint32_t number)
{
	struct ckpt_item *item = number < image->item_count ? image->items[number] : NULL;

	return ckpt_item_is_layer_or_base(item) ? item : NULL;
}

/* @heads: by number, is it a volume's already? */
static const char *link_volume(const struct ckpt_image *image, const struct ckpt_item *item,
			       bool *heads)
{
	const struct ckpt_item *top = layer_or_base(image, item->below);
	bool is_taken;

	if (!top)
		return "its volume's head is not there";
	is_taken = heads[top->number];
	heads[top->number] = true;
	if (is_taken || (top->type == CKPT_RECORD_LAYER && top->flags & CKPT_LAYER_FROZEN))
		return "its volume's head is not its own";
	return NULL;
}

static const char *link_checkpoint(const struct ckpt_image *image, struct ckpt_item *item)
{
	const struct ckpt_item *volume = ckpt_image_item(image, item->volume);
	const struct ckpt_item *layer = layer_or_base(image, item->below);

	if (layer)
		item->sectors = layer->sectors;
	if (!volume || volume->type != CKPT_RECORD_VOLUME)
		return "its checkpoint's volume is not there";
	if (!layer || (layer->type == CKPT_RECORD_LAYER && !(layer->flags & CKPT_LAYER_FROZEN)))
		return "its checkpoint's layer is not there";
	return NULL;
}

static const char *link_item(const struct ckpt_image *image, struct ckpt_item *item, bool *heads)
{
	switch (item->type) {
	case CKPT_RECORD_LAYER:
		return item->below && !layer_or_base(image, item->below) ?
		       "what its layer sits on is not there" : NULL;
	case CKPT_RECORD_VOLUME:
		return link_volume(image, item, heads);
	case CKPT_RECORD_CHECKPOINT:
		return link_checkpoint(image, item);
	default:
		return NULL;
	}
}

/* Is a layer of its chain that comes before @number in it, or it itself, there twice? */
static bool is_ring(const struct ckpt_image *image, uint32_t number, uint32_t *seen)
{
	const struct ckpt_item *item = layer_or_base(image, number);

	/* What an earlier walk has passed is no ring, or was told of. */
	while (item && !seen[item->number]) {
		seen[item->number] = number;
		item = layer_or_base(image, item->below);
	}
	return item && seen[item->number] == number;
}

static enum ckpt_result link_items(struct ckpt_image *image, bool *heads, uint32_t *seen,
				   struct ckpt_error *e)
{
	enum ckpt_result result = CKPT_DONE;

	for (uint32_t i = 0; !result && i < image->item_count; i++) {
		const char *bad = image->items[i] ? link_item(image, image->items[i], heads) : NULL;

		if (bad)
			result = go_on(image, bad_record(image, i, bad, e));
	}
	for (uint32_t i = 0; !result && i < image->item_count; i++) {
		const struct ckpt_item *item = image->items[i];

		if (item && item->type == CKPT_RECORD_LAYER && is_ring(image, i, seen))
			result = go_on(image, bad_record(image, i, "its layer is below itself", e));
	}
	return result;
}

enum ckpt_result image_finish_items(struct ckpt_image *image, struct ckpt_error *e)
{
	enum ckpt_result result = walk_records(image, fill_record, e);
	bool *heads;
	uint32_t *seen;

	if (result)
		return result;
	heads = calloc(image->item_count + 1, sizeof(*heads));
	seen = calloc(image->item_count + 1, sizeof(*seen));
	if (heads && seen)
		result = link_items(image, heads, seen, e);
	else
		result = ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	free(heads);
	free(seen);
	return result;
}

const struct ckpt_item *ckpt_image_base(const struct ckpt_image *image,
					const struct ckpt_item *item)
{
	for (uint32_t steps = 0; item && steps <= image->item_count; steps++) {
		if (item->type == CKPT_RECORD_BASE)
			return item;
		item = layer_or_base(image, item->below);
	}
	return NULL;
}

/* ---- names ---- */

/* By kind, and checkpoints by their volume: what has to be told apart within one of these. */
static int by_kind(const struct ckpt_item *x, const struct ckpt_item *y)
{
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->type == CKPT_RECORD_CHECKPOINT && x->volume != y->volume)
		return x->volume < y->volume ? -1 : 1;
	return 0;
}

int image_by_name(const void *a, const void *b)
{
	const struct ckpt_item *x = *(const struct ckpt_item *const *)a;
	const struct ckpt_item *y = *(const struct ckpt_item *const *)b;
	int order = by_kind(x, y);

	return order ? order : strcmp(x->name, y->name);
}

int image_by_uuid(const void *a, const void *b)
{
	const struct ckpt_item *x = *(const struct ckpt_item *const *)a;
	const struct ckpt_item *y = *(const struct ckpt_item *const *)b;
	int order = by_kind(x, y);

	return order ? order : memcmp(x->uuid, y->uuid, sizeof(x->uuid));
}

static bool is_called(const struct ckpt_item *item, const char *text)
{
	uint8_t wanted[CKPT_UUID_BYTES];

	if (ckpt_uuid_parse(text, wanted))
		return !memcmp(wanted, item->uuid, sizeof(wanted));
	return *text && !strcmp(text, item->name);
}

static const struct ckpt_item *find(const struct ckpt_image *image, enum ckpt_record_type type,
				    const char *text, uint32_t volume)
{
	const struct ckpt_item *item;

	ckpt_image_for_each(image, item)
		if (item->type == type && is_called(item, text) &&
		    (type != CKPT_RECORD_CHECKPOINT || item->volume == volume))
			return item;
	return NULL;
}

enum ckpt_result ckpt_image_find(const struct ckpt_image *image, const char *name,
				 const struct ckpt_item **item, struct ckpt_error *e)
{
	static const char template[] = "template:";
	char volume[CKPT_NAME_BYTES];
	const char *at = strchr(name, '@');

	*item = NULL;
	if (!strncmp(name, template, strlen(template))) {
		*item = find(image, CKPT_RECORD_BASE, name + strlen(template), 0);
	} else if (!at) {
		*item = find(image, CKPT_RECORD_VOLUME, name, 0);
	} else if ((size_t)(at - name) < sizeof(volume)) {
		const struct ckpt_item *owner;

		memcpy(volume, name, (size_t)(at - name));
		volume[at - name] = '\0';
		owner = find(image, CKPT_RECORD_VOLUME, volume, 0);
		if (owner)
			*item = find(image, CKPT_RECORD_CHECKPOINT, at + 1, owner->number);
	}
	if (*item)
		return CKPT_DONE;
	return ckpt_fail(e, CKPT_NOT_FOUND,
			 "there is no '%.300s' in the store; 'ckpt_read --list' shows what there is",
			 name);
}
