/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trees of 4 KiB nodes in memory: found without a lock, loaded on demand,
 * checked against the checksum in their parent, bounded and reclaimable.
 *
 * Every node has an *image*: its content as of the last commit.  An image is
 * changed by applying journal entries and by nothing else, so that what
 * write-back puts on disk is exactly the tree at one place in the journal.
 * Leaves of a map and of the space map have a *live* content beside it, which
 * runs ahead (see leaf.h and space.h).
 *
 * LIFETIME
 *	A node holds a reference on its parent, and the tree one on each node.  A
 *	node with that last one alone, clean and without anything set aside, may be
 *	evicted at any time.  Its memory is freed after a grace period.
 *
 * LOCKS
 *	node->lock	 irq-safe.  In an inner node: child[] and what references in
 *			 the image the children are loaded from.  In a leaf: see
 *			 leaf.h.  A parent's is taken before a child's.
 *	tree->lock	 the same for the root.
 *	store->commit	 (mutex) every change of an image.
 */
#ifndef CKPT_NODE_H
#define CKPT_NODE_H

#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "content.h"

struct ckpt_store;
struct ckpt_leaf;
struct ckpt_node;

struct ckpt_tree {
	struct ckpt_store *store;
	enum ckpt_tree_type type;
	unsigned int levels;
	u32 number;			/* of the layer, for messages */
	spinlock_t lock;		/* of the root's place */
	struct ckpt_node __rcu *root;
	struct ckpt_ref root_ref;	/* as of the last write-back */
};

enum ckpt_node_flag {
	CKPT_NODE_LOADING,	/* the image is being read */
	CKPT_NODE_DEAD,		/* evicted or pruned: find the place again */
	CKPT_NODE_DIRTY,	/* the image differs from the disk; holds a reference */
	CKPT_NODE_WRITING,	/* the image is being written: copy before a change */
	CKPT_NODE_RECENT,	/* used since eviction last came by */
};

struct ckpt_node {
	struct ckpt_store *store;
	enum ckpt_tree_type type;
	struct ckpt_tree *tree;		/* may be gone before the node's memory is */
	struct ckpt_node *parent;	/* NULL: the root */
	u64 index;			/* among the nodes of its level */
	unsigned int level;		/* 0: a leaf */
	unsigned long flags;
	refcount_t refs;
	spinlock_t lock;		/* see above */
	int error;			/* why loading failed */
	void *image;
	struct ckpt_node __rcu **child;	/* inner nodes */
	union {				/* leaves */
		struct ckpt_leaf *leaf;	/* of a map */
		__le64 *live;		/* of the space map */
	};
	struct list_head lru;
	struct list_head dirty;
	struct rcu_head rcu;
};

void ckpt_tree_init(struct ckpt_tree *tree, struct ckpt_store *store,
		    enum ckpt_tree_type type, unsigned int levels, u32 number);

/* Drop all nodes of a tree that nobody uses any more, dirty ones included. */
void ckpt_tree_destroy(struct ckpt_tree *tree);

static inline unsigned int ckpt_node_slot(const struct ckpt_node *node)
{
	return node->index & (CKPT_FANOUT - 1);
}

/*
 * Note that a node that was found without a reference is in use: NULL if it may not be.  Any
 * context.
 */
struct ckpt_node *ckpt_node_first_use(struct ckpt_node *node);

/*
 * The node of this level and index if it is in memory, or NULL.  Call and use
 * under rcu_read_lock(); any context.
 */
struct ckpt_node *ckpt_node_find(const struct ckpt_tree *tree, unsigned int level,
				 u64 index);

/* What a walk found, if it may be used: all is said by flags, and those seldom change. */
static inline struct ckpt_node *ckpt_node_found(struct ckpt_node *node)
{
	/* Pairs with the end of loading: what is loaded is there. */
	unsigned long flags = smp_load_acquire(&node->flags);

	if (likely((flags & (BIT(CKPT_NODE_LOADING) | BIT(CKPT_NODE_RECENT))) ==
		   BIT(CKPT_NODE_RECENT)))
		return node;
	return ckpt_node_first_use(node);
}

/* The node of a place, under rcu_read_lock() or with preemption off. */
static inline struct ckpt_node *ckpt_node_at(struct ckpt_node __rcu *const *place)
{
	return rcu_dereference_check(*place, rcu_read_lock_sched_held());
}

/*
 * ckpt_node_find() of a leaf of a layer's map, in the fewest steps.  Nodes that are still being
 * loaded have no children, so only the leaf is looked at closely.
 */
static inline struct ckpt_node *ckpt_map_leaf(const struct ckpt_tree *map, u64 index)
{
	const unsigned int shift = CKPT_FANOUT_SHIFT, mask = CKPT_FANOUT - 1;
	struct ckpt_node *node = ckpt_node_at(&map->root);

	BUILD_BUG_ON(CKPT_MAP_LEVELS != 4);
	if (likely(node))
		node = ckpt_node_at(&node->child[(index >> 2 * shift) & mask]);
	if (likely(node))
		node = ckpt_node_at(&node->child[(index >> shift) & mask]);
	if (likely(node))
		node = ckpt_node_at(&node->child[index & mask]);
	return likely(node) ? ckpt_node_found(node) : NULL;
}

/*
 * The node of this level and index, loaded if need be, with a reference.  NULL
 * if there is none, unless @create asks for an empty one then.  Sleeps.  Errors:
 * -EIO when it cannot be read or is damaged, which the log tells.
 */
struct ckpt_node *ckpt_node_get(struct ckpt_tree *tree, unsigned int level,
				u64 index, bool create);

/*
 * As before without @create, and when there is none, *@skip is the level of the
 * highest node that is missing: all below it is missing too.
 */
struct ckpt_node *ckpt_node_seek(struct ckpt_tree *tree, unsigned int level,
				 u64 index, unsigned int *skip);

void ckpt_node_put(struct ckpt_node *node);

/*
 * The image, to be changed: copied first if it is being written or shared.  Makes
 * the node and all above it dirty.  Sleeps; store->commit is held.
 */
void *ckpt_node_change(struct ckpt_node *node);

/* The parent's reference to @node; store->commit is held, or it cannot change. */
struct ckpt_ref *ckpt_node_ref(struct ckpt_node *node);

/*
 * Has the node children, on disk or dirty?  Asked at replay, when memory has no others that
 * matter.
 */
bool ckpt_node_has_below(const struct ckpt_node *node);

/*
 * Take a node without children out of its tree for good.  Returns the sector
 * where it stood on disk, or 0.  Sleeps; store->commit is held; drops the
 * caller's reference.
 */
u64 ckpt_node_prune(struct ckpt_node *node);

/*
 * Move what is below (and is) the node of this level and index from one tree to another, which
 * has nothing there, in memory or on disk; *@used are the units below it.  Sleeps;
 * store->commit is held, and nobody walks down to either place.  -ENOENT: there is nothing to
 * be moved; -EEXIST: the other one has something; -EIO.
 */
int ckpt_node_graft(struct ckpt_tree *to, struct ckpt_tree *from, unsigned int level, u64 index,
		    u64 *used);

/*
 * Does the tree have something here: a node on disk, or one that was changed?  With @free also
 * one that cannot go: what memory has of others, which only remember resolutions, is dropped.
 * 1, 0 or -EIO.  Sleeps; nobody begins to use what is here meanwhile.
 */
int ckpt_node_has(struct ckpt_tree *tree, unsigned int level, u64 index, bool free);

/*
 * The first node of @level with an index of at least @from: only its index, it is not loaded.
 * 1, 0 when there is none, or -EIO.  Sleeps.
 */
int ckpt_node_next_index(struct ckpt_tree *tree, unsigned int level, u64 from, u64 *index);

/*
 * The first node of @level with an index of at least @from, in memory or on
 * disk, with a reference; NULL at the end.  Sleeps.
 */
struct ckpt_node *ckpt_node_next(struct ckpt_tree *tree, unsigned int level, u64 from);

/* The same among nodes in memory alone. */
struct ckpt_node *ckpt_node_next_cached(struct ckpt_tree *tree, u64 from);

/* Evict clean nodes until the cache is within its bound, @nr at the most. */
unsigned long ckpt_cache_trim(struct ckpt_store *store, unsigned long nr, bool force);

/* Bytes of memory for metadata that are in use, and account for some more. */
void ckpt_cache_account(struct ckpt_store *store, long bytes);

/* An element of one of the store's pools; the cache pays first.  Sleeps until there is one. */
void *ckpt_pool_get(struct ckpt_store *store, mempool_t *pool);

/* A page for metadata; sleeps until there is one.  Freed after a grace period. */
void *ckpt_page_get(struct ckpt_store *store);
void ckpt_page_put(struct ckpt_store *store, void *page);

int ckpt_cache_init(struct ckpt_store *store);
void ckpt_cache_exit(struct ckpt_store *store);

int __init ckpt_node_module_init(void);
void ckpt_node_module_exit(void);

#endif
