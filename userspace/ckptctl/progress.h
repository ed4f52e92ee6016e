/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for the merge, and telling how it gets on. */
#ifndef CKPTCTL_PROGRESS_H
#define CKPTCTL_PROGRESS_H

#include "cli.h"

/* What a merge that waits or is paused waits for, to complete "it waits ...". */
void progress_why(const struct ckpt_store *s, char *text, size_t size);

/*
 * Wait until nothing is left to be merged or freed.  CKPT_TIMEOUT when that takes
 * more than @limit seconds, or when the merge waits itself, with a sentence that
 * says for what.
 */
enum ckpt_result progress_wait(struct cli *cli, struct ckpt_store *s, uint64_t limit);

#endif
