/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tree write-back: the trees as of one place in the journal become the trees on disk.
 *
 * 1. With commits held off, every dirty node is given a new place, its checksum and place
 *    go into its parent, up to the superblock; the images are marked as being
 *    written, so that later changes go to copies.
 * 2. While commits go on: the nodes are written, then with a flush superblock A, then B.
 * 3. The journal's tail moves up, and the places that only the former superblock reached are
 *    given back.
 *
 * CRASH CASES: before A is on the medium, the former superblock's tree and the whole journal
 * are there; between A and B, A counts, and all that B reaches is still there, should A rot;
 * afterwards both say the same.
 */
#ifndef CKPT_WRITEBACK_H
#define CKPT_WRITEBACK_H

#include <linux/types.h>

struct ckpt_store;

/*
 * What a reference to this node says of its use: for an inner node the sum of what it refers
 * to, for a leaf its content.  store->commit is held.
 */
struct ckpt_node;
u64 ckpt_node_used(const struct ckpt_node *node);

/* Write the trees back now, if anything is dirty; sleeps. */
int ckpt_writeback(struct ckpt_store *store);

/* Nodes may be dirty as there are places now to write them to.  store->commit is held. */
void ckpt_writeback_adapt(struct ckpt_store *store);

/*
 * Are places short so that what makes new nodes is to be refused?  I/O leaves some to commands.
 * Any context.
 */
bool ckpt_writeback_is_short(const struct ckpt_store *store, bool command);

/* Have it done in the background if it is time for it.  store->commit is held. */
void ckpt_writeback_kick(struct ckpt_store *store);

/* Must it be done before the next commit?  store->commit is held. */
bool ckpt_writeback_urgent(struct ckpt_store *store);

/*
 * A node's former place is free in the image, and can be used when the next superblock is
 * there.  store->commit is held; sleeps; -EIO.
 */
int ckpt_writeback_drops(struct ckpt_store *store, u64 sector);

int ckpt_writeback_init(struct ckpt_store *store);
void ckpt_writeback_exit(struct ckpt_store *store);

#endif
