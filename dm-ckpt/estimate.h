/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What deleting a checkpoint would bring, by what the layers hold now.
 */
#ifndef CKPT_ESTIMATE_H
#define CKPT_ESTIMATE_H

#include "objects.h"

struct ckpt_estimate {
	u64 freed;			/* units that come back */
	u64 copied;			/* units that are copied for it */
};

/*
 * Of a part of the volume, from sector *@cursor on.  1: there is more from *@cursor on, which is
 * asked for by itself, see report.h; 0.  Sleeps; store->admin is held; -EIO.
 */
int ckpt_estimate(struct ckpt_store *store, const struct ckpt_checkpoint *checkpoint, u64 *cursor,
		  struct ckpt_estimate *e);

#endif
