// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>

#include "compat.h"
#include "io.h"
#include "leaf.h"
#include "shrink.h"
#include "store.h"
#include "writeback.h"

/* What mempools keep back so that loading goes on when memory is short. */
#define POOL_NODES	64
/* Lines about damaged nodes: so many in so long. */
#define DAMAGE_LINES	10
#define DAMAGE_JIFFIES	(5 * HZ)

static struct kmem_cache *node_cache;
static struct lock_class_key node_keys[CKPT_MAP_LEVELS];

/* The image of every node without content; never written. */
static void *empty_page;

/* ---- memory ---- */

void ckpt_cache_account(struct ckpt_store *store, long bytes)
{
	atomic_long_add(bytes, &store->cached);
}

void *ckpt_pool_get(struct ckpt_store *store, mempool_t *pool)
{
	void *element = mempool_alloc(pool, GFP_NOWAIT | __GFP_NOWARN);

	if (!element) {
		ckpt_cache_trim(store, POOL_NODES, true);
		element = mempool_alloc(pool, GFP_NOIO);
	}
	return element;
}

void *ckpt_page_get(struct ckpt_store *store)
{
	struct page *page = ckpt_pool_get(store, &store->pages);

	ckpt_cache_account(store, CKPT_NODE_BYTES);
	return page_address(page);
}

void ckpt_page_put(struct ckpt_store *store, void *data)
{
	if (data == empty_page)
		return;
	mempool_free(virt_to_page(data), &store->pages);
	ckpt_cache_account(store, -(long)CKPT_NODE_BYTES);
}

static struct ckpt_node *node_alloc(struct ckpt_tree *tree, unsigned int level, u64 index)
{
	struct ckpt_store *store = tree->store;
	struct ckpt_node *node = ckpt_pool_get(store, &store->nodes);

	memset(node, 0, sizeof(*node));
	node->store = store;
	node->type = tree->type;
	node->tree = tree;
	node->level = level;
	node->index = index;
	refcount_set(&node->refs, 1);
	spin_lock_init(&node->lock);
	lockdep_set_class(&node->lock, &node_keys[level]);
	INIT_LIST_HEAD(&node->lru);
	INIT_LIST_HEAD(&node->dirty);
	node->image = empty_page;
	ckpt_cache_account(store, sizeof(*node));
	if (level) {
		node->child = ckpt_pool_get(store, &store->tables);
		memset(node->child, 0, CKPT_FANOUT * sizeof(*node->child));
		ckpt_cache_account(store, CKPT_FANOUT * sizeof(*node->child));
	}
	return node;
}

/* The part of a leaf that depends on its tree, once the image is there. */
static void node_begin(struct ckpt_node *node)
{
	if (!node->level && node->type == CKPT_TREE_MAP)
		node->leaf = ckpt_leaf_alloc(node);
	else if (!node->level && node->type == CKPT_TREE_SPACE)
		ckpt_space_leaf_alloc(node);
}

static void node_free(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;

	if (node->level) {
		mempool_free(node->child, &store->tables);
		ckpt_cache_account(store, -(long)(CKPT_FANOUT * sizeof(*node->child)));
	} else if (node->type == CKPT_TREE_MAP && node->leaf) {
		ckpt_leaf_free(node);
	} else if (node->type == CKPT_TREE_SPACE && node->live) {
		ckpt_page_put(store, node->live);
	}
	ckpt_page_put(store, node->image);
	ckpt_cache_account(store, -(long)sizeof(*node));
	mempool_free(node, &store->nodes);
}

static void node_free_rcu(struct rcu_head *rcu)
{
	node_free(container_of(rcu, struct ckpt_node, rcu));
}

/* ---- places in a tree ---- */

void ckpt_tree_init(struct ckpt_tree *tree, struct ckpt_store *store,
		    enum ckpt_tree_type type, unsigned int levels, u32 number)
{
	memset(tree, 0, sizeof(*tree));
	tree->store = store;
	tree->type = type;
	tree->levels = levels;
	tree->number = number;
	spin_lock_init(&tree->lock);
}

/* Where the pointer to a child of @parent (NULL: the root) stands. */
static struct ckpt_node __rcu **child_place(struct ckpt_tree *tree,
					    struct ckpt_node *parent, u64 index)
{
	return parent ? &parent->child[index & (CKPT_FANOUT - 1)] : &tree->root;
}

static struct ckpt_ref *child_ref(struct ckpt_tree *tree, struct ckpt_node *parent,
				  u64 index)
{
	struct ckpt_ref *refs;

	if (!parent)
		return &tree->root_ref;
	/* It stays for a grace period when it is replaced: see ckpt_node_has(). */
	refs = READ_ONCE(parent->image);
	return &refs[index & (CKPT_FANOUT - 1)];
}

static spinlock_t *child_lock(struct ckpt_tree *tree, struct ckpt_node *parent)
{
	return parent ? &parent->lock : &tree->lock;
}

struct ckpt_ref *ckpt_node_ref(struct ckpt_node *node)
{
	return child_ref(node->tree, node->parent, node->index);
}

static u64 index_at(u64 index, unsigned int from, unsigned int level)
{
	return index >> (CKPT_FANOUT_SHIFT * (level - from));
}

struct ckpt_node *ckpt_node_first_use(struct ckpt_node *node)
{
	if (unlikely(test_bit_acquire(CKPT_NODE_LOADING, &node->flags) || node->error))
		return NULL;
	if (!test_bit(CKPT_NODE_RECENT, &node->flags))
		set_bit(CKPT_NODE_RECENT, &node->flags);
	return node;
}

struct ckpt_node *ckpt_node_find(const struct ckpt_tree *tree, unsigned int level,
				 u64 index)
{
	struct ckpt_node *node = rcu_dereference(tree->root);
	unsigned int at = tree->levels - 1;

	for (; node && at > level; at--) {
		if (unlikely(test_bit_acquire(CKPT_NODE_LOADING, &node->flags)))
			return NULL;
		node = rcu_dereference(node->child[index_at(index, level, at - 1) &
						   (CKPT_FANOUT - 1)]);
	}
	return node ? ckpt_node_found(node) : NULL;
}

/* ---- loading ---- */

static int node_read(struct ckpt_node *node, const struct ckpt_ref *ref)
{
	static const char *const what[] = { "map of layer", "records", "space map" };
	struct ckpt_store *store = node->store;
	u64 where = ckpt_ref_where(ref);
	const char *bad;
	int r;

	node->image = ckpt_page_get(store);
	r = ckpt_io(store->bdev, REQ_OP_READ | REQ_META, where, node->image, CKPT_NODE_BYTES);
	bad = r ? "it cannot be read" :
		  ckpt_content_verify(&store->geometry, node->type, node->level, node->image, ref);
	if (!bad) {
		node_begin(node);
		return 0;
	}
	/* Whoever reads below it loads it again each time. */
	if (__ratelimit(&store->damage_lines))
		ckpt_log(err, store, "node at sector %llu is damaged: %s (%s %u, level %u, index %llu)",
			 where, bad, what[node->type], node->tree->number, node->level,
			 node->index);
	return -EIO;
}

/* Out of the tree, with its parent's lock held; no more can be found. */
static void unlink_node(struct ckpt_node *node)
{
	RCU_INIT_POINTER(*child_place(node->tree, node->parent, node->index), NULL);
	set_bit(CKPT_NODE_DEAD, &node->flags);
}

/* The tree's own reference is gone. */
static void release_node(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;
	struct ckpt_node *parent = node->parent;

	spin_lock(&store->lru_lock);
	list_del_init(&node->lru);
	spin_unlock(&store->lru_lock);
	call_rcu(&node->rcu, node_free_rcu);
	if (parent)
		ckpt_node_put(parent);
}

static void load_failed(struct ckpt_node *node, int error)
{
	spinlock_t *lock = child_lock(node->tree, node->parent);
	unsigned long flags;

	node->error = error;
	spin_lock_irqsave(lock, flags);
	unlink_node(node);
	spin_unlock_irqrestore(lock, flags);
	clear_and_wake_up_bit(CKPT_NODE_LOADING, &node->flags);
	ckpt_node_put(node);		/* the tree's */
}

void ckpt_node_put(struct ckpt_node *node)
{
	if (refcount_dec_and_test(&node->refs))
		release_node(node);
}

/* A new node in its place, or the one that came first; with a reference. */
static struct ckpt_node *insert_child(struct ckpt_tree *tree, struct ckpt_node *parent,
				      unsigned int level, u64 index, bool create)
{
	struct ckpt_node __rcu **place = child_place(tree, parent, index);
	spinlock_t *lock = child_lock(tree, parent);
	struct ckpt_node *new = node_alloc(tree, level, index), *node;
	struct ckpt_store *store = tree->store;
	struct ckpt_ref ref = {};
	unsigned long flags;
	int r = 0;

	spin_lock_irqsave(lock, flags);
	node = rcu_dereference_protected(*place, lockdep_is_held(lock));
	/* Of a node that is there, write-back may be changing the reference. */
	if (!node)
		ref = *child_ref(tree, parent, index);
	if (node) {
		refcount_inc(&node->refs);
	} else if (ckpt_ref_where(&ref) || create) {
		refcount_set(&new->refs, 2);
		new->parent = parent;
		if (parent)
			refcount_inc(&parent->refs);
		set_bit(CKPT_NODE_LOADING, &new->flags);
		rcu_assign_pointer(*place, new);
		node = new;
	}
	spin_unlock_irqrestore(lock, flags);
	if (node != new) {
		node_free(new);
		return node;
	}
	spin_lock(&store->lru_lock);
	list_add_tail(&node->lru, &store->lru);
	spin_unlock(&store->lru_lock);
	if (ckpt_ref_where(&ref))
		r = node_read(node, &ref);
	else
		node_begin(node);
	if (r)
		load_failed(node, r);
	else
		clear_and_wake_up_bit(CKPT_NODE_LOADING, &node->flags);
	return node;
}

static struct ckpt_node *get_child(struct ckpt_tree *tree, struct ckpt_node *parent,
				   unsigned int level, u64 index, bool create)
{
	struct ckpt_node *node;

	rcu_read_lock();
	node = rcu_dereference(*child_place(tree, parent, index));
	if (node && !refcount_inc_not_zero(&node->refs))
		node = NULL;
	rcu_read_unlock();
	if (!node)
		node = insert_child(tree, parent, level, index, create);
	if (IS_ERR_OR_NULL(node))
		return node;
	wait_on_bit(&node->flags, CKPT_NODE_LOADING, TASK_UNINTERRUPTIBLE);
	if (node->error) {
		int r = node->error;

		ckpt_node_put(node);
		return ERR_PTR(r);
	}
	set_bit(CKPT_NODE_RECENT, &node->flags);
	return node;
}

static struct ckpt_node *walk(struct ckpt_tree *tree, unsigned int level, u64 index,
			      bool create, unsigned int *skip)
{
	struct ckpt_node *parent = NULL, *node;
	unsigned int at;

	ckpt_cache_trim(tree->store, 16, false);
	for (at = tree->levels - 1; ; at--) {
		node = get_child(tree, parent, at, index_at(index, level, at), create);
		if (parent)
			ckpt_node_put(parent);
		*skip = at;
		if (IS_ERR_OR_NULL(node) || at == level)
			break;
		parent = node;
	}
	/* It may be long until the next one comes. */
	ckpt_cache_trim(tree->store, 16, false);
	return node;
}

struct ckpt_node *ckpt_node_get(struct ckpt_tree *tree, unsigned int level, u64 index,
				bool create)
{
	unsigned int skip;

	return walk(tree, level, index, create, &skip);
}

struct ckpt_node *ckpt_node_seek(struct ckpt_tree *tree, unsigned int level, u64 index,
				 unsigned int *skip)
{
	return walk(tree, level, index, false, skip);
}

/* ---- changing images ---- */

static void mark_dirty(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;

	for (; node && !test_and_set_bit(CKPT_NODE_DIRTY, &node->flags); node = node->parent) {
		refcount_inc(&node->refs);
		list_add_tail(&node->dirty, &store->dirty_nodes);
		WRITE_ONCE(store->nr_dirty, store->nr_dirty + 1);
	}
}

void *ckpt_node_change(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;
	void *old = node->image;

	lockdep_assert_held(&store->commit);
	mark_dirty(node);
	if (old == empty_page || test_and_clear_bit(CKPT_NODE_WRITING, &node->flags)) {
		void *copy = ckpt_page_get(store);
		unsigned long flags;

		memcpy(copy, old, CKPT_NODE_BYTES);
		spin_lock_irqsave(&node->lock, flags);
		/* Who sees the copy without a lock sees its content. */
		smp_store_release(&node->image, copy);
		if (!node->level && node->type == CKPT_TREE_MAP &&
		    node->leaf->live == old)
			/* As above. */
			smp_store_release(&node->leaf->live, (struct ckpt_slot *)copy);
		spin_unlock_irqrestore(&node->lock, flags);
		/* The old page belongs to the write that is under way, or to all. */
	}
	return node->image;
}

bool ckpt_node_has_below(const struct ckpt_node *node)
{
	const struct ckpt_ref *ref = node->image;
	const struct ckpt_node *child;
	bool has = false;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; node->level && !has && i < CKPT_FANOUT; i++) {
		child = rcu_dereference(node->child[i]);
		has = ckpt_ref_where(&ref[i]) ||
		      (child && test_bit(CKPT_NODE_DIRTY, &child->flags));
	}
	rcu_read_unlock();
	return has;
}

u64 ckpt_node_prune(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;
	struct ckpt_node *parent = node->parent;
	spinlock_t *lock = child_lock(node->tree, parent);
	struct ckpt_ref *ref;
	unsigned long flags;
	u64 where;

	lockdep_assert_held(&store->commit);
	if (parent)
		ckpt_node_change(parent);
	spin_lock_irqsave(lock, flags);
	ref = ckpt_node_ref(node);
	where = ckpt_ref_where(ref);
	memset(ref, 0, sizeof(*ref));
	spin_lock(&node->lock);
	unlink_node(node);
	spin_unlock(&node->lock);
	spin_unlock_irqrestore(lock, flags);
	if (test_and_clear_bit(CKPT_NODE_DIRTY, &node->flags)) {
		list_del_init(&node->dirty);
		WRITE_ONCE(store->nr_dirty, store->nr_dirty - 1);
		ckpt_node_put(node);
	}
	ckpt_node_put(node);		/* the tree's */
	ckpt_node_put(node);		/* the caller's */
	return where;
}

/* ---- walking ---- */

/* The first slot at or behind @from with something below it, or CKPT_FANOUT. */
static unsigned int next_slot(struct ckpt_node *parent, unsigned int from, bool cached)
{
	struct ckpt_ref *refs;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&parent->lock, flags);
	refs = parent->image;
	for (i = from; i < CKPT_FANOUT; i++)
		if (rcu_access_pointer(parent->child[i]) || (!cached && ckpt_ref_where(&refs[i])))
			break;
	spin_unlock_irqrestore(&parent->lock, flags);
	return i;
}

/* A referenced child that is in memory, or NULL. */
static struct ckpt_node *cached_child(struct ckpt_tree *tree, struct ckpt_node *parent,
				      u64 index)
{
	struct ckpt_node *node;

	rcu_read_lock();
	node = rcu_dereference(*child_place(tree, parent, index));
	if (node && (test_bit_acquire(CKPT_NODE_LOADING, &node->flags) || node->error ||
		     !refcount_inc_not_zero(&node->refs)))
		node = NULL;
	rcu_read_unlock();
	return node;
}

/* Consumes the reference on @node.  Recursion is as deep as the tree is high. */
static struct ckpt_node *next_below(struct ckpt_tree *tree, struct ckpt_node *node,
				    unsigned int level, u64 from, bool cached)
{
	unsigned int slot = 0;
	u64 first;

	if (IS_ERR_OR_NULL(node) || node->level == level)
		return node;
	first = node->index << CKPT_FANOUT_SHIFT;	/* first child's index */
	if (index_at(from, level, node->level - 1) > first)
		slot = index_at(from, level, node->level - 1) - first;
	for (;; slot++) {
		struct ckpt_node *child, *found;

		slot = next_slot(node, slot, cached);
		if (slot >= CKPT_FANOUT)
			break;
		if (cached)
			child = cached_child(tree, node, first + slot);
		else
			child = get_child(tree, node, node->level - 1, first + slot, false);
		found = next_below(tree, child, level, from, cached);
		if (found) {
			ckpt_node_put(node);
			return found;
		}
	}
	ckpt_node_put(node);
	return NULL;
}

static struct ckpt_node *first_behind(struct ckpt_tree *tree, unsigned int level, u64 from,
				      bool cached)
{
	struct ckpt_node *root;

	if (index_at(from, level, tree->levels - 1))
		return NULL;
	if (cached)
		root = cached_child(tree, NULL, 0);
	else
		root = get_child(tree, NULL, tree->levels - 1, 0, false);
	return next_below(tree, root, level, from, cached);
}

struct ckpt_node *ckpt_node_next(struct ckpt_tree *tree, unsigned int level, u64 from)
{
	return first_behind(tree, level, from, false);
}

struct ckpt_node *ckpt_node_next_cached(struct ckpt_tree *tree, u64 from)
{
	return first_behind(tree, 0, from, true);
}

/* One that is not in memory has been evicted under the lock, and had its place before. */
static bool has_root(struct ckpt_tree *tree)
{
	unsigned long flags;
	bool has;

	spin_lock_irqsave(&tree->lock, flags);
	has = rcu_access_pointer(tree->root) || ckpt_ref_where(&tree->root_ref);
	spin_unlock_irqrestore(&tree->lock, flags);
	return has;
}

int ckpt_node_next_index(struct ckpt_tree *tree, unsigned int level, u64 from, u64 *index)
{
	struct ckpt_node *parent;
	unsigned int slot;

	if (level == tree->levels - 1) {
		*index = 0;
		return !from && has_root(tree);
	}
	for (;; from = (*index | (CKPT_FANOUT - 1)) + 1) {
		parent = ckpt_node_next(tree, level + 1, from >> CKPT_FANOUT_SHIFT);
		if (IS_ERR_OR_NULL(parent))
			return PTR_ERR_OR_ZERO(parent);
		*index = parent->index << CKPT_FANOUT_SHIFT;
		slot = next_slot(parent, from > *index ? from - *index : 0, false);
		ckpt_node_put(parent);
		*index |= min(slot, CKPT_FANOUT - 1);
		if (slot < CKPT_FANOUT)
			return 1;
	}
}

/* ---- eviction ---- */

/* May this node go?  Both locks are held. */
static bool evictable(struct ckpt_node *node)
{
	/* Pairs with the end of loading. */
	unsigned long flags = smp_load_acquire(&node->flags);

	if (flags & (BIT(CKPT_NODE_LOADING) | BIT(CKPT_NODE_DIRTY) |
		     BIT(CKPT_NODE_WRITING) | BIT(CKPT_NODE_DEAD)))
		return false;
	if (refcount_read(&node->refs) != 1)
		return false;
	if (!node->level && node->type == CKPT_TREE_MAP && !ckpt_leaf_idle(node))
		return false;
	if (!node->level && node->type == CKPT_TREE_SPACE &&
	    !ckpt_space_leaf_idle(node))
		return false;
	return refcount_dec_if_one(&node->refs);
}

static bool try_evict(struct ckpt_node *node, spinlock_t *lock)
{
	bool gone;

	/* Against the lock order, so it is only tried. */
	if (!spin_trylock_irq(lock))
		return false;
	spin_lock(&node->lock);
	gone = evictable(node);
	if (gone)
		unlink_node(node);
	spin_unlock(&node->lock);
	spin_unlock_irq(lock);
	return gone;
}

/*
 * The lru_lock keeps @node from being freed until its parent's lock is held. A root's place is in
 * the tree, which may be gone with its layer while write-back still holds the root; then
 * the root is dead, and a tree goes a grace period after that.
 */
static bool evict(struct ckpt_node *node)
{
	bool gone;

	lockdep_assert_held(&node->store->lru_lock);
	rcu_read_lock();
	gone = !test_bit(CKPT_NODE_DEAD, &node->flags) &&
	       try_evict(node, child_lock(node->tree, node->parent));
	rcu_read_unlock();
	return gone;
}

/*
 * Drop what memory has of a subtree that is not on disk; false when it is in use or changed.
 * Under rcu_read_lock(), as somebody else may evict as well.
 */
static bool forget_below(struct ckpt_node *node)
{
	struct ckpt_store *store = node->store;
	bool gone = true;
	unsigned int i;

	for (i = 0; node->level && gone && i < CKPT_FANOUT; i++) {
		struct ckpt_node *child = rcu_dereference(node->child[i]);

		if (child)
			gone = forget_below(child);
	}
	if (!gone)
		return false;
	spin_lock(&store->lru_lock);
	gone = evict(node);
	spin_unlock(&store->lru_lock);
	if (gone)
		release_node(node);
	return gone;
}

static bool has_place(struct ckpt_tree *tree, struct ckpt_node *parent, u64 index)
{
	/* Write-back may be writing this word: what counts is whether there is anything in it. */
	return data_race(ckpt_ref_where(child_ref(tree, parent, index)));
}

/*
 * What a commit has made dirty is dirty until write-back has given it a place.  So that is asked
 * first; the other way round a write-back in between would hide the node.
 */
int ckpt_node_has(struct ckpt_tree *tree, unsigned int level, u64 index, bool free)
{
	struct ckpt_node *parent = NULL, *node;
	unsigned long flags;
	bool has;

	if (level < tree->levels - 1) {
		parent = ckpt_node_get(tree, level + 1, index >> CKPT_FANOUT_SHIFT, false);
		if (IS_ERR_OR_NULL(parent))
			return PTR_ERR_OR_ZERO(parent);
	}
	rcu_read_lock();
	spin_lock_irqsave(child_lock(tree, parent), flags);
	node = rcu_dereference(*child_place(tree, parent, index));
	/* Pairs with freeze_images(). */
	has = (node && test_bit_acquire(CKPT_NODE_DIRTY, &node->flags)) ||
	      has_place(tree, parent, index);
	spin_unlock_irqrestore(child_lock(tree, parent), flags);
	if (!has && node && free)
		has = !forget_below(node) || has_place(tree, parent, index);
	rcu_read_unlock();
	if (parent)
		ckpt_node_put(parent);
	return has;
}

unsigned long ckpt_cache_trim(struct ckpt_store *store, unsigned long nr, bool force)
{
	unsigned long limit = (unsigned long)READ_ONCE(store->options.cache_mb) << 20;
	unsigned long gone = 0, look = nr * 4;
	LIST_HEAD(evicted);
	struct ckpt_node *node, *next;

	if (!force && (unsigned long)atomic_long_read(&store->cached) <= limit)
		return 0;
	spin_lock(&store->lru_lock);
	while (gone < nr && look-- && !list_empty(&store->lru)) {
		node = list_first_entry(&store->lru, struct ckpt_node, lru);
		list_move_tail(&node->lru, &store->lru);
		if (test_and_clear_bit(CKPT_NODE_RECENT, &node->flags) || !evict(node))
			continue;
		list_move(&node->lru, &evicted);
		gone++;
	}
	spin_unlock(&store->lru_lock);
	list_for_each_entry_safe(node, next, &evicted, lru)
		release_node(node);
	return gone;
}

/* ---- from one tree to another ---- */

/* Units below a node as they are now: references know of what was written back. */
static u64 units_below(struct ckpt_node *node, const struct ckpt_ref *ref)
{
	struct ckpt_ref *refs;
	unsigned int i;
	u64 units = 0;

	if (!node || !test_bit(CKPT_NODE_DIRTY, &node->flags))
		return ckpt_ref_used(ref);
	if (!node->level)
		return ckpt_node_used(node);
	refs = node->image;
	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_node *child;

		rcu_read_lock();
		child = rcu_dereference(node->child[i]);
		units += units_below(child, &refs[i]);
		rcu_read_unlock();
	}
	return units;
}

/* Under the lru_lock nobody evicts, so nobody else looks at node->parent without a reference. */
static void hang_over(struct ckpt_tree *to, struct ckpt_node *to_parent, struct ckpt_tree *from,
		      struct ckpt_node *from_parent, u64 index)
{
	struct ckpt_node __rcu **new = child_place(to, to_parent, index);
	struct ckpt_node __rcu **old = child_place(from, from_parent, index);
	struct ckpt_store *store = to->store;
	struct ckpt_node *node;
	unsigned long flags;

	spin_lock(&store->lru_lock);
	spin_lock_irqsave(child_lock(from, from_parent), flags);
	spin_lock_nested(child_lock(to, to_parent), SINGLE_DEPTH_NESTING);
	*child_ref(to, to_parent, index) = *child_ref(from, from_parent, index);
	memset(child_ref(from, from_parent, index), 0, sizeof(struct ckpt_ref));
	node = rcu_dereference_protected(*old, lockdep_is_held(child_lock(from, from_parent)));
	if (node) {
		RCU_INIT_POINTER(*old, NULL);
		node->tree = to;
		node->parent = to_parent;
		if (to_parent)
			refcount_inc(&to_parent->refs);
		rcu_assign_pointer(*new, node);
	}
	spin_unlock(child_lock(to, to_parent));
	spin_unlock_irqrestore(child_lock(from, from_parent), flags);
	spin_unlock(&store->lru_lock);
	if (node && from_parent)
		ckpt_node_put(from_parent);
}

static int graft(struct ckpt_tree *to, struct ckpt_node *to_parent, struct ckpt_tree *from,
		 struct ckpt_node *from_parent, u64 index, u64 *used)
{
	struct ckpt_node *node;

	if (ckpt_ref_where(child_ref(to, to_parent, index)) ||
	    rcu_access_pointer(*child_place(to, to_parent, index)))
		return -EEXIST;
	node = cached_child(from, from_parent, index);
	if (!ckpt_ref_where(child_ref(from, from_parent, index)) &&
	    !(node && test_bit(CKPT_NODE_DIRTY, &node->flags))) {
		if (node)
			ckpt_node_put(node);
		return -ENOENT;
	}
	*used = units_below(node, child_ref(from, from_parent, index));
	if (node)
		ckpt_node_put(node);
	if (from_parent)
		ckpt_node_change(from_parent);
	if (to_parent)
		ckpt_node_change(to_parent);
	hang_over(to, to_parent, from, from_parent, index);
	return 0;
}

int ckpt_node_graft(struct ckpt_tree *to, struct ckpt_tree *from, unsigned int level, u64 index,
		    u64 *used)
{
	struct ckpt_node *to_parent, *from_parent;
	int r;

	lockdep_assert_held(&to->store->commit);
	if (index_at(index, level, to->levels - 1))
		return -ENOENT;
	if (level == to->levels - 1)
		return graft(to, NULL, from, NULL, 0, used);
	from_parent = ckpt_node_get(from, level + 1, index >> CKPT_FANOUT_SHIFT, false);
	if (IS_ERR_OR_NULL(from_parent))
		return from_parent ? PTR_ERR(from_parent) : -ENOENT;
	to_parent = ckpt_node_get(to, level + 1, index >> CKPT_FANOUT_SHIFT, true);
	if (IS_ERR(to_parent)) {
		r = PTR_ERR(to_parent);
	} else {
		r = graft(to, to_parent, from, from_parent, index, used);
		ckpt_node_put(to_parent);
	}
	ckpt_node_put(from_parent);
	return r;
}

/* ---- taking down ---- */

/* The node at a place, out of the tree; the tree's reference is the caller's. */
static struct ckpt_node *take_node(struct ckpt_tree *tree, struct ckpt_node *parent, u64 index)
{
	spinlock_t *lock = child_lock(tree, parent);
	struct ckpt_node *node;
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	node = rcu_dereference_protected(*child_place(tree, parent, index), lockdep_is_held(lock));
	if (node)
		unlink_node(node);
	spin_unlock_irqrestore(lock, flags);
	return node;
}

/*
 * From the top down: memory may be short, and somebody evict what is here meanwhile; either the
 * node is theirs, or it is ours.  Recursion is as deep as the tree is high.
 */
static void destroy_at(struct ckpt_tree *tree, struct ckpt_node *parent, u64 index)
{
	struct ckpt_node *node = take_node(tree, parent, index);
	unsigned int i;

	if (!node)
		return;
	for (i = 0; node->level && i < CKPT_FANOUT; i++)
		if (rcu_access_pointer(node->child[i]))
			destroy_at(tree, node, (node->index << CKPT_FANOUT_SHIFT) + i);
	if (test_and_clear_bit(CKPT_NODE_DIRTY, &node->flags)) {
		list_del_init(&node->dirty);
		tree->store->nr_dirty--;
		ckpt_node_put(node);
	}
	ckpt_node_put(node);
}

void ckpt_tree_destroy(struct ckpt_tree *tree)
{
	destroy_at(tree, NULL, 0);
}

int ckpt_cache_init(struct ckpt_store *store)
{
	int r;

	spin_lock_init(&store->lru_lock);
	INIT_LIST_HEAD(&store->lru);
	atomic_long_set(&store->cached, 0);
	ratelimit_state_init(&store->damage_lines, DAMAGE_JIFFIES, DAMAGE_LINES);
	ratelimit_set_flags(&store->damage_lines, RATELIMIT_MSG_ON_RELEASE);
	r = mempool_init_slab_pool(&store->nodes, POOL_NODES, node_cache);
	if (!r)
		r = mempool_init_page_pool(&store->pages, 2 * POOL_NODES,
					   get_order(CKPT_NODE_BYTES));
	if (!r)
		r = mempool_init_kmalloc_pool(&store->tables, POOL_NODES,
					      CKPT_FANOUT * sizeof(void *));
	if (!r)
		r = mempool_init_kmalloc_pool(&store->writes, POOL_NODES,
					      sizeof(struct ckpt_leaf_write));
	if (!r)
		r = ckpt_shrinker_register(store);
	return r;
}

void ckpt_cache_exit(struct ckpt_store *store)
{
	rcu_barrier();
	mempool_exit(&store->writes);
	mempool_exit(&store->tables);
	mempool_exit(&store->pages);
	mempool_exit(&store->nodes);
}

int __init ckpt_node_module_init(void)
{
	empty_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!empty_page)
		return -ENOMEM;
	node_cache = KMEM_CACHE(ckpt_node, 0);
	if (!node_cache) {
		free_page((unsigned long)empty_page);
		return -ENOMEM;
	}
	return 0;
}

void ckpt_node_module_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(node_cache);
	free_page((unsigned long)empty_page);
}
