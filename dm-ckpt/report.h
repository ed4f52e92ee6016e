/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers to people and programs: status lines and the paged answers to "list" and "diff".
 * Text goes to @result, which has @maxlen bytes; a page ends before it is full.
 */
#ifndef CKPT_REPORT_H
#define CKPT_REPORT_H

#include "target.h"

/* Any context that may sleep. */
void ckpt_report_store(struct ckpt_store *store, char *result, unsigned int maxlen);
void ckpt_report_volume(struct ckpt_target *t, char *result, unsigned int maxlen);

/* From record @cursor on.  Sleeps; store->admin is held. */
int ckpt_report_list(struct ckpt_store *store, u64 cursor, char *result, unsigned int maxlen);

/*
 * From sector @cursor on.  @from may be "-" for the base or nothing, @to for the head.
 * Sleeps; store->admin is held; -ENOENT, -EIO.
 */
int ckpt_report_diff(struct ckpt_store *store, const char *volume, const char *from,
		     const char *to, u64 cursor, char *result, unsigned int maxlen);

#endif
