// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>
#include <linux/sort.h>

#include "copy.h"
#include "fault.h"
#include "free.h"
#include "gc.h"
#include "move.h"
#include "pace.h"
#include "pack.h"
#include "pressure.h"
#include "room.h"
#include "store.h"

/* Slots that are moved to the same rows, at the most. */
#define BATCH		256u
/* Batches before others have their turn, who may merge. */
#define BATCHES		16u
/* Windows that they go to, and how many side by side are a long row. */
#define ROWS		128u
#define LONG_WINDOWS	8u
/* For who has asked, this part of the store's windows is enough, and so many at the least. */
#define ENOUGH_SHIFT	5
#define ENOUGH_SLOTS	1024u
/*
 * So many whole windows, a part of all and not more than that, are to be there before a head needs
 * them, or half of what is left; unless that is less than such a part.
 */
#define FEW_SHIFT	3
#define FEW_MOST	(1u << 18)
#define LITTLE_SHIFT	5
/* Fewer that have been moved are the edges of what was packed before. */
#define WORTH_SLOTS	32u
/* Windows that are cleared at once, and stretches that are looked at in vain before it ends. */
#define ROOM_WINDOWS	64u
#define ROOM_STRETCHES	8u
/* A batch has something on loan, and so ends with the first leaf after this. */
#define BATCH_JIFFIES	(HZ / 2)
/* When nothing is to be had, it is asked for after so long again, and then twice as long ... */
#define AGAIN_JIFFIES	HZ
/* ... up to this many times. */
#define AGAIN_MOST	3u

/* What has been asked for. */
enum asked {
	ASKED_WINDOWS	= 1,		/* there are no whole windows any more */
	ASKED_PLACE	= 2,		/* somebody waits for a place */
	ASKED_HEADS	= 4,		/* somebody has: slots of heads may be packed as well */
};

/* Units that nobody has. */
struct row {
	u64 unit;
	u32 units;
	bool is_long;			/* it was, to begin with */
};

struct pack {
	struct ckpt_store *store;
	struct ckpt_layer *layer;
	bool full;			/* there is no row for the next slot */
	unsigned long until;		/* jiffies, when a batch ends */
	unsigned int nr, most, nr_rows;
	struct row row[ROWS];
	struct ckpt_moving moving[BATCH];
};

/* ---- asking ---- */

static bool is_vain(const struct ckpt_store *store, bool place)
{
	return READ_ONCE(store->pack_fails[place]) &&
	       time_before(jiffies, READ_ONCE(store->pack_again[place]));
}

static bool may_be_asked(struct ckpt_store *store, bool place)
{
	return ckpt_pace_may_copy(store) && !is_vain(store, place) &&
	       ckpt_space_left(store) >= 2 * ckpt_cluster_units(&store->geometry);
}

bool ckpt_pack_ask(struct ckpt_store *store, bool place)
{
	int bits = place ? ASKED_WINDOWS | ASKED_PLACE | ASKED_HEADS : ASKED_WINDOWS;

	if (!may_be_asked(store, place))
		return false;
	if (bits & ~atomic_fetch_or(bits, &store->pack_asked)) {
		/* A merge gives way to who waits, and so does the next loan. */
		ckpt_pace_wake(store);
		wake_up_all(&store->loan_wait);
		ckpt_gc_kick(store);
	}
	return true;
}

bool ckpt_pack_is_asked(const struct ckpt_store *store)
{
	return atomic_read(&store->pack_asked);
}

bool ckpt_pack_is_urgent(const struct ckpt_store *store)
{
	return atomic_read(&store->pack_asked) & ASKED_PLACE;
}

/* Somebody has asked for more than the worker goes by. */
static bool wants_more(const struct ckpt_store *store)
{
	return atomic_read(&store->pack_asked) & ASKED_HEADS && !store->pack_heads;
}

void ckpt_pack_accept(struct ckpt_store *store)
{
	store->pack_heads = atomic_read(&store->pack_asked) & ASKED_HEADS;
}

/* Who waits tries again, and asks again if it is not enough. */
static void tell(struct ckpt_store *store, int asked)
{
	atomic_andnot(asked, &store->pack_asked);
	wake_up_all(&store->loan_wait);
}

/* Who asks next has it go on from here. */
static void pause(struct ckpt_store *store)
{
	store->pack_moved = 0;
	tell(store, ASKED_WINDOWS | (store->pack_heads ? ASKED_PLACE | ASKED_HEADS : 0));
}

static void end_turn(struct ckpt_store *store, bool heads)
{
	unsigned int fails = store->pack_fails[heads];

	WRITE_ONCE(store->pack_again[heads], jiffies + (AGAIN_JIFFIES << fails));
	fails = store->pack_moved < WORTH_SLOTS ? min(fails + 1, AGAIN_MOST) : 0;
	WRITE_ONCE(store->pack_fails[heads], fails);
	store->pack_turn[heads]++;
}

void ckpt_pack_answer(struct ckpt_store *store)
{
	end_turn(store, false);
	if (store->pack_heads)
		end_turn(store, true);
	pause(store);
}

bool ckpt_pack_wants(const struct ckpt_store *store, const struct ckpt_layer *layer)
{
	if (!ckpt_pack_is_asked(store) || !ckpt_pace_may_copy(store) ||
	    layer->pack_turn[store->pack_heads] == store->pack_turn[store->pack_heads])
		return false;
	/* What a head drops that is merged into its base stays where it is. */
	if (layer->base || layer->broken || layer->through || !READ_ONCE(layer->durable))
		return false;
	/* Of what is about to be merged, only who merges knows what stays. */
	return store->pack_heads || (layer->frozen && !ckpt_gc_merges(layer));
}

/* ---- places ---- */

static int by_place(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static void join_rows(struct pack *p)
{
	unsigned int i, nr = 0;

	sort(p->row, p->nr_rows, sizeof(p->row[0]), by_place, NULL);
	for (i = 1; i < p->nr_rows; i++)
		if (p->row[nr].unit + p->row[nr].units == p->row[i].unit)
			p->row[nr].units += p->row[i].units;
		else
			p->row[++nr] = p->row[i];
	p->nr_rows = p->nr_rows ? nr + 1 : 0;
}

/* Spare windows, of which half are left to merges; those that lie side by side are one row. */
static void take_rows(struct pack *p)
{
	u32 window = ckpt_cluster_units(&p->store->geometry);
	unsigned int i, keep = (p->store->space.most_spares + 1) / 2;
	u64 where;

	for (p->nr_rows = 0; p->nr_rows < ROWS; p->nr_rows++) {
		if (ckpt_space_spare(p->store, keep, ~0u, &where))
			break;
		p->row[p->nr_rows] = (struct row){ where >> CKPT_UNIT_SHIFT, window };
	}
	join_rows(p);
	for (i = 0; i < p->nr_rows; i++)
		p->row[i].is_long = p->row[i].units >= LONG_WINDOWS * window;
}

static void give_back_rows(struct pack *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_rows; i++)
		if (p->row[i].units)
			ckpt_space_release(p->store, p->row[i].unit, p->row[i].units);
}

/*
 * One that has so many units left.  Of slots that are more than half a window, each would only
 * take one window for another, but in a long row, where they stand across.
 */
static struct row *find_row(struct pack *p, u32 units)
{
	bool large = 2 * units > ckpt_cluster_units(&p->store->geometry);
	unsigned int i;

	for (i = 0; i < p->nr_rows; i++)
		if (p->row[i].units >= units && (p->row[i].is_long || !large))
			return &p->row[i];
	if (large)
		p->store->pack_skipped = true;
	else
		p->full = true;
	return NULL;
}

/* The units of a slot that is packed. */
static u32 units_packed(const struct ckpt_geometry *g, const struct ckpt_state *s)
{
	return ckpt_blocks_units(g, ckpt_mask(0, hweight32(s->present)));
}

/* At the row's front. */
static void place(struct pack *p, struct row *row, struct ckpt_moving *m,
		  const struct ckpt_state *s)
{
	const struct ckpt_geometry *g = &p->store->geometry;
	u32 units = units_packed(g, s);

	m->to = ckpt_state_in_row(g, s, row->unit << CKPT_UNIT_SHIFT);
	m->own = ckpt_state_whole(g, &m->to);
	m->placed = true;
	row->unit += units;
	row->units -= units;
}

/* ---- slots ---- */

/*
 * Is there anything free in it or beside it, that would be in one piece with more?  At the ends of
 * what was packed before there is something on one side: that is only for who waits.
 */
static bool is_loose(struct ckpt_store *store, const struct ckpt_state *s)
{
	const struct ckpt_geometry *g = &store->geometry;
	u32 units = ckpt_state_units(g, s), first, nr;
	u64 each = 1u << (ckpt_unit_mask_shift(g) - CKPT_UNIT_SHIFT);

	if (!units || units == ckpt_unit_mask(g, ~0u))
		return false;
	first = (u32)__ffs(units);
	nr = (u32)__fls(units) + 1 - first;
	return units != ckpt_mask(first, nr) ||
	       ckpt_space_borders(store, (s->where >> CKPT_UNIT_SHIFT) + first * each,
				  (u32)(nr * each), !store->pack_heads);
}

/* False: the slot is to be looked at again, when there are places once more. */
static bool add_slot(struct pack *p, struct ckpt_node *leaf, unsigned int slot)
{
	struct ckpt_moving *m = &p->moving[p->nr];
	struct ckpt_state s = ckpt_leaf_look(leaf, slot);
	struct row *row = NULL;

	if (!is_loose(p->store, &s) || !ckpt_moving_begin(m, p->layer, leaf->index, slot))
		return true;
	s = ckpt_moving_state(m);
	if (s.present)
		row = find_row(p, units_packed(&p->store->geometry, &s));
	if (row) {
		place(p, row, m, &s);
		p->nr++;
	} else {
		ckpt_moving_end(p->store, m, false);
	}
	return !p->full;
}

static bool add_leaf(struct pack *p, struct ckpt_node *leaf)
{
	unsigned int slot = p->store->pack_cluster % CKPT_FANOUT;

	for (; slot < CKPT_FANOUT; slot++, p->store->pack_cluster++)
		if (p->nr == p->most || !add_slot(p, leaf, slot))
			return false;
	return true;
}

/* The next ones of the layer: 0, or 1 if there are no more behind them; -EINTR, -EIO. */
static int collect(struct pack *p)
{
	struct ckpt_store *store = p->store;
	struct ckpt_node *leaf;
	bool more = true;
	u64 from, index;
	int r;

	while (more) {
		if (!ckpt_pace_may_copy(store))
			return -EINTR;
		from = store->pack_cluster >> CKPT_FANOUT_SHIFT;
		r = ckpt_node_next_index(&p->layer->map, 0, from, &index);
		if (r <= 0)
			return r ? r : 1;
		if (index != from)
			store->pack_cluster = index << CKPT_FANOUT_SHIFT;
		leaf = ckpt_node_get(&p->layer->map, 0, index, false);
		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		if (leaf) {
			more = add_leaf(p, leaf);
			ckpt_node_put(leaf);
		} else {
			store->pack_cluster = (index + 1) << CKPT_FANOUT_SHIFT;
		}
		more &= time_before(jiffies, p->until);
		cond_resched();
	}
	return 0;
}

static int copy_all(struct pack *p)
{
	struct ckpt_copies copies;
	unsigned int i;
	int r;

	ckpt_copies_begin(&copies, p->store);
	for (i = 0; i < p->nr; i++) {
		struct ckpt_state s = ckpt_moving_state(&p->moving[i]);

		ckpt_copies_add_blocks(&copies, &s, &p->moving[i].to, s.present);
	}
	r = ckpt_copies_wait(&copies);
	WRITE_ONCE(p->store->data_written, true);
	return r;
}

/* What has been collected goes to its places, and what it leaves is free. */
static int move_all(struct pack *p)
{
	struct ckpt_store *store = p->store;
	unsigned int i;
	int r;

	if (!p->nr)
		return 0;
	/* Nobody writes to these slots from here on. */
	ckpt_store_drain(store);
	r = copy_all(p);
	for (i = 0; i < p->nr; i++)
		store->pack_moved += ckpt_moving_end(store, &p->moving[i], !r);
	return ckpt_free_repay(store) ?: r;
}

/*
 * Where others have filled the holes of windows, one layer's slots leave none whole: so windows are
 * cleared of whoever is in them.  0; 1: that is not possible either, or not worth its walks over
 * all leaves, but for who waits.
 */
static int make_room(struct pack *p)
{
	u32 window = ckpt_cluster_units(&p->store->geometry);
	unsigned int i, moved = 0;
	int r = 0;

	for (i = 0; r >= 0 && moved < WORTH_SLOTS && i < ROOM_STRETCHES; i++) {
		r = ckpt_room_make(p->store, window, ROOM_WINDOWS * window,
				   p->store->pack_heads);
		moved += max(r, 0);
	}
	p->store->pack_moved += moved;
	if (r < 0 && r != -ENOSPC)
		return r;
	return moved >= (p->store->pack_heads ? 1 : WORTH_SLOTS) ? 0 : 1;
}

/* A window for who waits, beside the spare ones. */
static void tell_if_there_is_one(struct ckpt_store *store)
{
	u64 windows;

	if (ckpt_pack_is_urgent(store) && !ckpt_space_count_windows(store, 1, &windows) && windows)
		tell(store, ASKED_PLACE);
}

/*
 * A batch; 1: the layer is done.  As many parts as there may be dirty leaves, of one drain and one
 * commit each, go to the same rows: what is left of one in the end is of little use to anybody.
 */
static int fill_rows(struct pack *p)
{
	unsigned int moved = 0;
	int end, r;

	p->full = false;
	ckpt_pressure_lend(p->store);
	take_rows(p);
	p->until = jiffies + BATCH_JIFFIES;
	do {
		p->nr = 0;
		p->most = min(BATCH - moved, ckpt_commit_slots(p->store));
		end = collect(p);
		r = move_all(p);
		moved += p->nr;
	} while (!r && !end && p->nr == p->most && moved < BATCH && time_before(jiffies, p->until));
	give_back_rows(p);
	ckpt_pressure_lent_back(p->store);
	p->nr = moved;
	return r ? r : end;
}

/* A batch, and room for the next one; 1: the layer is done, or nothing can be. */
static int pack_some(struct pack *p)
{
	struct ckpt_store *store = p->store;
	u64 before = store->pack_moved;
	struct ckpt_pace pace;
	int spares, r;

	ckpt_pace_begin(store, &pace);
	r = fill_rows(p);
	if (r == 1 ? store->pack_skipped : !r && p->full && !p->nr)
		r = make_room(p);
	spares = ckpt_space_make_spares(store);
	r = r < 0 ? r : spares ?: r;
	if (r >= 0 && store->pack_moved != before)
		tell_if_there_is_one(store);
	if (!ckpt_pack_is_urgent(store))
		ckpt_pace_end(store, &pace);
	return r;
}

/* As many whole windows as there should be: none, if there is not even space. */
static u64 windows_wanted(struct ckpt_store *store)
{
	u32 window = ckpt_cluster_units(&store->geometry);
	u64 all = ckpt_capacity(&store->geometry) / window;
	u64 left = ckpt_space_left(store) / window;

	if (ckpt_fault(CKPT_FAULT_PACKS))
		return all;
	if (left < all >> LITTLE_SHIFT)
		return 0;
	return min3(all >> FEW_SHIFT, left / 2, (u64)FEW_MOST);
}

bool ckpt_pack_look(struct ckpt_store *store, u64 *last)
{
	bool heads = ckpt_fault(CKPT_FAULT_PACKS), first = *last == CKPT_PACK_FIRST;
	u64 wanted = windows_wanted(store), windows;

	if (!may_be_asked(store, false) || ckpt_space_count_windows(store, wanted, &windows) ||
	    windows >= wanted)
		return false;
	/* However many slots have moved: not for ever in a store that has no more to give. */
	if (!first && windows <= *last) {
		WRITE_ONCE(store->pack_fails[0], AGAIN_MOST);
		WRITE_ONCE(store->pack_again[0], jiffies + (AGAIN_JIFFIES << AGAIN_MOST));
		return false;
	}
	*last = windows;
	/* The worker is at it, and is not to begin anew for that. */
	atomic_or(heads ? ASKED_WINDOWS | ASKED_HEADS : ASKED_WINDOWS, &store->pack_asked);
	return true;
}

/* Is there somebody for whom this layer is to be packed, and more than has been? */
static bool goes_on(const struct ckpt_store *store, const struct ckpt_layer *layer)
{
	u64 windows = ckpt_capacity(&store->geometry) / ckpt_cluster_units(&store->geometry);

	return ckpt_pack_is_asked(store) && (layer->frozen || store->pack_heads) &&
	       store->pack_moved < max_t(u64, windows >> ENOUGH_SHIFT, ENOUGH_SLOTS);
}

int ckpt_pack_layer(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_layer *other)
{
	struct pack *p = kvzalloc(sizeof(*p), GFP_NOIO);
	unsigned int i;
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->store = store;
	p->layer = layer;
	if (store->pack_layer != layer->number || store->pack_heads > store->pack_layer_heads) {
		store->pack_layer = layer->number;
		store->pack_cluster = 0;
		store->pack_skipped = false;
	}
	store->pack_layer_heads = store->pack_heads;
	for (i = 0; !r && i < BATCHES && goes_on(store, layer) && !wants_more(store); i++)
		r = pack_some(p);
	kvfree(p);
	if (r == -EINTR)
		return r;
	/* What cannot be read is left to who merges it. */
	if (r) {
		layer->pack_turn[0] = store->pack_turn[0];
		if (store->pack_heads)
			layer->pack_turn[1] = store->pack_turn[1];
		store->pack_layer = 0;
	} else if (!goes_on(store, layer)) {
		pause(store);
	}
	return 0;
}
