// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dm-ckpt/slot.h"
#include "repair_plan.h"
#include "writer.h"

/* A slot whose place another one has already. */
struct moved {
	uint32_t layer;
	uint64_t cluster, where;
};

struct repairing {
	struct repair_plan plan;
	struct ckpt_file *file;
	struct ckpt_writer *writer;
	bool is_second;			/* round; the first is for what is in use */
	struct moved *moved;
	size_t moved_count, moved_next;
	uint64_t unreadable;		/* blocks of data */
	uint8_t *buffer;		/* one cluster */
};

/* ---- data ---- */

static enum ckpt_result copy_block(struct repairing *r, uint64_t from, uint64_t to,
				   struct ckpt_error *e)
{
	const struct ckpt_source *source = &r->plan.image->source;
	size_t bytes = (size_t)ckpt_block_sectors(&r->plan.image->geometry) << CKPT_SECTOR_SHIFT;
	int err;

	if (source->read(source->arg, r->buffer, from << CKPT_SECTOR_SHIFT, bytes)) {
		memset(r->buffer, 0, bytes);
		r->unreadable++;
		repair_say(&r->plan, "data at sector %" PRIu64 " cannot be read, and are zeros", from);
	}
	err = ckpt_file_write(r->file, r->buffer, to << CKPT_SECTOR_SHIFT, bytes);
	return err ? ckpt_fail_errno(e, err, "the new store cannot be written") : CKPT_DONE;
}

/* Blocks in a row go at once, and one by one if that fails. */
static enum ckpt_result copy_data(struct repairing *r, const struct ckpt_state *s,
				  const struct ckpt_state *new)
{
	const struct ckpt_geometry *g = &r->plan.image->geometry;
	const struct ckpt_source *source = &r->plan.image->source;
	uint32_t shift = g->block_shift, left = s->present;
	enum ckpt_result result = CKPT_DONE;

	while (left && !result) {
		uint32_t first = (uint32_t)__builtin_ctz(left), nr = ckpt_run(left, first);
		uint64_t from = ckpt_state_sector(g, s, (uint64_t)first << shift);
		uint64_t to = ckpt_state_sector(g, new, (uint64_t)first << shift);
		size_t bytes = (size_t)nr << shift << CKPT_SECTOR_SHIFT;
		int err = source->read(source->arg, r->buffer, from << CKPT_SECTOR_SHIFT, bytes);

		if (!err && ckpt_file_write(r->file, r->buffer, to << CKPT_SECTOR_SHIFT, bytes))
			result = ckpt_fail(r->plan.e, CKPT_FAILED, "the new store cannot be written");
		for (uint32_t i = 0; err && i < nr && !result; i++)
			result = copy_block(r, from + ((uint64_t)i << shift),
					    to + ((uint64_t)i << shift), r->plan.e);
		left &= ~ckpt_mask(first, nr);
	}
	return result;
}

/* ---- slots ---- */

static enum ckpt_result note_move(struct repairing *r, uint32_t layer, uint64_t cluster,
				  uint64_t where)
{
	if ((r->moved_count & (r->moved_count - 1)) == 0) {
		size_t room = r->moved_count ? 2 * r->moved_count : 16;
		struct moved *grown = reallocarray(r->moved, room, sizeof(*grown));

		if (!grown)
			return ckpt_fail(r->plan.e, CKPT_FAILED, "there is not enough memory");
		r->moved = grown;
	}
	r->moved[r->moved_count++] = (struct moved){ layer, cluster, where };
	return CKPT_DONE;
}

/* Both rounds come by the same slots in the same order. */
static enum ckpt_result use_slot(struct repairing *r, uint32_t layer, uint64_t cluster,
				 struct ckpt_state s)
{
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_state to = s;

	if (!r->is_second) {
		if (s.present)
			result = ckpt_writer_reserve(r->writer, &s, r->plan.e);
		if (result != CKPT_BUSY)
			return result;
		result = ckpt_writer_move(r->writer, &to, r->plan.e);
		return result ? result : note_move(r, layer, cluster, to.where);
	}
	if (r->moved_next < r->moved_count && r->moved[r->moved_next].layer == layer &&
	    r->moved[r->moved_next].cluster == cluster)
		to.where = r->moved[r->moved_next++].where;
	result = copy_data(r, &s, &to);
	return result ? result : ckpt_writer_slot(r->writer, cluster, &to, r->plan.e);
}

/* Blocks of a cluster that are inside of the layer. */
static uint32_t inside(const struct repairing *r, const struct ckpt_item *layer, uint64_t cluster)
{
	const struct ckpt_geometry *g = &r->plan.image->geometry;
	uint64_t start = cluster << g->cluster_shift;

	if (start >= layer->sectors)
		return 0;
	if (layer->sectors - start >= ckpt_cluster_sectors(g))
		return ~0u;
	return ckpt_mask(0, (uint32_t)((layer->sectors - start) >> g->block_shift));
}

static enum ckpt_result use_leaf(struct repairing *r, const struct ckpt_item *layer, uint64_t index,
				 const struct ckpt_slot *slot)
{
	enum ckpt_result result = CKPT_DONE;

	for (unsigned int i = 0; i < CKPT_FANOUT && !result; i++) {
		uint64_t cluster = index << CKPT_FANOUT_SHIFT | i;
		uint32_t mask = inside(r, layer, cluster);
		struct ckpt_state s = ckpt_slot_decode(&slot[i]);

		s.present &= mask;
		s.zero &= mask;
		s.packed &= mask;
		if (!s.present)
			s = (struct ckpt_state){ .zero = s.zero };
		if (s.present | s.zero)
			result = use_slot(r, layer->number, cluster, s);
	}
	return result;
}

/* What is lost must not read as what lies below it, which is older. */
static enum ckpt_result use_lost(struct repairing *r, const struct ckpt_item *layer,
				 uint64_t index, uint64_t end)
{
	enum ckpt_result result = CKPT_DONE;
	uint64_t cluster = index << CKPT_FANOUT_SHIFT;

	if (!r->plan.repair->partial)
		return CKPT_DONE;
	for (; cluster < end << CKPT_FANOUT_SHIFT && !result; cluster++) {
		uint32_t mask = inside(r, layer, cluster);

		if (!mask)
			break;
		result = use_slot(r, layer->number, cluster, (struct ckpt_state){ .zero = mask });
	}
	return result;
}

static enum ckpt_result use_map(struct repairing *r, const struct ckpt_item *layer)
{
	struct image_tree *map = image_map(r->plan.image, layer->number);
	enum ckpt_result result = CKPT_DONE;
	uint64_t index = 0, end;
	const void *leaf;

	/* A head that was made anew has none. */
	if (!map)
		return CKPT_DONE;
	for (; !result; index = end) {
		result = image_next_leaf(r->plan.image, map, &index, &end, &leaf, r->plan.e);
		if (result == CKPT_INTEGRITY) {
			result = use_lost(r, layer, index, end);
			continue;
		}
		if (result || !leaf)
			break;
		result = use_leaf(r, layer, index, leaf);
		end = index + 1;
	}
	return result;
}

static enum ckpt_result use_maps(struct repairing *r, union ckpt_record *records)
{
	enum ckpt_result result = CKPT_DONE;

	for (uint32_t i = 0; i < r->plan.count && !result; i++) {
		const struct ckpt_item *item = r->plan.items[i];

		if (!item)
			continue;
		if (r->is_second)
			ckpt_item_record(item, &records[i]);
		if (item->type != CKPT_RECORD_LAYER)
			continue;
		result = use_map(r, item);
		if (!result && r->is_second)
			result = ckpt_writer_layer(r->writer, &records[i].layer.root, r->plan.e);
	}
	return result;
}

/* ---- all ---- */

static enum ckpt_result write_all(struct repairing *r, union ckpt_record *records)
{
	enum ckpt_result result = use_maps(r, records);

	r->is_second = true;
	if (!result)
		result = use_maps(r, records);
	for (uint32_t i = 0; i < r->plan.count && !result; i++)
		if (r->plan.items[i])
			result = ckpt_writer_record(r->writer, &records[i], r->plan.e);
	return result ? result : ckpt_writer_finish(r->writer, r->plan.e);
}

static enum ckpt_result repair(struct repairing *r)
{
	struct ckpt_image *image = r->plan.image;
	struct ckpt_super super = image->super;
	union ckpt_record *records;
	enum ckpt_result result = repair_plan(&r->plan);

	if (result)
		return result;
	super.sectors = cpu_to_le64(image->geometry.sectors);
	super.sequence = cpu_to_le64(le64_to_cpu(super.sequence) + 1);
	super.journal_seq = cpu_to_le64(image->journal_end);
	result = ckpt_writer_new(r->file, &super, &r->writer, r->plan.e);
	if (result)
		return result;
	records = calloc(r->plan.count, sizeof(*records));
	r->buffer = malloc((size_t)ckpt_cluster_sectors(&image->geometry) << CKPT_SECTOR_SHIFT);
	if (records && r->buffer)
		result = write_all(r, records);
	else
		result = ckpt_fail(r->plan.e, CKPT_FAILED, "there is not enough memory");
	free(records);
	return result;
}

enum ckpt_result ckpt_repair(struct ckpt_image *image, struct ckpt_file *file,
			     struct ckpt_repair *options, struct ckpt_error *e)
{
	struct repairing r = { .plan = { .image = image, .repair = options, .e = e },
			       .file = file };
	enum ckpt_result result = repair(&r);

	ckpt_writer_free(r.writer);
	repair_plan_free(&r.plan);
	free(r.buffer);
	free(r.moved);
	if (!result && (options->lost || options->partly || r.unreadable))
		return ckpt_fail(e, CKPT_INTEGRITY,
				 "not all could be saved: of %" PRIu64 " volumes and checkpoints %" PRIu64 " are lost, %" PRIu64 " in part; %" PRIu64 " blocks of data could not be read",
				 options->saved + options->lost, options->lost, options->partly,
				 r.unreadable);
	return result;
}
