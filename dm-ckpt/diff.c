// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "admin.h"
#include "diff.h"
#include "leaf.h"
#include "report.h"

/* More than the longest line. */
#define LINE	64u

/* The layers whose slots make the difference: from each side down to where both meet. */
struct diff {
	struct ckpt_store *store;
	struct ckpt_layer *from, *to, *meet;
	u64 sectors;
	u32 mask[CKPT_FANOUT];		/* blocks of each cluster of a leaf */
	u64 start, end;			/* a range in the making; neighbours join */
};

static int find_side(struct ckpt_store *store, const char *volume, const char *name, bool to,
		     struct ckpt_layer **layer)
{
	struct ckpt_checkpoint *c;
	struct ckpt_volume *v;

	if (!strcmp(name, "-")) {
		v = ckpt_need_volume(store, volume);
		if (IS_ERR(v))
			return PTR_ERR(v);
		*layer = to ? ckpt_volume_top(store, v) : NULL;
		return 0;
	}
	c = ckpt_need_checkpoint(store, volume, name);
	if (IS_ERR(c))
		return PTR_ERR(c);
	*layer = c->layer;
	return 0;
}

/* The next layer of a difference behind @layer, which may be the last one of a side. */
static struct ckpt_layer *next_layer(const struct diff *d, struct ckpt_layer *layer, bool *second)
{
	layer = layer->parent;
	while (!layer || layer == d->meet || layer->base) {
		if (*second)
			return NULL;
		*second = true;
		layer = d->from;
	}
	return layer;
}

static struct ckpt_layer *first_layer(const struct diff *d, bool *second)
{
	*second = false;
	if (d->to && d->to != d->meet && !d->to->base)
		return d->to;
	*second = true;
	return d->from && d->from != d->meet && !d->from->base ? d->from : NULL;
}

/*
 * A merge moves nothing from one layer to the other while the chain's lock is held, but neither
 * does a write get on that needs it, once somebody waits to take a checkpoint.  So it is held for
 * one leaf at a time, and what is looked at has been loaded before.
 */

static int find_next(const struct diff *d, u64 from, u64 *least)
{
	struct ckpt_layer *layer;
	bool second;
	u64 index;

	*least = U64_MAX;
	for (layer = first_layer(d, &second); layer; layer = next_layer(d, layer, &second)) {
		int r = ckpt_node_next_index(&layer->map, 0, from, &index);

		if (r < 0)
			return r;
		if (r)
			*least = min(*least, index);
	}
	return 0;
}

/* The next leaf that any of the layers has, or U64_MAX. */
static int next_leaf(const struct diff *d, u64 from, u64 *index)
{
	int r = find_next(d, from, index);

	if (r)
		return r;
	down_read(&d->store->chain);
	r = find_next(d, from, index);
	up_read(&d->store->chain);
	return r;
}

static void add_leaf(struct diff *d, struct ckpt_node *leaf)
{
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_state s = ckpt_leaf_state(leaf, i);

		d->mask[i] |= s.present | s.zero;
	}
	rcu_read_unlock();
}

/* Blocks that any of the layers has something to say of. */
static int add_leaves(struct diff *d, u64 index)
{
	struct ckpt_layer *layer;
	bool second;

	memset(d->mask, 0, sizeof(d->mask));
	for (layer = first_layer(d, &second); layer; layer = next_layer(d, layer, &second)) {
		struct ckpt_node *leaf = ckpt_node_get(&layer->map, 0, index, false);

		if (IS_ERR(leaf))
			return PTR_ERR(leaf);
		if (!leaf)
			continue;
		add_leaf(d, leaf);
		ckpt_node_put(leaf);
	}
	return 0;
}

static int look_at_leaf(struct diff *d, u64 index)
{
	int r = add_leaves(d, index);

	if (r)
		return r;
	down_read(&d->store->chain);
	r = add_leaves(d, index);
	up_read(&d->store->chain);
	return r;
}

static unsigned int emit_range(struct diff *d, char *result, unsigned int maxlen, unsigned int sz)
{
	u64 end = min(d->end, d->sectors);

	if (d->start < end)
		DMEMIT("%llu %llu\n", d->start, end - d->start);
	d->start = 0;
	d->end = 0;
	return sz;
}

/* From sector *@cursor on, which moves to the leaf's end, or to where the page is full. */
static unsigned int emit_leaf(struct diff *d, u64 index, u64 *cursor, char *result,
			      unsigned int maxlen, unsigned int sz)
{
	const struct ckpt_geometry *g = &d->store->geometry;
	u64 sector = index << ckpt_leaf_shift(g);
	unsigned int i;

	for (i = 0; i < CKPT_FANOUT * CKPT_CLUSTER_BLOCKS; i++, sector += ckpt_block_sectors(g)) {
		if (sector < *cursor || !(d->mask[i / 32] & ckpt_mask(i % 32, 1)))
			continue;
		if (d->end != sector) {
			sz = emit_range(d, result, maxlen, sz);
			d->start = sector;
			d->end = sector;
			if (sz + 3 * LINE > maxlen)
				break;
		}
		d->end += ckpt_block_sectors(g);
	}
	*cursor = sector;
	return sz;
}

static int write_page(struct diff *d, u64 cursor, char *result, unsigned int maxlen)
{
	const unsigned int shift = ckpt_leaf_shift(&d->store->geometry);
	const unsigned long begun = jiffies;
	bool first = true;
	unsigned int sz = 0;
	u64 index;
	int r;

	while (!(r = next_leaf(d, cursor >> shift, &index)) && index != U64_MAX) {
		cursor = max(cursor, index << shift);
		if (sz + 3 * LINE > maxlen || (!first && ckpt_report_is_long(begun))) {
			sz = emit_range(d, result, maxlen, sz);
			DMEMIT("next %llu", cursor);
			return 1;
		}
		r = look_at_leaf(d, index);
		if (r)
			break;
		sz = emit_leaf(d, index, &cursor, result, maxlen, sz);
		first = false;
		cond_resched();
	}
	if (r)
		return r;
	sz = emit_range(d, result, maxlen, sz);
	DMEMIT("end");
	return 1;
}

int ckpt_diff(struct ckpt_store *store, const char *volume, const char *from, const char *to,
	      u64 cursor, char *result, unsigned int maxlen)
{
	struct diff *d = kzalloc(sizeof(*d), GFP_NOIO);
	int r;

	if (!d)
		return -ENOMEM;
	d->store = store;
	r = find_side(store, volume, from, false, &d->from);
	if (!r)
		r = find_side(store, volume, to, true, &d->to);
	if (!r) {
		for (d->meet = d->from; d->meet && !ckpt_layer_is_below(d->meet, d->to); )
			d->meet = d->meet->parent;
		d->sectors = max(d->to->sectors, d->from ? d->from->sectors : 0);
		r = write_page(d, cursor, result, maxlen);
	}
	kfree(d);
	return r;
}
