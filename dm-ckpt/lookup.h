/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the data of a volume or view stand, as far as memory knows. */
#ifndef CKPT_LOOKUP_H
#define CKPT_LOOKUP_H

#include "target.h"

enum ckpt_where {
	CKPT_IN_STORE,
	CKPT_IN_ORIGIN,
	CKPT_ZEROS,
	CKPT_UNKNOWN,			/* ckpt_prepare_read() will find out */
};

struct ckpt_place {
	enum ckpt_where where;
	u64 sector;			/* of the store or the origin */
	u32 sectors;			/* for so many it is one piece */
};

/*
 * Where sectors [@sector, @sector + @nr) begin to stand for a reader of @top, as one piece as
 * long as can be.  Any context, under rcu_read_lock().
 */
void ckpt_lookup(const struct ckpt_target *t, const struct ckpt_layer *top, u64 sector, u32 nr,
		 struct ckpt_place *place);

#endif
