/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a tree, in the order in which they are drawn; see tree.h. */
#ifndef CKPTCTL_TREE_ROWS_H
#define CKPTCTL_TREE_ROWS_H

#include "libckpt/model.h"

enum tree_kind {
	TREE_BASE,		/* a root with an origin */
	TREE_ZEROS,		/* a root without */
	TREE_CHECKPOINT,
	TREE_HIDDEN,		/* a frozen layer without a checkpoint */
	TREE_VOLUME,		/* where "now" is */
};

struct tree_row {
	enum tree_kind kind;
	unsigned int depth;	/* columns to the left of it */
	bool forks;		/* the first of a branch off the column at its left */
	bool is_first;		/* of those that stand on the same layer */
	uint32_t number;	/* layer or base, 0 for zeros */
	const struct ckpt_base *base;
	const struct ckpt_checkpoint *checkpoint;
	const struct ckpt_volume *volume;
};

struct tree_rows {
	struct tree_row *row;
	size_t count;
};

/* Rows of all trees, or of the one that @only is in.  False: no memory. */
bool tree_rows_make(const struct ckpt_model *m, const struct ckpt_volume *only,
		    struct tree_rows *rows);
void tree_rows_free(struct tree_rows *rows);

#endif
