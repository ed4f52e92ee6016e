// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "delta.h"
#include "dm-ckpt/slot.h"
#include "image_tree.h"

/* Layers whose slots make the difference, and the range that grows while they are read. */
struct delta {
	struct ckpt_image *image;
	const struct ckpt_item *to;
	uint64_t sectors;
	uint32_t *layers;
	uint32_t layer_count;
	uint32_t masks[CKPT_FANOUT];
	ckpt_delta_fn fn;
	void *arg;
	struct ckpt_error *e;
	uint64_t start, end;
	enum ckpt_place place;
};

/* ---- the layers ---- */

static const struct ckpt_item *below(const struct ckpt_image *image, const struct ckpt_item *item)
{
	return item ? ckpt_image_item(image, item->below) : NULL;
}

/* Mark what the item sits on, and is; rings end where they begin. */
static void mark(const struct ckpt_image *image, const struct ckpt_item *item, bool *marks)
{
	for (; item && !marks[item->number]; item = below(image, item))
		marks[item->number] = true;
}

/* The layers of a chain that are not of the other one. */
static void add_layers(struct delta *d, const struct ckpt_item *item, bool *other)
{
	for (; item && !other[item->number]; item = below(d->image, item)) {
		/* Seen now: a ring ends, and no layer is there twice. */
		other[item->number] = true;
		if (item->type == CKPT_RECORD_LAYER)
			d->layers[d->layer_count++] = item->number;
	}
}

static enum ckpt_result find_layers(struct delta *d, const struct ckpt_item *from,
				    const struct ckpt_item *to)
{
	struct ckpt_image *image = d->image;
	bool *marks = calloc(image->item_count + 1, sizeof(*marks));
	bool *other = calloc(image->item_count + 1, sizeof(*other));

	d->layers = calloc(2 * ((size_t)image->item_count + 1), sizeof(*d->layers));
	if (!marks || !other || !d->layers) {
		free(marks);
		free(other);
		return ckpt_fail(d->e, CKPT_FAILED, "there is not enough memory");
	}
	mark(image, from, marks);
	mark(image, to, other);
	add_layers(d, to, marks);
	add_layers(d, from, other);
	free(marks);
	free(other);
	if (from && ckpt_image_base(image, from) != ckpt_image_base(image, to))
		return ckpt_fail(d->e, CKPT_USAGE, "they do not sit on the same base: all may differ");
	return CKPT_DONE;
}

/* ---- the ranges ---- */

static enum ckpt_result end_range(struct delta *d)
{
	enum ckpt_result result = CKPT_DONE;

	if (d->end > d->sectors)
		d->end = d->sectors;
	if (d->start < d->end)
		result = d->fn(d->arg, d->start, d->end - d->start, d->place);
	d->start = d->end;
	return result;
}

static enum ckpt_result add_range(struct delta *d, uint64_t sector, uint64_t sectors,
				  enum ckpt_place place)
{
	enum ckpt_result result = CKPT_DONE;

	if (d->end != sector || d->place != place) {
		result = end_range(d);
		d->start = sector;
		d->place = place;
	}
	d->end = sector + sectors;
	return result;
}

/* A range that may differ is told of in pieces, by where the second one has it. */
static enum ckpt_result add_pieces(struct delta *d, uint64_t sector, uint64_t sectors)
{
	enum ckpt_result result = CKPT_DONE;

	while (sectors && !result) {
		struct ckpt_extent_at x = { .place = CKPT_PLACE_ZEROS, .sectors = sectors };

		if (sector < d->to->sectors)
			result = ckpt_image_extent(d->image, d->to, sector, &x, d->e);
		if (result)
			break;
		if (x.sectors > sectors)
			x.sectors = sectors;
		result = add_range(d, sector, x.sectors, x.place);
		sector += x.sectors;
		sectors -= x.sectors;
	}
	return result;
}

/* The next leaf that any of the layers has: blocks that it has something to say of. */
static enum ckpt_result next_masks(struct delta *d, uint64_t *index)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t l = 0; l < d->layer_count; l++) {
		struct image_tree *map = image_map(d->image, d->layers[l]);
		uint64_t at = *index, end;
		const struct ckpt_slot *slot;
		const void *leaf = NULL;
		enum ckpt_result result;

		if (!map)
			continue;
		result = image_next_leaf(d->image, map, &at, &end, &leaf, d->e);
		if (result)
			return result;
		if (!leaf || at > least)
			continue;
		if (at < least)
			memset(d->masks, 0, sizeof(d->masks));
		least = at;
		slot = leaf;
		for (unsigned int i = 0; i < CKPT_FANOUT; i++) {
			struct ckpt_state s = ckpt_slot_decode(&slot[i]);

			d->masks[i] |= s.present | s.zero;
		}
	}
	*index = least;
	return CKPT_DONE;
}

static enum ckpt_result add_leaf(struct delta *d, uint64_t index)
{
	const struct ckpt_geometry *g = &d->image->geometry;
	enum ckpt_result result = CKPT_DONE;

	for (unsigned int i = 0; i < CKPT_FANOUT; i++) {
		uint32_t mask = d->masks[i];
		uint64_t start = (index << CKPT_FANOUT_SHIFT | i) << g->cluster_shift;

		while (mask && !result) {
			uint32_t first = (uint32_t)__builtin_ctz(mask), nr = ckpt_run(mask, first);

			result = add_pieces(d, start + ((uint64_t)first << g->block_shift),
					    (uint64_t)nr << g->block_shift);
			mask &= ~ckpt_mask(first, nr);
		}
	}
	return result;
}

enum ckpt_result ckpt_delta(struct ckpt_image *image, const struct ckpt_item *from,
			    const struct ckpt_item *to, ckpt_delta_fn fn, void *arg,
			    struct ckpt_error *e)
{
	struct delta d = { .image = image, .to = to, .fn = fn, .arg = arg, .e = e };
	enum ckpt_result result = find_layers(&d, from, to);
	uint64_t index = 0;

	d.sectors = from && from->sectors > to->sectors ? from->sectors : to->sectors;
	while (!result && !(result = next_masks(&d, &index)) && index != UINT64_MAX)
		result = add_leaf(&d, index++);
	if (!result)
		result = end_range(&d);
	free(d.layers);
	return result;
}
