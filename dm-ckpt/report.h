/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers to people and programs: status lines, and the list in pages.  Text goes to @result, which
 * has @maxlen bytes; a page ends before it is full.
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
 * Whoever answers from a volume's map ends the page when it has taken so long, as store->admin is
 * held: nobody takes a checkpoint meanwhile.
 */
static inline bool ckpt_report_is_long(unsigned long begun)
{
	return time_after(jiffies, begun + HZ / 20 + 1);
}

#endif
