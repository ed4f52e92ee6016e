/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live side of a leaf of a map: what I/O sees and changes.
 *
 * A leaf that is only read has one content, the image.  Before the first change it is
 * given a struct ckpt_leaf_write, with a live copy of the slots that runs ahead of
 * the image until the next commit collects what is dirty.
 *
 * A slot's life: a first write takes a window for the cluster (where), marks its
 * blocks pending, and when the data are on the device, end_io sets the present
 * bits.  *where* changes only while nothing is present, or to a place with the same
 * content (move.h, merge.c), so readers need no lock: see ckpt_leaf_state().  Of a packed slot
 * the bits say where the blocks are, so whoever reads one takes node->lock; it gets no first
 * write, as a block that it lacks has no place in it.
 *
 * node->lock guards everything in struct ckpt_leaf_write and the assignment of
 * live, under[] and w; live, under and what they point to are freed after a grace
 * period.
 */
#ifndef CKPT_LEAF_H
#define CKPT_LEAF_H

#include <linux/bio.h>
#include <linux/llist.h>

#include "node.h"
#include "slot.h"

struct ckpt_layer;

struct ckpt_leaf_write {
	struct ckpt_node *node;		/* back pointer for the collector's list */
	struct ckpt_layer *layer;
	struct ckpt_store *store;
	struct ckpt_slot *live;
	/* Spots that are the slot's; 0 with blocks present: not looked up yet. */
	u32 own[CKPT_FANOUT];
	u32 pending[CKPT_FANOUT];	/* blocks with a first write in flight */
	unsigned long dirty[CKPT_FANOUT / BITS_PER_LONG];	/* not collected yet */
	unsigned long moving[CKPT_FANOUT / BITS_PER_LONG];	/* see move.h */
	/* The next commit says that what layer->merges had of these slots is in them now. */
	unsigned long merged[CKPT_FANOUT / BITS_PER_LONG];
	bool listed;			/* on store->dirty_leaves */
	struct llist_node list;
	struct ckpt_drops *drops;	/* of a head that goes through to its base: see through.h */
	u64 txn;			/* commit that collected last */
	struct bio_list waiters;	/* for pending or moving blocks */
	struct rcu_head rcu;
};

struct ckpt_leaf {
	struct ckpt_slot *live;		/* the image, or w->live */
	struct ckpt_leaf_write *w;	/* NULL: read only so far */
	struct ckpt_under __rcu **under;	/* below a head or view: see resolve.h */
};

static inline struct ckpt_leaf_write *ckpt_leaf_w(const struct ckpt_node *node)
{
	/* Pairs with ckpt_leaf_make_writable(). */
	return smp_load_acquire(&node->leaf->w);
}

/* A slot's two masks as one word, so that they are read and written together. */
static inline __le64 *ckpt_slot_masks(struct ckpt_slot *slot)
{
	BUILD_BUG_ON(offsetof(struct ckpt_slot, zero) != offsetof(struct ckpt_slot, present) + 4);
	return (__le64 *)&slot->present;
}

/*
 * Empty a slot of an image that may be a leaf's live content: its place goes after what stood
 * there.  Readers that see it half done take none of that.  store->commit is held.
 */
static inline void ckpt_slot_empty(struct ckpt_slot *slot)
{
	WRITE_ONCE(*ckpt_slot_masks(slot), 0);
	smp_wmb();	/* pairs with ckpt_leaf_state() */
	WRITE_ONCE(slot->where, 0);
}

/*
 * A slot as it is now, if it is not packed: else there is a flag in its place, and only that is
 * right.  Any context, under rcu_read_lock().  *where* is read on both sides of the masks: as a
 * place is not used again while a bio that was mapped before is in flight, equal values mean that
 * the masks belong to it.
 */
static inline struct ckpt_state ckpt_leaf_plain(const struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state state = {};
	struct ckpt_slot *s;
	u64 masks;

	/* Pairs with ckpt_leaf_make_writable(). */
	s = &smp_load_acquire(&node->leaf->live)[slot];
	do {
		state.where = le64_to_cpu(READ_ONCE(s->where));
		smp_rmb();	/* pairs with ckpt_leaf_set() */
		masks = le64_to_cpu(READ_ONCE(*ckpt_slot_masks(s)));
		smp_rmb();	/* pairs with ckpt_leaf_place(), ckpt_leaf_put() */
	} while (unlikely(state.where != le64_to_cpu(READ_ONCE(s->where))));
	state.present = (u32)masks;
	state.zero = (u32)(masks >> 32);
	return state;
}

/* A slot that was packed a moment ago.  Under rcu_read_lock(); node->lock is not held. */
struct ckpt_state ckpt_leaf_packed(struct ckpt_node *node, unsigned int slot);

/* A slot as it is now.  The same. */
static inline struct ckpt_state ckpt_leaf_state(struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state state = ckpt_leaf_plain(node, slot);

	return unlikely(state.where & CKPT_WHERE_FLAGS) ? ckpt_leaf_packed(node, slot) : state;
}

/* The same for who is not inside of rcu_read_lock(). */
static inline struct ckpt_state ckpt_leaf_look(struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state state;

	rcu_read_lock();
	state = ckpt_leaf_state(node, slot);
	rcu_read_unlock();
	return state;
}

/* The same of a leaf that only the caller changes, and commits that empty slots of it; no lock. */
static inline struct ckpt_state ckpt_leaf_still(const struct ckpt_node *node, unsigned int slot)
{
	struct ckpt_state state;

	rcu_read_lock();
	state = ckpt_leaf_plain(node, slot);
	rcu_read_unlock();
	return ckpt_state_of(state.where, state.present, state.zero);
}

/* Give a leaf its live side; sleeps.  The node is referenced. */
void ckpt_leaf_make_writable(struct ckpt_node *node, struct ckpt_layer *layer);

/*
 * Nothing of it is on the disk, or comes there with the next write-back: to be the first in it
 * takes places for nodes.  For who is inside of rcu_read_lock(); that may change at any time.
 */
bool ckpt_leaf_is_new(struct ckpt_node *node);

/*
 * The slot was changed: have the next commit collect it.  node->lock is held.
 */
void ckpt_leaf_dirty(struct ckpt_node *node, unsigned int slot);

/* The live slot; node->lock is held, or nobody else changes it. */
static inline struct ckpt_state ckpt_leaf_live(const struct ckpt_leaf_write *w, unsigned int slot)
{
	return ckpt_slot_decode(&w->live[slot]);
}

/*
 * Set a slot, as ckpt_state_encodes() allows, or its bits; node->lock is held.  A packed slot in
 * which nothing is left stays packed until its places go: no other block may have them before the
 * commit that says so.
 */
void ckpt_leaf_put(struct ckpt_node *node, unsigned int slot, const struct ckpt_state *state);
void ckpt_leaf_set(struct ckpt_node *node, unsigned int slot, u32 present, u32 zero);

/* A slot in which nothing is present has no place any more; node->lock is held. */
void ckpt_leaf_displace(struct ckpt_node *node, unsigned int slot);

/* The place of a slot that is not packed; node->lock is held. */

static inline void ckpt_leaf_place(struct ckpt_node *node, unsigned int slot, u64 where)
{
	lockdep_assert_held(&node->lock);
	WRITE_ONCE(node->leaf->w->live[slot].where, cpu_to_le64(where));
	smp_wmb();	/* pairs with ckpt_leaf_state() */
}

/*
 * First writes of blocks [@first, @first + @nr) of the leaf have ended; blocks
 * become present if @ok.  Any context; bios that waited are queued again.
 */
void ckpt_leaf_written(struct ckpt_node *node, unsigned int first, unsigned int nr,
		       bool ok);

/* The same of blocks of one slot, which are in @mask. */
void ckpt_leaf_written_in(struct ckpt_node *node, unsigned int slot, u32 mask, bool ok);

/*
 * Send those on that waited for pending or moving blocks of the leaf; node->lock
 * is held.
 */
void ckpt_leaf_wake(struct ckpt_node *node);

/*
 * What a frozen leaf still has set aside is given back, and the live side goes,
 * if all of it is committed; true if so.  Any context.
 */
bool ckpt_leaf_settle(struct ckpt_node *node);

/*
 * Give back what is set aside for slots that nobody is at just now.  Any context.
 */
void ckpt_leaf_give_back(struct ckpt_node *node);

/* What a leaf has beyond its image.  Sleeps until there is memory. */
struct ckpt_leaf *ckpt_leaf_alloc(struct ckpt_node *node);
void ckpt_leaf_free(struct ckpt_node *node);
/*
 * Make a leaf evictable: true if nothing is pending or not durable yet; then what is set
 * aside for its slots is given back.  node->lock is held.
 */
bool ckpt_leaf_idle(struct ckpt_node *node);

#endif
