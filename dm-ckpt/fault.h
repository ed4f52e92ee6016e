/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deliberate faults of the commit protocol, to show that the crash tests find such things.  They
 * are in debug builds alone (CONFIG_DM_CKPT_FAULTS), and there one of them is switched on by
 * its name, with the module's parameter "fault"; everywhere else none can happen.
 */
#ifndef CKPT_FAULT_H
#define CKPT_FAULT_H

#include <linux/types.h>

enum ckpt_fault {
	CKPT_FAULT_NONE,
	/* of the module: */
	CKPT_FAULT_NO_FLUSH,		/* a journal write does not flush the data before it */
	CKPT_FAULT_EARLY_COMMIT,	/* blocks are committed that are still being written */
	CKPT_FAULT_EARLY_REUSE,		/* clusters are used again before they are durably free */
	CKPT_FAULT_SUPER_FIRST,		/* the superblock is written before the nodes it names */
	CKPT_FAULT_ONE_SUPER,		/* its second copy is not written */
	CKPT_FAULT_NODE_REUSE,		/* a node is written where a superblock still reaches it */
	CKPT_FAULT_MERGE_NO_FLUSH,	/* a merge frees before the base was flushed */
	CKPT_FAULT_TAKE_NO_FLUSH,	/* a checkpoint forgets what its origin has not flushed */
	CKPT_FAULT_DROPS,		/* a commit says that dropped blocks are gone, too early */
	/* of all that reads a journal: */
	CKPT_FAULT_PARTIAL,		/* a transaction counts that is not complete */
	CKPT_FAULT_EPOCH,		/* a journal block of an earlier activation counts */
	CKPT_FAULT_OLD_SUPER,		/* a superblock counts that the journal knows is old */
	/* which is none, but has more of what is seldom: */
	CKPT_FAULT_PACKS,		/* slots are packed, also where that is no use */
};

#define CKPT_FAULT_NAMES { \
	"none", "no-flush", "early-commit", "early-reuse", "super-first", "one-super", \
	"node-reuse", "merge-no-flush", "take-no-flush", "drops", "partial", "epoch", "old-super", \
	"packs" \
}

#ifdef CONFIG_DM_CKPT_FAULTS

extern int ckpt_fault_active;	/* enum ckpt_fault */

static inline bool ckpt_fault(enum ckpt_fault fault)
{
	return ckpt_fault_active == (int)fault;
}

#else

/* No code is left of what stands behind this. */
static inline bool ckpt_fault(enum ckpt_fault fault)
{
	return false && fault;
}

#endif

#endif
