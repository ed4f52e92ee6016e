// SPDX-License-Identifier: GPL-2.0-only
/*
 * Journal entries applied to the images, when they have been committed and again at
 * replay: the same code, so that what replay does is tried at every commit.
 */
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "free.h"
#include "leaf.h"
#include "preload.h"
#include "store.h"
#include "writeback.h"

static int bad_entry(struct ckpt_store *store, const char *why)
{
	ckpt_log(err, store, "journal is damaged: %s", why);
	return -EIO;
}

static struct ckpt_layer *find_layer(struct ckpt_store *store, u32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, number);

	if (!object || object->type != CKPT_RECORD_LAYER)
		return NULL;
	return object->layer;
}

/*
 * Units that have become free in the image.  At replay no bio can want them, and nobody else
 * gives their live bits back.
 */
static int clear_units(struct ckpt_store *store, u64 where, u32 units)
{
	u32 shift = ckpt_unit_mask_shift(&store->geometry);
	int r = ckpt_space_apply_blocks(store, where, units, false);

	while (!r && store->replaying && units) {
		u32 first = (u32)__ffs(units), nr = ckpt_run(units, first);

		ckpt_space_release(store, (where + ((u64)first << shift)) >> CKPT_UNIT_SHIFT,
				   nr << (shift - CKPT_UNIT_SHIFT));
		units &= ~ckpt_mask(first, nr);
	}
	return r;
}

/* Image bits follow the slot; live bits are given back by whoever set them. */
static int apply_slot(struct ckpt_store *store, const struct ckpt_entry_slot *entry)
{
	struct ckpt_layer *layer = find_layer(store, le32_to_cpu(entry->head.number));
	const struct ckpt_geometry *g = &store->geometry;
	u64 cluster = le64_to_cpu(entry->cluster);
	struct ckpt_state old, new = ckpt_slot_decode(&entry->slot);
	struct ckpt_slot *slots;
	struct ckpt_node *leaf;
	u32 before, after;
	int r;

	if (!layer || cluster >> 32 || !ckpt_slot_valid(g, &new))
		return bad_entry(store, "a slot is impossible");
	leaf = ckpt_node_get(&layer->map, 0, cluster >> CKPT_FANOUT_SHIFT, true);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	slots = ckpt_node_change(leaf);
	old = ckpt_slot_decode(&slots[cluster % CKPT_FANOUT]);
	before = ckpt_state_units(g, &old);
	after = ckpt_state_units(g, &new);
	if (old.where == new.where) {
		u32 stay = before & after;

		before &= ~stay;
		after &= ~stay;
	}
	r = clear_units(store, old.where, before);
	if (!r)
		r = ckpt_space_apply_blocks(store, new.where, after, true);
	if (!r) {
		u32 shift = ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT;

		slots[cluster % CKPT_FANOUT] = entry->slot;
		WRITE_ONCE(layer->used, layer->used + ((u64)hweight32(after) << shift) -
					((u64)hweight32(before) << shift));
		if (!store->replaying)
			atomic64_add((u64)hweight32(before) << shift, &store->freed);
	}
	ckpt_node_put(leaf);
	return r;
}

/* Image bits follow the slots; live bits, the parent's too, are the child's live side's. */
static int merge_places(struct ckpt_store *store, const struct ckpt_entry_merge *entry,
			struct ckpt_slot *to, struct ckpt_slot *from,
			struct ckpt_layer *child, struct ckpt_layer *parent)
{
	u32 shift = ckpt_unit_mask_shift(&store->geometry) - CKPT_UNIT_SHIFT;
	struct ckpt_state old = ckpt_slot_decode(to), below = ckpt_slot_decode(from);
	struct ckpt_state new = ckpt_slot_decode(&entry->slot);
	u32 mine, theirs, after, kept, set;
	int r;

	mine = ckpt_state_units(&store->geometry, &old);
	theirs = ckpt_state_units(&store->geometry, &below);
	after = ckpt_state_units(&store->geometry, &new);
	kept = new.where == below.where ? theirs & after : 0;
	set = after & ~kept & ~(new.where == old.where ? mine : 0);

	r = clear_units(store, old.where, mine & ~(new.where == old.where ? after : 0));
	if (!r)
		r = clear_units(store, below.where, theirs & ~kept);
	if (!r)
		r = ckpt_space_apply_blocks(store, new.where, set, true);
	if (r)
		return r;
	WRITE_ONCE(child->used, child->used + ((u64)hweight32(after) << shift) -
				((u64)hweight32(mine) << shift));
	WRITE_ONCE(parent->used, parent->used - ((u64)hweight32(theirs) << shift));
	if (store->replaying)
		return 0;
	/* Where the child had blocks of its own, those were copied. */
	atomic64_add((u64)hweight32(kept & ~mine) << shift, &store->moved);
	atomic64_add((u64)hweight32(theirs & ~kept) << shift, &store->freed);
	return 0;
}

static int apply_merge(struct ckpt_store *store, const struct ckpt_entry_merge *entry)
{
	struct ckpt_layer *child = find_layer(store, le32_to_cpu(entry->head.number));
	struct ckpt_layer *parent = find_layer(store, le32_to_cpu(entry->from));
	struct ckpt_state new = ckpt_slot_decode(&entry->slot);
	u64 cluster = le64_to_cpu(entry->cluster);
	struct ckpt_node *to, *from;
	struct ckpt_slot *a, *b;
	int r;

	if (!child || !parent || child == parent || cluster >> 32 ||
	    !ckpt_slot_valid(&store->geometry, &new))
		return bad_entry(store, "a merged slot is impossible");
	to = ckpt_node_get(&child->map, 0, cluster >> CKPT_FANOUT_SHIFT, true);
	if (IS_ERR(to))
		return PTR_ERR(to);
	from = ckpt_node_get(&parent->map, 0, cluster >> CKPT_FANOUT_SHIFT, false);
	if (IS_ERR_OR_NULL(from)) {
		ckpt_node_put(to);
		return from ? PTR_ERR(from) : bad_entry(store, "a merged slot is not there");
	}
	a = (struct ckpt_slot *)ckpt_node_change(to) + cluster % CKPT_FANOUT;
	b = (struct ckpt_slot *)ckpt_node_change(from) + cluster % CKPT_FANOUT;
	r = merge_places(store, entry, a, b, child, parent);
	if (!r) {
		*a = entry->slot;
		ckpt_slot_empty(b);
	}
	ckpt_node_put(from);
	ckpt_node_put(to);
	return r;
}

/* The record's own copy of where the root is, which write-back keeps otherwise. */
static int set_root(struct ckpt_store *store, u32 number, const struct ckpt_ref *root)
{
	struct ckpt_node *leaf;
	union ckpt_record *record;

	leaf = ckpt_node_get(&store->records, 0, number / CKPT_RECORDS_PER_LEAF, true);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	record = ckpt_node_change(leaf);
	record[number % CKPT_RECORDS_PER_LEAF].layer.root = *root;
	ckpt_node_put(leaf);
	return 0;
}

/* Is there a node of that level and index in a map, as far as it can reach? */
static bool is_place(u32 level, u64 index)
{
	return level < CKPT_MAP_LEVELS &&
	       !(index >> (CKPT_FANOUT_SHIFT * (CKPT_MAP_LEVELS - 1 - level)));
}

static int apply_adopt(struct ckpt_store *store, const struct ckpt_entry_adopt *entry)
{
	struct ckpt_layer *child = find_layer(store, le32_to_cpu(entry->head.number));
	struct ckpt_layer *parent = find_layer(store, le32_to_cpu(entry->from));
	u32 level = le32_to_cpu(entry->level);
	u64 used;
	int r;

	if (!child || !parent || child == parent || !is_place(level, le64_to_cpu(entry->index)))
		return bad_entry(store, "what is to be adopted is not there");
	r = ckpt_node_graft(&child->map, &parent->map, level, le64_to_cpu(entry->index), &used);
	/* Memory alone had a node there, without content. */
	if (r == -ENOENT)
		return 0;
	if (r == -EEXIST)
		return bad_entry(store, "what is to be adopted has no room");
	if (!r && level == CKPT_MAP_LEVELS - 1) {
		r = set_root(store, parent->number, &parent->map.root_ref);
		if (!r)
			r = set_root(store, child->number, &child->map.root_ref);
	}
	if (r)
		return r;
	WRITE_ONCE(child->used, child->used + used);
	WRITE_ONCE(parent->used, parent->used - used);
	if (!store->replaying)
		atomic64_add(used, &store->moved);
	return 0;
}

/* A layer's root belongs to write-back; what else the record says is the entry's. */
static int apply_record(struct ckpt_store *store, const struct ckpt_entry_record *entry)
{
	const union ckpt_record *new = (const void *)entry->record;
	u32 number = le32_to_cpu(entry->head.number);
	union ckpt_record *record;
	struct ckpt_node *leaf;
	struct ckpt_ref root = {};

	if (!number || number >= CKPT_RECORD_MAX ||
	    (new->head.type && ckpt_record_verify(&store->geometry, new, number)))
		return bad_entry(store, "a record is impossible");
	leaf = ckpt_node_get(&store->records, 0, number / CKPT_RECORDS_PER_LEAF, true);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	record = ckpt_node_change(leaf);
	record += number % CKPT_RECORDS_PER_LEAF;
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER)
		root = record->layer.root;
	memcpy(record, new, sizeof(*record));
	if (le16_to_cpu(record->head.type) == CKPT_RECORD_LAYER)
		record->layer.root = root;
	ckpt_node_put(leaf);
	return store->replaying ? ckpt_objects_replay(store, new, number) : 0;
}

/* A leaf's blocks are free in the image; the places can be used when the commit allows it. */
static int free_leaf(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_node *leaf)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 shift = ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT;
	const struct ckpt_slot *slots = leaf->image;
	unsigned int i;
	int r;

	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_state s = ckpt_slot_decode(&slots[i]);
		u32 units = ckpt_state_units(g, &s);

		if (!units)
			continue;
		r = clear_units(store, s.where, units);
		if (r)
			return r;
		WRITE_ONCE(layer->used, layer->used - ((u64)hweight32(units) << shift));
		atomic64_add((u64)hweight32(units) << shift, &store->freed);
		if (!store->replaying)
			ckpt_free_mask(store, s.where, units, store->txn);
	}
	return 0;
}

static int apply_prune(struct ckpt_store *store, const struct ckpt_entry_prune *entry)
{
	struct ckpt_layer *layer = find_layer(store, le32_to_cpu(entry->head.number));
	u32 level = le32_to_cpu(entry->level);
	struct ckpt_node *node;
	u64 where;
	int r = 0;

	if (!layer || !is_place(level, le64_to_cpu(entry->index)))
		return bad_entry(store, "what is to be freed is not there");
	node = ckpt_node_get(&layer->map, level, le64_to_cpu(entry->index), false);
	if (IS_ERR(node))
		return PTR_ERR(node);
	/* It was in memory alone, without content: replay has nothing to free. */
	if (!node)
		return 0;
	if (!level)
		r = free_leaf(store, layer, node);
	else if (store->replaying && ckpt_node_has_below(node))
		r = bad_entry(store, "what is to be freed has something below it");
	if (r) {
		ckpt_node_put(node);
		return r;
	}
	where = ckpt_node_prune(node);
	return where ? ckpt_writeback_drops(store, where) : 0;
}

static int apply_size(struct ckpt_store *store, const struct ckpt_entry_size *entry)
{
	u64 sectors = le64_to_cpu(entry->sectors);

	if (sectors < store->geometry.sectors || sectors > CKPT_STORE_SECTORS_MAX)
		return bad_entry(store, "the store cannot have that size");
	WRITE_ONCE(store->geometry.sectors, sectors);
	return 0;
}

int ckpt_apply(struct ckpt_store *store, const struct ckpt_entry_head *entry)
{
	switch (le16_to_cpu(entry->type)) {
	case CKPT_ENTRY_SLOT:
		return apply_slot(store, (const void *)entry);
	case CKPT_ENTRY_RECORD:
		return apply_record(store, (const void *)entry);
	case CKPT_ENTRY_PRUNE:
		return apply_prune(store, (const void *)entry);
	case CKPT_ENTRY_MERGE:
		return apply_merge(store, (const void *)entry);
	case CKPT_ENTRY_ADOPT:
		return apply_adopt(store, (const void *)entry);
	case CKPT_ENTRY_SIZE:
		return apply_size(store, (const void *)entry);
	}
	return bad_entry(store, "an entry of unknown type");
}

static void load_leaves(struct ckpt_store *store, u32 number, u64 cluster,
			const struct ckpt_slot *slot)
{
	const struct ckpt_state s = ckpt_slot_decode(slot);
	struct ckpt_layer *layer = find_layer(store, number);

	/* What is impossible is told when it is applied; what is new may have no layer yet. */
	if (!layer || cluster >> 32 || !ckpt_slot_valid(&store->geometry, &s))
		return;
	ckpt_preload_leaf(store->preload, &layer->map, cluster >> CKPT_FANOUT_SHIFT);
	if (s.where)
		ckpt_preload_leaf(store->preload, &store->space.tree,
				  (s.where >> CKPT_UNIT_SHIFT) / CKPT_SPACE_LEAF_UNITS);
}

int ckpt_apply_ahead(struct ckpt_store *store, const struct ckpt_entry_head *head)
{
	const struct ckpt_entry_merge *merge = (const void *)head;
	const struct ckpt_entry_slot *slot = (const void *)head;

	switch (le16_to_cpu(head->type)) {
	case CKPT_ENTRY_SLOT:
		load_leaves(store, le32_to_cpu(head->number), le64_to_cpu(slot->cluster),
			    &slot->slot);
		break;
	case CKPT_ENTRY_MERGE:
		load_leaves(store, le32_to_cpu(head->number), le64_to_cpu(merge->cluster),
			    &merge->slot);
		load_leaves(store, le32_to_cpu(merge->from), le64_to_cpu(merge->cluster),
			    &merge->slot);
		break;
	}
	return 0;
}
