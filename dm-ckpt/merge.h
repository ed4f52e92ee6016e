/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Merging a layer into its only child.
 *
 * What the child lacks changes hands by pointers, whole subtrees at a time; only where both
 * have blocks of one cluster, and the child lacks some of the parent's, are blocks copied: the
 * fewer to where the more are.  The child may be a head that is being written.
 *
 *	subtree that the child lacks	-> an ADOPT entry, applied by the commit
 *	slot that the child lacks	-> the parent's slot is the child's, by a MERGE entry
 *	slot in both, nothing needed	-> zero bits at most, by a MERGE entry
 *	slot in both			-> blocks are moved first, see move.h
 *
 * The parent is never changed in memory before the commit that says so is durable, as its map
 * has no live side: whoever walks down finds a cluster in the child, or still in the parent.
 * Changes are made with store->chain held for writing, so that nobody is on the way between
 * the two.
 *
 * CRASH CASES: each entry is true by itself; what is not in the journal is still the parent's.
 * Blocks are copied onto places of the parent's that the child hides only when that the child
 * hides them is durable.
 */
#ifndef CKPT_MERGE_H
#define CKPT_MERGE_H

struct ckpt_layer;
struct ckpt_store;

/*
 * Merge @parent, which is frozen, settled and nobody's, into @child, its only child; both are
 * durable.  Afterwards @parent is gone.  Sleeps; called by the background worker alone.
 *	-EINTR	 it was told to stop		-EAGAIN	 something was in use: call again
 *	-ENOSPC	 what is left needs space to be moved to	-EIO, -ENOMEM
 * After an error what was done stays done, and another call goes on.
 */
int ckpt_merge_layer(struct ckpt_store *store, struct ckpt_layer *parent,
		     struct ckpt_layer *child);

#endif
