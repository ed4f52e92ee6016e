// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "free.h"
#include "repack.h"
#include "spacebits.h"
#include "store.h"
#include "writeback.h"

/* Units that a refill sets aside at the most: 16 MiB, which map() then hands out. */
#define STOCK_UNITS	4096u
/*
 * Units that the stock is to have while it is handed out, where AHEAD_TIMES as many are left: with
 * several refills in hand nobody waits for the worker who fetches the next.
 */
#define AHEAD_UNITS	(4 * STOCK_UNITS)
#define AHEAD_TIMES	4u
/* Units of a run from which nodes are placed, so that they stand together. */
#define NODE_RUN	64u
/* With less than this part of the store free, whole windows would set aside what others need. */
#define SCARCE_SHIFT	4
/* No more than this part of the store is spare windows. */
#define SPARE_SHIFT	5

static void refill_ahead(struct work_struct *work);

void ckpt_space_init(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;

	spin_lock_init(&space->lock);
	mutex_init(&space->refill);
	INIT_WORK(&space->ahead, refill_ahead);
	ckpt_tree_init(&space->tree, store, CKPT_TREE_SPACE, CKPT_SPACE_LEVELS, 0);
}

void ckpt_space_begin(struct ckpt_store *store, u64 used)
{
	const struct ckpt_geometry *g = &store->geometry;
	struct ckpt_space *space = &store->space;
	u32 whole = ckpt_cluster_units(g);

	space->used = used;
	space->taken = used;
	space->most_spares = min_t(u64, (ckpt_capacity(g) >> SPARE_SHIFT) / whole, CKPT_SPARES);
	space->merge_reserve = max(whole, store->dirty_limit / 4);
	space->merge_left = space->merge_reserve;
	space->node_reserve = 2ull * store->dirty_limit + 64;
	space->reserve = space->node_reserve + space->merge_reserve + space->most_spares * whole;
	space->cursor = ckpt_first_free_unit(g);
	space->node_cursor = space->cursor;
	/* At the end, so that they lie in nobody's way. */
	space->spare_cursor = ckpt_store_units(g) - space->most_spares * whole;
}

void ckpt_space_leaf_alloc(struct ckpt_node *node)
{
	node->live = ckpt_page_get(node->store);
	memcpy(node->live, node->image, CKPT_NODE_BYTES);
}

bool ckpt_space_leaf_idle(const struct ckpt_node *node)
{
	struct ckpt_space *space = &node->store->space;
	bool idle;

	spin_lock(&space->lock);
	idle = !memcmp(node->live, node->image, CKPT_NODE_BYTES);
	spin_unlock(&space->lock);
	return idle;
}

/* Units that may be taken before data get no more.  What is spare has been taken already. */
static u64 data_limit(const struct ckpt_store *store)
{
	u64 all = ckpt_capacity(&store->geometry);

	return all - min(all, store->space.reserve - READ_ONCE(store->space.spare_units));
}

/* What is spare, or would be if it stood in whole windows, is for merges. */
static u64 merge_limit(const struct ckpt_store *store)
{
	const struct ckpt_space *space = &store->space;
	u64 all = ckpt_capacity(&store->geometry);

	return all - min(all, space->node_reserve + space->merge_reserve);
}

static bool may_take(const struct ckpt_store *store, enum ckpt_space_user user, u32 units)
{
	const struct ckpt_space *space = &store->space;
	u64 taken = READ_ONCE(space->taken) + units;

	return user == CKPT_SPACE_MERGE ?
	       taken <= merge_limit(store) || units <= READ_ONCE(space->merge_left) :
	       taken <= data_limit(store);
}

/* So many in one row are not free any more; space->lock is held. */
static void break_windows(struct ckpt_store *store, u32 units)
{
	struct ckpt_space *space = &store->space;

	WRITE_ONCE(space->broken,
		   space->broken + units / ckpt_cluster_units(&store->geometry) + 2);
}

/* space->lock is held, and they may be taken. */
static void count_taken(struct ckpt_store *store, enum ckpt_space_user user, u32 units)
{
	struct ckpt_space *space = &store->space;

	break_windows(store, units);
	WRITE_ONCE(space->taken, space->taken + units);
	if (user == CKPT_SPACE_MERGE && space->taken > merge_limit(store))
		WRITE_ONCE(space->merge_left,
			   space->merge_left - min_t(u64, units, space->merge_left));
}

bool ckpt_space_borrowed(const struct ckpt_store *store)
{
	return READ_ONCE(store->space.merge_left) < store->space.merge_reserve;
}

void ckpt_space_repaid(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;

	spin_lock_irq(&space->lock);
	WRITE_ONCE(space->merge_left, space->merge_reserve);
	spin_unlock_irq(&space->lock);
}

u64 ckpt_space_left(const struct ckpt_store *store)
{
	const struct ckpt_space *space = &store->space;
	u64 taken = READ_ONCE(space->taken) - READ_ONCE(space->stock_units);
	u64 limit = data_limit(store);

	return limit - min(limit, taken);
}

/* Units of leaf @index that the store has; the last one may be cut off. */
static u32 leaf_end(struct ckpt_store *store, u64 index)
{
	u64 left = ckpt_store_units(&store->geometry) - index * CKPT_SPACE_LEAF_UNITS;

	return min_t(u64, left, CKPT_SPACE_LEAF_UNITS);
}

/* ---- images ---- */

int ckpt_space_apply(struct ckpt_store *store, u64 unit, u32 nr, bool set)
{
	struct ckpt_space *space = &store->space;

	while (nr) {
		u32 first = unit % CKPT_SPACE_LEAF_UNITS;
		u32 part = min(nr, CKPT_SPACE_LEAF_UNITS - first);
		struct ckpt_node *leaf;
		u32 changed, live = 0;
		unsigned long flags;
		__le64 *image;

		leaf = ckpt_node_get(&space->tree, 0, unit / CKPT_SPACE_LEAF_UNITS, true);
		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		image = ckpt_node_change(leaf);
		spin_lock_irqsave(&space->lock, flags);
		if (set) {
			changed = ckpt_bits_set(image, first, part);
			live = ckpt_bits_set(leaf->live, first, part);
			WRITE_ONCE(space->used, space->used + changed);
			WRITE_ONCE(space->taken, space->taken + live);
		} else {
			changed = ckpt_bits_clear(image, first, part);
			WRITE_ONCE(space->used, space->used - changed);
		}
		spin_unlock_irqrestore(&space->lock, flags);
		ckpt_node_put(leaf);
		if (changed != part) {
			ckpt_log(err, store, "space map is damaged: %u units at %llu are %s already",
				 part - changed, unit, set ? "in use" : "free");
			return -EIO;
		}
		unit += part;
		nr -= part;
	}
	return 0;
}

int ckpt_space_apply_blocks(struct ckpt_store *store, u64 where, u32 units, bool set)
{
	u32 shift = ckpt_unit_mask_shift(&store->geometry);

	while (units) {
		u32 first = (u32)__ffs(units), nr = ckpt_run(units, first);
		int r;

		r = ckpt_space_apply(store, (where + ((u64)first << shift)) >> CKPT_UNIT_SHIFT,
				     nr << (shift - CKPT_UNIT_SHIFT), set);
		if (r)
			return r;
		units &= ~ckpt_mask(first, nr);
	}
	return 0;
}

/* ---- live bits ---- */

void ckpt_space_release(struct ckpt_store *store, u64 unit, u32 nr)
{
	struct ckpt_space *space = &store->space;

	rcu_read_lock();
	while (nr) {
		u32 first = unit % CKPT_SPACE_LEAF_UNITS;
		u32 part = min(nr, CKPT_SPACE_LEAF_UNITS - first), cleared;
		struct ckpt_node *leaf;
		unsigned long flags;

		leaf = ckpt_node_find(&space->tree, 0, unit / CKPT_SPACE_LEAF_UNITS);
		if (!WARN_ON_ONCE(!leaf)) {
			spin_lock_irqsave(&space->lock, flags);
			cleared = ckpt_bits_clear(leaf->live, first, part);
			WRITE_ONCE(space->taken, space->taken - cleared);
			WRITE_ONCE(space->fragmented, false);
			spin_unlock_irqrestore(&space->lock, flags);
		}
		unit += part;
		nr -= part;
	}
	rcu_read_unlock();
}

int ckpt_space_claim(struct ckpt_store *store, enum ckpt_space_user user, u64 where, u32 blocks,
		     u32 *own)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 mask = ckpt_unit_mask(g, blocks), shift = ckpt_unit_mask_shift(g);
	u32 each = 1u << (shift - CKPT_UNIT_SHIFT), got = 0, i;
	struct ckpt_space *space = &store->space;
	int r = 0;

	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		u64 unit = (where >> CKPT_UNIT_SHIFT) + i * each;
		u32 first = unit % CKPT_SPACE_LEAF_UNITS;
		struct ckpt_node *leaf;
		unsigned long flags;

		/* A block that straddles two leaves is not worth the trouble. */
		if (!(mask & ckpt_mask(i, 1)) || unit < ckpt_first_free_unit(g) ||
		    unit + each > ckpt_store_units(g) ||
		    first + each > CKPT_SPACE_LEAF_UNITS)
			continue;
		leaf = ckpt_node_get(&space->tree, 0, unit / CKPT_SPACE_LEAF_UNITS, true);
		if (IS_ERR(leaf)) {
			/* What there is so far is the caller's all the same. */
			r = PTR_ERR(leaf);
			break;
		}
		spin_lock_irqsave(&space->lock, flags);
		if (!ckpt_bits_any(leaf->live, first, each) &&
		    may_take(store, user, each)) {
			count_taken(store, user, ckpt_bits_set(leaf->live, first, each));
			got |= ckpt_mask(i, 1);
		}
		spin_unlock_irqrestore(&space->lock, flags);
		ckpt_node_put(leaf);
	}
	*own = 0;
	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++)
		if (got & ckpt_unit_mask(g, ckpt_mask(i, 1)))
			*own |= ckpt_mask(i, 1);
	*own &= blocks;
	return r;
}

/* ---- the stock ---- */

static struct ckpt_space_run *stock_run(struct ckpt_space *space, unsigned int i)
{
	return &space->stock[(space->first_run + i) % CKPT_STOCK_RUNS];
}

/* Where space is short, what nobody asks for yet is not kept from others. */
static bool may_refill_ahead(const struct ckpt_space *space)
{
	return !READ_ONCE(space->scarce) && !READ_ONCE(space->fragmented);
}

/* Blocks of the window at unit @where that lie within units [@from, @end). */
static u32 blocks_within(const struct ckpt_geometry *g, u64 where, u64 from, u64 end)
{
	u32 own = 0, i;

	for (i = 0; i < CKPT_CLUSTER_BLOCKS; i++) {
		u64 first = (where << CKPT_UNIT_SHIFT) + ((u64)i << g->block_shift);
		u64 last = first + ckpt_block_sectors(g) - 1;

		if (first >> CKPT_UNIT_SHIFT >= from && last >> CKPT_UNIT_SHIFT < end)
			own |= ckpt_mask(i, 1);
	}
	return own;
}

/* Units that blocks [@first, @first + @nr) of a window touch; *@skip: those before them. */
static u32 units_touched(const struct ckpt_geometry *g, u32 first, u32 nr, u32 *skip)
{
	*skip = (first << g->block_shift) >> CKPT_UNIT_SHIFT;
	return DIV_ROUND_UP((first + nr) << g->block_shift, CKPT_NODE_SECTORS) - *skip;
}

/* The first runs that have nothing left go, and others are to come; space->lock is held. */
static noinline void drop_empty_runs(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;

	while (space->nr_runs && !stock_run(space, 0)->nr) {
		space->first_run = (space->first_run + 1) % CKPT_STOCK_RUNS;
		WRITE_ONCE(space->nr_runs, space->nr_runs - 1);
	}
	/* Of short runs many at once. */
	if (may_refill_ahead(space) && space->nr_runs <= CKPT_STOCK_RUNS / 2)
		queue_work(store->io_wq, &space->ahead);
}

/* So many units of the run are the caller's; space->lock is held. */
static inline void leave_stock(struct ckpt_store *store, struct ckpt_space_run *run, u32 units)
{
	struct ckpt_space *space = &store->space;

	run->unit += units;
	run->nr -= units;
	WRITE_ONCE(space->stock_units, space->stock_units - units);
	if (unlikely(!run->nr))
		drop_empty_runs(store);
}

/* A window that is cut short, if that may be; space->lock is held. */
static u64 cut_window(struct ckpt_store *store, struct ckpt_space_run *run, u32 first, u32 nr,
		      u32 *own)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 skip, need = units_touched(g, first, nr, &skip), taken;
	struct ckpt_space *space = &store->space;
	bool scarce = READ_ONCE(space->scarce);
	u64 at = run->unit - skip;

	if ((!scarce && !READ_ONCE(space->fragmented)) || run->nr < need)
		return 0;
	taken = min(run->nr, ckpt_cluster_units(g) - skip);
	/* A slot that outgrows this moves; twice as much makes that seldom. */
	if (scarce)
		taken = min(taken, 2 * need);
	*own = blocks_within(g, at, run->unit, run->unit + taken);
	/* What no whole block can use stays in the run. */
	if (g->block_shift > CKPT_UNIT_SHIFT)
		taken &= ~((ckpt_block_sectors(g) >> CKPT_UNIT_SHIFT) - 1);
	leave_stock(store, run, taken);
	return at << CKPT_UNIT_SHIFT;
}

/* space->lock is held. */
static inline u64 whole_window(struct ckpt_store *store, struct ckpt_space_run *run, u32 *own)
{
	u64 where = run->unit << CKPT_UNIT_SHIFT;

	*own = ~0u;
	leave_stock(store, run, ckpt_cluster_units(&store->geometry));
	return where;
}

/* From the first run that has one; space->lock is held. */
static noinline u64 search_stock(struct ckpt_store *store, u32 first, u32 nr, u32 *own)
{
	u32 whole = ckpt_cluster_units(&store->geometry);
	struct ckpt_space *space = &store->space;
	unsigned int i;
	u64 where = 0;

	for (i = 0; i < space->nr_runs && !where; i++) {
		struct ckpt_space_run *run = stock_run(space, i);

		if (run->nr >= whole && !READ_ONCE(space->scarce))
			where = whole_window(store, run, own);
		else
			where = cut_window(store, run, first, nr, own);
	}
	return where;
}

/* Most find a whole window in the first run; space->lock is held. */
static inline u64 window(struct ckpt_store *store, u32 first, u32 nr, u32 *own)
{
	struct ckpt_space *space = &store->space;
	struct ckpt_space_run *run = stock_run(space, 0);

	if (likely(space->nr_runs && run->nr >= ckpt_cluster_units(&store->geometry) &&
		   !READ_ONCE(space->scarce)))
		return whole_window(store, run, own);
	return search_stock(store, first, nr, own);
}

u64 ckpt_space_window(struct ckpt_store *store, u32 first, u32 nr, u32 *own)
{
	u64 where;

	spin_lock(&store->space.lock);
	where = window(store, first, nr, own);
	spin_unlock(&store->space.lock);
	return where;
}

u64 ckpt_space_find_window(struct ckpt_store *store, u32 first, u32 nr, u32 *own)
{
	u64 where;

	spin_lock_irq(&store->space.lock);
	where = window(store, first, nr, own);
	spin_unlock_irq(&store->space.lock);
	return where;
}

void ckpt_space_drop_stock(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;
	struct ckpt_space_run run;

	for (;;) {
		spin_lock_irq(&space->lock);
		if (!space->nr_runs) {
			spin_unlock_irq(&space->lock);
			break;
		}
		run = *stock_run(space, 0);
		space->first_run = (space->first_run + 1) % CKPT_STOCK_RUNS;
		WRITE_ONCE(space->nr_runs, space->nr_runs - 1);
		WRITE_ONCE(space->stock_units, space->stock_units - run.nr);
		spin_unlock_irq(&space->lock);
		if (run.nr)
			ckpt_space_release(store, run.unit, run.nr);
	}
}

/*
 * Take a run of at least @least and at most @most free units at or behind *@cursor, which
 * moves on; one turn around the store.  Live bits are set.
 */
static int take_run(struct ckpt_store *store, u64 *cursor, u32 least, u32 most,
		    struct ckpt_space_run *run)
{
	u64 leaves = DIV_ROUND_UP_ULL(ckpt_store_units(&store->geometry),
				      CKPT_SPACE_LEAF_UNITS);
	struct ckpt_space *space = &store->space;
	u64 turn;

	for (turn = 0; turn <= leaves + 1; turn++) {
		u64 index = *cursor / CKPT_SPACE_LEAF_UNITS;
		u32 from = *cursor % CKPT_SPACE_LEAF_UNITS, end, found, first;
		struct ckpt_node *leaf;

		if (index >= leaves) {
			*cursor = ckpt_first_free_unit(&store->geometry);
			continue;
		}
		leaf = ckpt_node_get(&space->tree, 0, index, true);
		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		end = leaf_end(store, index);
		spin_lock_irq(&space->lock);
		while ((found = ckpt_bits_find(leaf->live, from, end, most, &first))) {
			if (found >= least)
				break;
			from = first + found;
		}
		if (found) {
			break_windows(store, found);
			WRITE_ONCE(space->taken,
				   space->taken + ckpt_bits_set(leaf->live, first, found));
		}
		spin_unlock_irq(&space->lock);
		ckpt_node_put(leaf);
		if (found) {
			run->unit = index * CKPT_SPACE_LEAF_UNITS + first;
			run->nr = found;
			*cursor = run->unit + found;
			return 0;
		}
		*cursor = (index + 1) * CKPT_SPACE_LEAF_UNITS;
	}
	return -ENOSPC;
}

static bool stock_has(struct ckpt_space *space, u32 units)
{
	unsigned int i;
	bool has = false;

	spin_lock_irq(&space->lock);
	for (i = 0; i < space->nr_runs && !has; i++)
		has = stock_run(space, i)->nr >= units;
	spin_unlock_irq(&space->lock);
	return has;
}

/*
 * Add runs of at least @least units to the stock, until it has so many; -ENOSPC when there are
 * none.  space->refill is held.
 */
static int add_runs(struct ckpt_store *store, u32 least, u64 enough)
{
	u64 limit = data_limit(store), taken;
	struct ckpt_space *space = &store->space;
	bool any = false;

	for (;;) {
		struct ckpt_space_run run;
		int r;

		taken = READ_ONCE(space->taken);
		/* Others only lower these two. */
		if (taken + least > limit || READ_ONCE(space->nr_runs) == CKPT_STOCK_RUNS ||
		    READ_ONCE(space->stock_units) >= enough)
			break;
		r = take_run(store, &space->cursor, least,
			     min_t(u64, limit - taken, STOCK_UNITS), &run);
		if (r == -ENOSPC)
			break;
		if (r)
			return r;
		spin_lock_irq(&space->lock);
		*stock_run(space, space->nr_runs) = run;
		WRITE_ONCE(space->nr_runs, space->nr_runs + 1);
		WRITE_ONCE(space->stock_units, space->stock_units + run.nr);
		spin_unlock_irq(&space->lock);
		any = true;
	}
	return any ? 0 : -ENOSPC;
}

/* ---- spare windows ---- */

/* What nodes need is not touched.  space->refill is held.  Sleeps; -EIO. */
static int add_spares(struct ckpt_store *store)
{
	u32 whole = ckpt_cluster_units(&store->geometry);
	struct ckpt_space *space = &store->space;
	struct ckpt_space_run run;
	int r = 0;

	while (!r && space->nr_spares < space->most_spares &&
	       READ_ONCE(space->taken) + whole <= merge_limit(store)) {
		r = take_run(store, &space->spare_cursor, whole, whole, &run);
		if (r)
			break;
		spin_lock_irq(&space->lock);
		space->spare[space->nr_spares] = run.unit;
		WRITE_ONCE(space->nr_spares, space->nr_spares + 1);
		WRITE_ONCE(space->spare_units, space->spare_units + whole);
		spin_unlock_irq(&space->lock);
	}
	return r == -ENOSPC ? 0 : r;
}

int ckpt_space_make_spares(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;
	int r;

	mutex_lock(&space->refill);
	r = add_spares(store);
	mutex_unlock(&space->refill);
	return r;
}

int ckpt_space_spare(struct ckpt_store *store, unsigned int keep, u32 blocks, u64 *where)
{
	const struct ckpt_geometry *g = &store->geometry;
	struct ckpt_space *space = &store->space;
	u32 mask = ckpt_unit_mask(g, ~0u);
	int r = 0;

	mutex_lock(&space->refill);
	/* Which goes through all of the map when there is no window left. */
	if (space->nr_spares <= keep)
		r = add_spares(store);
	if (!r && space->nr_spares <= keep)
		r = -ENOSPC;
	if (!r) {
		spin_lock_irq(&space->lock);
		WRITE_ONCE(space->nr_spares, space->nr_spares - 1);
		WRITE_ONCE(space->spare_units, space->spare_units - ckpt_cluster_units(g));
		spin_unlock_irq(&space->lock);
		*where = space->spare[space->nr_spares] << CKPT_UNIT_SHIFT;
	}
	mutex_unlock(&space->refill);
	if (!r)
		ckpt_free_mask(store, *where, mask & ~ckpt_unit_mask(g, blocks), 0);
	return r;
}

/* ---- windows for who asks ---- */

int ckpt_space_refill(struct ckpt_store *store, u32 first, u32 nr)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 skip, need = units_touched(g, first, nr, &skip);
	struct ckpt_space *space = &store->space;
	int r;

	mutex_lock(&space->refill);
	r = READ_ONCE(space->fragmented) ? 0 : add_spares(store);
	WRITE_ONCE(space->scarce, ckpt_space_left(store) < ckpt_capacity(g) >> SCARCE_SHIFT);
	if (!r && !stock_has(space, READ_ONCE(space->fragmented) || space->scarce ? need :
		       ckpt_cluster_units(g))) {
		/* Remains that are too short for a window would only fill the stock. */
		ckpt_space_drop_stock(store);
		WRITE_ONCE(space->fragmented, false);
		r = add_runs(store, ckpt_cluster_units(g), STOCK_UNITS);
		if (r == -ENOSPC) {
			WRITE_ONCE(space->fragmented, true);
			r = add_runs(store, need, STOCK_UNITS);
		}
	}
	mutex_unlock(&space->refill);
	return r;
}

/* It is no more than a hint: who finds the stock empty fills it himself, and sees why it is. */
static void refill_ahead(struct work_struct *work)
{
	struct ckpt_space *space = container_of(work, struct ckpt_space, ahead);
	struct ckpt_store *store = container_of(space, struct ckpt_store, space);
	u64 enough = min_t(u64, AHEAD_UNITS, ckpt_space_left(store) / AHEAD_TIMES);

	mutex_lock(&space->refill);
	/* A run may have as many as a refill, and that is not to be too much. */
	if (may_refill_ahead(space) && enough >= STOCK_UNITS)
		add_runs(store, ckpt_cluster_units(&store->geometry), enough - STOCK_UNITS + 1);
	mutex_unlock(&space->refill);
}

/* The pattern of @blocks' units in this leaf of the map; -ENOSPC. */
static int fit_in_leaf(struct ckpt_store *store, enum ckpt_space_user user, u64 index, u32 mask,
		       u32 each, u64 *unit)
{
	u64 first = index * CKPT_SPACE_LEAF_UNITS;
	u64 from = max(first, ckpt_first_free_unit(&store->geometry)) - first;
	u32 end = leaf_end(store, index), place, i;
	struct ckpt_space *space = &store->space;
	struct ckpt_node *leaf;

	leaf = ckpt_node_get(&space->tree, 0, index, true);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	spin_lock_irq(&space->lock);
	place = ckpt_bits_fit(leaf->live, min_t(u64, from, end), end, mask, each);
	for (i = 0; place < end && i < CKPT_CLUSTER_BLOCKS; i++)
		if (mask & ckpt_mask(i, 1))
			count_taken(store, user,
				    ckpt_bits_set(leaf->live, place + i * each, each));
	spin_unlock_irq(&space->lock);
	ckpt_node_put(leaf);
	*unit = first + place;
	return place < end ? 0 : -ENOSPC;
}

int ckpt_space_fit(struct ckpt_store *store, enum ckpt_space_user user, u32 blocks, u64 *where)
{
	const struct ckpt_geometry *g = &store->geometry;
	u64 leaves = DIV_ROUND_UP_ULL(ckpt_store_units(g), CKPT_SPACE_LEAF_UNITS), index, unit;
	u32 mask = ckpt_unit_mask(g, blocks), shift = ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT;
	u32 first = (u32)__ffs(mask), need = hweight32(mask) << shift;
	struct ckpt_space *space = &store->space;
	int r = -ENOSPC;

	mutex_lock(&space->refill);
	ckpt_space_drop_stock(store);
	if (!may_take(store, user, need))
		leaves = 0;
	for (index = ckpt_first_free_unit(g) / CKPT_SPACE_LEAF_UNITS;
	     r == -ENOSPC && index < leaves; index++)
		r = fit_in_leaf(store, user, index, mask >> first, 1u << shift, &unit);
	mutex_unlock(&space->refill);
	if (!r)
		*where = (unit - ((u64)first << shift)) << CKPT_UNIT_SHIFT;
	return r;
}

/* Whole windows of which is known, without a look at the map, that they are free. */
static u64 known_windows(const struct ckpt_store *store)
{
	const struct ckpt_space *space = &store->space;
	u64 leaves = ckpt_store_units(&store->geometry) / CKPT_SPACE_LEAF_UNITS + 1;
	u64 all = ckpt_capacity(&store->geometry) / ckpt_cluster_units(&store->geometry);
	/* A row ends at each leaf of the map, and at each unit that is taken. */
	u64 ends = READ_ONCE(space->taken) + leaves;
	u64 broken = READ_ONCE(space->broken) - space->counted_broken;

	return max(all - min(all, ends), space->counted - min(space->counted, broken));
}

static int count_in_leaf(struct ckpt_store *store, u64 index, u64 *windows)
{
	struct ckpt_node *leaf = ckpt_node_get(&store->space.tree, 0, index, false);
	u32 whole = ckpt_cluster_units(&store->geometry), from, first, nr;
	u32 end = leaf_end(store, index);

	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	if (!leaf) {
		*windows += end / whole;
		return 0;
	}
	spin_lock_irq(&store->space.lock);
	for (from = 0; (nr = ckpt_bits_find(leaf->live, from, end, end, &first)); from = first + nr)
		*windows += nr / whole;
	spin_unlock_irq(&store->space.lock);
	ckpt_node_put(leaf);
	return 0;
}

int ckpt_space_count_windows(struct ckpt_store *store, u64 enough, u64 *windows)
{
	u64 leaves = DIV_ROUND_UP_ULL(ckpt_store_units(&store->geometry), CKPT_SPACE_LEAF_UNITS);
	struct ckpt_space *space = &store->space;
	u64 stock = READ_ONCE(space->stock_units) / ckpt_cluster_units(&store->geometry);
	u64 broken = READ_ONCE(space->broken), counted = 0, index, turn;
	int r = 0;

	*windows = stock + known_windows(store);
	if (*windows >= enough)
		return 0;
	/* Where they are taken from next are most; and of more it is known for longer. */
	index = READ_ONCE(space->cursor) / CKPT_SPACE_LEAF_UNITS;
	for (turn = 0; !r && turn < leaves && counted < 2 * enough; turn++, index++) {
		if (index >= leaves)
			index = 0;
		r = count_in_leaf(store, index, &counted);
		cond_resched();
	}
	if (r)
		return r;
	space->counted = counted;
	space->counted_broken = broken;
	*windows = stock + counted;
	return 0;
}

int ckpt_space_survey(struct ckpt_store *store, u64 *cursor, struct ckpt_repack *repack)
{
	struct ckpt_space *space = &store->space;
	u32 from, to, first, nr;
	struct ckpt_node *leaf;
	u64 index;

	if (*cursor < ckpt_first_free_unit(&store->geometry) ||
	    *cursor >= ckpt_store_units(&store->geometry))
		*cursor = ckpt_first_free_unit(&store->geometry);
	index = *cursor / CKPT_SPACE_LEAF_UNITS;
	from = *cursor % CKPT_SPACE_LEAF_UNITS;
	to = min(from + CKPT_REPACK_UNITS, leaf_end(store, index));
	ckpt_repack_begin(repack, &store->geometry, *cursor, to - from);
	*cursor += to - from;
	leaf = ckpt_node_get(&space->tree, 0, index, true);
	if (IS_ERR(leaf))
		return PTR_ERR(leaf);
	spin_lock_irq(&space->lock);
	for (; (nr = ckpt_bits_find(leaf->live, from, to, to, &first)); from = first + nr)
		ckpt_repack_note_free(repack, index * CKPT_SPACE_LEAF_UNITS + first, nr);
	spin_unlock_irq(&space->lock);
	ckpt_node_put(leaf);
	return 0;
}

static bool is_free(struct ckpt_store *store, u64 unit)
{
	struct ckpt_space *space = &store->space;
	struct ckpt_node *leaf;
	bool taken;

	if (unit < ckpt_first_free_unit(&store->geometry) ||
	    unit >= ckpt_store_units(&store->geometry))
		return false;
	leaf = ckpt_node_get(&space->tree, 0, unit / CKPT_SPACE_LEAF_UNITS, true);
	if (IS_ERR(leaf))
		return false;
	spin_lock_irq(&space->lock);
	taken = ckpt_bits_any(leaf->live, unit % CKPT_SPACE_LEAF_UNITS, 1);
	spin_unlock_irq(&space->lock);
	ckpt_node_put(leaf);
	return !taken;
}

bool ckpt_space_borders(struct ckpt_store *store, u64 unit, u32 nr, bool both)
{
	bool before = is_free(store, unit - 1);

	return before == both ? is_free(store, unit + nr) : before;
}

u64 ckpt_space_reserved(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;
	u64 units;

	spin_lock_irq(&space->lock);
	units = space->taken - space->used - space->stock_units - space->spare_units -
		space->node_run.nr;
	spin_unlock_irq(&space->lock);
	return units;
}

/* ---- nodes ---- */

u64 ckpt_space_node_room(const struct ckpt_store *store)
{
	const struct ckpt_space *space = &store->space;
	u64 taken = READ_ONCE(space->taken) - READ_ONCE(space->stock_units);
	u64 all = ckpt_capacity(&store->geometry);

	return all - min(all, taken) + READ_ONCE(space->node_run.nr);
}

/*
 * Data have been up to their limit: what of that is still in the stock is given up, so that nodes
 * eat up no more of the reserve than data leave.  And in the end merges do without a spare window.
 */
static int take_node_run(struct ckpt_store *store)
{
	struct ckpt_space *space = &store->space;
	int r = take_run(store, &space->node_cursor, 1, NODE_RUN, &space->node_run);
	u64 where;

	if (r == -ENOSPC) {
		r = ckpt_space_spare(store, 0, ~0u, &where);
		if (!r)
			space->node_run = (struct ckpt_space_run) {
				where >> CKPT_UNIT_SHIFT, ckpt_cluster_units(&store->geometry)
			};
	}
	if (!r && READ_ONCE(space->taken) > data_limit(store))
		ckpt_space_drop_stock(store);
	return r;
}

int ckpt_space_node(struct ckpt_store *store, u64 *sector)
{
	struct ckpt_space *space = &store->space;
	struct ckpt_space_run *run = &space->node_run;
	int r;

	lockdep_assert_held(&store->commit);
	if (!run->nr) {
		r = take_node_run(store);
		if (r)
			return r;
	}
	r = ckpt_space_apply(store, run->unit, 1, true);
	if (r)
		return r;
	*sector = run->unit++ << CKPT_UNIT_SHIFT;
	WRITE_ONCE(run->nr, run->nr - 1);
	return 0;
}
