// SPDX-License-Identifier: GPL-2.0-only
#include <linux/crc32c.h>

#include "build.h"
#include "test.h"

/* By the book: a bit at a time. */
static u32 slow_crc(u32 crc, const u8 *p, size_t bytes)
{
	unsigned int i;

	while (bytes--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return crc;
}

static void known_answers(void **state)
{
	u8 bytes[32];
	unsigned int i;

	(void)state;
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
	/* RFC 3720, B.4 */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(~crc32c(~0u, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(~crc32c(~0u, bytes, 32), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		bytes[i] = (u8)i;
	assert_int_equal(~crc32c(~0u, bytes, 32), 0x46dd794e);
}

static void as_by_the_book(void **state)
{
	u8 bytes[300];
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		size_t length = below(sizeof(bytes)), cut = below(length + 1);
		u32 seed = (u32)random64(), crc;

		random_bytes(bytes, length);
		crc = slow_crc(seed, bytes, length);
		assert_int_equal(crc32c(seed, bytes, length), crc);
		assert_int_equal(crc32c(crc32c(seed, bytes, cut), bytes + cut, length - cut), crc);
	}
}

/* The whole node counts, and the seed is ~0 without an inversion at the end. */
static void nodes(void **state)
{
	u8 node[CKPT_NODE_BYTES];
	struct ckpt_ref ref = {};
	unsigned int i;

	(void)state;
	random_bytes(node, sizeof(node));
	assert_int_equal(ckpt_node_crc(node), slow_crc(~0u, node, sizeof(node)));
	ref.crc = cpu_to_le32(ckpt_node_crc(node));
	assert_true(ckpt_node_matches(node, &ref));
	for (i = 0; i < sizeof(node); i++) {
		u8 damage = (u8)(1 + below(255));

		node[i] ^= damage;
		assert_false(ckpt_node_matches(node, &ref));
		node[i] ^= damage;
	}
	ref.crc ^= cpu_to_le32(1);
	assert_false(ckpt_node_matches(node, &ref));
}

/* Where the field itself stands, it counts as zero: others can compute that as well. */
static void seals(void **state)
{
	u8 block[CKPT_NODE_BYTES] __attribute__((aligned(8)));
	struct ckpt_journal_head *head = (void *)block;
	struct ckpt_super super;
	u32 crc;

	(void)state;
	build_super(&super);
	random_bytes(super.reserved, sizeof(super.reserved));
	ckpt_super_seal(&super);
	crc = le32_to_cpu(super.crc);
	super.crc = 0;
	assert_int_equal(crc, slow_crc(~0u, (u8 *)&super, sizeof(super)));

	build_block(block, 1, 1, 0, 1);
	random_bytes(head + 1, CKPT_JOURNAL_PAYLOAD);
	ckpt_journal_seal(block);
	assert_memory_equal(block, "JRNL", 4);
	crc = le32_to_cpu(head->crc);
	head->crc = 0;
	assert_int_equal(crc, slow_crc(~0u, block, sizeof(block)));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(known_answers),
	cmocka_unit_test(as_by_the_book),
	cmocka_unit_test(nodes),
	cmocka_unit_test(seals),
};

RUN("crc", tests)
