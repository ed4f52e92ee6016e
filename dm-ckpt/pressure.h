/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When space is short.
 *
 *	low	less is free than the low-water mark: an event, so that somebody makes room; until
 *		an eighth of the mark more is free than that
 *	full	writes that need space find none
 *
 * What layers have set aside for writes to come, or not given back yet, is taken back first, for
 * those that come now.  Then writes wait (for a bounded time) or fail, as the options have it;
 * everything that needs no space goes on.  When space comes back, by freeing or because the store
 * has grown, those that wait are tried again.
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
 * What merges and packing take for a moment: the places that they make room in, and those that
 * blocks are on their way to, before the old ones come back.  By the background worker alone, one
 * loan at a time.  The next one begins when those who have waited for the last have had their turn,
 * or wait for more; sleeps.
 */
void ckpt_pressure_lend(struct ckpt_store *store);
void ckpt_pressure_lent_back(struct ckpt_store *store);

/* What has happened so far: who looks for space asks before he does. */
struct ckpt_outlook {
	u32 loans;			/* begun, and ended */
	u32 frees;			/* how often something has come back */
};

struct ckpt_outlook ckpt_pressure_look(const struct ckpt_store *store);

/* Somebody is short of space, and has his turn before the next loan; until he has some, or not. */
void ckpt_pressure_short_begin(struct ckpt_store *store);
void ckpt_pressure_short_end(struct ckpt_store *store);

/*
 * Nothing could be relieved.  0: something has come back since then, or was on loan and is back
 * now, so it is worth another try; -ENOSPC when nothing has, or not in time.  Sleeps.
 */
int ckpt_pressure_await(struct ckpt_store *store, const struct ckpt_outlook *then);

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
