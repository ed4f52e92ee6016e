// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kernel.h>

#include "fault.h"
#include "replay.h"

/* Is this the block of that number, of the epoch that it must be of? */
static bool belongs(const struct ckpt_super *super, const struct ckpt_journal_head *head, u64 seq)
{
	u64 epoch = le64_to_cpu(super->epoch);

	if (!ckpt_journal_verify(head, super->uuid, seq))
		return false;
	if (seq < le64_to_cpu(super->epoch_seq))
		return le64_to_cpu(head->epoch) < epoch;
	if (ckpt_fault(CKPT_FAULT_EPOCH))
		return true;
	return le64_to_cpu(head->epoch) == epoch;
}

unsigned int ckpt_window_txn(const struct ckpt_window *w, unsigned int i)
{
	const struct ckpt_journal_head *first = w->block[i];
	unsigned int nr, k;

	if (!belongs(w->super, first, w->seq + i) || first->txn_index)
		return 0;
	nr = le16_to_cpu(first->txn_blocks);
	if (nr > w->nr - i)
		return 0;
	for (k = 1; k < nr; k++) {
		const struct ckpt_journal_head *head = w->block[i + k];

		if (!belongs(w->super, head, w->seq + i + k) ||
		    (head->epoch != first->epoch && !ckpt_fault(CKPT_FAULT_EPOCH)) ||
		    le16_to_cpu(head->txn_index) != k || head->txn_blocks != first->txn_blocks)
			return ckpt_fault(CKPT_FAULT_PARTIAL) ? k : 0;
	}
	return nr;
}

bool ckpt_window_newer(const struct ckpt_window *w, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct ckpt_journal_head *head = w->block[i];

		if (le64_to_cpu(head->super_sequence) > le64_to_cpu(w->super->sequence))
			return !ckpt_fault(CKPT_FAULT_OLD_SUPER);
	}
	return false;
}

bool ckpt_window_later(const struct ckpt_window *w, u64 seq)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		const struct ckpt_journal_head *head = w->block[i];

		if (belongs(w->super, head, w->seq + i) &&
		    w->seq + i - le16_to_cpu(head->txn_index) != seq)
			return true;
	}
	return false;
}
