// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which blocks of the journal count: a ring that is written, crashes, and loses
 * blocks.  What had been committed comes back whole, or it is noticed.
 */
#include <linux/crc32c.h>

#include "build.h"
#include "replay.h"
#include "test.h"

#define RING 256u

/* ---- one window ---- */

static u8 blocks[2 * CKPT_TXN_BLOCKS][CKPT_NODE_BYTES] __attribute__((aligned(8)));
static void *pages[2 * CKPT_TXN_BLOCKS];
static struct ckpt_super super;
static struct ckpt_window window;

/* Blocks 0 to 9: transactions of 3, 1, 4 and 2 blocks from sequence number 500 on. */
static int ten_blocks(void **state)
{
	static const u8 txns[] = { 3, 1, 4, 2 };
	unsigned int t, i, k = 0;

	(void)state;
	build_super(&super);
	memset(blocks, 0, sizeof(blocks));
	for (i = 0; i < COUNT_OF(pages); i++)
		pages[i] = blocks[i];
	for (t = 0; t < COUNT_OF(txns); t++) {
		for (i = 0; i < txns[t]; i++, k++) {
			build_block(blocks[k], 500 + k, 3, i, txns[t]);
			ckpt_journal_seal(blocks[k]);
		}
	}
	window = (struct ckpt_window) { &super, 500, 10, pages };
	return 0;
}

static struct ckpt_journal_head *head_of(unsigned int i)
{
	return pages[i];
}

static void whole_transactions(void **state)
{
	static const u8 length[] = { 3, 0, 0, 1, 4, 0, 0, 0, 2, 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_int_equal(ckpt_window_txn(&window, i), length[i]);
	/* One that the window cuts off is for the next window. */
	for (window.nr = 5; window.nr < 8; window.nr++)
		assert_int_equal(ckpt_window_txn(&window, 4), 0);
	assert_int_equal(ckpt_window_txn(&window, 4), 4);
}

/* Change block @i with a right checksum: the transactions of others stay. */
#define SPOILT(i, change) do {							\
		ten_blocks(NULL);						\
		head_of(i)->change;						\
		ckpt_journal_seal(head_of(i));					\
		assert_int_equal(ckpt_window_txn(&window, 4), 0);		\
		assert_int_equal(ckpt_window_txn(&window, 0), 3);		\
		assert_int_equal(ckpt_window_txn(&window, 3), 1);		\
		assert_int_equal(ckpt_window_txn(&window, 8), 2);		\
	} while (0)

static void what_does_not_fit_together(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 4; i < 8; i++) {
		SPOILT(i, epoch = cpu_to_le64(2));
		SPOILT(i, epoch = cpu_to_le64(4));
		SPOILT(i, seq = cpu_to_le64(500 + i - RING));
		SPOILT(i, seq = cpu_to_le64(501 + i));
		SPOILT(i, uuid[15] ^= 1);
		SPOILT(i, txn_blocks = cpu_to_le16(5));
		SPOILT(i, txn_index = cpu_to_le16((i - 3) % 4));
		ten_blocks(NULL);
		blocks[i][4000] ^= 1;
		assert_int_equal(ckpt_window_txn(&window, 4), 0);
	}
}

/* Before epoch_seq the blocks are of earlier epochs, from there on of this one. */
static void epochs(void **state)
{
	unsigned int i;

	(void)state;
	super.epoch_seq = cpu_to_le64(504);
	assert_int_equal(ckpt_window_txn(&window, 0), 0);
	assert_int_equal(ckpt_window_txn(&window, 3), 0);
	assert_int_equal(ckpt_window_txn(&window, 4), 4);
	for (i = 0; i < 4; i++) {
		head_of(i)->epoch = cpu_to_le64(1 + i / 3);
		ckpt_journal_seal(head_of(i));
	}
	assert_int_equal(ckpt_window_txn(&window, 0), 3);
	assert_int_equal(ckpt_window_txn(&window, 3), 1);
	super.epoch_seq = cpu_to_le64(510);
	assert_int_equal(ckpt_window_txn(&window, 4), 0);
	/* Both of earlier epochs, but not of the same. */
	head_of(2)->epoch = cpu_to_le64(2);
	ckpt_journal_seal(head_of(2));
	assert_int_equal(ckpt_window_txn(&window, 0), 0);
}

static void later_ones(void **state)
{
	(void)state;
	assert_true(ckpt_window_later(&window, 500));
	assert_true(ckpt_window_later(&window, 504));
	/* Parts of the one transaction that was in flight prove nothing. */
	window.nr = 3;
	assert_false(ckpt_window_later(&window, 500));
	window.nr = 4;
	assert_true(ckpt_window_later(&window, 500));
	blocks[3][100] ^= 1;
	assert_false(ckpt_window_later(&window, 500));
	/* What an earlier activation left behind neither. */
	window.nr = 10;
	super.epoch = cpu_to_le64(4);
	assert_false(ckpt_window_later(&window, 500));
	memset(blocks, 0, sizeof(blocks));
	assert_false(ckpt_window_later(&window, 500));
}

/* ---- a ring ---- */

struct txn {
	u64 seq;
	unsigned int nr;
	u32 entries;			/* checksum of all its entries in their order */
};

static struct ring {
	struct ckpt_super super;
	u8 block[RING][CKPT_NODE_BYTES];
	u8 before[RING][CKPT_NODE_BYTES];	/* what stood there until then */
	u64 head;
	unsigned int nr;			/* committed since the tail */
	struct txn txn[RING];
	struct txn flight;			/* that the crash interrupted */
	bool flight_seen;			/* some block of it is there */
} ring;

static u64 tail(void)
{
	return le64_to_cpu(ring.super.journal_seq);
}

/* A block with some entries of all types; @crc goes over them. */
static u32 write_block(u64 seq, unsigned int index, unsigned int nr, u32 crc)
{
	u8 entry[BUILD_ENTRY_MAX] __attribute__((aligned(8)));
	unsigned int at = seq % RING, left = (unsigned int)below(8);

	memcpy(ring.before[at], ring.block[at], CKPT_NODE_BYTES);
	build_block(ring.block[at], seq, le64_to_cpu(ring.super.epoch), index, nr);
	for (; left; left--) {
		u32 length = random_entry(entry, 1 + (u32)below(BUILD_ENTRY_TYPES - 1));

		assert_true(build_entry(ring.block[at], entry));
		crc = crc32c(crc, entry, length);
	}
	ckpt_journal_seal(ring.block[at]);
	return crc;
}

static u32 read_entries(const void *block, u32 crc)
{
	const struct ckpt_entry_head *entry;
	u32 offset = 0;

	while ((entry = ckpt_journal_next(block, &offset)))
		crc = crc32c(crc, entry, le16_to_cpu(entry->bytes));
	assert_int_not_equal(offset, ~0u);
	return crc;
}

static unsigned int random_length(void)
{
	switch (below(8)) {
	case 0:
		return CKPT_TXN_BLOCKS;
	case 1:
		return 1 + (unsigned int)below(CKPT_TXN_BLOCKS);
	}
	return 1 + (unsigned int)below(4);
}

/* The first @nr transactions are in the trees now. */
static void move_tail(unsigned int nr)
{
	ring.nr -= nr;
	memmove(ring.txn, ring.txn + nr, ring.nr * sizeof(ring.txn[0]));
	ring.super.journal_seq = cpu_to_le64(ring.nr ? ring.txn[0].seq : ring.head);
}

static void commit(void)
{
	unsigned int nr = random_length(), i;

	if (once_in(16))
		move_tail((unsigned int)below(ring.nr + 1));
	while (ring.head + nr > tail() + RING)
		move_tail(1 + (unsigned int)below(ring.nr));
	ring.txn[ring.nr] = (struct txn) { ring.head, nr, 0 };
	for (i = 0; i < nr; i++)
		ring.txn[ring.nr].entries = write_block(ring.head + i, i, nr,
							ring.txn[ring.nr].entries);
	ring.nr++;
	ring.head += nr;
}

/* The power fails during a commit: some of its blocks are there, some torn. */
static void crash(void)
{
	unsigned int nr = random_length(), there = 0, i;

	if (ring.head + nr > tail() + RING)
		move_tail(ring.nr);
	ring.flight = (struct txn) { ring.head, nr, 0 };
	for (i = 0; i < nr; i++) {
		if (once_in(2))
			continue;
		ring.flight.entries = write_block(ring.head + i, i, nr, ring.flight.entries);
		there++;
		if (once_in(8)) {
			u8 *block = ring.block[(ring.head + i) % RING];

			block[below(CKPT_NODE_BYTES)] ^= 1;
			there--;
		}
	}
	ring.flight_seen = there;
	if (there == nr) {
		ring.txn[ring.nr++] = ring.flight;
		ring.head += nr;
		ring.flight.nr = 0;
		ring.flight_seen = false;
	}
}

static void activate(void)
{
	ring.super.epoch = cpu_to_le64(le64_to_cpu(ring.super.epoch) + 1);
	ring.super.epoch_seq = cpu_to_le64(ring.head);
}

static void read_window(struct ckpt_window *w, u64 seq, u64 end)
{
	unsigned int i;

	w->seq = seq;
	w->nr = end - seq < CKPT_TXN_BLOCKS ? (unsigned int)(end - seq) : CKPT_TXN_BLOCKS;
	for (i = 0; i < w->nr; i++)
		pages[i] = ring.block[(seq + i) % RING];
}

/* The transactions of a window that are applied have the entries that were committed. */
static void check_entries(const struct ckpt_window *w, unsigned int done, unsigned int *which)
{
	unsigned int at = 0, i;

	for (; at < done; (*which)++) {
		const struct txn *txn = &ring.txn[*which];
		u32 crc = 0;

		assert_true(*which < ring.nr);
		assert_int_equal(txn->seq, w->seq + at);
		for (i = 0; i < txn->nr; i++)
			crc = read_entries(w->block[at++], crc);
		assert_int_equal(crc, txn->entries);
	}
	assert_int_equal(at, done);
}

/* As the module does it: where the journal ends, or false if it is damaged. */
static bool replay(u64 *seq)
{
	unsigned int which = 0;
	struct ckpt_window w = { .super = &ring.super, .block = pages };
	u64 end = tail() + RING;

	*seq = tail();
	while (*seq < end) {
		unsigned int nr, done = 0;

		read_window(&w, *seq, end);
		while (done < w.nr && (nr = ckpt_window_txn(&w, done)))
			done += nr;
		if (!done)
			break;
		check_entries(&w, done, &which);
		*seq += done;
	}
	if (*seq < end) {
		if (ckpt_window_later(&w, *seq))
			return false;
		if (end - *seq > CKPT_TXN_BLOCKS) {
			read_window(&w, *seq + CKPT_TXN_BLOCKS, end);
			if (ckpt_window_later(&w, *seq))
				return false;
		}
	}
	return *seq >= le64_to_cpu(ring.super.epoch_seq);
}

/* A store that was activated and crashed a few times. */
static void random_ring(void)
{
	unsigned int lives = 1 + (unsigned int)below(4), i;

	memset(&ring, 0, sizeof(ring));
	build_super(&ring.super);
	ring.head = 1 + below(1000);
	ring.super.epoch = 0;
	ring.super.journal_seq = cpu_to_le64(ring.head);
	while (lives--) {
		activate();
		for (i = (unsigned int)below(16); i; i--)
			commit();
		crash();
	}
}

static void commits_survive_crashes(void **state)
{
	unsigned int round;
	u64 end;

	(void)state;
	for (round = 0; round < 100; round++) {
		random_ring();
		assert_true(replay(&end));
		assert_int_equal(end, ring.head);
	}
}

/* One way or another a block that was written is not there. */
static void lose(u64 seq)
{
	u8 *block = ring.block[seq % RING];

	switch (below(3)) {
	case 0:
		block[below(CKPT_NODE_BYTES)] ^= (u8)(1 << below(8));
		break;
	case 1:
		memset(block, 0, CKPT_NODE_BYTES);
		break;
	default:
		memcpy(block, ring.before[seq % RING], CKPT_NODE_BYTES);
	}
}

static void lost_commits_are_noticed(void **state)
{
	unsigned int round, noticed = 0;

	(void)state;
	for (round = 0; round < 200; round++) {
		unsigned int which;
		struct txn *txn;
		bool proof;
		u64 end;

		random_ring();
		if (!ring.nr)
			continue;
		/* The last ones are the hard ones. */
		which = ring.nr - 1 - (unsigned int)below(ring.nr < 3 ? ring.nr : 3);
		txn = &ring.txn[which];
		lose(txn->seq + below(txn->nr));
		proof = which < ring.nr - 1 || ring.flight_seen ||
			txn->seq < le64_to_cpu(ring.super.epoch_seq);
		if (proof) {
			assert_false(replay(&end));
			noticed++;
		} else {
			assert_true(replay(&end));
		}
		assert_int_equal(end, txn->seq);
	}
	assert_true(noticed > 50);
}

/* The longest transaction, its first block lost, and a later one right behind it. */
static void behind_the_longest(void **state)
{
	unsigned int i;
	u64 end;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	build_super(&ring.super);
	ring.head = 500;
	ring.super.journal_seq = cpu_to_le64(500);
	ring.nr = 2;
	ring.txn[0] = (struct txn) { 500, CKPT_TXN_BLOCKS, 0 };
	ring.txn[1] = (struct txn) { 500 + CKPT_TXN_BLOCKS, 1, 0 };
	for (i = 0; i < CKPT_TXN_BLOCKS; i++)
		ring.txn[0].entries = write_block(500 + i, i, CKPT_TXN_BLOCKS,
						  ring.txn[0].entries);
	ring.txn[1].entries = write_block(500 + CKPT_TXN_BLOCKS, 0, 1, 0);
	assert_true(replay(&end));
	assert_int_equal(end, 501 + CKPT_TXN_BLOCKS);
	ring.block[500 % RING][9] ^= 1;
	assert_false(replay(&end));
	assert_int_equal(end, 500);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(whole_transactions, ten_blocks),
	cmocka_unit_test_setup(what_does_not_fit_together, ten_blocks),
	cmocka_unit_test_setup(epochs, ten_blocks),
	cmocka_unit_test_setup(later_ones, ten_blocks),
	cmocka_unit_test(commits_survive_crashes),
	cmocka_unit_test(lost_commits_are_noticed),
	cmocka_unit_test(behind_the_longest),
};

RUN("replay", tests)
