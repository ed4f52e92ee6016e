// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "libckpt/dump.h"
#include "slot.h"
#include "store.h"

uint8_t store_byte(uint64_t sector)
{
	return (uint8_t)(1 + sector % 251);
}

void store_new(struct store *s)
{
	memset(s, 0, sizeof(*s));
	s->bytes = calloc(1, STORE_BYTES);
	for (uint64_t sector = STORE_DATA; sector < STORE_SECTORS; sector++)
		memset(s->bytes + (sector << CKPT_SECTOR_SHIFT), store_byte(sector),
		       1u << CKPT_SECTOR_SHIFT);
	build_super(&s->super);
	s->super.sectors = cpu_to_le64(STORE_SECTORS);
	s->super.epoch_seq = s->super.journal_seq = cpu_to_le64(500);
	memset(&s->super.records, 0, sizeof(s->super.records));
	memset(&s->super.space, 0, sizeof(s->super.space));
	s->seq = 500;
	store_seal(s);
	build_block(s->block, s->seq, le64_to_cpu(s->super.epoch), 0, 1);
}

void store_free(struct store *s)
{
	free(s->bytes);
}

void store_seal(struct store *s)
{
	ckpt_super_seal(&s->super);
	memcpy(s->bytes + (CKPT_SUPER_A << CKPT_SECTOR_SHIFT), &s->super, sizeof(s->super));
	memcpy(s->bytes + (CKPT_SUPER_B << CKPT_SECTOR_SHIFT), &s->super, sizeof(s->super));
}

void store_commit(struct store *s)
{
	uint64_t place = s->seq % CKPT_JOURNAL_BLOCKS_MIN;

	ckpt_journal_seal(s->block);
	memcpy(s->bytes + (CKPT_JOURNAL_START << CKPT_SECTOR_SHIFT) + place * CKPT_NODE_BYTES,
	       s->block, CKPT_NODE_BYTES);
	s->seq++;
	build_block(s->block, s->seq, le64_to_cpu(s->super.epoch), 0, 1);
}

static void add(struct store *s, struct ckpt_entry_head *head, enum ckpt_entry_type type,
		uint32_t number)
{
	head->type = cpu_to_le16(type);
	head->bytes = cpu_to_le16(build_length[type]);
	head->number = cpu_to_le32(number);
	if (build_entry(s->block, head))
		return;
	store_commit(s);
	build_entry(s->block, head);
}

void store_slot(struct store *s, uint32_t layer, uint64_t cluster, struct ckpt_state slot)
{
	struct ckpt_entry_slot entry = { .cluster = cpu_to_le64(cluster),
					 .slot = ckpt_slot_encode(&slot) };

	add(s, &entry.head, CKPT_ENTRY_SLOT, layer);
}

void store_record(struct store *s, const union ckpt_record *record, uint32_t number)
{
	struct ckpt_entry_record entry = { .head.type = 0 };

	memcpy(entry.record, record, sizeof(*record));
	add(s, &entry.head, CKPT_ENTRY_RECORD, number);
}

void store_prune(struct store *s, uint32_t layer, uint32_t level, uint64_t index)
{
	struct ckpt_entry_prune entry = { .level = cpu_to_le32(level),
					  .index = cpu_to_le64(index) };

	add(s, &entry.head, CKPT_ENTRY_PRUNE, layer);
}

void store_merge(struct store *s, uint32_t layer, uint32_t from, uint64_t cluster,
		 struct ckpt_state slot)
{
	struct ckpt_entry_merge entry = { .cluster = cpu_to_le64(cluster),
					  .slot = ckpt_slot_encode(&slot),
					  .from = cpu_to_le32(from) };

	add(s, &entry.head, CKPT_ENTRY_MERGE, layer);
}

void store_adopt(struct store *s, uint32_t layer, uint32_t from, uint32_t level, uint64_t index)
{
	struct ckpt_entry_adopt entry = { .from = cpu_to_le32(from),
					  .level = cpu_to_le32(level),
					  .index = cpu_to_le64(index) };

	add(s, &entry.head, CKPT_ENTRY_ADOPT, layer);
}

void store_size(struct store *s, uint64_t sectors)
{
	struct ckpt_entry_size entry = { .sectors = cpu_to_le64(sectors) };

	add(s, &entry.head, CKPT_ENTRY_SIZE, 0);
}

void store_begin(struct store *s)
{
	union ckpt_record record;

	build_record(&record, CKPT_RECORD_BASE, STORE_BASE);
	record.base.owner = cpu_to_le32(STORE_VOLUME);
	record.head.flags = 0;
	memset(record.base.name, 0, sizeof(record.base.name));
	store_record(s, &record, STORE_BASE);

	build_record(&record, CKPT_RECORD_LAYER, STORE_LAYER);
	memset(&record.layer.root, 0, sizeof(record.layer.root));
	record.layer.parent = cpu_to_le32(STORE_BASE);
	record.head.flags = cpu_to_le16(CKPT_LAYER_FROZEN);
	record.head.uuid[0] = STORE_LAYER;
	store_record(s, &record, STORE_LAYER);

	record.head.uuid[0] = STORE_HEAD;
	record.head.number = cpu_to_le32(STORE_HEAD);
	record.layer.parent = cpu_to_le32(STORE_LAYER);
	record.head.flags = 0;
	store_record(s, &record, STORE_HEAD);

	build_record(&record, CKPT_RECORD_VOLUME, STORE_VOLUME);
	record.volume.top = cpu_to_le32(STORE_HEAD);
	store_record(s, &record, STORE_VOLUME);

	build_record(&record, CKPT_RECORD_CHECKPOINT, STORE_CHECKPOINT);
	record.checkpoint.volume = cpu_to_le32(STORE_VOLUME);
	record.checkpoint.layer = cpu_to_le32(STORE_LAYER);
	store_record(s, &record, STORE_CHECKPOINT);
}

static int read_store(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	const struct store *s = arg;

	if (offset > STORE_BYTES || bytes > STORE_BYTES - offset)
		return EIO;
	memcpy(buffer, s->bytes + offset, bytes);
	return 0;
}

struct ckpt_source store_source(struct store *s)
{
	return (struct ckpt_source){ read_store, s, STORE_SECTORS };
}

void store_write_back(struct store *s)
{
	struct ckpt_file file = { .fd = memfd_create("store", MFD_CLOEXEC), .sectors = STORE_SECTORS };
	struct ckpt_source source = store_source(s), restored = ckpt_file_source(&file);
	struct ckpt_image *image;
	struct ckpt_error e;
	FILE *text = tmpfile();

	if (ckpt_file_write(&file, s->bytes, 0, STORE_BYTES) ||
	    ckpt_image_open(&source, NULL, &image, &e) || ckpt_dump(image, text, &e) ||
	    ckpt_restore(text, &file, &e) ||
	    restored.read(restored.arg, s->bytes, 0, STORE_BYTES))
		abort();
	ckpt_image_close(image);
	memcpy(&s->super, s->bytes, sizeof(s->super));
	fclose(text);
	ckpt_file_close(&file);
}
