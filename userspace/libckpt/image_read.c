// SPDX-License-Identifier: GPL-2.0-only
/* What volumes and checkpoints read as, through their chain of layers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dm-ckpt/slot.h"
#include "image_tree.h"

enum ckpt_result ckpt_image_origin(struct ckpt_image *image, const uint8_t *uuid,
				   const struct ckpt_source *source, struct ckpt_error *e)
{
	struct image_origin *grown = reallocarray(image->origins, image->origin_count + 1,
						  sizeof(*grown));

	if (!grown)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	image->origins = grown;
	grown += image->origin_count++;
	memcpy(grown->uuid, uuid, sizeof(grown->uuid));
	grown->source = *source;
	return CKPT_DONE;
}

static const struct ckpt_source *find_origin(const struct ckpt_image *image,
					     const struct ckpt_item *base)
{
	for (size_t i = image->origin_count; i--; )
		if (!memcmp(image->origins[i].uuid, base->uuid, sizeof(base->uuid)))
			return &image->origins[i].source;
	return NULL;
}

/*
 * What a chain says of one cluster.  Where no layer has a leaf at all, that is so for @same
 * clusters, those from a multiple of @same on.
 */
struct chain {
	struct ckpt_resolve under;
	const struct ckpt_item *base;	/* that the open blocks are of, NULL: none */
	uint64_t same;
	uint64_t lost;			/* clusters that cannot be known */
};

static enum ckpt_result lay_under(struct ckpt_image *image, const struct ckpt_item *layer,
				  uint64_t cluster, struct chain *c, struct ckpt_error *e)
{
	struct image_place p;
	struct ckpt_state s;
	enum ckpt_result result;
	uint64_t span;

	ckpt_resolve_size(&image->geometry, &c->under, cluster, layer->sectors);
	if (!c->under.open)
		return CKPT_DONE;
	result = image_get(image, image_map(image, layer->number), IMAGE_LOOK, 0,
			   cluster >> CKPT_FANOUT_SHIFT, &p, e);
	span = UINT64_C(1) << (CKPT_FANOUT_SHIFT * (p.level + 1));
	if (result) {
		c->lost = span;
		return result;
	}
	if (!p.node) {
		if (c->same > span)
			c->same = span;
		return CKPT_DONE;
	}
	c->same = 1;
	s = ckpt_slot_decode((const struct ckpt_slot *)p.node->content + cluster % CKPT_FANOUT);
	ckpt_resolve_slot(&image->geometry, &c->under, &s);
	return CKPT_DONE;
}

static enum ckpt_result broken_chain(const struct ckpt_item *item, struct chain *c,
				     struct ckpt_error *e)
{
	c->lost = UINT64_C(1) << 32;
	return ckpt_fail(e, CKPT_INTEGRITY,
			 "what record %u sits on, record %u, is damaged", item->number, item->below);
}

/* Layers are laid under one another until all blocks are known, or a base has the rest. */
static enum ckpt_result resolve(struct ckpt_image *image, const struct ckpt_item *item,
				uint64_t cluster, struct chain *c, struct ckpt_error *e)
{
	const struct ckpt_item *next;

	ckpt_resolve_begin(&c->under);
	c->base = NULL;
	c->same = UINT64_C(1) << 32;
	image_trim(image);
	for (uint32_t steps = 0; c->under.open; item = next, steps++) {
		if (item->type == CKPT_RECORD_BASE) {
			ckpt_resolve_size(&image->geometry, &c->under, cluster, item->sectors);
			c->base = item;
			return CKPT_DONE;
		}
		if (item->type == CKPT_RECORD_LAYER) {
			enum ckpt_result result = lay_under(image, item, cluster, c, e);

			if (result)
				return result;
			if (!item->below)
				break;
		}
		next = ckpt_image_item(image, item->below);
		if (!ckpt_item_is_layer_or_base(next) || steps > image->item_count)
			return c->under.open ? broken_chain(item, c, e) : CKPT_DONE;
	}
	c->under.zero |= c->under.open;
	c->under.open = 0;
	return CKPT_DONE;
}

/* Blocks from @block on that come from the same place, and what place that is. */
static uint32_t pick(const struct chain *c, uint32_t block, struct ckpt_extent_at *x,
		     uint64_t *window)
{
	uint32_t bit = ckpt_mask(block, 1), mask = c->under.open;

	x->place = CKPT_PLACE_ORIGIN;
	if (c->under.zero & bit) {
		x->place = CKPT_PLACE_ZEROS;
		mask = c->under.zero;
	}
	for (uint32_t i = 0; i < c->under.nr; i++)
		if (c->under.extent[i].mask & bit) {
			x->place = CKPT_PLACE_STORE;
			*window = c->under.extent[i].where;
			mask = c->under.extent[i].mask;
		}
	return ckpt_run(mask, block);
}

/* Sectors from @sector on to the end of the clusters that are like this one. */
static uint64_t to_end(const struct ckpt_geometry *g, uint64_t sector, uint64_t clusters)
{
	uint64_t span = clusters << g->cluster_shift;

	return span - (sector & (span - 1));
}

/* What lies beyond the size of the base, or of any layer, differs from what is before it. */
static uint64_t cut_at_sizes(const struct ckpt_image *image, const struct ckpt_item *item,
			     uint64_t sector, uint64_t sectors)
{
	for (uint32_t steps = 0; item && steps <= image->item_count; steps++) {
		if (item->sectors > sector && item->sectors - sector < sectors)
			sectors = item->sectors - sector;
		if (item->type == CKPT_RECORD_BASE)
			break;
		item = ckpt_image_item(image, item->below);
	}
	return sectors;
}

static enum ckpt_result broken(struct ckpt_image *image, const struct ckpt_item *item,
			       const struct chain *c, uint64_t sector, struct ckpt_extent_at *x)
{
	x->sectors = to_end(&image->geometry, sector, c->lost);
	if (x->sectors > item->sectors - sector)
		x->sectors = item->sectors - sector;
	return CKPT_INTEGRITY;
}

static void known(struct ckpt_image *image, const struct ckpt_item *item, const struct chain *c,
		  uint64_t sector, struct ckpt_extent_at *x)
{
	const struct ckpt_geometry *g = &image->geometry;
	uint64_t offset = sector & (ckpt_cluster_sectors(g) - 1), window = 0;
	uint32_t block = ckpt_block_in_cluster(g, sector);
	uint32_t run = pick(c, block, x, &window);

	x->sector = x->place == CKPT_PLACE_STORE ? window + offset :
		    x->place == CKPT_PLACE_ORIGIN ? sector : 0;
	if (c->same > 1)
		x->sectors = to_end(g, sector, c->same);
	else
		x->sectors = ((uint64_t)(block + run) << g->block_shift) - offset;
	x->sectors = cut_at_sizes(image, item, sector, x->sectors);
}

enum ckpt_result ckpt_image_extent(struct ckpt_image *image, const struct ckpt_item *item,
				   uint64_t sector, struct ckpt_extent_at *extent,
				   struct ckpt_error *e)
{
	enum ckpt_result result;
	struct chain c;

	if (sector >= item->sectors)
		return ckpt_fail(e, CKPT_USAGE, "sector %" PRIu64 " is beyond the %" PRIu64 " there are",
				 sector, item->sectors);
	result = resolve(image, item, ckpt_cluster_of(&image->geometry, sector), &c, e);
	if (result == CKPT_INTEGRITY)
		return broken(image, item, &c, sector, extent);
	if (!result)
		known(image, item, &c, sector, extent);
	return result;
}

static enum ckpt_result read_origin(struct ckpt_image *image, const struct ckpt_item *item,
				    uint64_t sector, uint64_t sectors, uint8_t *buffer,
				    struct ckpt_error *e)
{
	const struct ckpt_item *base = ckpt_image_base(image, item);
	const struct ckpt_source *origin = find_origin(image, base);
	char uuid[CKPT_UUID_CHARS + 1];
	int err;

	ckpt_uuid_format(base->uuid, uuid);
	if (!origin)
		return ckpt_fail(e, CKPT_NOT_FOUND,
				 "the origin of base %s is not given, and sector %" PRIu64 " is there",
				 uuid, sector);
	if (sector + sectors > origin->sectors)
		return ckpt_fail(e, CKPT_INTEGRITY,
				 "the origin of base %s has only %" PRIu64 " sectors, and sector %" PRIu64 " is wanted",
				 uuid, origin->sectors, sector + sectors - 1);
	err = origin->read(origin->arg, buffer, sector << CKPT_SECTOR_SHIFT,
			   sectors << CKPT_SECTOR_SHIFT);
	if (!err)
		return CKPT_DONE;
	ckpt_fail_errno(e, err, "sectors %" PRIu64 " to %" PRIu64 " of the origin of base %s cannot be read",
			sector, sector + sectors - 1, uuid);
	return e->result = CKPT_INTEGRITY;
}

static enum ckpt_result read_store(struct ckpt_image *image, uint64_t sector, uint64_t sectors,
				   uint8_t *buffer, struct ckpt_error *e)
{
	int err = image->source.read(image->source.arg, buffer, sector << CKPT_SECTOR_SHIFT,
				     sectors << CKPT_SECTOR_SHIFT);

	if (!err)
		return CKPT_DONE;
	ckpt_fail_errno(e, err, "sectors %" PRIu64 " to %" PRIu64 " of the store cannot be read",
			sector, sector + sectors - 1);
	return e->result = CKPT_INTEGRITY;
}

static enum ckpt_result read_extent(struct ckpt_image *image, const struct ckpt_item *item,
				    const struct ckpt_extent_at *x, uint8_t *buffer,
				    struct ckpt_error *e)
{
	switch (x->place) {
	case CKPT_PLACE_STORE:
		return read_store(image, x->sector, x->sectors, buffer, e);
	case CKPT_PLACE_ORIGIN:
		return read_origin(image, item, x->sector, x->sectors, buffer, e);
	case CKPT_PLACE_ZEROS:
		break;
	}
	memset(buffer, 0, x->sectors << CKPT_SECTOR_SHIFT);
	return CKPT_DONE;
}

enum ckpt_result ckpt_image_read(struct ckpt_image *image, const struct ckpt_item *item,
				 uint64_t offset, void *buffer, size_t bytes,
				 struct ckpt_error *e)
{
	const uint64_t sector_bytes = 1u << CKPT_SECTOR_SHIFT;
	uint64_t sector = offset / sector_bytes, left = bytes / sector_bytes;
	uint8_t *to = buffer;

	if (offset % sector_bytes || bytes % sector_bytes)
		return ckpt_fail(e, CKPT_USAGE, "%zu bytes at %" PRIu64 " are not whole sectors", bytes,
				 offset);
	if (sector > item->sectors || left > item->sectors - sector)
		return ckpt_fail(e, CKPT_USAGE,
				 "%zu bytes at %" PRIu64 " reach beyond the %" PRIu64 " sectors there are",
				 bytes, offset, item->sectors);
	while (left) {
		struct ckpt_extent_at x;
		enum ckpt_result result = ckpt_image_extent(image, item, sector, &x, e);

		if (!result) {
			if (x.sectors > left)
				x.sectors = left;
			result = read_extent(image, item, &x, to, e);
		}
		if (result)
			return result;
		sector += x.sectors;
		left -= x.sectors;
		to += x.sectors << CKPT_SECTOR_SHIFT;
	}
	return CKPT_DONE;
}
