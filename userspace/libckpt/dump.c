// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dm-ckpt/slot.h"
#include "dump.h"
#include "dump_fields.h"
#include "image_tree.h"

/* Clusters in a row that are one line. */
struct row {
	FILE *to;
	uint64_t first, count;
	struct ckpt_state slot;
	uint32_t step;			/* sectors from one place to the next */
};

static void end_row(struct row *row)
{
	if (row->count)
		fprintf(row->to, " slots %" PRIu64 " %" PRIu64 " %" PRIu64 " %08x %08x\n", row->first,
			row->count, (uint64_t)row->slot.where, row->slot.present, row->slot.zero);
	row->count = 0;
}

static void add_packed(struct row *row, uint64_t cluster, const struct ckpt_state *slot)
{
	end_row(row);
	fprintf(row->to, " packed %" PRIu64 " %" PRIu64 " %08x %08x %08x\n", cluster,
		(uint64_t)slot->where, slot->present, slot->zero, slot->packed);
}

static void add_slot(struct row *row, uint64_t cluster, const struct ckpt_state *slot)
{
	uint64_t where = row->slot.where;

	if (slot->present)
		where += row->count * row->step;
	if (!row->count || row->first + row->count != cluster || slot->where != where ||
	    slot->present != row->slot.present || slot->zero != row->slot.zero) {
		end_row(row);
		row->first = cluster;
		row->slot = *slot;
	}
	row->count++;
}

static enum ckpt_result dump_map(struct ckpt_image *image, struct image_tree *map, FILE *to,
				 struct ckpt_error *e)
{
	struct row row = { .to = to, .step = ckpt_cluster_sectors(&image->geometry) };
	uint64_t index = 0, end;
	const void *leaf;

	for (;;) {
		enum ckpt_result result = image_next_leaf(image, map, &index, &end, &leaf, e);
		const struct ckpt_slot *slot = leaf;

		if (result == CKPT_INTEGRITY && image->options.salvage) {
			end_row(&row);
			fprintf(to, " lost %" PRIu64 " %" PRIu64 "\n", index << CKPT_FANOUT_SHIFT,
				(end - index) << CKPT_FANOUT_SHIFT);
			index = end;
			continue;
		}
		if (result)
			return result;
		if (!leaf)
			break;
		for (unsigned int i = 0; i < CKPT_FANOUT; i++) {
			struct ckpt_state s = ckpt_slot_decode(&slot[i]);

			if (s.packed)
				add_packed(&row, index << CKPT_FANOUT_SHIFT | i, &s);
			else if (s.present | s.zero)
				add_slot(&row, index << CKPT_FANOUT_SHIFT | i, &s);
		}
		index++;
	}
	end_row(&row);
	return CKPT_DONE;
}

static void dump_super(const struct ckpt_image *image, FILE *to)
{
	struct dump_store store = {
		.sectors = image->geometry.sectors,
		.block_sectors = le32_to_cpu(image->super.block_sectors),
		.journal_blocks = image->geometry.journal_blocks,
		.epoch = le64_to_cpu(image->super.epoch),
		.sequence = le64_to_cpu(image->super.sequence),
		.journal = image->journal_end,
		.created = le64_to_cpu(image->super.created),
		.compat = le64_to_cpu(image->super.features_compat),
		.ro = le64_to_cpu(image->super.features_ro),
	};

	memcpy(store.uuid, image->super.uuid, sizeof(store.uuid));
	fprintf(to, "%s\nstore", DUMP_HEAD);
	dump_put_fields(to, dump_store_fields, &store);
	fputc('\n', to);
}

enum ckpt_result ckpt_dump(struct ckpt_image *image, FILE *to, struct ckpt_error *e)
{
	enum ckpt_result result = CKPT_DONE;
	const struct ckpt_item *item;

	dump_super(image, to);
	for (item = ckpt_image_next(image, 0); item && !result;
	     item = ckpt_image_next(image, item->number + 1)) {
		fprintf(to, "%s %u", dump_types[item->type], item->number);
		dump_put_fields(to, dump_item_fields[item->type], item);
		fputc('\n', to);
		if (item->type == CKPT_RECORD_LAYER)
			result = dump_map(image, image_map(image, item->number), to, e);
	}
	if (image->is_partial && !result)
		fputs("lost\n", to);
	if (!result)
		fputs("end\n", to);
	if (!result && ferror(to))
		result = ckpt_fail_errno(e, errno, "the dump cannot be written");
	return result;
}

static enum ckpt_result dump_node(void *arg, const struct image_tree *tree,
				  const struct image_node *node, uint64_t index,
				  const struct ckpt_ref *ref)
{
	static const char *const what[] = { "layer", "records", "space" };
	FILE *to = arg;

	fprintf(to, "# node %s %u level %u index %" PRIu64 " sector %" PRIu64 "%s%s\n",
		what[tree->type], tree->number, node->level, index, (uint64_t)ckpt_ref_where(ref),
		node->is_dirty ? " changed" : "", node->bad ? " damaged" : "");
	return CKPT_DONE;
}

enum ckpt_result ckpt_dump_nodes(struct ckpt_image *image, FILE *to, struct ckpt_error *e)
{
	enum ckpt_result result = image_walk(image, &image->records, dump_node, to, e);

	if (!result)
		result = image_walk(image, &image->space, dump_node, to, e);
	for (uint32_t i = 0; i < image->item_count && !result; i++)
		if (image->maps[i])
			result = image_walk(image, image->maps[i], dump_node, to, e);
	return result;
}
