/* SPDX-License-Identifier: GPL-2.0-only */
/* Checkpoints as they are named on the command line, several at once. */
#ifndef CKPTCTL_REFS_H
#define CKPTCTL_REFS_H

#include "cli.h"
#include "libckpt/group.h"

struct refs {
	struct ckpt_part *ref;
	size_t count;
};

/*
 * VOLUME@CHECKPOINT, or @CHECKPOINT for all volumes that were taken together under
 * that name.  What is named twice is there once.  refs_free() also after a failure.
 */
enum ckpt_result refs_parse(struct ckpt_store *s, char **arg, int count, struct refs *refs);

/* Add the checkpoints of the same volumes that sit on those in @refs. */
enum ckpt_result refs_add_subtrees(struct ckpt_store *s, struct refs *refs);

void refs_free(struct refs *refs);

/* "disk@monday, data@monday" for a person; cut off with "..." if it is long. */
void refs_names(const struct refs *refs, char *text, size_t size);

#endif
