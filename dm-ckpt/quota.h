/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A limit for the space that the layers of one volume take, so that it cannot starve others: the
 * head, and what was its head and has become a checkpoint's.  A write that would go beyond is
 * treated as if the store were full.
 *
 * What the layers have is counted with every commit, as long as a volume has a limit; what its head
 * has begun to write since is added to that.
 */
#ifndef CKPT_QUOTA_H
#define CKPT_QUOTA_H

#include "store.h"

/* May the volume have another block?  Any context. */
static inline bool ckpt_quota_allows(const struct ckpt_volume *volume)
{
	u64 limit = READ_ONCE(volume->limit);

	return likely(!limit) ||
	       READ_ONCE(volume->used) + atomic64_read(&volume->taken) < limit;
}

/* Its head has taken places for so many blocks.  Any context. */
static inline void ckpt_quota_take(struct ckpt_volume *volume, const struct ckpt_geometry *g,
				   u32 blocks)
{
	if (unlikely(READ_ONCE(volume->limit)))
		atomic64_add(max(blocks << g->block_shift >> CKPT_UNIT_SHIFT, 1u),
			     &volume->taken);
}

/* Count what volumes have; a commit has ended.  Sleeps. */
void ckpt_quota_count(struct ckpt_store *store);

/* Units that the layers of a volume have; store->admin is held. */
u64 ckpt_quota_used(struct ckpt_store *store, const struct ckpt_volume *volume);

#endif
