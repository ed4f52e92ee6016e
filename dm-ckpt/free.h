/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Space on its way back: units that no slot will name any more wait here until the commit
 * that says so is durable and every bio that was mapped before has ended.  Only then may
 * they be handed out again.
 */
#ifndef CKPT_FREE_H
#define CKPT_FREE_H

#include <linux/types.h>

struct ckpt_store;

/*
 * Free the places of blocks of a window once commit @txn is durable (0: no need to wait for
 * one).  Any context; false, and nothing done, when there is no memory to note it.
 */
bool ckpt_free_blocks(struct ckpt_store *store, u64 where, u32 blocks, u64 txn);
/* The same with a mask as ckpt_unit_mask() makes them; sleeps until there is memory. */
void ckpt_free_mask(struct ckpt_store *store, u64 where, u32 mask, u64 txn);

/* Look whether something can go now; any context. */
void ckpt_free_kick(struct ckpt_store *store);
/* Let all go now that can, which waits for the bios in flight.  Sleeps. */
void ckpt_free_now(struct ckpt_store *store);
/*
 * Commit, and let all go that waited for it: then a merge has repaid what it borrowed, with the
 * places that its slots have left.  Sleeps; as ckpt_commit().
 */
int ckpt_free_repay(struct ckpt_store *store);

void ckpt_free_init(struct ckpt_store *store);
void ckpt_free_exit(struct ckpt_store *store);

#endif
