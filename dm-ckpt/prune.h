/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Freeing what a layer has: its nodes with their data, and at last its record.
 *
 * CRASH CASES: each batch of nodes is freed or is not; what is left is found again.
 */
#ifndef CKPT_PRUNE_H
#define CKPT_PRUNE_H

struct ckpt_layer;
struct ckpt_store;
struct ckpt_txn;

/*
 * Free all nodes of a layer that nobody needs, but for the root.  Sleeps; called by the
 * background worker.  -EINTR when the store is to come to rest, -EIO, -ENOMEM.
 */
int ckpt_prune(struct ckpt_store *store, struct ckpt_layer *layer);

/*
 * A transaction that frees the root and the record that names it, with room for @bytes more, or
 * an error pointer.  Sleeps.
 */
struct ckpt_txn *ckpt_prune_last(struct ckpt_store *store, struct ckpt_layer *layer,
				 unsigned int bytes);

/*
 * Wait for those who still flush what the layer dropped while it was a head: it is no volume's top
 * any more, and is to be freed.  Sleeps.
 */
void ckpt_prune_unpinned(struct ckpt_layer *layer);

/* All of it: afterwards the layer is gone. */
int ckpt_prune_layer(struct ckpt_store *store, struct ckpt_layer *layer);

#endif
