/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast merging may go: a rate for what is copied, and a share of the time while there is
 * other I/O; it can be paused as well.
 */
#ifndef CKPT_PACE_H
#define CKPT_PACE_H

#include <linux/types.h>

struct ckpt_store;

#define CKPT_MERGE_SHARE_DEFAULT 50u

/* A stretch of merging: what it has copied is counted from begin to end. */
struct ckpt_pace {
	u64 begun;			/* ns */
	u64 copied;			/* units, before it */
	unsigned long bios;		/* of all volumes, before it */
};

void ckpt_pace_begin(struct ckpt_store *store, struct ckpt_pace *pace);

/* Has there been other I/O since the stretch began? */
bool ckpt_pace_is_busy(struct ckpt_store *store, const struct ckpt_pace *pace);

/*
 * Sleep as long as rate and share want it after that stretch; what is too short to sleep is added
 * to the next.  Ends early with ckpt_pace_wake().
 */
void ckpt_pace_end(struct ckpt_store *store, const struct ckpt_pace *pace);

/* The store is to come to rest, or the limits have changed.  Any context. */
void ckpt_pace_wake(struct ckpt_store *store);

/* May anything be copied in the background?  Any context. */
bool ckpt_pace_may_copy(const struct ckpt_store *store);
/* May merging go on?  It gives way to who makes a place for a write that waits; any context. */
bool ckpt_pace_may_run(const struct ckpt_store *store);

#endif
