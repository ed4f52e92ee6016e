/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaves that will be needed, at replay or in a walk down many layers, loaded side by side: a
 * disk that takes long for a read takes as long for many of them.  Who needs one then finds it in
 * memory, or loads it as ever: nothing depends on this, so it tells of no errors.  All of these
 * sleep, and take NULL for what could not begin.
 *
 * Loads have a queue of their own, as those who wait for them may be all that another one runs.
 */
#ifndef CKPT_PRELOAD_H
#define CKPT_PRELOAD_H

#include "node.h"

struct ckpt_preload;

/* NULL when there is no memory for it. */
struct ckpt_preload *ckpt_preload_begin(void);

/* This leaf, if there is one and it is not in memory.  The tree stays until the end. */
void ckpt_preload_leaf(struct ckpt_preload *p, struct ckpt_tree *tree, u64 index);

/* All leaves of a tree, as far as they can be found. */
void ckpt_preload_tree(struct ckpt_preload *p, struct ckpt_tree *tree);

/* Until all have been loaded. */
void ckpt_preload_end(struct ckpt_preload *p);

#endif
