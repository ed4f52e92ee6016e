// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include "fault.h"
#include "io.h"
#include "preload.h"
#include "store.h"

int ckpt_journal_init(struct ckpt_store *store)
{
	unsigned int i;

	for (i = 0; i < CKPT_TXN_BLOCKS; i++) {
		store->journal.buffer[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!store->journal.buffer[i])
			return -ENOMEM;
	}
	return 0;
}

void ckpt_journal_exit(struct ckpt_store *store)
{
	unsigned int i;

	for (i = 0; i < CKPT_TXN_BLOCKS; i++)
		free_page((unsigned long)store->journal.buffer[i]);
}

static struct ckpt_journal_head *head_of(const struct ckpt_journal *j, unsigned int i)
{
	return j->buffer[i];
}

bool ckpt_journal_fits(const struct ckpt_journal *j, u32 bytes, u32 each)
{
	u32 nr = DIV_ROUND_UP(bytes, each), room = 0;

	if (j->nr)
		room = (CKPT_JOURNAL_PAYLOAD - le32_to_cpu(head_of(j, j->nr - 1)->bytes)) / each;
	room += (CKPT_TXN_BLOCKS - j->nr) * (CKPT_JOURNAL_PAYLOAD / each);
	return nr <= room;
}

bool ckpt_journal_add(struct ckpt_journal *j, const struct ckpt_entry_head *entry)
{
	u32 bytes = le16_to_cpu(entry->bytes), used = 0;
	struct ckpt_journal_head *head = NULL;

	if (j->nr) {
		head = head_of(j, j->nr - 1);
		used = le32_to_cpu(head->bytes);
	}
	if (!head || used + bytes > CKPT_JOURNAL_PAYLOAD) {
		if (j->nr == CKPT_TXN_BLOCKS)
			return false;
		head = head_of(j, j->nr++);
		memset(head, 0, CKPT_NODE_BYTES);
		used = 0;
	}
	memcpy((void *)(head + 1) + used, entry, bytes);
	head->bytes = cpu_to_le32(used + bytes);
	return true;
}

static u64 place(const struct ckpt_journal *j, u64 seq)
{
	u32 at;

	div_u64_rem(seq, j->blocks, &at);
	return CKPT_JOURNAL_START + (u64)at * CKPT_NODE_SECTORS;
}

/* Transfer @nr blocks from sequence number @seq on, around the end of the ring. */
static int transfer(struct ckpt_store *store, blk_opf_t opf, u64 seq, void **page,
		    unsigned int nr)
{
	struct ckpt_journal *j = &store->journal;
	unsigned int part;
	u32 at;
	int r;

	div_u64_rem(seq, j->blocks, &at);
	part = min(nr, j->blocks - at);
	r = ckpt_io_pages(store->bdev, opf, place(j, seq), page, part);
	if (!r && part < nr)
		r = ckpt_io_pages(store->bdev, opf & ~REQ_PREFLUSH, CKPT_JOURNAL_START,
				  page + part, nr - part);
	return r;
}

int ckpt_journal_write(struct ckpt_store *store)
{
	blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC | REQ_PREFLUSH | REQ_FUA;
	struct ckpt_journal *j = &store->journal;
	unsigned int i;
	int r;

	for (i = 0; i < j->nr; i++) {
		struct ckpt_journal_head *head = head_of(j, i);

		head->seq = cpu_to_le64(j->head + i);
		head->epoch = cpu_to_le64(j->epoch);
		head->super_sequence = store->super->sequence;
		head->txn_index = cpu_to_le16(i);
		head->txn_blocks = cpu_to_le16(j->nr);
		memcpy(head->uuid, store->super->uuid, CKPT_UUID_BYTES);
		ckpt_journal_seal(head);
	}
	if (ckpt_fault(CKPT_FAULT_NO_FLUSH))
		opf &= ~REQ_PREFLUSH;
	r = transfer(store, opf, j->head, j->buffer, j->nr);
	if (!r)
		WRITE_ONCE(j->head, j->head + j->nr);
	return r;
}

int ckpt_journal_for_each(struct ckpt_store *store, ckpt_apply_fn apply)
{
	struct ckpt_journal *j = &store->journal;
	const struct ckpt_entry_head *entry;
	unsigned int i;
	int r;

	for (i = 0; i < j->nr; i++) {
		u32 offset = 0;

		while ((entry = ckpt_journal_next(j->buffer[i], &offset))) {
			r = apply(store, entry);
			if (r)
				return r;
		}
		if (offset == ~0u) {
			ckpt_log(err, store, "journal block %llu is damaged: an entry makes no sense",
				 le64_to_cpu(head_of(j, i)->seq));
			return -EIO;
		}
	}
	return 0;
}

/* ---- replay ---- */

/* Each entry wants a leaf of a map and one of the space map, most of them only at this time. */
static int load_ahead(struct ckpt_store *store)
{
	int r;

	store->preload = ckpt_preload_begin();
	r = ckpt_journal_for_each(store, ckpt_apply_ahead);
	ckpt_preload_end(store->preload);
	store->preload = NULL;
	return r;
}

static int apply_buffered(struct ckpt_store *store, const struct ckpt_window *w, unsigned int nr)
{
	struct ckpt_journal *j = &store->journal;
	int r;

	if (ckpt_window_newer(w, nr)) {
		ckpt_log(err, store, "superblock is older than the journal: the newest one is lost");
		return -EIO;
	}
	j->nr = nr;
	r = load_ahead(store);
	if (!r)
		r = ckpt_journal_for_each(store, ckpt_apply);
	ckpt_journal_reset(j);
	return r;
}

/* Read the blocks from @seq on, as many as the buffer holds, and none from @end on. */
static int read_window(struct ckpt_store *store, struct ckpt_window *w, u64 seq, u64 end)
{
	int r;

	w->seq = seq;
	w->nr = min_t(u64, CKPT_TXN_BLOCKS, end - seq);
	r = transfer(store, REQ_OP_READ | REQ_META, seq, store->journal.buffer, w->nr);
	if (r)
		ckpt_log(err, store, "journal cannot be read at block %llu", seq);
	return r;
}

/* The buffer begins at @seq, where no whole transaction is: was there one once? */
static int look_behind(struct ckpt_store *store, struct ckpt_window *w, u64 seq, u64 end)
{
	bool later = ckpt_window_later(w, seq);

	if (!later && end - seq > CKPT_TXN_BLOCKS) {
		int r = read_window(store, w, seq + CKPT_TXN_BLOCKS, end);

		if (r)
			return r;
		later = ckpt_window_later(w, seq);
	}
	if (!later)
		return 0;
	ckpt_log(err, store, "journal block %llu is damaged: later ones are there", seq);
	return -EIO;
}

int ckpt_journal_replay(struct ckpt_store *store, const struct ckpt_super *super)
{
	struct ckpt_journal *j = &store->journal;
	struct ckpt_window w = { .super = super, .block = j->buffer };
	u64 seq = le64_to_cpu(super->journal_seq), end = seq + j->blocks;
	int r;

	j->tail = seq;
	j->epoch = le64_to_cpu(super->epoch);
	while (seq < end) {
		unsigned int nr, done = 0;

		r = read_window(store, &w, seq, end);
		if (r)
			return r;
		while (done < w.nr && (nr = ckpt_window_txn(&w, done)))
			done += nr;
		if (!done)
			break;
		r = apply_buffered(store, &w, done);
		if (r)
			return r;
		seq += done;
	}
	if (seq < end) {
		r = look_behind(store, &w, seq, end);
		if (r)
			return r;
	}
	if (seq < le64_to_cpu(super->epoch_seq)) {
		ckpt_log(err, store, "journal ends at block %llu, before %llu, which it had reached",
			 seq, le64_to_cpu(super->epoch_seq));
		return -EIO;
	}
	j->head = seq;
	return 0;
}
