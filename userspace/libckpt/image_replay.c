// SPDX-License-Identifier: GPL-2.0-only
/* The journal applied to the trees in memory, as dm-ckpt/apply.c does it to the images. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dm-ckpt/geometry.h"
#include "dm-ckpt/replay.h"
#include "dm-ckpt/slot.h"
#include "dm-ckpt/spacebits.h"
#include "image_tree.h"

static enum ckpt_result bad_entry(struct ckpt_image *image, const char *why,
				  struct ckpt_error *e)
{
	return image_damage(image, e, "journal is damaged: %s", why);
}

/* ---- the space map ---- */

static enum ckpt_result apply_space(struct ckpt_image *image, uint64_t unit, uint32_t nr,
				    bool set, struct ckpt_error *e)
{
	while (nr) {
		uint32_t first = unit % CKPT_SPACE_LEAF_UNITS, changed;
		uint32_t part = nr < CKPT_SPACE_LEAF_UNITS - first ?
				nr : CKPT_SPACE_LEAF_UNITS - first;
		struct image_place p;
		enum ckpt_result result = image_get(image, &image->space, IMAGE_MAKE, 0,
						    unit / CKPT_SPACE_LEAF_UNITS, &p, e);

		if (result)
			return result;
		changed = (set ? ckpt_bits_set : ckpt_bits_clear)((__le64 *)p.node->content,
								  first, part);
		if (changed != part)
			return image_damage(image, e,
					    "space map is damaged: %u units at %" PRIu64 " are %s already",
					    part - changed, unit, set ? "in use" : "free");
		unit += part;
		nr -= part;
	}
	return CKPT_DONE;
}

/* The units of a slot's window that are set in @units. */
static enum ckpt_result apply_units(struct ckpt_image *image, uint64_t where, uint32_t units,
				    bool set, struct ckpt_error *e)
{
	uint32_t shift = ckpt_unit_mask_shift(&image->geometry);

	while (units) {
		uint32_t first = (uint32_t)__builtin_ctz(units), nr = ckpt_run(units, first);
		uint64_t sector = where + ((uint64_t)first << shift);
		enum ckpt_result result = apply_space(image, sector >> CKPT_UNIT_SHIFT,
						      nr << (shift - CKPT_UNIT_SHIFT), set, e);

		if (result)
			return result;
		units &= ~ckpt_mask(first, nr);
	}
	return CKPT_DONE;
}

/* ---- entries ---- */

static struct ckpt_slot *slot_in(struct image_place *p, uint64_t cluster)
{
	return (struct ckpt_slot *)p->node->content + cluster % CKPT_FANOUT;
}

static enum ckpt_result apply_slot(struct ckpt_image *image, const struct ckpt_entry_slot *entry,
				   struct ckpt_error *e)
{
	struct image_tree *map = image_map(image, le32_to_cpu(entry->head.number));
	const struct ckpt_geometry *g = &image->geometry;
	struct ckpt_state old, new = ckpt_slot_decode(&entry->slot);
	uint64_t cluster = le64_to_cpu(entry->cluster);
	uint32_t before, after, stay;
	enum ckpt_result result;
	struct image_place p;

	if (!map || cluster >> 32 || !ckpt_slot_valid(g, &new))
		return bad_entry(image, "a slot is impossible", e);
	result = image_get(image, map, IMAGE_MAKE, 0, cluster >> CKPT_FANOUT_SHIFT, &p, e);
	if (result)
		return result;
	old = ckpt_slot_decode(slot_in(&p, cluster));
	before = ckpt_state_units(g, &old);
	after = ckpt_state_units(g, &new);
	stay = old.where == new.where ? before & after : 0;
	*slot_in(&p, cluster) = entry->slot;
	result = apply_units(image, old.where, before & ~stay, false, e);
	return result ? result : apply_units(image, new.where, after & ~stay, true, e);
}

static enum ckpt_result merge_slots(struct ckpt_image *image, struct ckpt_slot *to,
				    struct ckpt_slot *from, const struct ckpt_slot *slot,
				    struct ckpt_error *e)
{
	struct ckpt_state old = ckpt_slot_decode(to), below = ckpt_slot_decode(from);
	struct ckpt_state new = ckpt_slot_decode(slot);
	uint32_t mine = ckpt_state_units(&image->geometry, &old);
	uint32_t theirs = ckpt_state_units(&image->geometry, &below);
	uint32_t after = ckpt_state_units(&image->geometry, &new);
	uint32_t stay = new.where == old.where ? after & mine : 0;
	uint32_t kept = new.where == below.where ? after & theirs : 0;
	enum ckpt_result result;

	*to = *slot;
	memset(from, 0, sizeof(*from));
	result = apply_units(image, old.where, mine & ~stay, false, e);
	if (!result)
		result = apply_units(image, below.where, theirs & ~kept, false, e);
	return result ? result : apply_units(image, new.where, after & ~stay & ~kept, true, e);
}

static enum ckpt_result apply_merge(struct ckpt_image *image,
				    const struct ckpt_entry_merge *entry, struct ckpt_error *e)
{
	struct image_tree *child = image_map(image, le32_to_cpu(entry->head.number));
	struct image_tree *parent = image_map(image, le32_to_cpu(entry->from));
	struct ckpt_state new = ckpt_slot_decode(&entry->slot);
	uint64_t cluster = le64_to_cpu(entry->cluster);
	struct image_place to, from;
	enum ckpt_result result;

	if (!child || !parent || child == parent || cluster >> 32 ||
	    !ckpt_slot_valid(&image->geometry, &new))
		return bad_entry(image, "a merged slot is impossible", e);
	result = image_get(image, parent, IMAGE_CHANGE, 0, cluster >> CKPT_FANOUT_SHIFT, &from, e);
	if (result)
		return result;
	if (!from.node)
		return bad_entry(image, "a merged slot is not there", e);
	result = image_get(image, child, IMAGE_MAKE, 0, cluster >> CKPT_FANOUT_SHIFT, &to, e);
	if (result)
		return result;
	return merge_slots(image, slot_in(&to, cluster), slot_in(&from, cluster), &entry->slot, e);
}

/* The place of a node of a map in its parent, which is there.  @p->node is the parent. */
static enum ckpt_result hold_parent(struct ckpt_image *image, struct image_tree *map,
				    enum image_mode mode, uint32_t level, uint64_t index,
				    struct image_place *p, struct ckpt_error *e)
{
	enum ckpt_result result;

	if (level == map->levels - 1) {
		*p = (struct image_place){ .in = &map->root, .ref = &map->root_ref };
		return CKPT_DONE;
	}
	result = image_get(image, map, mode, level + 1, index >> CKPT_FANOUT_SHIFT, p, e);
	if (result)
		return result;
	if (!p->node) {
		p->in = NULL;
		return CKPT_DONE;
	}
	p->in = &p->node->child[index % CKPT_FANOUT];
	p->ref = (struct ckpt_ref *)p->node->content + index % CKPT_FANOUT;
	return CKPT_DONE;
}

static bool is_there(const struct image_place *p)
{
	return p->in && (*p->in || ckpt_ref_where(p->ref));
}

static enum ckpt_result apply_adopt(struct ckpt_image *image,
				    const struct ckpt_entry_adopt *entry, struct ckpt_error *e)
{
	struct image_tree *child = image_map(image, le32_to_cpu(entry->head.number));
	struct image_tree *parent = image_map(image, le32_to_cpu(entry->from));
	uint32_t level = le32_to_cpu(entry->level);
	uint64_t index = le64_to_cpu(entry->index);
	struct image_place to, from;
	enum ckpt_result result;

	if (!child || !parent || child == parent || level >= CKPT_MAP_LEVELS)
		return bad_entry(image, "what is to be adopted is not there", e);
	if (index >= image_leaves(CKPT_MAP_LEVELS - level))
		return bad_entry(image, "what is to be adopted is beyond the map", e);
	result = hold_parent(image, parent, IMAGE_CHANGE, level, index, &from, e);
	if (result)
		return result;
	result = hold_parent(image, child, IMAGE_LOOK, level, index, &to, e);
	if (result)
		return result;
	if (from.in && is_there(&to))
		return bad_entry(image, "what is to be adopted has no room", e);
	if (!is_there(&from))
		return CKPT_DONE;
	result = hold_parent(image, child, IMAGE_MAKE, level, index, &to, e);
	if (result)
		return result;
	*to.in = *from.in;
	*to.ref = *from.ref;
	*from.in = NULL;
	memset(from.ref, 0, sizeof(*from.ref));
	return CKPT_DONE;
}

static enum ckpt_result free_leaf(struct ckpt_image *image, const struct image_node *leaf,
				  struct ckpt_error *e)
{
	const struct ckpt_slot *slot = (const void *)leaf->content;

	for (unsigned int i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_state s = ckpt_slot_decode(&slot[i]);
		enum ckpt_result result = apply_units(image, s.where,
						      ckpt_state_units(&image->geometry, &s),
						      false, e);

		if (result)
			return result;
	}
	return CKPT_DONE;
}

static bool has_below(const struct image_node *node)
{
	const struct ckpt_ref *ref = (const void *)node->content;

	for (unsigned int i = 0; node->level && i < CKPT_FANOUT; i++)
		if (node->child[i] || ref[i].where)
			return true;
	return false;
}

static enum ckpt_result apply_prune(struct ckpt_image *image,
				    const struct ckpt_entry_prune *entry, struct ckpt_error *e)
{
	struct image_tree *map = image_map(image, le32_to_cpu(entry->head.number));
	uint32_t level = le32_to_cpu(entry->level);
	uint64_t index = le64_to_cpu(entry->index), where;
	enum ckpt_result result;
	struct image_place p;

	if (!map || level >= CKPT_MAP_LEVELS || index >= image_leaves(CKPT_MAP_LEVELS - level))
		return bad_entry(image, "what is to be freed is not there", e);
	result = image_get(image, map, IMAGE_LOOK, level, index, &p, e);
	if (result || !p.node)
		return result;
	if (has_below(p.node))
		return bad_entry(image, "what is to be freed has something below it", e);
	/* Those above change. */
	result = image_get(image, map, IMAGE_CHANGE, level, index, &p, e);
	if (!result && !level)
		result = free_leaf(image, p.node, e);
	if (result)
		return result;
	where = ckpt_ref_where(p.ref);
	image_forget(image, p.in);
	memset(p.ref, 0, sizeof(*p.ref));
	return where ? apply_space(image, where >> CKPT_UNIT_SHIFT, 1, false, e) : CKPT_DONE;
}

static enum ckpt_result apply_record(struct ckpt_image *image,
				     const struct ckpt_entry_record *entry, struct ckpt_error *e)
{
	const union ckpt_record *new = (const void *)entry->record;
	uint32_t number = le32_to_cpu(entry->head.number);
	struct ckpt_ref root = { 0 };
	union ckpt_record *record;
	enum ckpt_result result;
	struct image_place p;

	if (!number || number >= CKPT_RECORD_MAX ||
	    (new->head.type && ckpt_record_verify(&image->geometry, new, number)))
		return bad_entry(image, "a record is impossible", e);
	result = image_get(image, &image->records, IMAGE_MAKE, 0, number / CKPT_RECORDS_PER_LEAF,
			   &p, e);
	if (result)
		return result;
	record = (union ckpt_record *)p.node->content + number % CKPT_RECORDS_PER_LEAF;
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER)
		root = record->layer.root;
	memcpy(record, new, sizeof(*record));
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER)
		record->layer.root = root;
	return image_change_item(image, new, number, e);
}

static enum ckpt_result apply_size(struct ckpt_image *image, const struct ckpt_entry_size *entry,
				   struct ckpt_error *e)
{
	uint64_t sectors = le64_to_cpu(entry->sectors);

	if (sectors < image->geometry.sectors || sectors > CKPT_STORE_SECTORS_MAX)
		return bad_entry(image, "the store cannot have that size", e);
	image->geometry.sectors = sectors;
	return CKPT_DONE;
}

static enum ckpt_result apply(struct ckpt_image *image, const struct ckpt_entry_head *entry,
			      struct ckpt_error *e)
{
	image_trim(image);
	switch (le16_to_cpu(entry->type)) {
	case CKPT_ENTRY_SLOT:
		return apply_slot(image, (const void *)entry, e);
	case CKPT_ENTRY_RECORD:
		return apply_record(image, (const void *)entry, e);
	case CKPT_ENTRY_PRUNE:
		return apply_prune(image, (const void *)entry, e);
	case CKPT_ENTRY_MERGE:
		return apply_merge(image, (const void *)entry, e);
	case CKPT_ENTRY_ADOPT:
		return apply_adopt(image, (const void *)entry, e);
	case CKPT_ENTRY_SIZE:
		return apply_size(image, (const void *)entry, e);
	}
	return bad_entry(image, "an entry of unknown type", e);
}

/* ---- which blocks count ---- */

static enum ckpt_result apply_block(struct ckpt_image *image, const void *block,
				    struct ckpt_error *e)
{
	const struct ckpt_journal_head *head = block;
	const struct ckpt_entry_head *entry;
	enum ckpt_result result;
	uint32_t offset = 0;

	while ((entry = ckpt_journal_next(block, &offset))) {
		result = apply(image, entry, e);
		if (result && (!image->options.salvage || result != CKPT_INTEGRITY))
			return result;
	}
	if (offset == ~0u)
		return image_damage(image, e,
				    "journal block %" PRIu64 " is damaged: an entry makes no sense",
				    (uint64_t)le64_to_cpu(head->seq));
	return CKPT_DONE;
}

/* The whole transactions at the beginning of the window; *@done is how many blocks they have. */
static enum ckpt_result apply_window(struct ckpt_image *image, const struct ckpt_window *w,
				     unsigned int *done, struct ckpt_error *e)
{
	unsigned int nr;

	for (*done = 0; *done < w->nr && (nr = ckpt_window_txn(w, *done)); *done += nr)
		for (unsigned int i = 0; i < nr; i++) {
			enum ckpt_result result = apply_block(image, w->block[*done + i], e);

			if (result)
				return result;
		}
	return CKPT_DONE;
}

/* Does the window know of a newer superblock?  Told once. */
static enum ckpt_result check_age(struct ckpt_image *image, const struct ckpt_window *w,
				  struct ckpt_error *e)
{
	unsigned int i = 0, nr;

	while (i < w->nr && (nr = ckpt_window_txn(w, i)))
		i += nr;
	if (!ckpt_window_newer(w, i) || image->is_old)
		return CKPT_DONE;
	image->is_old = true;
	image_damage(image, e, "superblock is older than the journal: the newest one is lost");
	return image->options.salvage ? CKPT_DONE : CKPT_INTEGRITY;
}

/* Read the blocks from @seq on, as many as the buffer holds, and none from @end on. */
static enum ckpt_result read_window(struct ckpt_image *image, struct ckpt_window *w, uint64_t seq,
				    uint64_t end, struct ckpt_error *e)
{
	uint32_t ring = image->geometry.journal_blocks, at = (uint32_t)(seq % ring), part;

	w->seq = seq;
	w->nr = end - seq < CKPT_TXN_BLOCKS ? (unsigned int)(end - seq) : CKPT_TXN_BLOCKS;
	for (unsigned int done = 0; done < w->nr; done += part, at = 0) {
		uint64_t sector = CKPT_JOURNAL_START + (uint64_t)at * CKPT_NODE_SECTORS;

		part = w->nr - done < ring - at ? w->nr - done : ring - at;
		if (image->source.read(image->source.arg, w->block[done],
				       sector << CKPT_SECTOR_SHIFT,
				       (size_t)part * CKPT_NODE_BYTES))
			return image_damage(image, e,
					    "journal cannot be read at block %" PRIu64, seq);
	}
	return CKPT_DONE;
}

/* The window begins at @seq, where no whole transaction is: was there one once? */
static enum ckpt_result look_behind(struct ckpt_image *image, struct ckpt_window *w, uint64_t seq,
				    uint64_t end, struct ckpt_error *e)
{
	bool later = ckpt_window_later(w, seq);

	if (!later && end - seq > CKPT_TXN_BLOCKS) {
		enum ckpt_result result = read_window(image, w, seq + CKPT_TXN_BLOCKS, end, e);

		if (result)
			return result;
		later = ckpt_window_later(w, seq);
	}
	if (later)
		return image_damage(image, e,
				    "journal block %" PRIu64 " is damaged: later ones are there", seq);
	if (seq < le64_to_cpu(image->super.epoch_seq))
		return image_damage(image, e,
				    "journal ends at block %" PRIu64 ", before %" PRIu64 ", which it had reached",
				    seq, (uint64_t)le64_to_cpu(image->super.epoch_seq));
	return CKPT_DONE;
}

static enum ckpt_result replay(struct ckpt_image *image, struct ckpt_window *w,
			       struct ckpt_error *e)
{
	uint64_t seq = le64_to_cpu(image->super.journal_seq);
	uint64_t end = seq + image->geometry.journal_blocks;
	enum ckpt_result result;

	image->journal_end = seq;
	while (seq < end) {
		unsigned int done;

		result = read_window(image, w, seq, end, e);
		if (!result)
			result = check_age(image, w, e);
		if (!result)
			result = apply_window(image, w, &done, e);
		if (result)
			return result;
		if (!done)
			break;
		seq += done;
		image->journal_end = seq;
	}
	w->seq = seq;
	if (seq == end)
		w->nr = 0;
	return look_behind(image, w, seq, end, e);
}

enum ckpt_result image_replay(struct ckpt_image *image, struct ckpt_error *e)
{
	uint8_t *buffer = calloc(CKPT_TXN_BLOCKS, CKPT_NODE_BYTES);
	void *block[CKPT_TXN_BLOCKS];
	struct ckpt_window w = { .super = &image->super, .block = block };
	enum ckpt_result result;

	if (!buffer)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	for (unsigned int i = 0; i < CKPT_TXN_BLOCKS; i++)
		block[i] = buffer + (size_t)i * CKPT_NODE_BYTES;
	result = replay(image, &w, e);
	free(buffer);
	return result;
}
