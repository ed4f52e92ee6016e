// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "build.h"
#include "random.h"

const __u8 build_uuid[CKPT_UUID_BYTES] = "an UUID of tests";

void build_super(struct ckpt_super *super)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->magic, CKPT_SUPER_MAGIC, sizeof(super->magic));
	memcpy(super->uuid, build_uuid, CKPT_UUID_BYTES);
	super->version = cpu_to_le32(CKPT_VERSION);
	super->sequence = cpu_to_le64(7);
	super->sectors = cpu_to_le64(1u << 21);
	super->block_sectors = cpu_to_le32(8);
	super->journal_blocks = cpu_to_le32(CKPT_JOURNAL_BLOCKS_MIN);
	super->epoch = cpu_to_le64(3);
	super->epoch_seq = cpu_to_le64(500);
	super->journal_seq = cpu_to_le64(450);
	super->records.where = cpu_to_le64(8192);
	super->space.where = cpu_to_le64(8200);
	ckpt_super_seal(super);
}

void build_record(union ckpt_record *record, u32 type, u32 number)
{
	memset(record, 0, sizeof(*record));
	record->head.type = cpu_to_le16(type);
	record->head.number = cpu_to_le32(number);
	record->head.created = cpu_to_le64(1700000000);
	memcpy(record->head.uuid, build_uuid, CKPT_UUID_BYTES);
	switch (type) {
	case CKPT_RECORD_BASE:
		record->head.flags = cpu_to_le16(CKPT_BASE_TEMPLATE);
		strcpy((char *)record->base.name, "golden");
		record->base.sectors = cpu_to_le64(2048);
		record->base.origin_sectors = cpu_to_le64(2048);
		break;
	case CKPT_RECORD_LAYER:
		record->layer.parent = cpu_to_le32(1);
		record->layer.volume = cpu_to_le32(3);
		record->layer.sectors = cpu_to_le64(2048);
		record->layer.root.where = cpu_to_le64(8192);
		break;
	case CKPT_RECORD_VOLUME:
		strcpy((char *)record->volume.name, "disk");
		record->volume.sectors = cpu_to_le64(2048);
		record->volume.top = cpu_to_le32(2);
		break;
	case CKPT_RECORD_CHECKPOINT:
		strcpy((char *)record->checkpoint.name, "monday");
		record->checkpoint.volume = cpu_to_le32(3);
		record->checkpoint.layer = cpu_to_le32(2);
		record->checkpoint.kind = cpu_to_le32(CKPT_KIND_RECOVERY);
		record->checkpoint.group = cpu_to_le32(1);
		break;
	}
}

void build_block(void *block, u64 seq, u64 epoch, unsigned int index, unsigned int blocks)
{
	struct ckpt_journal_head *head = block;

	memset(block, 0, CKPT_NODE_BYTES);
	memcpy(head->uuid, build_uuid, CKPT_UUID_BYTES);
	head->seq = cpu_to_le64(seq);
	head->epoch = cpu_to_le64(epoch);
	head->super_sequence = cpu_to_le64(7);
	head->txn_index = cpu_to_le16(index);
	head->txn_blocks = cpu_to_le16(blocks);
}

bool build_entry(void *block, const void *entry)
{
	const struct ckpt_entry_head *new = entry;
	struct ckpt_journal_head *head = block;
	u32 used = le32_to_cpu(head->bytes), bytes = le16_to_cpu(new->bytes);

	if (used + bytes > CKPT_JOURNAL_PAYLOAD)
		return false;
	memcpy((__u8 *)(head + 1) + used, entry, bytes);
	head->bytes = cpu_to_le32(used + bytes);
	return true;
}

const u32 build_length[BUILD_ENTRY_TYPES] = {
	[CKPT_ENTRY_SLOT] = sizeof(struct ckpt_entry_slot),
	[CKPT_ENTRY_RECORD] = sizeof(struct ckpt_entry_record),
	[CKPT_ENTRY_PRUNE] = sizeof(struct ckpt_entry_prune),
	[CKPT_ENTRY_SIZE] = sizeof(struct ckpt_entry_size),
	[CKPT_ENTRY_MERGE] = sizeof(struct ckpt_entry_merge),
	[CKPT_ENTRY_ADOPT] = sizeof(struct ckpt_entry_adopt),
};

u32 random_entry(void *entry, u32 type)
{
	struct ckpt_entry_head *head = entry;

	random_bytes(entry, build_length[type]);
	head->type = cpu_to_le16(type);
	head->bytes = cpu_to_le16(build_length[type]);
	return build_length[type];
}
