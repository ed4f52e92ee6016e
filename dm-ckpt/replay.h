/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which blocks of the journal count when it is read again, and which ones prove
 * that something is missing.  Pure functions, any context.
 */
#ifndef CKPT_REPLAY_H
#define CKPT_REPLAY_H

#include "codec.h"

/* Bound of one transaction; groups of volumes must fit in one. */
#define CKPT_TXN_BLOCKS 64u

/* Some blocks of the ring in a row, as they were read. */
struct ckpt_window {
	const struct ckpt_super *super;
	u64 seq;		/* that the first block ought to have */
	unsigned int nr;
	void *const *block;
};

/* Length of the transaction that begins at block @i, 0: none that is whole. */
unsigned int ckpt_window_txn(const struct ckpt_window *w, unsigned int i);

/* Does any of the first @nr blocks know of a newer superblock? */
bool ckpt_window_newer(const struct ckpt_window *w, unsigned int nr);

/*
 * One transaction is in flight at a time, so a block of a later one proves that
 * the one at @seq was whole once.  Is there such a block?  The transaction may
 * have had CKPT_TXN_BLOCKS, so a look behind them is needed to be sure.
 */
bool ckpt_window_later(const struct ckpt_window *w, u64 seq);

#endif
