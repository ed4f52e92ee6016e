/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands in the nodes of the trees.  Pure functions, any context.
 */
#ifndef CKPT_CONTENT_H
#define CKPT_CONTENT_H

#include "codec.h"

enum ckpt_tree_type {
	CKPT_TREE_MAP,
	CKPT_TREE_RECORDS,
	CKPT_TREE_SPACE,
};

/*
 * Is this what @ref refers to, and may it stand in a node of this level, 0 being a leaf?
 * Returns NULL, or what completes the sentence "the node is damaged: ...".  Records and
 * the bits of the space map are not looked at.
 */
const char *ckpt_content_verify(const struct ckpt_geometry *g, enum ckpt_tree_type type,
				unsigned int level, const void *node,
				const struct ckpt_ref *ref);

/*
 * How much is below a node with this content, as its reference says it: units of data, records
 * or units in use.
 */
u64 ckpt_content_used(const struct ckpt_geometry *g, enum ckpt_tree_type type,
		      unsigned int level, const void *node);

#endif
