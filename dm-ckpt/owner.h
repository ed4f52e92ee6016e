/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has a store open: what the guard's block says, and what follows from it.  Pure functions,
 * any context; what is written when is guard.h's.
 *
 * THE RULES, for hosts that share nothing but the device, and whose clocks agree on how long a
 * second is and on nothing else.  I is the interval of the block, in seconds.
 *
 *	An owner writes its block every I.  Its LEASE is 2 I from when it sent the last write that
 *	has succeeded; without a lease it writes nothing to the store until it has looked again.
 *	Another host WATCHES an active block for 4 I + 1 before it takes it for a dead owner's.
 *	That is more than two leases: an owner's write that reaches the medium only after the
 *	watcher has read the block for the last time was sent within the lease of a block that
 *	the watcher has seen, and so gives no lease any more when it completes.
 *	Whoever wants a block that is clean, or a dead owner's, writes a CLAIM at most
 *	CKPT_CLAIM_MS after it began to read what it replaces, and then waits for CKPT_SETTLE_MS.
 *	If the claim stands, it is the owner.  Of two that claim at once, both have read before
 *	either has written, so the last write comes no later than CKPT_CLAIM_MS after the first:
 *	both look when there is nothing to come, and only one sees its own.  A claim that took
 *	longer may have gone over an owner's block; it is made again, and stands only if the
 *	superblock has not changed either.  An owner looks at its block on both sides of writing the
 *	superblock of its epoch, so one of the two sees the other.
 *	The kernel that wrote a block last, and has the store open nowhere, needs no claim: it is
 *	the only one that acts so.  It is the owner at once, with a lease of CKPT_SETTLE_MS, and
 *	looks after CKPT_CLAIM_MS for a claim that crossed its write.  An owner with a lease that
 *	finds a claim writes over it, and the claimer, who has yet to look, sees that.
 *	An owner whose lease has run out claims its own block again, and looks at the superblock as
 *	well: another activation leaves a higher epoch there, even where a late write of ours has
 *	gone over its block.  So that owner is not told by its block alone: it writes over a
 *	block of the one it has followed, who cannot go on.
 *	Whoever closes the store says so in its block, if that is as it left it, and only if what
 *	stands there was sent within a lease; otherwise it is left active, and others watch it.
 *
 * WHAT REMAINS: all of these look at a clock, then hand down a write.  Nobody takes a block over
 * before 4 I + 1 from when it was sent, so a write that is handed down within the lease has 2 I + 1
 * to reach the medium, in which the host may stand still as well.  One that takes longer
 * goes over the block of whoever has taken over, and no clock of ours can keep it from that.  If it
 * says that the store is active, the new owner knows by his epoch that it cannot be meant, and
 * others watch it.  If it says that it is closed, the new owner writes his own again at the next
 * sign of life, within I; but a third host that looks before that may claim it, settle, and be an
 * owner beside him until then, if I is more than CKPT_SETTLE_MS.
 */
#ifndef CKPT_OWNER_H
#define CKPT_OWNER_H

#include "format.h"

/* From the beginning of reading a block to the end of writing over it, in milliseconds. */
#define CKPT_CLAIM_MS		1000u
/* From a claim's end until it is known whether it stands: more than that. */
#define CKPT_SETTLE_MS		1500u

static inline u32 ckpt_owner_lease_ms(u32 interval)
{
	return 2000 * interval;
}

static inline u32 ckpt_owner_watch_ms(u32 interval)
{
	return 4000 * interval + 1000;
}

/* All zeros: no kernel has had the store open. */
bool ckpt_owner_absent(const struct ckpt_guard_block *block);

/* NULL, or what is wrong with a block of the store with this UUID. */
const char *ckpt_owner_verify(const struct ckpt_guard_block *block, const __u8 *uuid);

void ckpt_owner_seal(struct ckpt_guard_block *block);

/* Set the host's name, as far as it fits, with what is not printable replaced. */
void ckpt_owner_name(struct ckpt_guard_block *block, const char *name);

/* The interval that the block's owner may have; of a damaged one the longest. */
u32 ckpt_owner_interval(const struct ckpt_guard_block *block, const __u8 *uuid);

enum ckpt_owner_first {
	CKPT_OWNER_OURS,	/* take it at once */
	CKPT_OWNER_FREE,	/* claim it */
	CKPT_OWNER_WATCH,	/* may be another's, who may live */
};

/*
 * What comes first for somebody who wants the store @uuid in kernel @boot.  @alone: nothing else
 * in this kernel has, or wants, a store of that UUID.
 */
enum ckpt_owner_first ckpt_owner_first(const struct ckpt_guard_block *block, const __u8 *uuid,
				       const __u8 *boot, bool alone);

enum ckpt_owner_found {
	CKPT_OWNER_SAME,	/* what we have written */
	CKPT_OWNER_AGAIN,	/* not ours, but nobody's who could go on: write it again */
	CKPT_OWNER_LOST,	/* another's */
};

/*
 * What an owner makes of the block that it finds.  @mine: the one that it wrote last; @tried: one
 * whose write has failed since, or the same; @former: the activation that it has followed.
 */
enum ckpt_owner_found ckpt_owner_found(const struct ckpt_guard_block *found,
				       const struct ckpt_guard_block *mine,
				       const struct ckpt_guard_block *tried, const __u8 *former);

#endif
