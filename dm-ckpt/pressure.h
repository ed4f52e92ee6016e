/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When space is short.
 *
 *	low	less is free than the low-water mark: an event, so that somebody makes room; until
 *		an eighth of the mark more is free than that
 *	full	writes that need space find none
 *
 * What heads have set aside for writes to come is taken back first, for those that come now.
 * Then writes wait (for a bounded time) or fail, as the options have it; everything that needs
 * no space goes on.  When space comes back, by freeing or because the store has grown, those that
 * wait are tried again.
 */
#ifndef CKPT_PRESSURE_H
#define CKPT_PRESSURE_H

#include <linux/bio.h>

struct ckpt_store;
struct ckpt_target;

/*
 * A write found no space.  0: something has come back, so it is worth another try; -ENOSPC, or
 * the error of a commit.  Sleeps.
 */
int ckpt_pressure_relieve(struct ckpt_store *store);

/*
 * A write of that table has found no space for good, -ENOSPC, or its volume may not take any more,
 * -EDQUOT: true if it has been put aside, and will be
 * tried again or end; false if it is to fail now.  May sleep.
 */
bool ckpt_pressure_wait(struct ckpt_target *t, struct bio *bio, int error);

/* No write of that table waits any longer: it is about to be suspended.  Sleeps. */
void ckpt_pressure_end(struct ckpt_target *t);

/* Space may have come back, or gone: have a look.  Any context. */
void ckpt_pressure_kick(struct ckpt_store *store);

/* The options have changed: who waits is tried again, and waits or fails by the new ones. */
void ckpt_pressure_changed(struct ckpt_store *store);

/* Units that data may still take, and the low-water mark. */
u64 ckpt_pressure_free(const struct ckpt_store *store);
u64 ckpt_pressure_mark(const struct ckpt_store *store);

void ckpt_pressure_init(struct ckpt_store *store);
void ckpt_pressure_exit(struct ckpt_store *store);

#endif
