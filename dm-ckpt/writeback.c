// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>
#include <linux/sort.h>

#include "fault.h"
#include "io.h"
#include "leaf.h"
#include "store.h"
#include "super.h"
#include "writeback.h"

/* A node on its way to the disk; holds a reference. */
struct item {
	struct ckpt_node *node;
	void *page;
	u64 where;
};

/*
 * Room of a list that must be had: more than a page, so that single pages do where there is nothing
 * in one piece.
 */
#define FEWEST	1024u
/* Nodes that may be dirty, whatever there is space for. */
#define FEWEST_DIRTY	12u

struct snapshot {
	struct item *items;
	unsigned int nr;
	struct ckpt_super *super;
	u64 *drops;
	unsigned int nr_drops;
};

int ckpt_writeback_drops(struct ckpt_store *store, u64 sector)
{
	lockdep_assert_held(&store->commit);
	if (store->nr_drops == store->room_drops) {
		unsigned int room = store->room_drops ? 2 * store->room_drops : FEWEST;
		u64 *drops = kvmalloc_array(room, sizeof(*drops), GFP_NOIO | __GFP_NOFAIL);

		if (store->nr_drops)
			memcpy(drops, store->drops, store->nr_drops * sizeof(*drops));
		kvfree(store->drops);
		store->drops = drops;
		store->room_drops = room;
	}
	store->drops[store->nr_drops++] = sector;
	return ckpt_space_apply(store, sector >> CKPT_UNIT_SHIFT, 1, false);
}

/* The leaf of records that holds a layer's root; with a reference. */
static struct ckpt_node *record_leaf(struct ckpt_store *store, u32 number)
{
	return ckpt_node_get(&store->records, 0, number / CKPT_RECORDS_PER_LEAF, true);
}

/*
 * A new place for a node.  This makes leaves of the space map dirty, and for a layer's root
 * its record: the list grows at its end while it is walked, and ends because each
 * node is placed once.
 */
static int place_node(struct ckpt_store *store, struct ckpt_node *node)
{
	struct ckpt_ref *ref;
	u64 sector;
	int r;

	if (!node->parent && node->type == CKPT_TREE_MAP) {
		struct ckpt_node *leaf = record_leaf(store, node->tree->number);

		if (IS_ERR_OR_NULL(leaf))
			return leaf ? PTR_ERR(leaf) : -EIO;
		ckpt_node_change(leaf);
		ckpt_node_put(leaf);
	}
	ref = ckpt_node_ref(node);
	if (ckpt_ref_where(ref) && ckpt_fault(CKPT_FAULT_NODE_REUSE)) {
		if (node->parent)
			ckpt_node_change(node->parent);
		return 0;
	}
	if (ckpt_ref_where(ref)) {
		r = ckpt_writeback_drops(store, ckpt_ref_where(ref));
		if (r)
			return r;
	}
	r = ckpt_space_node(store, &sector);
	if (r)
		return r;
	if (node->parent)
		ckpt_node_change(node->parent);
	ckpt_ref_set(ckpt_node_ref(node), sector, 0);
	return 0;
}

u64 ckpt_node_used(const struct ckpt_node *node)
{
	return ckpt_content_used(&node->store->geometry, node->type, node->level, node->image);
}

/* Checksums go up from a node whose own content is final. */
static int seal_node(struct ckpt_store *store, struct ckpt_node *node)
{
	struct ckpt_ref *ref = ckpt_node_ref(node);
	struct ckpt_node *leaf;
	union ckpt_record *record;

	ref->crc = cpu_to_le32(ckpt_node_crc(node->image));
	ckpt_ref_set(ref, ckpt_ref_where(ref), ckpt_node_used(node));
	if (node->parent || node->type != CKPT_TREE_MAP)
		return 0;
	leaf = record_leaf(store, node->tree->number);
	if (IS_ERR_OR_NULL(leaf))
		return leaf ? PTR_ERR(leaf) : -EIO;
	record = leaf->image;
	record[node->tree->number % CKPT_RECORDS_PER_LEAF].layer.root = *ref;
	ckpt_node_put(leaf);
	return 0;
}

static int seal_all(struct ckpt_store *store)
{
	static const enum ckpt_tree_type order[] = {
		CKPT_TREE_MAP, CKPT_TREE_RECORDS, CKPT_TREE_SPACE
	};
	struct ckpt_node *node;
	unsigned int i, level;
	int r;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		for (level = 0; level < CKPT_MAP_LEVELS; level++)
			list_for_each_entry(node, &store->dirty_nodes, dirty) {
				if (node->type != order[i] || node->level != level)
					continue;
				r = seal_node(store, node);
				if (r)
					return r;
			}
	return 0;
}

/* From here on, changes go to copies. */
static void freeze_images(struct ckpt_store *store, struct snapshot *snap)
{
	struct ckpt_node *node, *next;

	list_for_each_entry_safe(node, next, &store->dirty_nodes, dirty) {
		struct item *item = &snap->items[snap->nr++];

		item->node = node;
		item->page = node->image;
		item->where = ckpt_ref_where(ckpt_node_ref(node));
		list_del_init(&node->dirty);
		set_bit(CKPT_NODE_WRITING, &node->flags);
		/* Who finds it clean finds its place: see ckpt_node_has(). */
		clear_bit_unlock(CKPT_NODE_DIRTY, &node->flags);
	}
	WRITE_ONCE(store->nr_dirty, 0);
}

static void fill_super(struct ckpt_store *store, struct ckpt_super *super)
{
	memcpy(super, store->super, sizeof(*super));
	le64_add_cpu(&super->sequence, 1);
	super->sectors = cpu_to_le64(store->geometry.sectors);
	super->journal_seq = cpu_to_le64(store->journal.head);
	super->records = store->records.root_ref;
	super->space = store->space.tree.root_ref;
}

static int take_snapshot(struct ckpt_store *store, struct snapshot *snap)
{
	struct ckpt_node *node;
	int r;

	snap->super = ckpt_page_get(store);
	list_for_each_entry(node, &store->dirty_nodes, dirty) {
		r = place_node(store, node);
		if (r)
			return r;
	}
	r = seal_all(store);
	if (r)
		return r;
	snap->items = kvmalloc_array(max(store->nr_dirty, FEWEST), sizeof(*snap->items),
				     GFP_NOIO | __GFP_NOFAIL);
	freeze_images(store, snap);
	fill_super(store, snap->super);
	snap->drops = store->drops;
	snap->nr_drops = store->nr_drops;
	store->drops = NULL;
	store->nr_drops = 0;
	store->room_drops = 0;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->where < y->where ? -1 : x->where > y->where;
}

/* Neighbours go in one write. */
static int write_items(struct ckpt_store *store, struct snapshot *snap)
{
	unsigned int i, nr;

	sort(snap->items, snap->nr, sizeof(*snap->items), by_place, NULL);
	for (i = 0; i < snap->nr; i += nr) {
		void *page[64];
		int r;

		for (nr = 0; nr < ARRAY_SIZE(page) && i + nr < snap->nr &&
		     snap->items[i + nr].where ==
		     snap->items[i].where + nr * CKPT_NODE_SECTORS; nr++)
			page[nr] = snap->items[i + nr].page;
		r = ckpt_guard_check(store);
		if (!r)
			r = ckpt_io_pages(store->bdev, REQ_OP_WRITE | REQ_META,
					  snap->items[i].where, page, nr);
		if (r)
			return r;
	}
	return 0;
}

/* A page that has been replaced since stays with the item. */
static void end_item(struct item *item)
{
	struct ckpt_node *node = item->node;

	if (node->image == item->page) {
		clear_bit(CKPT_NODE_WRITING, &node->flags);
		item->page = NULL;
	}
	ckpt_node_put(node);
}

/* Whoever found an image before it was replaced may be reading it still. */
static void free_snapshot(struct ckpt_store *store, struct snapshot *snap)
{
	bool waited = false;
	unsigned int i;

	for (i = 0; i < snap->nr; i++) {
		if (!snap->items[i].page)
			continue;
		if (!waited)
			synchronize_rcu();
		waited = true;
		ckpt_page_put(store, snap->items[i].page);
	}
	kvfree(snap->drops);
	kvfree(snap->items);
	if (snap->super)
		ckpt_page_put(store, snap->super);
}

static void end_snapshot(struct ckpt_store *store, struct snapshot *snap, bool ok)
{
	unsigned int i;

	for (i = 0; i < snap->nr; i++)
		end_item(&snap->items[i]);
	for (i = 0; ok && i < snap->nr_drops; i++)
		ckpt_space_release(store, snap->drops[i] >> CKPT_UNIT_SHIFT, 1);
	if (ok) {
		memcpy(store->super, snap->super, sizeof(*store->super));
		WRITE_ONCE(store->journal.tail, le64_to_cpu(snap->super->journal_seq));
		WRITE_ONCE(store->writebacks, store->writebacks + 1);
	}
}

static int write_back(struct ckpt_store *store)
{
	struct snapshot snap = {};
	bool ok;
	int r;

	mutex_lock(&store->commit);
	if (list_empty(&store->dirty_nodes) && !ckpt_journal_used(&store->journal)) {
		mutex_unlock(&store->commit);
		return 0;
	}
	r = take_snapshot(store, &snap);
	mutex_unlock(&store->commit);

	if (!r && ckpt_fault(CKPT_FAULT_SUPER_FIRST))
		r = ckpt_super_write(store->bdev, snap.super);
	if (!r)
		r = write_items(store, &snap);
	if (!r)
		r = ckpt_guard_check(store);
	if (!r)
		r = ckpt_super_write(store->bdev, snap.super);
	ok = !r;
	mutex_lock(&store->commit);
	end_snapshot(store, &snap, ok);
	ckpt_writeback_adapt(store);
	mutex_unlock(&store->commit);
	free_snapshot(store, &snap);
	if (r)
		ckpt_store_degrade(store, "the trees cannot be written back");
	return r;
}

int ckpt_writeback(struct ckpt_store *store)
{
	int r = -EROFS;

	mutex_lock(&store->writeback);
	if (READ_ONCE(store->mode) == CKPT_MODE_RW)
		r = write_back(store);
	mutex_unlock(&store->writeback);
	return r;
}

/*
 * Until a write-back has ended all that it places is there twice, and where data are up to their
 * limit only the reserve has places.  The nodes that are new stay, and make that less for the next
 * one: then it comes sooner.
 */
void ckpt_writeback_adapt(struct ckpt_store *store)
{
	u64 room = ckpt_space_node_room(store);

	lockdep_assert_held(&store->commit);
	WRITE_ONCE(store->dirty_most,
		   clamp_t(u64, room / 4, FEWEST_DIRTY, store->dirty_limit));
}

/* A quarter of the reserve is left, or an eighth: enough for some commits. */
bool ckpt_writeback_is_short(const struct ckpt_store *store, bool command)
{
	u64 left = store->space.node_reserve >> (command ? 3 : 2);

	return ckpt_space_node_room(store) < READ_ONCE(store->nr_dirty) + left;
}

bool ckpt_writeback_urgent(struct ckpt_store *store)
{
	return READ_ONCE(store->nr_dirty) + 2 * atomic_read(&store->nr_dirty_leaves) >
	       store->dirty_most ||
	       ckpt_journal_room(&store->journal) < 2 * CKPT_TXN_BLOCKS;
}

void ckpt_writeback_kick(struct ckpt_store *store)
{
	if (store->nr_dirty > store->dirty_most / 2 ||
	    ckpt_journal_used(&store->journal) > store->journal.blocks / 2)
		queue_work(store->bg_wq, &store->writeback_work);
}

static void do_writeback(struct work_struct *work)
{
	ckpt_writeback(container_of(work, struct ckpt_store, writeback_work));
}

int ckpt_writeback_init(struct ckpt_store *store)
{
	mutex_init(&store->writeback);
	INIT_LIST_HEAD(&store->dirty_nodes);
	INIT_WORK(&store->writeback_work, do_writeback);
	return 0;
}

void ckpt_writeback_exit(struct ckpt_store *store)
{
	cancel_work_sync(&store->writeback_work);
	kvfree(store->drops);
}
