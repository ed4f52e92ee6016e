/* SPDX-License-Identifier: GPL-2.0-only */
/* A small store in memory, made by entries of its journal alone. */
#ifndef UNIT_STORE_H
#define UNIT_STORE_H

#include "build.h"
#include "slot.h"
#include "libckpt/image.h"

#ifndef STORE_SECTORS
#define STORE_SECTORS	32768u		/* 16 MiB */
#endif
#define STORE_BYTES	((size_t)STORE_SECTORS << CKPT_SECTOR_SHIFT)
#define STORE_DATA	(CKPT_JOURNAL_START + CKPT_JOURNAL_BLOCKS_MIN * CKPT_NODE_SECTORS)

/* Numbers of the records of store_begin(). */
enum { STORE_BASE = 1, STORE_LAYER, STORE_HEAD, STORE_VOLUME, STORE_CHECKPOINT };

struct store {
	struct ckpt_super super;
	uint8_t *bytes;
	uint64_t seq;			/* of the next journal block */
	uint8_t block[CKPT_NODE_BYTES] __attribute__((aligned(8)));
};

/* An empty store with an empty journal. */
void store_new(struct store *s);
void store_free(struct store *s);

/*
 * Records: a base of 2048 sectors, a frozen layer and a head on it, the volume "disk" with
 * them, and its checkpoint "monday".
 */
void store_begin(struct store *s);

/* Entries are gathered, and are a transaction of one block with store_commit(). */
void store_slot(struct store *s, uint32_t layer, uint64_t cluster, struct ckpt_state slot);
void store_record(struct store *s, const union ckpt_record *record, uint32_t number);
void store_prune(struct store *s, uint32_t layer, uint32_t level, uint64_t index);
void store_merge(struct store *s, uint32_t layer, uint32_t from, uint64_t cluster,
		 struct ckpt_state slot);
void store_adopt(struct store *s, uint32_t layer, uint32_t from, uint32_t level, uint64_t index);
void store_size(struct store *s, uint64_t sectors);
void store_commit(struct store *s);

/* The trees, which had been empty, are what the journal has made of them. */
void store_write_back(struct store *s);

/* Write both copies of the superblock as it is. */
void store_seal(struct store *s);

/* The store as a source. */
struct ckpt_source store_source(struct store *s);

/* What sector @sector of the store is filled with by store_new(). */
uint8_t store_byte(uint64_t sector);

#endif
