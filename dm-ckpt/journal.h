/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: transactions of entries in a ring of checksummed blocks.
 *
 * A transaction is gathered in a buffer and written with one bio (two where the ring
 * wraps) that first flushes the device's cache and then reaches the medium itself.
 * One transaction is in flight at a time.  All functions sleep and are
 * called with store->commit held, or before the store is active.
 */
#ifndef CKPT_JOURNAL_H
#define CKPT_JOURNAL_H

#include "replay.h"

struct ckpt_store;

struct ckpt_journal {
	u64 head;			/* sequence number of the next block */
	u64 tail;			/* first block that the trees lack */
	u64 epoch;
	u32 blocks;			/* length of the ring */
	unsigned int nr;		/* blocks of the buffer in use */
	void *buffer[CKPT_TXN_BLOCKS];
};

int ckpt_journal_init(struct ckpt_store *store);
void ckpt_journal_exit(struct ckpt_store *store);

/* Out of date without store->commit. */
static inline u32 ckpt_journal_used(const struct ckpt_journal *j)
{
	return (u32)(READ_ONCE(j->head) - READ_ONCE(j->tail));
}

/* Blocks that can be written before the tail must move. */
static inline u32 ckpt_journal_room(const struct ckpt_journal *j)
{
	return j->blocks - ckpt_journal_used(j);
}

/* Do @bytes of entries of this one size still fit in the transaction? */
bool ckpt_journal_fits(const struct ckpt_journal *j, u32 bytes, u32 each);

/* Add a copy of an entry; false if it does not fit. */
bool ckpt_journal_add(struct ckpt_journal *j, const struct ckpt_entry_head *entry);

static inline bool ckpt_journal_empty(const struct ckpt_journal *j)
{
	return !j->nr;
}

/* Make the transaction durable.  The buffer stays until ckpt_journal_reset(). */
int ckpt_journal_write(struct ckpt_store *store);

/* Call @apply for each entry of the buffered transaction. */
typedef int (*ckpt_apply_fn)(struct ckpt_store *store,
			     const struct ckpt_entry_head *entry);
int ckpt_journal_for_each(struct ckpt_store *store, ckpt_apply_fn apply);

static inline void ckpt_journal_reset(struct ckpt_journal *j)
{
	j->nr = 0;
}

/*
 * Apply every whole transaction from the tail on; afterwards @head is where the next
 * one goes.  -EIO when the journal is damaged in the middle, older than the
 * superblock says, or when the superblock is older than the journal says.
 */
int ckpt_journal_replay(struct ckpt_store *store, const struct ckpt_super *super);

#endif
