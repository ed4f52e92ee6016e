/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open store: everything that one store device has in memory.
 *
 * There is one for each device, found by the device's number, and tables of both targets
 * hold references; during a reload two tables share it.  Constructors only read its
 * superblock; the journal is replayed when the store target is resumed first.
 *
 * LOCK ORDER
 *	store->pressure > store->admin > store->chain > freeing > targets_lock > epoch.lock
 *	 > drops_flush > writeback > store->commit > space.refill > lru_lock
 *	 > tree->lock and node->lock, parents first > drops_lock, space.lock
 *	 > free_lock, commit_lock, target.lock, waiting_lock
 *	Below lru_lock locks of nodes are only tried, but by ckpt_node_graft().
 *	guard.lock is below all of these mutexes, with nothing but event_lock below it.
 */
#ifndef CKPT_STORE_H
#define CKPT_STORE_H

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rwsem.h>
#include <linux/shrinker.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "commit.h"
#include "guard.h"
#include "journal.h"
#include "node.h"
#include "objects.h"
#include "space.h"

/* A store never goes back to the first, until it is activated again. */
enum ckpt_mode {
	CKPT_MODE_RW,
	CKPT_MODE_RO,
};

/* What the background worker is at; see gc.h. */
enum ckpt_gc_state {
	CKPT_GC_IDLE,
	CKPT_GC_SETTLE,			/* also: it has been told to look */
	CKPT_GC_FREE,
	CKPT_GC_PACK,
	CKPT_GC_LAYERS,
	CKPT_GC_BASE,
	CKPT_GC_WAIT,
	CKPT_GC_PAUSED,
};

/* See pressure.h. */
enum ckpt_space_state {
	CKPT_SPACE_OK,
	CKPT_SPACE_LOW,
	CKPT_SPACE_FULL,
};

/* Why writes may not go on: bits of store->barred. */
enum {
	CKPT_BARRED_MODE,		/* it is not rw */
	CKPT_BARRED_LATE,		/* the guard has to be looked at first */
};

struct ckpt_options {
	bool read_only;
	bool no_guard;
	u32 guard_interval;		/* seconds */
	u32 cache_mb;
	u32 commit_ms;
	/* These can be changed by message as well. */
	u64 low_water;			/* units; 0: never */
	u32 no_space_timeout;		/* seconds that a write waits for space; 0: for ever */
	bool error_if_no_space;		/* it does not wait */
	bool merge_paused;
	u32 merge_rate;			/* KiB/s of copies, 0: as fast as it goes */
	u32 merge_share;		/* percent of the time, with other I/O */
	bool discard_passdown;
};

#define CKPT_CACHE_MB_DEFAULT	64u
#define CKPT_CACHE_MB_MIN	8u
#define CKPT_COMMIT_MS_DEFAULT	1000u
#define CKPT_NO_SPACE_TIMEOUT_DEFAULT 60u
#define CKPT_NO_SPACE_TIMEOUT_MAX (1u << 20)
/* Of the low-water mark, before the size of the store is known: a 64th of it. */
#define CKPT_LOW_WATER_DEFAULT	U64_MAX

struct ckpt_store {
	struct list_head list;
	unsigned int refs;		/* under the list's lock */
	struct mapped_device *md;	/* of the store target */
	struct block_device *bdev;
	struct ckpt_options options;

	struct mutex admin;		/* one message at a time; see objects.h */
	struct rw_semaphore chain;	/* see objects.h */
	struct mutex commit;		/* of images, see node.h */

	bool only_read;			/* has features that forbid to write; before it is active */
	bool active;			/* replayed; objects are there */
	bool stopping;			/* is to be suspended: nothing new begins */
	bool suspended;			/* no change of metadata now */
	enum ckpt_mode mode;
	unsigned long barred;		/* what the I/O path looks at */
	struct mutex event_lock;	/* of changes of mode */
	struct dm_target *ti;		/* live store target, for events; under event_lock */

	struct ckpt_super *super;
	struct ckpt_geometry geometry;
	struct ckpt_journal journal;
	struct ckpt_space space;
	struct ckpt_tree records;
	struct xarray objects;		/* struct ckpt_object by number */
	struct ckpt_names *names;
	bool replaying;
	struct ckpt_preload *preload;	/* at replay, or NULL */

	struct ckpt_guard guard;
	struct workqueue_struct *guard_wq;

	/* commit.c */
	spinlock_t commit_lock;
	struct list_head txns;
	struct bio_list flushes;
	unsigned int nr_flushes;
	wait_queue_head_t gathering;	/* the commit worker, for more flushes */
	unsigned int together;		/* flushes that there may be before long */
	u64 commit_ns;			/* how long it took */
	struct llist_head dirty_leaves;
	atomic_t nr_dirty_leaves;
	u64 txn;			/* number of the commit that collects */
	u64 txn_durable;
	bool data_written;		/* to the device, since its last flush */
	struct workqueue_struct *commit_wq;
	struct work_struct commit_work;
	struct delayed_work commit_later;

	/* free.c */
	struct mutex freeing;		/* one at a time */
	spinlock_t free_lock;
	struct list_head frees;
	struct work_struct free_work;

	/* pressure.c */
	struct mutex pressure;		/* one at a time */
	unsigned long pressure_again;	/* jiffies; not before */
	u32 loans;			/* begun and ended; by the background worker */
	u32 nr_frees;			/* free.c; under freeing */
	atomic_t nr_short;		/* who has found no space so far */
	wait_queue_head_t loan_wait;	/* for the end of a loan, or for those */
	enum ckpt_space_state space_state;
	spinlock_t waiting_lock;	/* of the next three */
	struct bio_list waiting;	/* for space */
	unsigned int nr_waiting;
	bool given_up;			/* nobody waits until there is space again */
	struct delayed_work give_up;
	struct delayed_work space_work;
	unsigned long full_since;	/* jiffies, when a write last found nothing */
	atomic_t limits;		/* volumes that have one */

	/* writeback.c */
	struct mutex writeback;
	struct list_head dirty_nodes;
	unsigned int nr_dirty;		/* nodes */
	unsigned int dirty_limit;	/* how many there may be */
	unsigned int dirty_most;	/* and now, as each of them needs a new place */
	u64 *drops;			/* places that the next superblock gives up */
	unsigned int nr_drops, room_drops;
	struct work_struct writeback_work;

	/* gc.c */
	struct delayed_work gc_work;
	u32 from, into;			/* layers at work, for the status; 0: none */
	enum ckpt_gc_state gc_state;
	u32 gc_turn;			/* in which each merge may find no space once */
	bool gc_waits;			/* some did */
	bool gc_full;			/* the last merge of layers found no space */
	u32 gc_busy;			/* a layer that has not come to rest yet */
	u32 gc_told;			/* a merge from this layer has been announced */

	/* merge.c */
	unsigned int room_fails;	/* times of making room since that helped last */
	unsigned long room_again;	/* jiffies, not before */
	u64 room_cursor;		/* units, where room was looked for last */

	/* pack.c */
	atomic_t pack_asked;		/* bits, see pack.c */
	bool pack_heads;		/* heads as well: what of pack_asked the worker goes by */
	u32 pack_turn[2];		/* in which each is packed once; without, with heads */
	u32 pack_layer;			/* the one that it is at */
	bool pack_layer_heads;		/* in a turn with heads */
	u64 pack_cluster;		/* and the first one that it has not looked at */
	bool pack_skipped;		/* some that it has are too large for a spare window */
	u64 pack_moved;			/* slots, since somebody has asked */
	unsigned int pack_fails[2];	/* turns in which hardly any was, without and with heads */
	unsigned long pack_again[2];	/* jiffies, not before */

	/* pace.c */
	wait_queue_head_t pace;
	u64 pace_debt;			/* ns that merging has not slept yet */
	struct dm_kcopyd_client *kcopyd;
	atomic_t nr_copies;		/* copy.c; that have ended */

	/* node.c */
	spinlock_t lru_lock;
	struct list_head lru;
	atomic_long_t cached;		/* bytes */
	struct ratelimit_state damage_lines;
	mempool_t nodes, pages, tables, writes;
	struct ckpt_shrinker *shrinker;

	/* I/O */
	struct workqueue_struct *io_wq;	/* bios that must sleep on their way */
	struct workqueue_struct *load_wq;	/* what those may wait for: see preload.h */
	struct workqueue_struct *bg_wq;	/* write-back, freeing */
	/* Flushes of a base: the other two wait for bios that wait for these. */
	struct workqueue_struct *through_wq;
	struct bio_set split;
	mempool_t bounce;

	struct rw_semaphore targets_lock;	/* inside admin */
	struct list_head targets;	/* live tables of volumes and views */

	/* counters for status */
	u64 commits, writebacks;
	atomic64_t moved, copied, freed;	/* units of data, counted by whoever does it */
};

/*
 * The store on @bdev, with a reference; sleeps.  -EBUSY if another device-mapper device has it,
 * or this one has another that is active; -ENOMEM.
 */
struct ckpt_store *ckpt_store_get(struct mapped_device *md, struct block_device *bdev,
				  const struct ckpt_options *options);
/* The active store of that store target's device, with a reference, or -ENODEV. */
struct ckpt_store *ckpt_store_find(struct mapped_device *md);
/* The last reference frees it: nothing is written. */
void ckpt_store_put(struct ckpt_store *store);

/*
 * Replay the journal and begin a new epoch; then make the store as large as @sectors, if
 * that is more than before.  Does nothing more when it is active already.  Sleeps.
 */
int ckpt_store_activate(struct ckpt_store *store, u64 sectors);

/*
 * Suspend: hold up all volumes' bios, end what is under way, write the trees back.
 * Resume: undo that.
 */
void ckpt_store_suspend(struct ckpt_store *store);
void ckpt_store_resume(struct ckpt_store *store);

/*
 * The one place where metadata failures end: the store is read-only, unless it is already, with
 * one line in the log and one event.  Sleeps.
 */
void ckpt_store_degrade(struct ckpt_store *store, const char *why);

/* May metadata change?  0, or -EROFS, -EBUSY (suspended). */
int ckpt_store_writable(const struct ckpt_store *store);

struct ckpt_target;

/*
 * A volume's table goes live, or rests.  Sleeps.
 */
void ckpt_store_add_target(struct ckpt_store *store, struct ckpt_target *t);
void ckpt_store_remove_target(struct ckpt_store *store, struct ckpt_target *t);

/* The store target's live table, for events, or NULL; sleeps. */
void ckpt_store_set_live(struct ckpt_store *store, struct dm_target *ti);

/* Wait until no bio is in flight that was mapped before; sleeps. */
void ckpt_store_drain(struct ckpt_store *store);

/* Apply one journal entry to the images; store->commit is held.  See apply.c. */
int ckpt_apply(struct ckpt_store *store, const struct ckpt_entry_head *entry);

/* Load what an entry will need, before a window of the journal is replayed: see preload.h.  0. */
int ckpt_apply_ahead(struct ckpt_store *store, const struct ckpt_entry_head *entry);

/* Must whoever makes leaves dirty wait for a commit first?  Any context. */
static inline bool ckpt_commit_is_behind(const struct ckpt_store *store)
{
	return atomic_read(&store->nr_dirty_leaves) > READ_ONCE(store->dirty_most) / 3;
}

/* Slots that may be moved for one commit, as each may be in a leaf of its own. */
static inline unsigned int ckpt_commit_slots(const struct ckpt_store *store)
{
	return READ_ONCE(store->dirty_most) / 4;
}

#define ckpt_log(level, store, fmt, ...) \
	pr_##level("%pg: " fmt "\n", (store)->bdev, ##__VA_ARGS__)

#endif
