// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>

#include "copy.h"
#include "free.h"
#include "gc.h"
#include "names.h"
#include "pressure.h"
#include "quota.h"
#include "remap.h"
#include "shrink.h"
#include "store.h"
#include "super.h"
#include "target.h"
#include "writeback.h"

static LIST_HEAD(stores);
static DEFINE_MUTEX(stores_lock);

/* ---- references ---- */

static void store_free(struct ckpt_store *store)
{
	/* A leaf that goes gives space back, which is a work of a queue that is about to go. */
	ckpt_shrinker_unregister(store);
	if (store->bg_wq) {
		ckpt_gc_stop(store);
		ckpt_pressure_exit(store);
		ckpt_writeback_exit(store);
	}
	if (store->io_wq)
		destroy_workqueue(store->io_wq);
	if (store->load_wq)
		destroy_workqueue(store->load_wq);
	if (store->through_wq)
		destroy_workqueue(store->through_wq);
	ckpt_commit_exit(store);
	if (store->bg_wq) {
		ckpt_free_exit(store);
		destroy_workqueue(store->bg_wq);
	}
	ckpt_copy_exit(store);
	/* Nothing is under way any more. */
	ckpt_guard_end(store);
	if (store->guard_wq)
		destroy_workqueue(store->guard_wq);
	ckpt_objects_free(store);
	ckpt_names_exit(store);
	ckpt_tree_destroy(&store->records);
	ckpt_tree_destroy(&store->space.tree);
	ckpt_cache_exit(store);
	ckpt_journal_exit(store);
	mempool_exit(&store->bounce);
	bioset_exit(&store->split);
	kfree(store->super);
	kfree(store);
}

static int store_init(struct ckpt_store *store)
{
	int r;

	mutex_init(&store->admin);
	init_rwsem(&store->chain);
	mutex_init(&store->commit);
	mutex_init(&store->event_lock);
	ckpt_guard_init(store);
	ckpt_pressure_init(store);
	init_rwsem(&store->targets_lock);
	INIT_LIST_HEAD(&store->targets);
	xa_init_flags(&store->objects, XA_FLAGS_ALLOC1);
	ckpt_tree_init(&store->records, store, CKPT_TREE_RECORDS, CKPT_RECORD_LEVELS, 0);
	ckpt_space_init(store);
	ckpt_free_init(store);
	ckpt_gc_init(store);
	r = ckpt_names_init(store);
	if (!r)
		r = ckpt_cache_init(store);
	if (!r)
		r = ckpt_writeback_init(store);
	if (!r)
		r = ckpt_commit_init(store);
	if (!r)
		r = ckpt_journal_init(store);
	if (!r)
		r = ckpt_copy_init(store);
	if (!r)
		r = bioset_init(&store->split, BIO_POOL_SIZE, ckpt_split_front(), 0);
	if (r)
		return r;
	store->super = kzalloc(sizeof(*store->super), GFP_KERNEL);
	store->io_wq = alloc_workqueue("ckpt-io", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	store->load_wq = alloc_workqueue("ckpt-load", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	store->bg_wq = alloc_workqueue("ckpt-bg", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	store->through_wq = alloc_workqueue("ckpt-through", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	store->guard_wq = alloc_workqueue("ckpt-guard", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return store->super && store->io_wq && store->load_wq && store->bg_wq &&
	       store->through_wq && store->guard_wq ? 0 : -ENOMEM;
}

/* The store on @bdev, or without one the active store of @md. */
static struct ckpt_store *find_locked(struct mapped_device *md, struct block_device *bdev)
{
	struct ckpt_store *store;

	lockdep_assert_held(&stores_lock);
	list_for_each_entry(store, &stores, list)
		if (bdev ? store->bdev == bdev : store->md == md && READ_ONCE(store->active))
			return store;
	return NULL;
}

static struct ckpt_store *create_locked(struct mapped_device *md, struct block_device *bdev,
					const struct ckpt_options *options)
{
	struct ckpt_store *store = kzalloc(sizeof(*store), GFP_KERNEL);
	int r;

	if (!store)
		return ERR_PTR(-ENOMEM);
	store->md = md;
	store->bdev = bdev;
	store->options = *options;
	r = store_init(store);
	if (r) {
		store_free(store);
		return ERR_PTR(r);
	}
	list_add(&store->list, &stores);
	return store;
}

struct ckpt_store *ckpt_store_get(struct mapped_device *md, struct block_device *bdev,
				  const struct ckpt_options *options)
{
	struct ckpt_store *store, *active;

	mutex_lock(&stores_lock);
	store = find_locked(NULL, bdev);
	active = find_locked(md, NULL);
	/* One store for a device, and while one is active, one for a mapping. */
	if ((store && store->md != md) || (active && active != store))
		store = ERR_PTR(-EBUSY);
	else if (!store)
		store = create_locked(md, bdev, options);
	if (!IS_ERR(store))
		store->refs++;
	mutex_unlock(&stores_lock);
	return store;
}

struct ckpt_store *ckpt_store_find(struct mapped_device *md)
{
	struct ckpt_store *store;

	mutex_lock(&stores_lock);
	store = find_locked(md, NULL);
	if (store)
		store->refs++;
	mutex_unlock(&stores_lock);
	return store ? store : ERR_PTR(-ENODEV);
}

void ckpt_store_put(struct ckpt_store *store)
{
	bool last;

	mutex_lock(&stores_lock);
	last = !--store->refs;
	if (last)
		list_del(&store->list);
	mutex_unlock(&stores_lock);
	if (last)
		store_free(store);
}

/* ---- activation ---- */

static int read_super(struct ckpt_store *store)
{
	u64 have = bdev_nr_sectors(store->bdev);
	int r = ckpt_super_read(store->bdev, store->super);

	if (r)
		return r;
	ckpt_super_geometry(store->super, &store->geometry);
	if (store->geometry.sectors > have) {
		ckpt_log(err, store, "store has %llu sectors, but its device only %llu: it has been cut off",
			 store->geometry.sectors, have);
		return -EIO;
	}
	if (ckpt_block_sectors(&store->geometry) << SECTOR_SHIFT <
	    bdev_logical_block_size(store->bdev)) {
		ckpt_log(err, store, "store has blocks of %u bytes, but its device has sectors of %u: it belongs on one with smaller sectors",
			 ckpt_block_sectors(&store->geometry) << SECTOR_SHIFT,
			 bdev_logical_block_size(store->bdev));
		return -EINVAL;
	}
	store->only_read = le64_to_cpu(store->super->features_ro) & ~CKPT_FEATURES_RO;
	if (store->only_read) {
		ckpt_log(warn, store, "it uses features that are not known here and is read-only");
		store->options.read_only = true;
	}
	return 0;
}

static int replay(struct ckpt_store *store)
{
	int r;

	store->replaying = true;
	mutex_lock(&store->commit);
	r = ckpt_objects_begin(store);
	if (!r)
		r = ckpt_journal_replay(store, store->super);
	if (!r)
		r = ckpt_objects_finish(store);
	mutex_unlock(&store->commit);
	store->replaying = false;
	return r;
}

/* From now on, what an earlier activation left in the journal's ring does not count. */
static int begin_epoch(struct ckpt_store *store)
{
	struct ckpt_super *super = store->super;
	int r;

	if (store->options.read_only)
		return 0;
	le64_add_cpu(&super->epoch, 1);
	le64_add_cpu(&super->sequence, 1);
	super->epoch_seq = cpu_to_le64(store->journal.head);
	store->journal.epoch = le64_to_cpu(super->epoch);
	r = ckpt_guard_begin_epoch(store);
	if (r && r != -EBUSY)
		ckpt_log(err, store, "superblock cannot be written: with read_only the store can be activated all the same");
	return r;
}

static int activate(struct ckpt_store *store)
{
	int r = read_super(store);

	if (r)
		return r;
	if (!mempool_initialized(&store->bounce)) {
		r = mempool_init_kmalloc_pool(&store->bounce, 4,
					      ckpt_block_sectors(&store->geometry) << SECTOR_SHIFT);
		if (r)
			return r;
	}
	store->journal.blocks = store->geometry.journal_blocks;
	store->dirty_limit = clamp_t(u64, ckpt_capacity(&store->geometry) / 64, 64, 8192);
	store->dirty_most = store->dirty_limit;
	store->records.root_ref = store->super->records;
	store->space.tree.root_ref = store->super->space;
	ckpt_space_begin(store, ckpt_ref_used(&store->super->space));
	r = replay(store);
	if (!r)
		r = begin_epoch(store);
	if (r) {
		ckpt_objects_free(store);
		ckpt_tree_destroy(&store->records);
		ckpt_tree_destroy(&store->space.tree);
		store->nr_drops = 0;
		return r;
	}
	ckpt_quota_count(store);
	WRITE_ONCE(store->active, true);
	return 0;
}

static int grow(struct ckpt_store *store, u64 sectors)
{
	struct ckpt_txn *txn;
	int r = ckpt_store_writable(store);

	if (r)
		return r;
	if (sectors > CKPT_STORE_SECTORS_MAX) {
		ckpt_log(err, store, "a store has %llu sectors at most", CKPT_STORE_SECTORS_MAX);
		return -EINVAL;
	}
	txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_size));
	if (!txn)
		return -ENOMEM;
	ckpt_txn_size(txn, sectors);
	ckpt_txn_queue(store, txn);
	r = ckpt_txn_wait(txn);
	ckpt_txn_free(txn);
	if (!r) {
		ckpt_log(info, store, "store has %llu sectors now", sectors);
		ckpt_pressure_kick(store);
	}
	return r;
}

/* Not under store->admin: it may take long.  Nobody else looks at the store yet. */
static int begin_guard(struct ckpt_store *store)
{
	int r = read_super(store);

	if (r)
		return r;
	WRITE_ONCE(store->mode, store->options.read_only ? CKPT_MODE_RO : CKPT_MODE_RW);
	store->barred = store->options.read_only ? BIT(CKPT_BARRED_MODE) : 0;
	return ckpt_guard_begin(store);
}

int ckpt_store_activate(struct ckpt_store *store, u64 sectors)
{
	int r = store->active ? 0 : begin_guard(store);

	if (r)
		return r;
	mutex_lock(&store->admin);
	if (!store->active) {
		r = activate(store);
		if (r)
			ckpt_guard_end(store);
	}
	if (!r && sectors < store->geometry.sectors) {
		ckpt_log(err, store, "store has %llu sectors, so its table cannot have only %llu",
			 store->geometry.sectors, sectors);
		r = -EINVAL;
	}
	/* Less than a node more is of no use. */
	sectors &= ~(u64)(CKPT_NODE_SECTORS - 1);
	if (!r && sectors > store->geometry.sectors) {
		bool suspended = store->suspended;

		/* Nothing else can happen while the admin lock is held. */
		WRITE_ONCE(store->suspended, false);
		r = grow(store, sectors);
		WRITE_ONCE(store->suspended, suspended);
	}
	mutex_unlock(&store->admin);
	return r;
}

/* ---- suspend and resume ---- */

void ckpt_store_suspend(struct ckpt_store *store)
{
	struct ckpt_target *t;

	if (!READ_ONCE(store->active) || READ_ONCE(store->suspended))
		return;
	ckpt_gc_stop(store);
	mutex_lock(&store->admin);
	list_for_each_entry(t, &store->targets, list)
		ckpt_gate_shut(t);
	ckpt_store_drain(store);
	if (!ckpt_store_writable(store)) {
		ckpt_commit(store);
		ckpt_writeback(store);
	}
	WRITE_ONCE(store->suspended, true);
	mutex_unlock(&store->admin);
	flush_work(&store->space.ahead);
	cancel_delayed_work_sync(&store->commit_later);
	flush_work(&store->commit_work);
	flush_work(&store->writeback_work);
	flush_work(&store->free_work);
}

void ckpt_store_resume(struct ckpt_store *store)
{
	struct ckpt_target *t;

	mutex_lock(&store->admin);
	WRITE_ONCE(store->suspended, false);
	WRITE_ONCE(store->stopping, false);
	list_for_each_entry(t, &store->targets, list)
		if (t->gate)
			ckpt_gate_open(t);
	mutex_unlock(&store->admin);
	ckpt_gc_kick(store);
	ckpt_pressure_kick(store);
}

void ckpt_store_add_target(struct ckpt_store *store, struct ckpt_target *t)
{
	mutex_lock(&store->admin);
	down_write(&store->targets_lock);
	if (!t->live) {
		t->live = true;
		WRITE_ONCE(t->gate, store->suspended);
		list_add(&t->list, &store->targets);
		if (!t->view)
			list_add(&t->of_volume, &t->volume->targets);
	}
	up_write(&store->targets_lock);
	ckpt_gate_straight(t);
	mutex_unlock(&store->admin);
}

void ckpt_store_remove_target(struct ckpt_store *store, struct ckpt_target *t)
{
	mutex_lock(&store->admin);
	down_write(&store->targets_lock);
	if (t->live) {
		t->live = false;
		list_del(&t->list);
		if (!t->view)
			list_del(&t->of_volume);
	}
	up_write(&store->targets_lock);
	mutex_unlock(&store->admin);
}

void ckpt_store_drain(struct ckpt_store *store)
{
	struct ckpt_target *t;

	down_read(&store->targets_lock);
	list_for_each_entry(t, &store->targets, list)
		ckpt_epoch_wait(&t->epoch, 0);
	up_read(&store->targets_lock);
}

/* ---- modes ---- */

void ckpt_store_set_live(struct ckpt_store *store, struct dm_target *ti)
{
	mutex_lock(&store->event_lock);
	store->ti = ti;
	mutex_unlock(&store->event_lock);
}

void ckpt_store_degrade(struct ckpt_store *store, const char *why)
{
	mutex_lock(&store->event_lock);
	if (store->mode == CKPT_MODE_RW) {
		ckpt_log(err, store, "%s: the store is in mode ro now", why);
		WRITE_ONCE(store->mode, CKPT_MODE_RO);
		set_bit(CKPT_BARRED_MODE, &store->barred);
		if (store->ti)
			dm_table_event(store->ti->table);
	}
	mutex_unlock(&store->event_lock);
	ckpt_pressure_kick(store);
}

int ckpt_store_writable(const struct ckpt_store *store)
{
	if (READ_ONCE(store->mode) == CKPT_MODE_RO)
		return -EROFS;
	return READ_ONCE(store->suspended) ? -EBUSY : 0;
}
