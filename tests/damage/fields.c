// SPDX-License-Identifier: GPL-2.0-only
#include "format.h"
#include "fields.h"

#define FIELD(of, name) { #name, offsetof(struct of, name), sizeof(((struct of *)0)->name) }
/* The beginning of what is longer than a number. */
#define BEGIN(of, name) { #name, offsetof(struct of, name), 1 }
#define END { NULL, 0, 0 }

const struct field super_fields[] = {
	BEGIN(ckpt_super, magic), FIELD(ckpt_super, version), BEGIN(ckpt_super, uuid),
	FIELD(ckpt_super, features_compat), FIELD(ckpt_super, features_ro),
	FIELD(ckpt_super, features_incompat), FIELD(ckpt_super, sequence),
	FIELD(ckpt_super, sectors), FIELD(ckpt_super, block_sectors),
	FIELD(ckpt_super, journal_blocks), FIELD(ckpt_super, epoch), FIELD(ckpt_super, epoch_seq),
	FIELD(ckpt_super, journal_seq), FIELD(ckpt_super, records.where),
	FIELD(ckpt_super, records.crc), FIELD(ckpt_super, records.used),
	FIELD(ckpt_super, space.where), FIELD(ckpt_super, space.crc),
	FIELD(ckpt_super, space.used), FIELD(ckpt_super, created), FIELD(ckpt_super, written),
	BEGIN(ckpt_super, reserved), END
};

const struct field journal_fields[] = {
	FIELD(ckpt_journal_head, magic), BEGIN(ckpt_journal_head, uuid),
	FIELD(ckpt_journal_head, seq), FIELD(ckpt_journal_head, epoch),
	FIELD(ckpt_journal_head, super_sequence), FIELD(ckpt_journal_head, txn_index),
	FIELD(ckpt_journal_head, txn_blocks), FIELD(ckpt_journal_head, bytes),
	BEGIN(ckpt_journal_head, reserved), END
};

const struct field ref_fields[] = {
	FIELD(ckpt_ref, where), FIELD(ckpt_ref, used), END
};

const struct field slot_fields[] = {
	FIELD(ckpt_slot, where), FIELD(ckpt_slot, present), FIELD(ckpt_slot, zero), END
};

#define HEAD(of)							\
	FIELD(of, head.type), FIELD(of, head.flags), FIELD(of, head.number),	\
	FIELD(of, head.created), BEGIN(of, head.uuid)

static const struct field base_fields[] = {
	HEAD(ckpt_base_record), BEGIN(ckpt_base_record, name), FIELD(ckpt_base_record, sectors),
	FIELD(ckpt_base_record, owner), FIELD(ckpt_base_record, sample_crc),
	FIELD(ckpt_base_record, origin_sectors), BEGIN(ckpt_base_record, reserved), END
};

static const struct field layer_fields[] = {
	HEAD(ckpt_layer_record), FIELD(ckpt_layer_record, parent),
	FIELD(ckpt_layer_record, volume), FIELD(ckpt_layer_record, sectors),
	FIELD(ckpt_layer_record, root.where), FIELD(ckpt_layer_record, root.used),
	BEGIN(ckpt_layer_record, reserved), END
};

static const struct field volume_fields[] = {
	HEAD(ckpt_volume_record), BEGIN(ckpt_volume_record, name),
	FIELD(ckpt_volume_record, sectors), FIELD(ckpt_volume_record, top),
	FIELD(ckpt_volume_record, limit), BEGIN(ckpt_volume_record, reserved), END
};

static const struct field checkpoint_fields[] = {
	HEAD(ckpt_checkpoint_record), BEGIN(ckpt_checkpoint_record, name),
	FIELD(ckpt_checkpoint_record, volume), FIELD(ckpt_checkpoint_record, layer),
	FIELD(ckpt_checkpoint_record, kind), FIELD(ckpt_checkpoint_record, group),
	BEGIN(ckpt_checkpoint_record, reserved), END
};

const struct field *const record_fields[5] = {
	NULL, base_fields, layer_fields, volume_fields, checkpoint_fields,
};

#define ENTRY(of) \
	FIELD(of, head.type), FIELD(of, head.bytes), FIELD(of, head.number)

static const struct field slot_entry[] = {
	ENTRY(ckpt_entry_slot), FIELD(ckpt_entry_slot, cluster),
	FIELD(ckpt_entry_slot, slot.where), FIELD(ckpt_entry_slot, slot.present),
	FIELD(ckpt_entry_slot, slot.zero), END
};

static const struct field record_entry[] = {
	ENTRY(ckpt_entry_record), BEGIN(ckpt_entry_record, record), END
};

static const struct field prune_entry[] = {
	ENTRY(ckpt_entry_prune), FIELD(ckpt_entry_prune, level), FIELD(ckpt_entry_prune, index), END
};

static const struct field size_entry[] = {
	ENTRY(ckpt_entry_size), FIELD(ckpt_entry_size, sectors), END
};

static const struct field merge_entry[] = {
	ENTRY(ckpt_entry_merge), FIELD(ckpt_entry_merge, cluster),
	FIELD(ckpt_entry_merge, slot.where), FIELD(ckpt_entry_merge, slot.present),
	FIELD(ckpt_entry_merge, slot.zero), FIELD(ckpt_entry_merge, from), END
};

static const struct field adopt_entry[] = {
	ENTRY(ckpt_entry_adopt), FIELD(ckpt_entry_adopt, from), FIELD(ckpt_entry_adopt, level),
	FIELD(ckpt_entry_adopt, index), END
};

const struct field *const entry_fields[7] = {
	NULL, slot_entry, record_entry, prune_entry, size_entry, merge_entry, adopt_entry,
};
