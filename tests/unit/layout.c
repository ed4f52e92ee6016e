// SPDX-License-Identifier: GPL-2.0-only
/*
 * The format as numbers.  Whoever has to change one of these changes what is on
 * people's disks: that takes a new version or a feature bit.
 */
#include "test.h"

#define SIZE(type, bytes) assert_int_equal(sizeof(type), bytes)
/* Entries of the journal begin at multiples of 8 bytes, one behind the other. */
#define ENTRY(type, bytes) do {						\
		SIZE(type, bytes);					\
		assert_int_equal(sizeof(type) % 8, 0);			\
	} while (0)
#define AT(type, field, offset, bytes) do {				\
		assert_int_equal(offsetof(type, field), offset);	\
		assert_int_equal(sizeof(((type *)0)->field), bytes);	\
	} while (0)

static void slots_and_references(void **state)
{
	(void)state;
	SIZE(struct ckpt_slot, 16);
	AT(struct ckpt_slot, where, 0, 8);
	AT(struct ckpt_slot, present, 8, 4);
	AT(struct ckpt_slot, zero, 12, 4);
	SIZE(struct ckpt_ref, 16);
	AT(struct ckpt_ref, where, 0, 8);
	AT(struct ckpt_ref, crc, 8, 4);
	AT(struct ckpt_ref, used, 12, 4);
}

static void superblock(void **state)
{
	(void)state;
	SIZE(struct ckpt_super, 4096);
	AT(struct ckpt_super, magic, 0, 16);
	AT(struct ckpt_super, crc, 16, 4);
	AT(struct ckpt_super, version, 20, 4);
	AT(struct ckpt_super, uuid, 24, 16);
	AT(struct ckpt_super, features_compat, 40, 8);
	AT(struct ckpt_super, features_ro, 48, 8);
	AT(struct ckpt_super, features_incompat, 56, 8);
	AT(struct ckpt_super, sequence, 64, 8);
	AT(struct ckpt_super, sectors, 72, 8);
	AT(struct ckpt_super, block_sectors, 80, 4);
	AT(struct ckpt_super, journal_blocks, 84, 4);
	AT(struct ckpt_super, epoch, 88, 8);
	AT(struct ckpt_super, epoch_seq, 96, 8);
	AT(struct ckpt_super, journal_seq, 104, 8);
	AT(struct ckpt_super, records, 112, 16);
	AT(struct ckpt_super, space, 128, 16);
	AT(struct ckpt_super, created, 144, 8);
	AT(struct ckpt_super, written, 152, 8);
	AT(struct ckpt_super, reserved, 160, 3936);
	assert_int_equal(sizeof(CKPT_SUPER_MAGIC), 16);
	assert_memory_equal(CKPT_SUPER_MAGIC, "dm-ckpt store\r\n", 16);
}

static void guard(void **state)
{
	(void)state;
	SIZE(struct ckpt_guard_block, 512);
	AT(struct ckpt_guard_block, magic, 0, 4);
	AT(struct ckpt_guard_block, crc, 4, 4);
	AT(struct ckpt_guard_block, uuid, 8, 16);
	AT(struct ckpt_guard_block, id, 24, 16);
	AT(struct ckpt_guard_block, boot, 40, 16);
	AT(struct ckpt_guard_block, sequence, 56, 8);
	AT(struct ckpt_guard_block, written, 64, 8);
	AT(struct ckpt_guard_block, since, 72, 8);
	AT(struct ckpt_guard_block, state, 80, 4);
	AT(struct ckpt_guard_block, interval, 84, 4);
	AT(struct ckpt_guard_block, host, 88, 64);
	AT(struct ckpt_guard_block, reserved, 152, 360);
}

static void records(void **state)
{
	(void)state;
	SIZE(struct ckpt_record_head, 32);
	AT(struct ckpt_record_head, type, 0, 2);
	AT(struct ckpt_record_head, flags, 2, 2);
	AT(struct ckpt_record_head, number, 4, 4);
	AT(struct ckpt_record_head, created, 8, 8);
	AT(struct ckpt_record_head, uuid, 16, 16);

	SIZE(struct ckpt_base_record, 256);
	AT(struct ckpt_base_record, head, 0, 32);
	AT(struct ckpt_base_record, name, 32, 112);
	AT(struct ckpt_base_record, sectors, 144, 8);
	AT(struct ckpt_base_record, owner, 152, 4);
	AT(struct ckpt_base_record, sample_crc, 156, 4);
	AT(struct ckpt_base_record, origin_sectors, 160, 8);
	AT(struct ckpt_base_record, reserved, 168, 88);

	SIZE(struct ckpt_layer_record, 256);
	AT(struct ckpt_layer_record, head, 0, 32);
	AT(struct ckpt_layer_record, parent, 32, 4);
	AT(struct ckpt_layer_record, volume, 36, 4);
	AT(struct ckpt_layer_record, sectors, 40, 8);
	AT(struct ckpt_layer_record, root, 48, 16);
	AT(struct ckpt_layer_record, reserved, 64, 192);

	SIZE(struct ckpt_volume_record, 256);
	AT(struct ckpt_volume_record, head, 0, 32);
	AT(struct ckpt_volume_record, name, 32, 112);
	AT(struct ckpt_volume_record, sectors, 144, 8);
	AT(struct ckpt_volume_record, top, 152, 4);
	AT(struct ckpt_volume_record, pad, 156, 4);
	AT(struct ckpt_volume_record, limit, 160, 8);
	AT(struct ckpt_volume_record, reserved, 168, 88);

	SIZE(struct ckpt_checkpoint_record, 256);
	AT(struct ckpt_checkpoint_record, head, 0, 32);
	AT(struct ckpt_checkpoint_record, name, 32, 112);
	AT(struct ckpt_checkpoint_record, volume, 144, 4);
	AT(struct ckpt_checkpoint_record, layer, 148, 4);
	AT(struct ckpt_checkpoint_record, kind, 152, 4);
	AT(struct ckpt_checkpoint_record, group, 156, 4);
	AT(struct ckpt_checkpoint_record, reserved, 160, 96);
	SIZE(union ckpt_record, 256);
}

static void journal(void **state)
{
	(void)state;
	SIZE(struct ckpt_journal_head, 64);
	AT(struct ckpt_journal_head, magic, 0, 4);
	AT(struct ckpt_journal_head, crc, 4, 4);
	AT(struct ckpt_journal_head, uuid, 8, 16);
	AT(struct ckpt_journal_head, seq, 24, 8);
	AT(struct ckpt_journal_head, epoch, 32, 8);
	AT(struct ckpt_journal_head, super_sequence, 40, 8);
	AT(struct ckpt_journal_head, txn_index, 48, 2);
	AT(struct ckpt_journal_head, txn_blocks, 50, 2);
	AT(struct ckpt_journal_head, bytes, 52, 4);
	AT(struct ckpt_journal_head, reserved, 56, 8);

	ENTRY(struct ckpt_entry_head, 8);
	AT(struct ckpt_entry_head, type, 0, 2);
	AT(struct ckpt_entry_head, bytes, 2, 2);
	AT(struct ckpt_entry_head, number, 4, 4);
	ENTRY(struct ckpt_entry_slot, 32);
	AT(struct ckpt_entry_slot, head, 0, 8);
	AT(struct ckpt_entry_slot, cluster, 8, 8);
	AT(struct ckpt_entry_slot, slot, 16, 16);
	ENTRY(struct ckpt_entry_record, 264);
	AT(struct ckpt_entry_record, head, 0, 8);
	AT(struct ckpt_entry_record, record, 8, 256);
	ENTRY(struct ckpt_entry_prune, 24);
	AT(struct ckpt_entry_prune, head, 0, 8);
	AT(struct ckpt_entry_prune, level, 8, 4);
	AT(struct ckpt_entry_prune, pad, 12, 4);
	AT(struct ckpt_entry_prune, index, 16, 8);
	ENTRY(struct ckpt_entry_size, 16);
	AT(struct ckpt_entry_size, head, 0, 8);
	AT(struct ckpt_entry_size, sectors, 8, 8);
	ENTRY(struct ckpt_entry_merge, 40);
	AT(struct ckpt_entry_merge, head, 0, 8);
	AT(struct ckpt_entry_merge, cluster, 8, 8);
	AT(struct ckpt_entry_merge, slot, 16, 16);
	AT(struct ckpt_entry_merge, from, 32, 4);
	AT(struct ckpt_entry_merge, pad, 36, 4);
	ENTRY(struct ckpt_entry_adopt, 24);
	AT(struct ckpt_entry_adopt, head, 0, 8);
	AT(struct ckpt_entry_adopt, from, 8, 4);
	AT(struct ckpt_entry_adopt, level, 12, 4);
	AT(struct ckpt_entry_adopt, index, 16, 8);
	assert_int_equal(sizeof(struct ckpt_journal_head) % 8, 0);
	assert_int_equal(CKPT_JOURNAL_PAYLOAD, 4032);
}

static void numbers(void **state)
{
	(void)state;
	assert_int_equal(CKPT_VERSION, 1);
	assert_int_equal(CKPT_NODE_BYTES, 4096);
	assert_int_equal(CKPT_UNIT_SHIFT, 3);
	assert_int_equal(CKPT_CLUSTER_BLOCKS, 32);
	assert_int_equal(CKPT_FANOUT, 256);
	assert_int_equal(CKPT_MAP_LEVELS, 4);
	assert_int_equal(CKPT_RECORD_LEVELS, 3);
	assert_int_equal(CKPT_SPACE_LEVELS, 4);
	assert_int_equal(CKPT_SPACE_LEAF_UNITS, 32768);
	assert_int_equal(CKPT_BLOCK_SECTORS_MIN, 1);
	assert_int_equal(CKPT_BLOCK_SECTORS_MAX, 128);
	assert_int_equal(CKPT_VOLUME_SECTORS_MAX, 1ull << 37);
	assert_int_equal(CKPT_SUPER_A, 0);
	assert_int_equal(CKPT_GUARD_PLACE, 1024);
	assert_int_equal(CKPT_SUPER_B, 2048);
	assert_int_equal(CKPT_JOURNAL_START, 4096);
	assert_int_equal(CKPT_JOURNAL_BLOCKS_MIN, 256);
	assert_int_equal(CKPT_JOURNAL_BLOCKS_MAX, 262144);
	assert_int_equal(CKPT_WHERE_FLAGS, 0xffff000000000000ull);
	assert_int_equal(CKPT_WHERE_MASK, 0x0000ffffffffffffull);
	assert_int_equal(CKPT_JOURNAL_MAGIC, 0x4c4e524a);
	assert_int_equal(CKPT_GUARD_MAGIC, 0x44524147);
	assert_int_equal(CKPT_GUARD_CLEAN, 1);
	assert_int_equal(CKPT_GUARD_CLAIM, 2);
	assert_int_equal(CKPT_GUARD_ACTIVE, 3);
	assert_int_equal(CKPT_NAME_BYTES, 112);
	assert_int_equal(CKPT_RECORDS_PER_LEAF, 16);
	assert_int_equal(CKPT_RECORD_MAX, 262144);
	assert_int_equal(CKPT_INCOMPAT_CHANGED, 1);

	assert_int_equal(CKPT_RECORD_FREE, 0);
	assert_int_equal(CKPT_RECORD_BASE, 1);
	assert_int_equal(CKPT_RECORD_LAYER, 2);
	assert_int_equal(CKPT_RECORD_VOLUME, 3);
	assert_int_equal(CKPT_RECORD_CHECKPOINT, 4);
	assert_int_equal(CKPT_BASE_TEMPLATE, 1);
	assert_int_equal(CKPT_BASE_SAMPLED, 2);
	assert_int_equal(CKPT_BASE_ADOPTED, 4);
	assert_int_equal(CKPT_LAYER_FROZEN, 1);
	assert_int_equal(CKPT_KIND_STANDARD, 0);
	assert_int_equal(CKPT_KIND_PRODUCTION, 1);
	assert_int_equal(CKPT_KIND_OFFLINE, 2);
	assert_int_equal(CKPT_KIND_RECOVERY, 3);
	assert_int_equal(CKPT_KINDS, 4);
	assert_int_equal(CKPT_ENTRY_SLOT, 1);
	assert_int_equal(CKPT_ENTRY_RECORD, 2);
	assert_int_equal(CKPT_ENTRY_PRUNE, 3);
	assert_int_equal(CKPT_ENTRY_SIZE, 4);
	assert_int_equal(CKPT_ENTRY_MERGE, 5);
	assert_int_equal(CKPT_ENTRY_ADOPT, 6);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(slots_and_references),
	cmocka_unit_test(superblock),
	cmocka_unit_test(guard),
	cmocka_unit_test(records),
	cmocka_unit_test(journal),
	cmocka_unit_test(numbers),
};

RUN("layout", tests)
