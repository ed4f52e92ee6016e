/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of each kind of line of a dump: one table for both directions. */
#ifndef LIBCKPT_DUMP_FIELDS_H
#define LIBCKPT_DUMP_FIELDS_H

#include <stdio.h>

#include "image.h"

#define DUMP_HEAD	"dm-ckpt dump 1"
#define DUMP_FIELDS_MAX	12

enum dump_kind { DUMP_U32, DUMP_HEX, DUMP_U64, DUMP_UUID, DUMP_NAME };

struct dump_field {
	const char *key;
	enum dump_kind kind;
	size_t offset;
};

struct dump_store {
	uint8_t uuid[CKPT_UUID_BYTES];
	uint64_t sectors, epoch, sequence, journal, created, compat, ro;
	uint32_t block_sectors, journal_blocks;
};

/* The line "store". */
extern const struct dump_field dump_store_fields[DUMP_FIELDS_MAX];
/* By enum ckpt_record_type: what the line begins with, and its fields in a ckpt_item. */
extern const char *const dump_types[];
extern const struct dump_field dump_item_fields[][DUMP_FIELDS_MAX];

/* " key=value" for each. */
void dump_put_fields(FILE *to, const struct dump_field *fields, const void *from);

/* The fields, in their order, that are all of @text (which is changed); false: it is not so. */
bool dump_get_fields(char *text, const struct dump_field *fields, void *to);

#endif
