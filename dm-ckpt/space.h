/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The space map: which units of the store are in use.
 *
 * Each leaf has two contents.  Its image says what is in use as of the last commit.
 * Its live bits say what may not be handed out now: that, and windows that heads have
 * set aside, nodes that only the former superblock reaches, and data that were freed
 * but that a bio mapped before may still read.  So giving space back has two steps: the
 * image's bit is cleared by the commit that frees, the live bit when nothing
 * can want the old content any more.
 *
 * map() takes windows from a *stock* of free runs, which live bits already cover, so it
 * needs neither I/O nor memory.  Workers fill the stock: who finds it empty waits for one,
 * which does not happen where space is plenty, as each run that is used up has one fetch the
 * next while there are others.
 *
 * Some whole windows are *spare*: a part of the reserve that is kept in one piece each, also on a
 * full store, for merged slots that fit nowhere else.  They are made again of what merges give up.
 *
 * LOCKS: space->lock (irq-safe) is taken inside a leaf's node->lock; it guards the live
 * bits, the stock and the counters.
 */
#ifndef CKPT_SPACE_H
#define CKPT_SPACE_H

#include "node.h"

struct ckpt_repack;

#define CKPT_STOCK_RUNS 128
#define CKPT_SPARES 256

struct ckpt_space_run {
	u64 unit;
	u32 nr;
};

struct ckpt_space {
	struct ckpt_tree tree;
	spinlock_t lock;		/* see above */
	struct mutex refill;		/* one worker at a time scans */
	struct work_struct ahead;	/* of store->io_wq: fills the stock before it is empty */
	u64 used;			/* units in use in the images */
	u64 taken;			/* live bits: used, set aside, not yet given back */
	u64 reserve;			/* units that data of users may not take, spare ones too */
	u64 node_reserve;		/* those of them that are for nodes */
	u64 merge_reserve;		/* which a merge may borrow so many of */
	u64 merge_left;			/* and has not yet */
	u64 cursor;			/* unit where the scan for data goes on */
	u64 node_cursor;		/* and that for nodes */
	u64 stock_units;
	u64 broken;			/* windows that were taken from, at the most, since ever */
	u64 counted;			/* whole ones, when they were counted last */
	u64 counted_broken;		/* and what the former was then; the worker has these two */
	u64 spare_cursor;		/* unit where the scan for spare windows goes on */
	u64 spare_units;		/* in spare windows */
	unsigned int nr_spares, most_spares;
	unsigned int first_run, nr_runs;
	bool fragmented;		/* the last scan found no whole window */
	bool scarce;			/* windows are cut short */
	struct ckpt_space_run stock[CKPT_STOCK_RUNS];
	struct ckpt_space_run node_run;	/* for nodes */
	u64 spare[CKPT_SPARES];		/* first units of spare windows; under refill */
};

/*
 * Who asks for space.  A merge gives back at least what it takes, so on a full store it may borrow
 * some of the reserve; that there are nodes among what is taken does not make it less.
 */
enum ckpt_space_user {
	CKPT_SPACE_DATA,
	CKPT_SPACE_MERGE,
};

void ckpt_space_init(struct ckpt_store *store);

/* After replay: what is in use is what the images say. */
void ckpt_space_begin(struct ckpt_store *store, u64 used);

/*
 * A window for a cluster of which blocks [@first, @first + @nr) are wanted now: its place, and
 * *@own is the blocks that it really has, which include the wanted ones.  0: the stock must be
 * refilled first (no window begins there, as superblocks and journal are longer than one).  The
 * node->lock of a leaf is held.
 */
u64 ckpt_space_window(struct ckpt_store *store, u32 first, u32 nr, u32 *own);

/* The same for who holds no lock that keeps interrupts off. */
u64 ckpt_space_find_window(struct ckpt_store *store, u32 first, u32 nr, u32 *own);

/*
 * Fill the stock so that a window for a cluster's blocks [@first, @first + @nr) can be had;
 * sleeps.  -ENOSPC when there is no such place.
 */
int ckpt_space_refill(struct ckpt_store *store, u32 first, u32 nr);

/*
 * A window in which the places of all @blocks are free, wherever in the store: a row as long as
 * the window need not be.  They are set aside, and nothing else is.  Sleeps; -ENOSPC.
 */
int ckpt_space_fit(struct ckpt_store *store, enum ckpt_space_user user, u32 blocks, u64 *where);

/*
 * A spare window for a merge, if more than @keep are left.  The places of @blocks are set aside in
 * it, and the others are free.  Sleeps; -ENOSPC when there is none and none can be made, -EIO.
 */
int ckpt_space_spare(struct ckpt_store *store, unsigned int keep, u32 blocks, u64 *where);

/* Make as many spare windows as are missing, of what is free.  Sleeps; -EIO. */
int ckpt_space_make_spares(struct ckpt_store *store);

/*
 * Whole windows that are free, but for the spare ones, if there are fewer than @enough; else that
 * there are so many.  It looks at all of the map in the former case only: that there are enough
 * is mostly known, from what has been taken since it looked.  For the background worker.  Sleeps;
 * -EIO.
 */
int ckpt_space_count_windows(struct ckpt_store *store, u64 enough, u64 *windows);

/*
 * What is free in the next stretch of the store from *@cursor on, in units, which moves on; all
 * else may have to stay.  Nothing is set aside.  Sleeps; -EIO.
 */
int ckpt_space_survey(struct ckpt_store *store, u64 *cursor, struct ckpt_repack *repack);

/* Is the unit before these free, or the one behind them; or are both?  Sleeps. */
bool ckpt_space_borders(struct ckpt_store *store, u64 unit, u32 nr, bool both);

/* Has a merge borrowed anything?  And all of it is back. */
bool ckpt_space_borrowed(const struct ckpt_store *store);
void ckpt_space_repaid(struct ckpt_store *store);

/* Units that data may still take; what waits in the stock is among them.  Any context. */
u64 ckpt_space_left(const struct ckpt_store *store);

/*
 * Units that are set aside for heads' windows, or still on their way back; what waits in the
 * stock is free.  Any context that may sleep.
 */
u64 ckpt_space_reserved(struct ckpt_store *store);

/* Give the stock back to the map (a store at rest has none). */
void ckpt_space_drop_stock(struct ckpt_store *store);

/*
 * Set aside those of @blocks in the window at @where whose places are free: *@own, also after an
 * error.  Sleeps; -EIO.
 */
int ckpt_space_claim(struct ckpt_store *store, enum ckpt_space_user user, u64 where, u32 blocks,
		     u32 *own);

/*
 * Set or clear image bits; part of applying an entry: store->commit is held.
 * Sleeps; -EIO as ckpt_node_get().
 */
int ckpt_space_apply(struct ckpt_store *store, u64 unit, u32 nr, bool set);
/* @units is a mask as ckpt_unit_mask() makes them. */
int ckpt_space_apply_blocks(struct ckpt_store *store, u64 where, u32 units, bool set);

/*
 * A unit for a node, live and in the image; store->commit is held.  Sleeps; -ENOSPC
 * only when not even the reserve has one.
 */
int ckpt_space_node(struct ckpt_store *store, u64 *sector);

/* How many it has at the least, as things are.  Any context. */
u64 ckpt_space_node_room(const struct ckpt_store *store);

/*
 * Clear the live bits of these units, which are set.  Any context; the leaf is in memory, as
 * one whose live bits go beyond its image stays there.
 */
void ckpt_space_release(struct ckpt_store *store, u64 unit, u32 nr);

/* Live content of a leaf as it is loaded.  Sleeps until there is memory. */
void ckpt_space_leaf_alloc(struct ckpt_node *node);
/* Nothing set aside in this leaf?  node->lock is held. */
bool ckpt_space_leaf_idle(const struct ckpt_node *node);

#endif
