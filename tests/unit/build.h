/* SPDX-License-Identifier: GPL-2.0-only */
/* Structures of a store as it would write them, to be damaged by tests. */
#ifndef UNIT_BUILD_H
#define UNIT_BUILD_H

#include "codec.h"

extern const __u8 build_uuid[CKPT_UUID_BYTES];

/* A sealed superblock of 1 GiB with 4 KiB blocks. */
void build_super(struct ckpt_super *super);

/* A valid record of this type and number. */
void build_record(union ckpt_record *record, u32 type, u32 number);

/* An empty journal block; entries are added; at last it is sealed. */
void build_block(void *block, u64 seq, u64 epoch, unsigned int index, unsigned int blocks);
bool build_entry(void *block, const void *entry);

/* Types of entries, 0 is none; and how long those are. */
#define BUILD_ENTRY_TYPES (CKPT_ENTRY_ADOPT + 1)
extern const u32 build_length[BUILD_ENTRY_TYPES];

/* An entry of this type with random content, in @entry; returns its length. */
u32 random_entry(void *entry, u32 type);

#define BUILD_ENTRY_MAX sizeof(struct ckpt_entry_record)

#endif
