// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dump_fields.h"

#define STORE(field)	offsetof(struct dump_store, field)
#define ITEM(field)	offsetof(struct ckpt_item, field)

const struct dump_field dump_store_fields[DUMP_FIELDS_MAX] = {
	{ "uuid", DUMP_UUID, STORE(uuid) },
	{ "sectors", DUMP_U64, STORE(sectors) },
	{ "block_sectors", DUMP_U32, STORE(block_sectors) },
	{ "journal_blocks", DUMP_U32, STORE(journal_blocks) },
	{ "epoch", DUMP_U64, STORE(epoch) },
	{ "sequence", DUMP_U64, STORE(sequence) },
	{ "journal", DUMP_U64, STORE(journal) },
	{ "created", DUMP_U64, STORE(created) },
	{ "compat", DUMP_U64, STORE(compat) },
	{ "ro", DUMP_U64, STORE(ro) },
};

const char *const dump_types[] = { "free", "base", "layer", "volume", "checkpoint", NULL };

#define ALL_ITEMS				\
	{ "uuid", DUMP_UUID, ITEM(uuid) },	\
	{ "created", DUMP_U64, ITEM(created) },	\
	{ "flags", DUMP_HEX, ITEM(flags) }

const struct dump_field dump_item_fields[][DUMP_FIELDS_MAX] = {
	[CKPT_RECORD_BASE] = {
		ALL_ITEMS,
		{ "name", DUMP_NAME, ITEM(name) },
		{ "sectors", DUMP_U64, ITEM(sectors) },
		{ "owner", DUMP_U32, ITEM(volume) },
		{ "sample", DUMP_HEX, ITEM(sample_crc) },
		{ "origin_sectors", DUMP_U64, ITEM(origin_sectors) },
	},
	[CKPT_RECORD_LAYER] = {
		ALL_ITEMS,
		{ "below", DUMP_U32, ITEM(below) },
		{ "volume", DUMP_HEX, ITEM(volume) },
		{ "sectors", DUMP_U64, ITEM(sectors) },
	},
	[CKPT_RECORD_VOLUME] = {
		ALL_ITEMS,
		{ "name", DUMP_NAME, ITEM(name) },
		{ "sectors", DUMP_U64, ITEM(sectors) },
		{ "top", DUMP_U32, ITEM(below) },
		{ "limit", DUMP_U64, ITEM(limit) },
	},
	[CKPT_RECORD_CHECKPOINT] = {
		ALL_ITEMS,
		{ "name", DUMP_NAME, ITEM(name) },
		{ "volume", DUMP_U32, ITEM(volume) },
		{ "layer", DUMP_U32, ITEM(below) },
		{ "kind", DUMP_U32, ITEM(kind) },
		{ "group", DUMP_U32, ITEM(group) },
	},
};

void dump_put_fields(FILE *to, const struct dump_field *f, const void *from)
{
	char uuid[CKPT_UUID_CHARS + 1];

	for (; f->key; f++) {
		const void *value = (const uint8_t *)from + f->offset;

		fprintf(to, " %s=", f->key);
		switch (f->kind) {
		case DUMP_U32:
			fprintf(to, "%" PRIu32, *(const uint32_t *)value);
			break;
		case DUMP_HEX:
			fprintf(to, "%08" PRIx32, *(const uint32_t *)value);
			break;
		case DUMP_U64:
			fprintf(to, "%" PRIu64, *(const uint64_t *)value);
			break;
		case DUMP_UUID:
			ckpt_uuid_format(value, uuid);
			fputs(uuid, to);
			break;
		case DUMP_NAME:
			fputs(*(const char *)value ? value : "-", to);
			break;
		}
	}
}

static bool get_number(const char *text, int base, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, base);
	return isxdigit((unsigned char)*text) && !*end && !errno && *number <= most;
}

static bool get_value(const char *text, enum dump_kind kind, void *value)
{
	uint64_t number;

	switch (kind) {
	case DUMP_U32:
	case DUMP_HEX:
		if (!get_number(text, kind == DUMP_HEX ? 16 : 10, UINT32_MAX, &number))
			return false;
		*(uint32_t *)value = (uint32_t)number;
		return true;
	case DUMP_U64:
		return get_number(text, 10, UINT64_MAX, value);
	case DUMP_UUID:
		return ckpt_uuid_parse(text, value);
	case DUMP_NAME:
		if (!strcmp(text, "-"))
			text = "";
		else if (ckpt_name_verify(text))
			return false;
		memset(value, 0, CKPT_NAME_BYTES);
		memcpy(value, text, strlen(text));
		return true;
	}
	return false;
}

bool dump_get_fields(char *text, const struct dump_field *f, void *to)
{
	for (; f->key; f++) {
		size_t length = strlen(f->key);
		char *word = strsep(&text, " ");

		if (!word || strncmp(word, f->key, length) || word[length] != '=' ||
		    !get_value(word + length + 1, f->kind, (uint8_t *)to + f->offset))
			return false;
	}
	return !text;
}
