// SPDX-License-Identifier: GPL-2.0-only
#include "gc.h"
#include "prune.h"
#include "store.h"

/* Nodes that are freed with one commit. */
#define BATCH 128u

/* Free up to BATCH nodes of one level; 0 when there are none left. */
static int prune_batch(struct ckpt_store *store, struct ckpt_layer *layer, unsigned int level)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(BATCH * sizeof(struct ckpt_entry_prune));
	struct ckpt_node *node;
	unsigned int nr = 0;
	u64 index = 0;
	int r;

	if (!txn)
		return -ENOMEM;
	while (nr < BATCH) {
		node = ckpt_node_next(&layer->map, level, index);
		if (IS_ERR_OR_NULL(node))
			break;
		ckpt_txn_prune(txn, layer->number, level, node->index);
		index = node->index + 1;
		ckpt_node_put(node);
		nr++;
	}
	if (nr) {
		ckpt_txn_queue(store, txn);
		r = ckpt_txn_wait(txn);
	} else {
		r = PTR_ERR_OR_ZERO(node);
	}
	ckpt_txn_free(txn);
	return r ? r : (int)nr;
}

struct ckpt_txn *ckpt_prune_last(struct ckpt_store *store, struct ckpt_layer *layer,
				 unsigned int bytes)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_prune) +
					      sizeof(struct ckpt_entry_record) + bytes);
	const unsigned int top = CKPT_MAP_LEVELS - 1;
	struct ckpt_node *root;

	if (!txn)
		return ERR_PTR(-ENOMEM);
	root = ckpt_node_get(&layer->map, top, 0, false);
	if (IS_ERR(root)) {
		ckpt_txn_free(txn);
		return ERR_CAST(root);
	}
	if (root) {
		ckpt_node_put(root);
		ckpt_txn_prune(txn, layer->number, top, 0);
	}
	ckpt_txn_free_record(txn, layer->number);
	return txn;
}

static int free_record(struct ckpt_store *store, struct ckpt_layer *layer)
{
	struct ckpt_txn *txn = ckpt_prune_last(store, layer, 0);
	int r;

	if (IS_ERR(txn))
		return PTR_ERR(txn);
	ckpt_txn_queue(store, txn);
	r = ckpt_txn_wait(txn);
	ckpt_txn_free(txn);
	if (r)
		return r;
	mutex_lock(&store->admin);
	down_write(&store->chain);
	if (layer->parent)
		layer->parent->children--;
	ckpt_object_drop(store, layer->number);
	up_write(&store->chain);
	mutex_unlock(&store->admin);
	return 0;
}

int ckpt_prune(struct ckpt_store *store, struct ckpt_layer *layer)
{
	unsigned int level;
	int r;

	for (level = 0; level < CKPT_MAP_LEVELS - 1; level++) {
		do {
			if (!ckpt_gc_may_run(store))
				return -EINTR;
			r = prune_batch(store, layer, level);
			cond_resched();
		} while (r > 0);
		if (r)
			return r;
	}
	return 0;
}

void ckpt_prune_unpinned(struct ckpt_layer *layer)
{
	/* Nobody finds and pins it after this. */
	if (layer->was_through)
		synchronize_rcu();
	while (atomic_read(&layer->pins))
		schedule_timeout_uninterruptible(1);
}

int ckpt_prune_layer(struct ckpt_store *store, struct ckpt_layer *layer)
{
	int r = ckpt_prune(store, layer);

	ckpt_prune_unpinned(layer);
	return r ? r : free_record(store, layer);
}
