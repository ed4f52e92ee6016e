// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "free.h"
#include "leaf.h"
#include "remap.h"
#include "resolve.h"
#include "store.h"
#include "through.h"

struct ckpt_leaf *ckpt_leaf_alloc(struct ckpt_node *node)
{
	/* A commit or a write-back that needs the leaf cannot do without. */
	struct ckpt_leaf *leaf = kzalloc(sizeof(*leaf), GFP_NOIO | __GFP_NOFAIL);

	leaf->live = node->image;
	return leaf;
}

static void free_write(struct ckpt_store *store, struct ckpt_leaf_write *w)
{
	ckpt_page_put(store, w->live);
	if (w->drops)
		ckpt_cache_account(store, -(long)sizeof(*w->drops));
	kvfree(w->drops);
	ckpt_cache_account(store, -(long)sizeof(*w));
	mempool_free(w, &store->writes);
}

static void free_write_rcu(struct rcu_head *rcu)
{
	struct ckpt_leaf_write *w = container_of(rcu, struct ckpt_leaf_write, rcu);

	free_write(w->store, w);
}

void ckpt_leaf_free(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;
	struct ckpt_leaf *leaf = node->leaf;

	if (leaf->w)
		free_write(store, leaf->w);
	ckpt_resolve_free(store, leaf);
	kfree(leaf);
}

/* Nobody is about to change a slot, and all changes are durable; node->lock is held. */
static bool at_rest(struct ckpt_node *node)
{
	const struct ckpt_leaf_write *w = node->leaf->w;

	return !w->listed && bio_list_empty(&w->waiters) && ckpt_drops_empty(w->drops) &&
	       w->txn <= READ_ONCE(node->store->txn_durable) &&
	       !memchr_inv(w->pending, 0, sizeof(w->pending)) &&
	       bitmap_empty(w->dirty, CKPT_FANOUT) && bitmap_empty(w->moving, CKPT_FANOUT);
}

/*
 * Give back what no block of the slot needs, present or dropped but not gone; false if there is no
 * memory to note it.  Should somebody write to the slot again, what is still free is claimed again.
 */
static bool give_back_holes(struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_leaf_write *w = node->leaf->w;
	struct ckpt_store *store = node->store;
	struct ckpt_state s = ckpt_leaf_live(w, slot);
	u32 dropped = ckpt_drops_present(w->drops, slot);
	u32 spots = ckpt_state_spots(&s, s.present | dropped);
	u32 needed = w->own[slot] & ckpt_whole_units(&store->geometry, spots);
	u32 holes = w->own[slot] & ~needed;

	/* What was discarded a moment ago is free when the commit that says so is durable. */
	if (holes && !ckpt_free_blocks(store, s.where, holes, w->txn))
		return false;
	/* Of what is dropped only this says that it has its place. */
	w->own[slot] = dropped ? needed : 0;
	if (!s.present && !dropped)
		ckpt_leaf_displace(node, slot);
	return true;
}

static bool give_back_all(struct ckpt_node *node)
{
	unsigned int i;

	for (i = 0; i < CKPT_FANOUT; i++)
		if (node->leaf->w->own[i] && !give_back_holes(node, i))
			return false;
	return true;
}

void ckpt_leaf_give_back(struct ckpt_node *node)
{
	struct ckpt_leaf_write *w;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&node->lock, flags);
	w = node->leaf->w;
	for (i = 0; w && i < CKPT_FANOUT; i++)
		if (w->own[i] && !w->pending[i] && !test_bit(i, w->dirty) &&
		    !test_bit(i, w->moving) && !give_back_holes(node, i))
			break;
	spin_unlock_irqrestore(&node->lock, flags);
}

bool ckpt_leaf_idle(struct ckpt_node *node)
{
	return !node->leaf->w || (at_rest(node) && give_back_all(node));
}

void ckpt_leaf_make_writable(struct ckpt_node *node, struct ckpt_layer *layer)
{
	struct ckpt_store *store = node->store;
	struct ckpt_leaf_write *w;
	unsigned long flags;

	if (ckpt_leaf_w(node))
		return;
	w = ckpt_pool_get(store, &store->writes);
	memset(w, 0, sizeof(*w));
	w->node = node;
	w->layer = layer;
	w->store = store;
	w->live = ckpt_page_get(store);
	bio_list_init(&w->waiters);
	ckpt_cache_account(store, sizeof(*w));

	spin_lock_irqsave(&node->lock, flags);
	if (!node->leaf->w) {
		memcpy(w->live, node->leaf->live, CKPT_NODE_BYTES);
		/* A reader that sees the copy sees its content. */
		smp_store_release(&node->leaf->live, w->live);
		/* And one that sees this sees that. */
		smp_store_release(&node->leaf->w, w);
		w = NULL;
	}
	spin_unlock_irqrestore(&node->lock, flags);
	if (w)
		free_write(store, w);
}

static noinline void list_leaf(struct ckpt_node *node, struct ckpt_leaf_write *w)
{
	w->listed = true;
	refcount_inc(&node->refs);
	ckpt_commit_leaf(node->store, node);
}

static inline void mark_dirty(struct ckpt_node *node, struct ckpt_leaf_write *w, unsigned int slot)
{
	lockdep_assert_held(&node->lock);
	__set_bit(slot, w->dirty);
	if (unlikely(!w->listed))
		list_leaf(node, w);
}

bool ckpt_leaf_is_new(struct ckpt_node *node)
{
	const struct ckpt_leaf_write *w = ckpt_leaf_w(node);

	if (test_bit_acquire(CKPT_NODE_DIRTY, &node->flags))
		return false;
	/* What is clean has got its place before, in freeze_images(); and any will do. */
	if (data_race(ckpt_ref_where(ckpt_node_ref(node))))
		return false;
	/* It may be wrong about a commit that is under way, and about no other. */
	return !w || data_race(bitmap_empty(w->dirty, CKPT_FANOUT));
}

void ckpt_leaf_dirty(struct ckpt_node *node, unsigned int slot)
{
	mark_dirty(node, node->leaf->w, slot);
}

static inline void set_masks(struct ckpt_slot *slot, u32 present, u32 zero)
{
	/* What stands at the place, and the place itself, come before the bits. */
	smp_wmb();
	WRITE_ONCE(*ckpt_slot_masks(slot), cpu_to_le64((u64)zero << 32 | present));
}

/*
 * Of a packed slot place and bits cannot be read one by one, so its readers take the lock, which
 * the flag in the place tells them to do: that comes first, and goes last.  Else the place comes
 * first, which may change only to one that has the same content.
 */
void ckpt_leaf_put(struct ckpt_node *node, unsigned int slot, const struct ckpt_state *state)
{
	struct ckpt_slot *live = &node->leaf->w->live[slot], new = ckpt_slot_raw(state);
	bool was_packed = live->where & cpu_to_le64(CKPT_SLOT_PACKED);

	lockdep_assert_held(&node->lock);
	if (!was_packed)
		WRITE_ONCE(live->where, new.where);
	set_masks(live, le32_to_cpu(new.present), le32_to_cpu(new.zero));
	smp_wmb();	/* pairs with ckpt_leaf_plain() */
	if (was_packed)
		WRITE_ONCE(live->where, new.where);
}

void ckpt_leaf_set(struct ckpt_node *node, unsigned int slot, u32 present, u32 zero)
{
	struct ckpt_state s = ckpt_leaf_live(node->leaf->w, slot);

	s.present = present;
	s.zero = zero;
	ckpt_leaf_put(node, slot, &s);
}

void ckpt_leaf_displace(struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state s = { .zero = ckpt_leaf_live(node->leaf->w, slot).zero };

	ckpt_leaf_put(node, slot, &s);
}

struct ckpt_state ckpt_leaf_packed(struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state state;
	unsigned long flags;

	spin_lock_irqsave(&node->lock, flags);
	state = ckpt_leaf_still(node, slot);
	spin_unlock_irqrestore(&node->lock, flags);
	return state;
}

void ckpt_leaf_wake(struct ckpt_node *node)
{
	struct ckpt_leaf_write *w = node->leaf->w;
	struct bio *bio;

	lockdep_assert_held(&node->lock);
	while ((bio = bio_list_pop(&w->waiters)))
		ckpt_bio_retry(bio);
}

static inline void written(struct ckpt_node *node, struct ckpt_leaf_write *w, unsigned int slot,
			   u32 mask, bool ok)
{
	struct ckpt_slot *s = &w->live[slot];

	w->pending[slot] &= ~mask;
	if (unlikely(!ok))
		return;
	/* First: who sees the block is to see that it is not durable yet. */
	mark_dirty(node, w, slot);
	set_masks(s, le32_to_cpu(s->present) | mask, le32_to_cpu(s->zero) & ~mask);
}

void ckpt_leaf_written_in(struct ckpt_node *node, unsigned int slot, u32 mask, bool ok)
{
	struct ckpt_leaf_write *w;
	unsigned long flags;

	spin_lock_irqsave(&node->lock, flags);
	w = node->leaf->w;
	written(node, w, slot, mask, ok);
	if (unlikely(!bio_list_empty(&w->waiters)))
		ckpt_leaf_wake(node);
	spin_unlock_irqrestore(&node->lock, flags);
}

void ckpt_leaf_written(struct ckpt_node *node, unsigned int first, unsigned int nr, bool ok)
{
	struct ckpt_leaf_write *w;
	unsigned long flags;

	spin_lock_irqsave(&node->lock, flags);
	w = node->leaf->w;
	while (nr) {
		unsigned int slot = first / CKPT_CLUSTER_BLOCKS;
		unsigned int block = first % CKPT_CLUSTER_BLOCKS;
		unsigned int part = min(nr, CKPT_CLUSTER_BLOCKS - block);

		written(node, w, slot, ckpt_mask(block, part), ok);
		first += part;
		nr -= part;
	}
	ckpt_leaf_wake(node);
	spin_unlock_irqrestore(&node->lock, flags);
}

bool ckpt_leaf_settle(struct ckpt_node *node)
{
	struct ckpt_leaf_write *w = ckpt_leaf_w(node);
	unsigned long flags;
	bool settled;

	if (!w)
		return true;
	spin_lock_irqsave(&node->lock, flags);
	settled = at_rest(node) && give_back_all(node);
	if (settled) {
		/* All of it is committed, so the image says the same. */
		smp_store_release(&node->leaf->live, (struct ckpt_slot *)node->image);
		WRITE_ONCE(node->leaf->w, NULL);
	}
	spin_unlock_irqrestore(&node->lock, flags);
	if (settled)
		call_rcu(&w->rcu, free_write_rcu);
	return settled;
}
