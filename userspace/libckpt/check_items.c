// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "check_parts.h"

/* A volume that passes through to its base may grow before the head that it had is freed. */
static void check_layer(const struct ckpt_image *image, struct ckpt_check *check,
			const struct ckpt_item *layer, bool is_needed)
{
	const struct ckpt_item *below = ckpt_image_item(image, layer->below);

	if (is_needed && below && below->sectors > layer->sectors)
		check_error(check, "record %u: its layer is smaller than what it sits on",
			    layer->number);
}

static void check_volume(const struct ckpt_image *image, struct ckpt_check *check,
			 const struct ckpt_item *volume)
{
	const struct ckpt_item *top = ckpt_image_item(image, volume->below);

	if (top && top->sectors != volume->sectors)
		check_error(check, "record %u: volume %s has not the size of its head",
			    volume->number, volume->name);
}

static void check_base(const struct ckpt_image *image, struct ckpt_check *check,
		       const struct ckpt_item *base)
{
	const struct ckpt_item *owner = ckpt_image_item(image, base->volume);

	if (base->volume && (!owner || owner->type != CKPT_RECORD_VOLUME))
		check_error(check, "record %u: its base belongs to a volume that is not there",
			    base->number);
	if (base->volume && base->flags & CKPT_BASE_TEMPLATE)
		check_error(check, "record %u: a template belongs to a volume", base->number);
}

/* ---- what must be there once ---- */

static void check_once(struct ckpt_check *check, const struct ckpt_item **items, size_t count)
{
	qsort(items, count, sizeof(*items), image_by_name);
	for (size_t i = 1; i < count; i++)
		if (*items[i]->name && !image_by_name(&items[i - 1], &items[i]))
			check_error(check, "records %u and %u have the same name, %s",
				    items[i - 1]->number, items[i]->number, items[i]->name);
	qsort(items, count, sizeof(*items), image_by_uuid);
	for (size_t i = 1; i < count; i++)
		if (!image_by_uuid(&items[i - 1], &items[i]))
			check_error(check, "records %u and %u have the same UUID",
				    items[i - 1]->number, items[i]->number);
}

/* ---- what nobody needs ---- */

static void find_needed(const struct ckpt_image *image, bool *needed)
{
	const struct ckpt_item *item;

	ckpt_image_for_each(image, item)
		if (item->below && item->below < image->item_count)
			needed[item->below] = true;
}

/* Frozen or not, a layer that nothing sits on and nobody names is freed by the module. */
static void check_needed(const struct ckpt_image *image, struct ckpt_check *check,
			 const bool *needed)
{
	const struct ckpt_item *item;

	ckpt_image_for_each(image, item)
		if (item->type == CKPT_RECORD_LAYER && !needed[item->number])
			check_note(check, "record %u: nobody needs this layer; it is freed when the store is active",
				   item->number);
}

enum ckpt_result check_items(struct ckpt_image *image, struct ckpt_check *check,
			     struct ckpt_error *e)
{
	const struct ckpt_item **items = calloc(image->item_count + 1, sizeof(*items));
	bool *needed = calloc(image->item_count + 1, sizeof(*needed));
	const struct ckpt_item *item;
	size_t count = 0;

	if (!items || !needed) {
		free(items);
		free(needed);
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	}
	find_needed(image, needed);
	ckpt_image_for_each(image, item) {
		items[count++] = item;
		if (item->type == CKPT_RECORD_LAYER)
			check_layer(image, check, item, needed[item->number]);
		if (item->type == CKPT_RECORD_VOLUME)
			check_volume(image, check, item);
		if (item->type == CKPT_RECORD_BASE)
			check_base(image, check, item);
	}
	check_once(check, items, count);
	check_needed(image, check, needed);
	free(items);
	free(needed);
	return CKPT_DONE;
}
