/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In which ranges two points in time of a volume may differ: where any of the layers between them
 * says something.
 */
#ifndef CKPT_DIFF_H
#define CKPT_DIFF_H

#include "store.h"

/*
 * A page of them, as text: see report.h.  From sector @cursor on.  @from may be "-" for the base or
 * nothing, @to for the head.  1; sleeps; store->admin is held; -ENOENT, -EIO, -ENOMEM.
 */
int ckpt_diff(struct ckpt_store *store, const char *volume, const char *from, const char *to,
	      u64 cursor, char *result, unsigned int maxlen);

#endif
