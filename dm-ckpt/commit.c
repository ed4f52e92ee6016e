// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/delay.h>
#include <linux/slab.h>

#include "fault.h"
#include "free.h"
#include "io.h"
#include "leaf.h"
#include "pressure.h"
#include "quota.h"
#include "store.h"
#include "through.h"
#include "writeback.h"

/* ---- transactions ---- */

struct ckpt_txn *ckpt_txn_alloc(unsigned int bytes)
{
	struct ckpt_txn *txn = kzalloc(sizeof(*txn), GFP_NOIO);

	if (!txn)
		return NULL;
	txn->room = bytes;
	txn->room_makes = bytes / sizeof(struct ckpt_entry_record);
	txn->makes = kvmalloc(txn->room_makes * sizeof(*txn->makes) + bytes, GFP_NOIO);
	if (!txn->makes) {
		kfree(txn);
		return NULL;
	}
	txn->entries = (__u8 *)(txn->makes + txn->room_makes);
	INIT_LIST_HEAD(&txn->list);
	init_completion(&txn->done);
	return txn;
}

void ckpt_txn_free(struct ckpt_txn *txn)
{
	if (txn)
		kvfree(txn->makes);
	kfree(txn);
}

static void *add_entry(struct ckpt_txn *txn, enum ckpt_entry_type type, u32 bytes, u32 number)
{
	struct ckpt_entry_head *head = (void *)(txn->entries + txn->bytes);

	if (WARN_ON_ONCE(txn->bytes + bytes > txn->room))
		return NULL;
	memset(head, 0, bytes);
	head->type = cpu_to_le16(type);
	head->bytes = cpu_to_le16(bytes);
	head->number = cpu_to_le32(number);
	txn->bytes += bytes;
	return head;
}

void ckpt_txn_record(struct ckpt_txn *txn, struct ckpt_store *store, u32 number)
{
	struct ckpt_object *object = ckpt_object_find(store, number);
	struct ckpt_entry_record *entry;
	union ckpt_record record;

	entry = add_entry(txn, CKPT_ENTRY_RECORD, sizeof(*entry), number);
	if (!entry)
		return;
	ckpt_object_record(store, object, number, &record);
	memcpy(entry->record, &record, sizeof(record));
	if (object && object->type == CKPT_RECORD_LAYER &&
	    !READ_ONCE(object->layer->durable) &&
	    !WARN_ON_ONCE(txn->nr_makes == txn->room_makes))
		txn->makes[txn->nr_makes++] = object->layer;
}

void ckpt_txn_free_record(struct ckpt_txn *txn, u32 number)
{
	add_entry(txn, CKPT_ENTRY_RECORD, sizeof(struct ckpt_entry_record), number);
}

void ckpt_txn_prune(struct ckpt_txn *txn, u32 layer, unsigned int level, u64 index)
{
	struct ckpt_entry_prune *entry;

	entry = add_entry(txn, CKPT_ENTRY_PRUNE, sizeof(*entry), layer);
	if (!entry)
		return;
	entry->level = cpu_to_le32(level);
	entry->index = cpu_to_le64(index);
}

void ckpt_txn_adopt(struct ckpt_txn *txn, u32 to, u32 from, unsigned int level, u64 index)
{
	struct ckpt_entry_adopt *entry;

	entry = add_entry(txn, CKPT_ENTRY_ADOPT, sizeof(*entry), to);
	if (!entry)
		return;
	entry->from = cpu_to_le32(from);
	entry->level = cpu_to_le32(level);
	entry->index = cpu_to_le64(index);
}

void ckpt_txn_size(struct ckpt_txn *txn, u64 sectors)
{
	struct ckpt_entry_size *entry;

	entry = add_entry(txn, CKPT_ENTRY_SIZE, sizeof(*entry), 0);
	if (entry)
		entry->sectors = cpu_to_le64(sectors);
}

void ckpt_txn_queue(struct ckpt_store *store, struct ckpt_txn *txn)
{
	spin_lock_irq(&store->commit_lock);
	list_add_tail(&txn->list, &store->txns);
	wake_up(&store->gathering);
	spin_unlock_irq(&store->commit_lock);
	queue_work(store->commit_wq, &store->commit_work);
}

int ckpt_txn_wait(struct ckpt_txn *txn)
{
	wait_for_completion_io(&txn->done);
	return txn->error;
}

int ckpt_txn_run(struct ckpt_store *store, struct ckpt_txn *txn)
{
	int r;

	ckpt_txn_queue(store, txn);
	r = ckpt_txn_wait(txn);
	ckpt_txn_free(txn);
	return r;
}

int ckpt_commit(struct ckpt_store *store)
{
	struct ckpt_txn txn = { .list = LIST_HEAD_INIT(txn.list) };

	init_completion(&txn.done);
	ckpt_txn_queue(store, &txn);
	return ckpt_txn_wait(&txn);
}

void ckpt_commit_bio(struct ckpt_store *store, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&store->commit_lock, flags);
	bio_list_add(&store->flushes, bio);
	/* Under the lock: the bio may be all that keeps the store, and end once it is found. */
	queue_work(store->commit_wq, &store->commit_work);
	if (++store->nr_flushes >= store->together)
		wake_up(&store->gathering);
	spin_unlock_irqrestore(&store->commit_lock, flags);
}

/* ---- dirty leaves ---- */

void ckpt_commit_leaf(struct ckpt_store *store, struct ckpt_node *leaf)
{
	llist_add(&leaf->leaf->w->list, &store->dirty_leaves);
	if (atomic_inc_return(&store->nr_dirty_leaves) == READ_ONCE(store->dirty_most) / 4)
		queue_work(store->commit_wq, &store->commit_work);
	else
		queue_delayed_work(store->commit_wq, &store->commit_later,
				   msecs_to_jiffies(READ_ONCE(store->options.commit_ms)));
}

/* The collector says which commit it is for before it clears a dirty bit. */
bool ckpt_commit_covers(struct ckpt_store *store, const struct ckpt_node *leaf)
{
	const struct ckpt_leaf_write *w = ckpt_leaf_w(leaf);

	if (!w)
		return true;
	/* Bits that are cleared meanwhile are looked for below. */
	if (!data_race(bitmap_empty(w->dirty, CKPT_FANOUT)))
		return false;
	smp_rmb();	/* pairs with collect_leaf() */
	return READ_ONCE(w->txn) <= READ_ONCE(store->txn_durable);
}

/* ---- one round ---- */

/* How long a commit waits for flushes at the most, and what is not worth a timer. */
#define GATHER_NS	(10 * NSEC_PER_MSEC)
#define GATHER_NS_MIN	(20 * NSEC_PER_USEC)

struct round {
	struct bio_list flushes;
	struct list_head txns;
	struct llist_node *later;	/* leaves of layers that are not durable yet */
	int error;
};

/* What is gathered so far becomes a transaction of its own. */
static void write_part(struct ckpt_store *store, struct round *round)
{
	struct ckpt_journal *j = &store->journal;

	if (ckpt_journal_empty(j) || round->error)
		goto out;
	if (ckpt_journal_room(j) < CKPT_TXN_BLOCKS) {
		mutex_unlock(&store->commit);
		round->error = ckpt_writeback(store);
		mutex_lock(&store->commit);
	}
	if (!round->error)
		round->error = ckpt_guard_check(store);
	if (!round->error)
		round->error = ckpt_journal_write(store);
	if (round->error) {
		ckpt_store_degrade(store, "the journal cannot be written");
		goto out;
	}
	round->error = ckpt_journal_for_each(store, ckpt_apply);
	if (round->error)
		ckpt_store_degrade(store, "a commit cannot be applied to the trees");
out:
	ckpt_journal_reset(j);
}

/* A window that nothing is present in any more goes back when this commit is durable. */
static void drop_window(struct ckpt_store *store, struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_leaf_write *w = node->leaf->w;
	struct ckpt_state s = ckpt_leaf_live(w, slot);

	if (s.present || w->pending[slot] || test_bit(slot, w->moving) ||
	    ckpt_drops_present(w->drops, slot))
		return;
	if (w->own[slot] && !ckpt_free_blocks(store, s.where, w->own[slot], store->txn))
		return;
	w->own[slot] = 0;
	ckpt_leaf_displace(node, slot);
}

/* The slot's new state, and that it has what it sat on in it, if so. */
static bool add_slot(struct ckpt_store *store, struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_leaf_write *w = node->leaf->w;
	union {
		struct ckpt_entry_head head;
		struct ckpt_entry_slot slot;
		struct ckpt_entry_merge merge;
	} entry = {};
	struct ckpt_state state = ckpt_leaf_live(w, slot);
	u64 cluster = node->index * CKPT_FANOUT + slot;

	if (!ckpt_fault(CKPT_FAULT_DROPS)) {
		state.present |= ckpt_drops_present(w->drops, slot);
		state.zero |= ckpt_drops_zero(w->drops, slot);
	}
	if (ckpt_fault(CKPT_FAULT_EARLY_COMMIT) && !w->drops) {
		state.present |= w->pending[slot] & w->own[slot];
		state.zero &= ~state.present;
	}
	entry.head.number = cpu_to_le32(w->layer->number);
	if (test_bit(slot, w->merged)) {
		entry.head.type = cpu_to_le16(CKPT_ENTRY_MERGE);
		entry.head.bytes = cpu_to_le16(sizeof(entry.merge));
		entry.merge.cluster = cpu_to_le64(cluster);
		entry.merge.slot = ckpt_slot_encode(&state);
		entry.merge.from = cpu_to_le32(w->layer->merges);
	} else {
		entry.head.type = cpu_to_le16(CKPT_ENTRY_SLOT);
		entry.head.bytes = cpu_to_le16(sizeof(entry.slot));
		entry.slot.cluster = cpu_to_le64(cluster);
		entry.slot.slot = ckpt_slot_encode(&state);
	}
	return ckpt_journal_add(&store->journal, &entry.head);
}

/* Move dirty slots of a leaf to the journal; false if it is full before all are there. */
static bool collect_leaf(struct ckpt_store *store, struct ckpt_node *node)
{
	struct ckpt_leaf_write *w = node->leaf->w;
	unsigned int slot;
	bool all = true;

	spin_lock_irq(&node->lock);
	WRITE_ONCE(w->txn, store->txn);
	smp_wmb();	/* pairs with ckpt_commit_covers() */
	for_each_set_bit(slot, w->dirty, CKPT_FANOUT) {
		drop_window(store, node, slot);
		all = add_slot(store, node, slot);
		if (!all)
			break;
		__clear_bit(slot, w->dirty);
		__clear_bit(slot, w->merged);
	}
	if (all)
		w->listed = false;
	spin_unlock_irq(&node->lock);
	return all;
}

static void collect(struct ckpt_store *store, struct round *round, struct llist_node *list)
{
	struct ckpt_leaf_write *w, *next;

	llist_for_each_entry_safe(w, next, list, list) {
		struct ckpt_node *node = w->node;

		if (!w->layer->durable) {
			w->list.next = round->later;
			round->later = &w->list;
			continue;
		}
		atomic_dec(&store->nr_dirty_leaves);
		while (!collect_leaf(store, node))
			write_part(store, round);
		ckpt_node_put(node);
	}
}

/* All of a transaction's entries stand in one of the journal's. */
static void add_txn(struct ckpt_store *store, struct round *round, struct ckpt_txn *txn)
{
	unsigned int at, i;

	if (!ckpt_journal_fits(&store->journal, txn->bytes, sizeof(struct ckpt_entry_record)))
		write_part(store, round);
	for (at = 0; at < txn->bytes; ) {
		struct ckpt_entry_head *entry = (void *)(txn->entries + at);

		if (WARN_ON_ONCE(!ckpt_journal_add(&store->journal, entry))) {
			round->error = -E2BIG;
			break;
		}
		at += le16_to_cpu(entry->bytes);
	}
	for (i = 0; i < txn->nr_makes; i++)
		WRITE_ONCE(txn->makes[i]->durable, true);
}

static void end_flushes(struct round *round)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&round->flushes))) {
		bio->bi_status = errno_to_blk_status(round->error);
		bio_endio(bio);
	}
}

static void end_txns(struct round *round)
{
	struct ckpt_txn *txn, *next;

	list_for_each_entry_safe(txn, next, &round->txns, list) {
		list_del_init(&txn->list);
		txn->error = round->error;
		complete(&txn->done);
	}
}

/*
 * Nothing has changed but data where they already were.  A device that fails to flush may have
 * forgotten them, and says so only once: whoever flushes later must not be told that all is well.
 */
static void flush_data(struct ckpt_store *store, struct round *round)
{
	if (!xchg(&store->data_written, false))
		return;
	round->error = ckpt_io_flush(store->bdev);
	if (round->error)
		ckpt_store_degrade(store, "it cannot be flushed");
}

static void do_round(struct ckpt_store *store, struct round *round)
{
	u64 begun = ktime_get_ns();
	struct llist_node *later;
	struct ckpt_txn *txn;
	bool empty;

	WRITE_ONCE(store->txn, store->txn + 1);
	collect(store, round, llist_del_all(&store->dirty_leaves));
	list_for_each_entry(txn, &round->txns, list)
		add_txn(store, round, txn);
	later = round->later;
	round->later = NULL;
	collect(store, round, later);

	empty = ckpt_journal_empty(&store->journal);
	if (!empty)
		WRITE_ONCE(store->commits, store->commits + 1);
	else if (!bio_list_empty(&round->flushes) || !list_empty(&round->txns))
		flush_data(store, round);
	if (!empty)
		WRITE_ONCE(store->data_written, false);
	if (ckpt_fault(CKPT_FAULT_EARLY_REUSE)) {
		WRITE_ONCE(store->txn_durable, store->txn);
		ckpt_free_kick(store);
		msleep(20);
	}
	write_part(store, round);
	if (!bio_list_empty(&round->flushes))
		store->commit_ns = ktime_get_ns() - begun;
	if (!round->error)
		WRITE_ONCE(store->txn_durable, store->txn);
	/* Layers that a transaction yet to come makes: their leaves wait for it. */
	while (round->later) {
		struct llist_node *next = round->later->next;

		llist_add(round->later, &store->dirty_leaves);
		round->later = next;
	}
}

/* Have all come who may, or is there somebody for whom nobody is to wait? */
static bool has_gathered(struct ckpt_store *store)
{
	bool gathered;

	spin_lock_irq(&store->commit_lock);
	gathered = !store->nr_flushes || store->nr_flushes >= store->together ||
		   !list_empty(&store->txns);
	spin_unlock_irq(&store->commit_lock);
	return gathered;
}

/*
 * Those who were answered together come back one by one, and the first of them would have a commit
 * for itself, behind which all others wait for another one.  So it waits for them, for part of
 * the time that a commit takes: a write and a flush, where those who come back have written first,
 * so half of it would be just too short.  Once only, if there are fewer now.
 */
static void gather(struct ckpt_store *store)
{
	u64 ns = min_t(u64, store->commit_ns / 4 * 3, GATHER_NS);

	if (store->together > 1 && ns >= GATHER_NS_MIN)
		wait_event_hrtimeout(store->gathering, has_gathered(store), ns_to_ktime(ns));
}

/* So many are about to be answered, and may come back to those who have come meanwhile. */
static void expect(struct ckpt_store *store, unsigned int answered)
{
	spin_lock_irq(&store->commit_lock);
	store->together = answered + store->nr_flushes;
	spin_unlock_irq(&store->commit_lock);
}

static void do_commit(struct work_struct *work)
{
	struct ckpt_store *store = container_of(work, struct ckpt_store, commit_work);
	struct round round = {};
	unsigned int flushes;

	INIT_LIST_HEAD(&round.txns);
	gather(store);
	spin_lock_irq(&store->commit_lock);
	round.flushes = store->flushes;
	bio_list_init(&store->flushes);
	flushes = store->nr_flushes;
	store->nr_flushes = 0;
	list_splice_tail_init(&store->txns, &round.txns);
	spin_unlock_irq(&store->commit_lock);

	round.error = ckpt_store_writable(store);
	if (!round.error && ckpt_writeback_urgent(store))
		round.error = ckpt_writeback(store);
	if (!round.error) {
		mutex_lock(&store->commit);
		do_round(store, &round);
		ckpt_writeback_adapt(store);
		ckpt_writeback_kick(store);
		mutex_unlock(&store->commit);
	}
	ckpt_quota_count(store);
	if (flushes)
		expect(store, flushes);
	end_flushes(&round);
	end_txns(&round);
	ckpt_free_kick(store);
	ckpt_pressure_kick(store);
}

static void do_commit_later(struct work_struct *work)
{
	struct ckpt_store *store = container_of(to_delayed_work(work), struct ckpt_store,
						commit_later);

	queue_work(store->commit_wq, &store->commit_work);
}

int ckpt_commit_init(struct ckpt_store *store)
{
	spin_lock_init(&store->commit_lock);
	INIT_LIST_HEAD(&store->txns);
	bio_list_init(&store->flushes);
	init_waitqueue_head(&store->gathering);
	init_llist_head(&store->dirty_leaves);
	atomic_set(&store->nr_dirty_leaves, 0);
	INIT_WORK(&store->commit_work, do_commit);
	INIT_DELAYED_WORK(&store->commit_later, do_commit_later);
	store->commit_wq = alloc_ordered_workqueue("ckpt-commit", WQ_MEM_RECLAIM);
	return store->commit_wq ? 0 : -ENOMEM;
}

/* Nothing is written any more; leaves that stay dirty only lose their references. */
void ckpt_commit_exit(struct ckpt_store *store)
{
	struct ckpt_leaf_write *w, *next;

	if (!store->commit_wq)
		return;
	cancel_delayed_work_sync(&store->commit_later);
	destroy_workqueue(store->commit_wq);
	llist_for_each_entry_safe(w, next, llist_del_all(&store->dirty_leaves), list) {
		w->listed = false;
		ckpt_node_put(w->node);
	}
}
