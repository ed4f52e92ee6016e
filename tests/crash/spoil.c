// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "../model/util.h"
#include "dm-ckpt/codec.h"
#include "spoil.h"

const char *const spoil_names[SPOIL_KINDS] = { "nothing", "super", "super-old", "journal" };

static void *sector_of_store(const struct disks *d, uint64_t sector)
{
	return d->image[0] + sector * SECTOR_SIZE;
}

static bool writes_second(const struct entry *entry)
{
	return trace_super(entry) && entry->e->sector == CKPT_SUPER_B;
}

static void rot_super(struct disks *d)
{
	memset(sector_of_store(d, CKPT_SUPER_A), 0xdb, sizeof(struct ckpt_super));
}

/* Two things at a time are too much: a cut that tears B, and an A that rots. */
static bool second_is_whole(const struct disks *d, const uint8_t *fate)
{
	for (uint32_t i = 0; i < d->nr; i++)
		if (writes_second(&d->trace->entry[d->loose[i].nr]) && fate[i] == FATE_TORN)
			return false;
	return true;
}

/* The last superblock before the newest one that is not on its way any more. */
static const struct ckpt_super *former_super(const struct disks *d, uint64_t sequence)
{
	for (uint32_t i = d->now; i--; ) {
		const struct entry *entry = &d->trace->entry[i];
		const struct ckpt_super *super = entry->data;

		if (writes_second(entry) && le64_to_cpu(super->sequence) < sequence)
			return super;
	}
	return NULL;
}

/* Is there, in what the journal goes on with behind @super, a word of a newer one? */
static bool journal_knows(const struct disks *d, const struct ckpt_super *super)
{
	uint32_t ring = le32_to_cpu(super->journal_blocks);
	uint64_t seq = le64_to_cpu(super->journal_seq), end = seq + ring;

	for (; seq < end; seq++) {
		const struct ckpt_journal_head *head =
			sector_of_store(d, CKPT_JOURNAL_START + seq % ring * CKPT_NODE_SECTORS);

		if (!ckpt_journal_verify(head, super->uuid, seq))
			return false;
		/* The last of a transaction: it may be that it is not whole. */
		if (le64_to_cpu(head->super_sequence) > le64_to_cpu(super->sequence) &&
		    le16_to_cpu(head->txn_index) + 1 == le16_to_cpu(head->txn_blocks))
			return true;
	}
	return false;
}

static bool bring_back_super(struct disks *d)
{
	struct ckpt_super *a = sector_of_store(d, CKPT_SUPER_A);
	const struct ckpt_super *former;

	if (ckpt_super_verify(a))
		return false;
	former = former_super(d, le64_to_cpu(a->sequence));
	if (!former || former->epoch != a->epoch || !journal_knows(d, former))
		return false;
	memcpy(sector_of_store(d, CKPT_SUPER_B), former, sizeof(*former));
	rot_super(d);
	return true;
}

/* All blocks but the first are of an earlier epoch, and say nothing. */
static void forge_blocks(struct disks *d, const struct entry *entry)
{
	for (uint32_t at = CKPT_NODE_BYTES; at < entry->e->bytes; at += CKPT_NODE_BYTES) {
		struct ckpt_journal_head *head =
			sector_of_store(d, entry->e->sector + at / SECTOR_SIZE);

		memcpy(head, (const char *)entry->data + at, CKPT_NODE_BYTES);
		head->epoch = cpu_to_le64(le64_to_cpu(head->epoch) - 1);
		head->bytes = 0;
		ckpt_journal_seal(head);
	}
	memcpy(sector_of_store(d, entry->e->sector), entry->data, CKPT_NODE_BYTES);
}

/* Its number among what is loose, or -1. */
static int64_t transaction_in_flight(const struct disks *d)
{
	for (uint32_t i = 0; i < d->nr; i++)
		if (trace_journal(&d->trace->entry[d->loose[i].nr]) > 1)
			return i;
	return -1;
}

bool spoil_journal(const struct disks *d)
{
	return transaction_in_flight(d) >= 0;
}

static bool forge_journal(struct disks *d, const uint8_t *fate)
{
	int64_t i = transaction_in_flight(d);

	if (i < 0 || fate[i] == FATE_KEPT)
		return false;
	forge_blocks(d, &d->trace->entry[d->loose[i].nr]);
	return true;
}

bool spoil(struct disks *d, const uint8_t *fate, enum spoil how)
{
	switch (how) {
	case SPOIL_SUPER:
		if (!second_is_whole(d, fate))
			return false;
		rot_super(d);
		return true;
	case SPOIL_SUPER_OLD:
		return bring_back_super(d);
	case SPOIL_JOURNAL:
		return forge_journal(d, fate);
	default:
		return false;
	}
}
