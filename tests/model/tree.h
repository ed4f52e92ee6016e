/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of layers that there must be when nothing is left to be merged, by the
 * one rule: a frozen layer without a checkpoint goes when nothing or one thing sits
 * on it, and a base that its volume owns and that has no checkpoint takes in the one
 * that sits on it.  In which order all this was done does not matter.
 */
#ifndef MODEL_TREE_H
#define MODEL_TREE_H

#include "model.h"

/* What commands do to it. */
void tree_create(struct vol *v, const struct ckpt *from);
void tree_take(struct vol *v, struct ckpt *ck);
void tree_apply(struct vol *v, const struct ckpt *ck);
void tree_drop(struct ckpt *ck);	/* while its map is there */
void tree_delete(struct vol *v);
/* After a crash: it is there, and where is not known; verify_layers() is of no use then. */
void tree_found(struct ckpt *ck);

/*
 * The store is idle, or merges wait for space and for nothing else; all volumes are active, no
 * view is open, nothing is written, all is committed: `list` has these layers, each with the
 * blocks that differ from what it sits on.
 */
struct layer_sum {
	uint64_t layers, waiting, units;
};
bool verify_layers(struct layer_sum *sum);
/* Does the volume have no layer at all? */
bool tree_passthrough(const struct vol *v);

#endif
