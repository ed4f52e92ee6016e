// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of the journal: their frame, and the walk over their entries. */
#include "build.h"
#include "test.h"

#define SEQ 1000ull
#define PER_BLOCK (CKPT_NODE_BYTES / 16)
#define ALL_TYPES ((1u << BUILD_ENTRY_TYPES) - 2)

/* On the heap by itself, so that a step beyond it is seen. */
static u8 *block;
static struct ckpt_journal_head *head;

static int set_up(void **state)
{
	(void)state;
	block = malloc(CKPT_NODE_BYTES);
	head = (struct ckpt_journal_head *)block;
	return !block;
}

static int tear_down(void **state)
{
	(void)state;
	free(block);
	return 0;
}

static bool whole(void)
{
	return ckpt_journal_verify(block, build_uuid, SEQ);
}

/* A sealed block of random entries of these types: @copy has them all, one behind the other. */
static u32 random_block(u8 *copy, u32 types)
{
	u8 entry[BUILD_ENTRY_MAX] __attribute__((aligned(8)));
	u32 bytes = 0, length;

	build_block(block, SEQ, 3, 0, 1);
	for (;;) {
		u32 type = 1 + (u32)below(BUILD_ENTRY_TYPES - 1);

		if (!(types >> type & 1))
			continue;
		length = random_entry(entry, type);
		if (!build_entry(block, entry))
			break;
		memcpy(copy + bytes, entry, length);
		bytes += length;
		if (once_in(200))
			break;
	}
	ckpt_journal_seal(block);
	return bytes;
}

static void entries_come_back(void **state)
{
	u8 *copy = malloc(CKPT_NODE_BYTES);
	unsigned int round;

	(void)state;
	for (round = 0; round < 2000; round++) {
		u32 bytes = random_block(copy, round % (ALL_TYPES / 2) * 2 + 2), at = 0, offset = 0;
		const struct ckpt_entry_head *entry;

		assert_true(whole());
		while ((entry = ckpt_journal_next(block, &offset))) {
			assert_int_equal((uintptr_t)entry % 8, (uintptr_t)block % 8);
			assert_memory_equal(entry, copy + at, le16_to_cpu(entry->bytes));
			at += le16_to_cpu(entry->bytes);
			assert_int_equal(offset, at);
		}
		assert_int_equal(at, bytes);
		assert_int_equal(offset, bytes);
	}
	free(copy);
}

static void an_empty_block(void **state)
{
	u32 offset = 0;

	(void)state;
	build_block(block, SEQ, 3, 0, 1);
	ckpt_journal_seal(block);
	assert_true(whole());
	assert_null(ckpt_journal_next(block, &offset));
	assert_int_equal(offset, 0);
}

static void every_byte_counts(void **state)
{
	u8 *copy = malloc(CKPT_NODE_BYTES);
	unsigned int i;

	(void)state;
	random_block(copy, ALL_TYPES);
	assert_true(whole());
	for (i = 0; i < CKPT_NODE_BYTES; i++) {
		u8 damage = (u8)(1 + below(255));

		block[i] ^= damage;
		assert_false(whole());
		block[i] ^= damage;
	}
	assert_true(whole());
	/* Bit by bit where the frame is. */
	for (i = 0; i < sizeof(*head) * 8; i++) {
		block[i / 8] ^= (u8)(1 << i % 8);
		assert_false(whole());
		block[i / 8] ^= (u8)(1 << i % 8);
	}
	memset(block, 0, CKPT_NODE_BYTES);
	assert_false(whole());
	free(copy);
}

/* A right checksum is not enough. */
static void frames(void **state)
{
	__u8 other[CKPT_UUID_BYTES] = "another UUID...";
	unsigned int index, blocks;

	(void)state;
	build_block(block, SEQ, 3, 0, 1);
	ckpt_journal_seal(block);
	assert_true(whole());
	assert_false(ckpt_journal_verify(block, build_uuid, SEQ + 1));
	assert_false(ckpt_journal_verify(block, build_uuid, SEQ + 256));
	assert_false(ckpt_journal_verify(block, build_uuid, SEQ | 1ull << 32));
	assert_false(ckpt_journal_verify(block, other, SEQ));

	for (index = 0; index < 4; index++) {
		for (blocks = 0; blocks < 4; blocks++) {
			build_block(block, SEQ, 3, index, blocks);
			ckpt_journal_seal(block);
			assert_int_equal(whole(), index < blocks);
		}
	}
	build_block(block, SEQ, 3, 0, 1);
	head->bytes = cpu_to_le32(CKPT_JOURNAL_PAYLOAD);
	ckpt_journal_seal(block);
	assert_true(whole());
	head->bytes = cpu_to_le32(CKPT_JOURNAL_PAYLOAD + 1);
	ckpt_journal_seal(block);
	assert_false(whole());
	head->bytes = cpu_to_le32(~0u);
	ckpt_journal_seal(block);
	assert_false(whole());
}

/* The last entry is changed to this type and length, in a block with so many bytes. */
static u32 walk_with(u32 type, u32 bytes, u32 used)
{
	struct ckpt_entry_size size = {
		.head = { cpu_to_le16(CKPT_ENTRY_SIZE), cpu_to_le16(sizeof(size)), 0 },
	};
	struct ckpt_entry_head *second = (void *)(block + sizeof(*head) + sizeof(size));
	u32 offset = 0;

	build_block(block, SEQ, 3, 0, 1);
	build_entry(block, &size);
	second->type = cpu_to_le16(type);
	second->bytes = cpu_to_le16(bytes);
	head->bytes = cpu_to_le32(sizeof(size) + used);
	assert_non_null(ckpt_journal_next(block, &offset));
	if (ckpt_journal_next(block, &offset))
		assert_null(ckpt_journal_next(block, &offset));
	return offset;
}

static void wrong_entries_end_the_walk(void **state)
{
	static const u32 length[] = { 0, 32, 264, 24, 16, 40, 24 };
	u32 type, bytes;

	(void)state;
	for (type = 0; type < 16; type++) {
		for (bytes = 0; bytes < 300; bytes++) {
			bool good = type >= 1 && type <= 6 && bytes == length[type];

			assert_int_equal(walk_with(type, bytes, bytes ? bytes : 8),
					 good ? 16 + bytes : ~0u);
			/* Cut off by the end of what is used. */
			if (good && bytes > 8)
				assert_int_equal(walk_with(type, bytes, bytes - 8), ~0u);
		}
	}
	assert_int_equal(walk_with(0x104, 16, 16), ~0u);
	assert_int_equal(walk_with(0x105, 40, 40), ~0u);
	assert_int_equal(walk_with(5, 0x8028, 40), ~0u);
	assert_int_equal(walk_with(4, 0x8010, 16), ~0u);
	assert_int_equal(walk_with(4, 16, 7), ~0u);
	assert_int_equal(walk_with(4, 16, 1), ~0u);
}

/* Whatever the payload is, the walk ends, and within the block. */
static void nonsense_ends_the_walk(void **state)
{
	unsigned int round;

	(void)state;
	for (round = 0; round < 50000; round++) {
		u32 offset = 0, entries = 0, at = sizeof(*head);

		build_block(block, SEQ, 3, 0, 1);
		if (!(round % 50))
			random_bytes(block + sizeof(*head), CKPT_JOURNAL_PAYLOAD);
		/* Likely lengths, so that it goes on for a while. */
		while (at + 8 <= CKPT_NODE_BYTES && !once_in(20)) {
			u32 type = (u32)below(BUILD_ENTRY_TYPES);
			u32 bytes = type ? build_length[type] : 16;

			((struct ckpt_entry_head *)(block + at))->type = cpu_to_le16(type);
			((struct ckpt_entry_head *)(block + at))->bytes =
				cpu_to_le16(bytes);
			at += bytes;
		}
		head->bytes = cpu_to_le32((u32)below(CKPT_JOURNAL_PAYLOAD + 1));
		while (ckpt_journal_next(block, &offset)) {
			assert_true(offset <= le32_to_cpu(head->bytes));
			assert_true(++entries <= PER_BLOCK);
		}
		assert_true(offset == ~0u || offset == le32_to_cpu(head->bytes));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(entries_come_back, set_up, tear_down),
	cmocka_unit_test_setup_teardown(an_empty_block, set_up, tear_down),
	cmocka_unit_test_setup_teardown(every_byte_counts, set_up, tear_down),
	cmocka_unit_test_setup_teardown(frames, set_up, tear_down),
	cmocka_unit_test_setup_teardown(wrong_entries_end_the_walk, set_up, tear_down),
	cmocka_unit_test_setup_teardown(nonsense_ends_the_walk, set_up, tear_down),
};

RUN("journal", tests)
