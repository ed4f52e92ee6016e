/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commits: what was changed in memory becomes durable.
 *
 * One worker does them all, so that whoever waits at the same time shares one journal
 * write.  A round takes the flushes and transactions that wait, collects the dirty
 * slots of all leaves, writes the journal, answers those who waited, and applies
 * the entries to the images.
 *
 * ORDER in the journal: slots of layers whose record is there already, then the
 * transactions in the order in which they were queued, then slots of layers which those
 * have made.  So a checkpoint that is durable has all that was completed before.
 *
 * CRASH CASES: before the write has reached the medium nothing has happened; afterwards
 * everything has.  Slots alone may take several transactions, as each is true by
 * itself.
 */
#ifndef CKPT_COMMIT_H
#define CKPT_COMMIT_H

#include <linux/bio.h>
#include <linux/completion.h>

#include "journal.h"

struct ckpt_layer;

/* Administrative changes that become durable together. */
struct ckpt_txn {
	struct list_head list;
	struct completion done;
	int error;
	struct ckpt_layer **makes;	/* layers durable from now on */
	unsigned int nr_makes, room_makes;
	unsigned int bytes, room;
	__u8 *entries;			/* behind makes, in one piece with them */
};

/* An empty transaction with room for @bytes of entries; NULL: no memory.  Sleeps. */
struct ckpt_txn *ckpt_txn_alloc(unsigned int bytes);
void ckpt_txn_free(struct ckpt_txn *txn);

/* Add entries; the caller has seen to the room. */
void ckpt_txn_record(struct ckpt_txn *txn, struct ckpt_store *store, u32 number);
/* Record @number is free, whatever the object says yet. */
void ckpt_txn_free_record(struct ckpt_txn *txn, u32 number);
void ckpt_txn_prune(struct ckpt_txn *txn, u32 layer, unsigned int level, u64 index);
/* What layer @from has below (and as) this node becomes layer @to's. */
void ckpt_txn_adopt(struct ckpt_txn *txn, u32 to, u32 from, unsigned int level, u64 index);
void ckpt_txn_size(struct ckpt_txn *txn, u64 sectors);

/*
 * Queue a transaction: no later commit leaves it out.  Any context that may take a
 * spinlock.  ckpt_txn_wait() then waits until it is durable.
 */
void ckpt_txn_queue(struct ckpt_store *store, struct ckpt_txn *txn);
int ckpt_txn_wait(struct ckpt_txn *txn);
/* Queue, wait and free.  Sleeps. */
int ckpt_txn_run(struct ckpt_store *store, struct ckpt_txn *txn);

/* Complete @bio when all that has ended so far is durable.  Any context. */
void ckpt_commit_bio(struct ckpt_store *store, struct bio *bio);

/* Commit all that has ended so far; sleeps, and needs no memory of its own. */
int ckpt_commit(struct ckpt_store *store);

/* Is anything of this leaf not durable yet?  Any context. */
struct ckpt_node;
bool ckpt_commit_covers(struct ckpt_store *store, const struct ckpt_node *leaf);

/* A leaf has become dirty: see that a commit comes in due time.  Any context. */
void ckpt_commit_leaf(struct ckpt_store *store, struct ckpt_node *leaf);

int ckpt_commit_init(struct ckpt_store *store);
void ckpt_commit_exit(struct ckpt_store *store);

#endif
