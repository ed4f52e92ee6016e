// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dm-ckpt/spacebits.h"
#include "writer.h"

/* A tree in the making: the nodes on the way from the root to the leaf that is filled. */
struct builder {
	enum ckpt_tree_type type;
	unsigned int levels;
	bool is_open[CKPT_MAP_LEVELS];
	uint64_t index[CKPT_MAP_LEVELS];
	uint64_t content[CKPT_MAP_LEVELS][CKPT_NODE_BYTES / sizeof(uint64_t)];
	struct ckpt_ref root;
};

struct ckpt_writer {
	const struct ckpt_file *file;
	struct ckpt_super super;
	struct ckpt_geometry g;
	__le64 **bits;			/* leaves of the space map, NULL: all free */
	uint64_t leaves;
	uint64_t next;			/* where free units are looked for */
	struct builder map, records, space;
	uint64_t *places;		/* of the space map's nodes, in the order of need */
	uint64_t place_count, places_used;
};

static enum ckpt_result no_memory(struct ckpt_error *e)
{
	return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
}

/* ---- space ---- */

static __le64 *bits_of(struct ckpt_writer *w, uint64_t unit)
{
	__le64 **bits = &w->bits[unit / CKPT_SPACE_LEAF_UNITS];

	if (!*bits)
		*bits = calloc(1, CKPT_NODE_BYTES);
	return *bits;
}

/* Are the units free?  A run may reach from one leaf into the next. */
static bool is_free(const struct ckpt_writer *w, uint64_t unit, uint32_t nr)
{
	for (; nr; nr--, unit++) {
		const __le64 *bits = w->bits[unit / CKPT_SPACE_LEAF_UNITS];

		if (bits && ckpt_bits_any(bits, unit % CKPT_SPACE_LEAF_UNITS, 1))
			return false;
	}
	return true;
}

static enum ckpt_result take(struct ckpt_writer *w, uint64_t unit, uint32_t nr,
			     struct ckpt_error *e)
{
	for (; nr; nr--, unit++) {
		__le64 *bits = bits_of(w, unit);

		if (!bits)
			return no_memory(e);
		ckpt_bits_set(bits, unit % CKPT_SPACE_LEAF_UNITS, 1);
	}
	return CKPT_DONE;
}

/* A free run of that length, in units. */
static enum ckpt_result find(struct ckpt_writer *w, uint32_t nr, uint64_t *unit,
			     struct ckpt_error *e)
{
	uint64_t end = ckpt_store_units(&w->g), tried = 0, at = w->next;

	while (tried <= end) {
		uint32_t part = 0;

		if (at + nr > end) {
			tried += end - at;
			at = ckpt_first_free_unit(&w->g);
		}
		while (part < nr && is_free(w, at + part, 1))
			part++;
		if (part == nr) {
			*unit = at;
			w->next = at + nr;
			return CKPT_DONE;
		}
		tried += part + 1;
		at += part + 1;
	}
	return ckpt_fail(e, CKPT_FAILED, "there is not enough space in the new store");
}

/* Call @fn for each run of units of a slot, until it fails. */
static bool each_run(const struct ckpt_writer *w, const struct ckpt_state *slot,
		     bool (*fn)(const struct ckpt_writer *w, uint64_t unit, uint32_t nr))
{
	uint32_t units = ckpt_state_units(&w->g, slot), shift = ckpt_unit_mask_shift(&w->g);

	while (units) {
		uint32_t first = (uint32_t)__builtin_ctz(units), nr = ckpt_run(units, first);

		if (!fn(w, (slot->where + ((uint64_t)first << shift)) >> CKPT_UNIT_SHIFT,
			nr << (shift - CKPT_UNIT_SHIFT)))
			return false;
		units &= ~ckpt_mask(first, nr);
	}
	return true;
}

static bool take_run(const struct ckpt_writer *w, uint64_t unit, uint32_t nr)
{
	struct ckpt_error e;

	return !take((struct ckpt_writer *)w, unit, nr, &e);
}

enum ckpt_result ckpt_writer_reserve(struct ckpt_writer *w, const struct ckpt_state *slot,
				     struct ckpt_error *e)
{
	if (!ckpt_slot_valid(&w->g, slot))
		return ckpt_fail(e, CKPT_USAGE, "a slot at sector %" PRIu64 " is impossible",
				 (uint64_t)slot->where);
	if (!each_run(w, slot, is_free))
		return ckpt_fail(e, CKPT_BUSY, "space from sector %" PRIu64 " on is used twice",
				 (uint64_t)slot->where);
	return each_run(w, slot, take_run) ? CKPT_DONE : no_memory(e);
}

enum ckpt_result ckpt_writer_move(struct ckpt_writer *w, struct ckpt_state *slot,
				  struct ckpt_error *e)
{
	uint32_t spots = ckpt_state_spots(slot, slot->present);
	uint32_t first = (uint32_t)__builtin_ctz(spots);
	uint32_t last = 31 - (uint32_t)__builtin_clz(spots);
	uint64_t begin, end, unit;
	enum ckpt_result result;

	begin = (uint64_t)first << w->g.block_shift >> CKPT_UNIT_SHIFT;
	end = (((uint64_t)last + 1) << w->g.block_shift) + CKPT_NODE_SECTORS - 1;
	end >>= CKPT_UNIT_SHIFT;
	result = find(w, (uint32_t)(end - begin), &unit, e);
	if (result)
		return result;
	/* The journal before it is longer than a window, so this is not negative. */
	slot->where = (unit - begin) << CKPT_UNIT_SHIFT;
	return ckpt_writer_reserve(w, slot, e);
}

static enum ckpt_result find_node(struct ckpt_writer *w, uint64_t *unit, struct ckpt_error *e)
{
	enum ckpt_result result = find(w, 1, unit, e);

	return result ? result : take(w, *unit, 1, e);
}

/* ---- trees ---- */

static enum ckpt_result write_node(struct ckpt_writer *w, const struct builder *b,
				   unsigned int level, struct ckpt_ref *ref, struct ckpt_error *e)
{
	const void *content = b->content[level];
	enum ckpt_result result = CKPT_DONE;
	uint64_t unit;
	int err;

	/* The space map has the bits of its own nodes. */
	if (b->type == CKPT_TREE_SPACE)
		unit = w->places[w->places_used++];
	else
		result = find_node(w, &unit, e);
	if (result)
		return result;
	err = ckpt_file_write(w->file, content, unit * CKPT_NODE_BYTES, CKPT_NODE_BYTES);
	if (err)
		return ckpt_fail_errno(e, err, "the store cannot be written");
	ref->crc = cpu_to_le32(ckpt_node_crc(content));
	ckpt_ref_set(ref, unit << CKPT_UNIT_SHIFT,
		     ckpt_content_used(&w->g, b->type, level, content));
	return CKPT_DONE;
}

/* Nodes up to @level are through. */
static enum ckpt_result close_nodes(struct ckpt_writer *w, struct builder *b, unsigned int level,
				    struct ckpt_error *e)
{
	for (unsigned int i = 0; i <= level; i++) {
		struct ckpt_ref ref;
		enum ckpt_result result;

		if (!b->is_open[i])
			continue;
		result = write_node(w, b, i, &ref, e);
		if (result)
			return result;
		b->is_open[i] = false;
		if (i == b->levels - 1)
			b->root = ref;
		else
			((struct ckpt_ref *)b->content[i + 1])[b->index[i] % CKPT_FANOUT] = ref;
	}
	return CKPT_DONE;
}

/* The leaf of that index, which is not less than the one before, is in b->content[0]. */
static enum ckpt_result open_leaf(struct ckpt_writer *w, struct builder *b, uint64_t index,
				  struct ckpt_error *e)
{
	for (unsigned int level = b->levels; level--; ) {
		uint64_t at = index >> (CKPT_FANOUT_SHIFT * level);
		enum ckpt_result result;

		if (b->is_open[level] && b->index[level] == at)
			continue;
		result = close_nodes(w, b, level, e);
		if (result)
			return result;
		memset(b->content[level], 0, CKPT_NODE_BYTES);
		b->is_open[level] = true;
		b->index[level] = at;
	}
	return CKPT_DONE;
}

static enum ckpt_result close_tree(struct ckpt_writer *w, struct builder *b,
				   struct ckpt_ref *root, struct ckpt_error *e)
{
	enum ckpt_result result;

	memset(&b->root, 0, sizeof(b->root));
	result = close_nodes(w, b, b->levels - 1, e);
	*root = b->root;
	return result;
}

enum ckpt_result ckpt_writer_slot(struct ckpt_writer *w, uint64_t cluster,
				  const struct ckpt_state *slot, struct ckpt_error *e)
{
	enum ckpt_result result = open_leaf(w, &w->map, cluster >> CKPT_FANOUT_SHIFT, e);

	if (!result)
		((struct ckpt_slot *)w->map.content[0])[cluster % CKPT_FANOUT] =
			ckpt_slot_encode(slot);
	return result;
}

enum ckpt_result ckpt_writer_layer(struct ckpt_writer *w, struct ckpt_ref *root,
				   struct ckpt_error *e)
{
	return close_tree(w, &w->map, root, e);
}

enum ckpt_result ckpt_writer_record(struct ckpt_writer *w, const union ckpt_record *record,
				    struct ckpt_error *e)
{
	uint32_t number = le32_to_cpu(record->head.number);
	const char *bad = ckpt_record_verify(&w->g, record, number);
	union ckpt_record *leaf = (void *)w->records.content[0];
	enum ckpt_result result;

	if (bad || !number || number >= CKPT_RECORD_MAX)
		return ckpt_fail(e, CKPT_USAGE, "record %u is impossible: %s", number,
				 bad ? bad : "its number");
	result = open_leaf(w, &w->records, number / CKPT_RECORDS_PER_LEAF, e);
	if (!result)
		leaf[number % CKPT_RECORDS_PER_LEAF] = *record;
	return result;
}

/* ---- the end ---- */

/* Nodes that a tree has over the leaves that are there. */
static uint64_t count_space_nodes(const struct ckpt_writer *w)
{
	uint64_t last[CKPT_SPACE_LEVELS], nodes = 0;

	memset(last, 0xff, sizeof(last));
	for (uint64_t i = 0; i < w->leaves; i++)
		for (unsigned int level = 0; w->bits[i] && level < CKPT_SPACE_LEVELS; level++) {
			uint64_t at = i >> (CKPT_FANOUT_SHIFT * level);

			nodes += last[level] != at;
			last[level] = at;
		}
	return nodes;
}

/* Places for the space map's own nodes, which may need more leaves of it themselves. */
static enum ckpt_result place_space(struct ckpt_writer *w, struct ckpt_error *e)
{
	uint64_t need;

	while ((need = count_space_nodes(w)) > w->place_count) {
		uint64_t *grown = reallocarray(w->places, need, sizeof(*grown));

		if (!grown)
			return no_memory(e);
		w->places = grown;
		for (; w->place_count < need; w->place_count++) {
			enum ckpt_result result = find_node(w, &w->places[w->place_count], e);

			if (result)
				return result;
		}
	}
	return CKPT_DONE;
}

static enum ckpt_result write_space(struct ckpt_writer *w, struct ckpt_error *e)
{
	enum ckpt_result result = place_space(w, e);

	for (uint64_t i = 0; !result && i < w->leaves; i++) {
		if (!w->bits[i])
			continue;
		result = open_leaf(w, &w->space, i, e);
		if (!result)
			memcpy(w->space.content[0], w->bits[i], CKPT_NODE_BYTES);
	}
	return result ? result : close_tree(w, &w->space, &w->super.space, e);
}

static int write_super(struct ckpt_writer *w, uint64_t sector)
{
	int err = ckpt_file_write(w->file, &w->super, sector << CKPT_SECTOR_SHIFT,
				  sizeof(w->super));

	return err ? err : fsync(w->file->fd) ? errno : 0;
}

enum ckpt_result ckpt_writer_finish(struct ckpt_writer *w, struct ckpt_error *e)
{
	enum ckpt_result result = close_tree(w, &w->records, &w->super.records, e);
	int err;

	if (!result)
		result = write_space(w, e);
	if (result)
		return result;
	w->super.epoch_seq = w->super.journal_seq;
	w->super.written = cpu_to_le64((uint64_t)time(NULL));
	ckpt_super_seal(&w->super);
	err = ckpt_file_zero(w->file, CKPT_JOURNAL_START << CKPT_SECTOR_SHIFT,
			     (uint64_t)w->g.journal_blocks * CKPT_NODE_BYTES);
	if (!err && fsync(w->file->fd))
		err = errno;
	if (!err)
		err = write_super(w, CKPT_SUPER_A);
	if (!err)
		err = write_super(w, CKPT_SUPER_B);
	return err ? ckpt_fail_errno(e, err, "the store cannot be written") : CKPT_DONE;
}

/* ---- the beginning ---- */

static enum ckpt_result check_super(struct ckpt_writer *w, struct ckpt_error *e)
{
	const char *bad;

	memcpy(w->super.magic, CKPT_SUPER_MAGIC, sizeof(w->super.magic));
	w->super.version = cpu_to_le32(CKPT_VERSION);
	memset(&w->super.records, 0, sizeof(w->super.records));
	memset(&w->super.space, 0, sizeof(w->super.space));
	ckpt_super_seal(&w->super);
	bad = ckpt_super_verify(&w->super);
	if (bad)
		return ckpt_fail(e, CKPT_USAGE, "this cannot be a store: %s", bad);
	ckpt_super_geometry(&w->super, &w->g);
	if (w->g.sectors > w->file->sectors)
		return ckpt_fail(e, CKPT_USAGE,
				 "the store has %" PRIu64 " sectors, but there are only %" PRIu64,
				 (uint64_t)w->g.sectors, w->file->sectors);
	return CKPT_DONE;
}

static enum ckpt_result begin(struct ckpt_writer *w, struct ckpt_error *e)
{
	static const uint8_t none[sizeof(struct ckpt_super)];
	enum ckpt_result result = check_super(w, e);
	int err;

	if (result)
		return result;
	w->leaves = ckpt_store_units(&w->g) / CKPT_SPACE_LEAF_UNITS + 1;
	w->bits = calloc(w->leaves, sizeof(*w->bits));
	if (!w->bits)
		return no_memory(e);
	w->next = ckpt_first_free_unit(&w->g);
	/* What is half written is no store. */
	err = ckpt_file_write(w->file, none, CKPT_SUPER_A << CKPT_SECTOR_SHIFT, sizeof(none));
	if (!err)
		err = ckpt_file_write(w->file, none, CKPT_SUPER_B << CKPT_SECTOR_SHIFT,
				      sizeof(none));
	/* Nor has anybody had it open. */
	if (!err)
		err = ckpt_file_write(w->file, none, CKPT_GUARD_PLACE << CKPT_SECTOR_SHIFT,
				      sizeof(none));
	if (!err && fsync(w->file->fd))
		err = errno;
	return err ? ckpt_fail_errno(e, err, "the store cannot be written") : CKPT_DONE;
}

enum ckpt_result ckpt_writer_new(const struct ckpt_file *file, const struct ckpt_super *super,
				 struct ckpt_writer **writer, struct ckpt_error *e)
{
	struct ckpt_writer *w = calloc(1, sizeof(*w));
	enum ckpt_result result;

	*writer = NULL;
	if (!w)
		return no_memory(e);
	w->file = file;
	w->super = *super;
	w->map.type = CKPT_TREE_MAP;
	w->map.levels = CKPT_MAP_LEVELS;
	w->records.type = CKPT_TREE_RECORDS;
	w->records.levels = CKPT_RECORD_LEVELS;
	w->space.type = CKPT_TREE_SPACE;
	w->space.levels = CKPT_SPACE_LEVELS;
	result = begin(w, e);
	if (result)
		ckpt_writer_free(w);
	else
		*writer = w;
	return result;
}

void ckpt_writer_free(struct ckpt_writer *w)
{
	if (!w)
		return;
	for (uint64_t i = 0; w->bits && i < w->leaves; i++)
		free(w->bits[i]);
	free(w->bits);
	free(w->places);
	free(w);
}

const struct ckpt_geometry *ckpt_writer_geometry(const struct ckpt_writer *w)
{
	return &w->g;
}

void ckpt_item_record(const struct ckpt_item *item, union ckpt_record *r)
{
	memset(r, 0, sizeof(*r));
	r->head.type = cpu_to_le16(item->type);
	r->head.flags = cpu_to_le16(item->flags);
	r->head.number = cpu_to_le32(item->number);
	r->head.created = cpu_to_le64(item->created);
	memcpy(r->head.uuid, item->uuid, sizeof(item->uuid));
	switch (item->type) {
	case CKPT_RECORD_BASE:
		memcpy(r->base.name, item->name, sizeof(item->name));
		r->base.sectors = cpu_to_le64(item->sectors);
		r->base.owner = cpu_to_le32(item->volume);
		r->base.sample_crc = cpu_to_le32(item->sample_crc);
		r->base.origin_sectors = cpu_to_le64(item->origin_sectors);
		break;
	case CKPT_RECORD_LAYER:
		r->layer.parent = cpu_to_le32(item->below);
		r->layer.volume = cpu_to_le32(item->volume);
		r->layer.sectors = cpu_to_le64(item->sectors);
		break;
	case CKPT_RECORD_VOLUME:
		memcpy(r->volume.name, item->name, sizeof(item->name));
		r->volume.sectors = cpu_to_le64(item->sectors);
		r->volume.top = cpu_to_le32(item->below);
		r->volume.limit = cpu_to_le64(item->limit);
		break;
	case CKPT_RECORD_CHECKPOINT:
		memcpy(r->checkpoint.name, item->name, sizeof(item->name));
		r->checkpoint.volume = cpu_to_le32(item->volume);
		r->checkpoint.layer = cpu_to_le32(item->below);
		r->checkpoint.kind = cpu_to_le32(item->kind);
		r->checkpoint.group = cpu_to_le32(item->group);
		break;
	case CKPT_RECORD_FREE:
		break;
	}
}
