// SPDX-License-Identifier: GPL-2.0-only
#include <linux/crc32c.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "codec.h"
#include "slot.h"

u32 ckpt_node_crc(const void *node)
{
	return crc32c(~0u, node, CKPT_NODE_BYTES);
}

/* crc32c of 4 KiB that hold their own checksum at @at, taken as zero. */
static u32 crc_without(const void *node, size_t at)
{
	static const __u8 zero[4];
	const __u8 *bytes = node;
	u32 crc = crc32c(~0u, bytes, at);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, bytes + at + sizeof(zero),
		      CKPT_NODE_BYTES - at - sizeof(zero));
}

bool ckpt_ref_valid(const struct ckpt_geometry *g, u64 where)
{
	return !(where & CKPT_WHERE_FLAGS) && !(where & (CKPT_NODE_SECTORS - 1)) &&
	       where >= ckpt_first_free_unit(g) << CKPT_UNIT_SHIFT &&
	       where + CKPT_NODE_SECTORS <= READ_ONCE(g->sectors);
}

bool ckpt_super_present(const struct ckpt_super *super)
{
	return !memcmp(super->magic, CKPT_SUPER_MAGIC, sizeof(super->magic));
}

void ckpt_super_seal(struct ckpt_super *super)
{
	super->crc = cpu_to_le32(crc_without(super, offsetof(struct ckpt_super, crc)));
}

void ckpt_super_geometry(const struct ckpt_super *super, struct ckpt_geometry *g)
{
	u32 block = le32_to_cpu(super->block_sectors);

	g->sectors = le64_to_cpu(super->sectors);
	g->journal_blocks = le32_to_cpu(super->journal_blocks);
	g->block_shift = (u8)__builtin_ctz(block);
	g->cluster_shift = g->block_shift + 5;
}

static const char *verify_geometry(const struct ckpt_super *super)
{
	u32 block = le32_to_cpu(super->block_sectors);
	u32 journal = le32_to_cpu(super->journal_blocks);
	struct ckpt_geometry g;

	if (!is_power_of_2(block) || block > CKPT_BLOCK_SECTORS_MAX)
		return "its block size is not a power of two from 1 to 128 sectors";
	if (journal < CKPT_JOURNAL_BLOCKS_MIN || journal > CKPT_JOURNAL_BLOCKS_MAX)
		return "its journal has an impossible length";
	ckpt_super_geometry(super, &g);
	if (g.sectors > CKPT_STORE_SECTORS_MAX ||
	    ckpt_store_units(&g) <= ckpt_first_free_unit(&g))
		return "its size is impossible";
	if (super->records.where && !ckpt_ref_valid(&g, ckpt_ref_where(&super->records)))
		return "its tree of records is outside the store";
	if (super->space.where && !ckpt_ref_valid(&g, ckpt_ref_where(&super->space)))
		return "its space map is outside the store";
	return NULL;
}

/* What is wrong if these are not the bytes that somebody wrote. */
static const char *verify_whole(const struct ckpt_super *super)
{
	if (!ckpt_super_present(super))
		return "there is no store here";
	if (le32_to_cpu(super->crc) != crc_without(super, offsetof(struct ckpt_super, crc)))
		return "its checksum is wrong";
	return NULL;
}

const char *ckpt_super_verify(const struct ckpt_super *super)
{
	const char *bad = verify_whole(super);

	if (bad)
		return bad;
	if (le32_to_cpu(super->version) != CKPT_VERSION)
		return "it is of a version that is not known here";
	if (le64_to_cpu(super->features_incompat) & ~CKPT_FEATURES_INCOMPAT)
		return "it uses features that are not known here";
	return verify_geometry(super);
}

enum ckpt_super_choice ckpt_super_choose(const struct ckpt_super *a,
					 const struct ckpt_super *b, const char **why)
{
	const char *bad = ckpt_super_verify(b);

	*why = ckpt_super_verify(a);
	if (!*why)
		return CKPT_SUPER_CHOOSE_A;
	/* Whole, but not for us: who wrote it may have gone on, and B is the past. */
	if (!verify_whole(a))
		return CKPT_SUPER_STRANGE;
	if (!bad)
		return CKPT_SUPER_CHOOSE_B;
	if (!verify_whole(b)) {
		*why = bad;
		return CKPT_SUPER_STRANGE;
	}
	return ckpt_super_present(a) || ckpt_super_present(b) ? CKPT_SUPER_DAMAGED :
							       CKPT_SUPER_ABSENT;
}

void ckpt_journal_seal(void *block)
{
	struct ckpt_journal_head *head = block;

	head->magic = cpu_to_le32(CKPT_JOURNAL_MAGIC);
	head->crc = cpu_to_le32(crc_without(block, offsetof(struct ckpt_journal_head, crc)));
}

bool ckpt_journal_verify(const void *block, const __u8 *uuid, u64 seq)
{
	const struct ckpt_journal_head *head = block;

	return le32_to_cpu(head->magic) == CKPT_JOURNAL_MAGIC &&
	       le64_to_cpu(head->seq) == seq &&
	       !memcmp(head->uuid, uuid, CKPT_UUID_BYTES) &&
	       le32_to_cpu(head->bytes) <= CKPT_JOURNAL_PAYLOAD &&
	       le16_to_cpu(head->txn_index) < le16_to_cpu(head->txn_blocks) &&
	       le32_to_cpu(head->crc) ==
			crc_without(block, offsetof(struct ckpt_journal_head, crc));
}

/* How long an entry of this type is, 0 if there is no such type. */
static u32 entry_bytes(u32 type)
{
	switch (type) {
	case CKPT_ENTRY_SLOT:
		return sizeof(struct ckpt_entry_slot);
	case CKPT_ENTRY_RECORD:
		return sizeof(struct ckpt_entry_record);
	case CKPT_ENTRY_PRUNE:
		return sizeof(struct ckpt_entry_prune);
	case CKPT_ENTRY_SIZE:
		return sizeof(struct ckpt_entry_size);
	case CKPT_ENTRY_MERGE:
		return sizeof(struct ckpt_entry_merge);
	case CKPT_ENTRY_ADOPT:
		return sizeof(struct ckpt_entry_adopt);
	}
	return 0;
}

const struct ckpt_entry_head *ckpt_journal_next(const void *block, u32 *offset)
{
	const struct ckpt_journal_head *head = block;
	const struct ckpt_entry_head *entry;
	u32 left = le32_to_cpu(head->bytes), bytes;

	if (*offset == left)
		return NULL;
	left -= *offset;
	entry = (const void *)((const __u8 *)(head + 1) + *offset);
	if (left < sizeof(*entry))
		goto bad;
	bytes = le16_to_cpu(entry->bytes);
	if (bytes > left || !bytes || bytes != entry_bytes(le16_to_cpu(entry->type)))
		goto bad;
	*offset += bytes;
	return entry;
bad:
	*offset = ~0u;
	return NULL;
}

static const char *verify_named(const __u8 *name)
{
	if (!memchr(name, 0, CKPT_NAME_BYTES) || ckpt_name_verify((const char *)name))
		return "its name is not one";
	return NULL;
}

static const char *verify_sectors(const struct ckpt_geometry *g, __le64 le)
{
	u64 sectors = le64_to_cpu(le);

	if (!sectors || sectors > CKPT_VOLUME_SECTORS_MAX ||
	    sectors & (ckpt_block_sectors(g) - 1))
		return "its size is impossible";
	return NULL;
}

const char *ckpt_record_verify(const struct ckpt_geometry *g,
			       const union ckpt_record *record, u32 number)
{
	const char *bad;

	if (le32_to_cpu(record->head.number) != number)
		return "it has another record's number";
	switch (le16_to_cpu(record->head.type)) {
	case CKPT_RECORD_BASE:
		if (le16_to_cpu(record->head.flags) & CKPT_BASE_TEMPLATE) {
			bad = verify_named(record->base.name);
			if (bad)
				return bad;
		}
		bad = verify_sectors(g, record->base.origin_sectors);
		return bad ? bad : verify_sectors(g, record->base.sectors);
	case CKPT_RECORD_LAYER:
		if (record->layer.root.where &&
		    !ckpt_ref_valid(g, ckpt_ref_where(&record->layer.root)))
			return "its map is outside the store";
		return verify_sectors(g, record->layer.sectors);
	case CKPT_RECORD_VOLUME:
		bad = verify_named(record->volume.name);
		return bad ? bad : verify_sectors(g, record->volume.sectors);
	case CKPT_RECORD_CHECKPOINT:
		if (le32_to_cpu(record->checkpoint.kind) >= CKPT_KINDS)
			return "its kind is not known";
		return verify_named(record->checkpoint.name);
	}
	return "its type is not known";
}

/* Length of the UTF-8 sequence at @s, 0 if it is malformed or overlong. */
static size_t utf8_length(const __u8 *s)
{
	size_t i, length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] < 0xe0)
		length = 2;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		length = 4;
	else
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong, halves of UTF-16, above Unicode. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

/* Blanks, control characters (of Unicode: U+0080 to U+009F too), what separates. */
static bool is_sign(const __u8 *s)
{
	return *s <= ' ' || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0) ||
	       strchr("@/\\\"'", *s);
}

const char *ckpt_name_verify(const char *name)
{
	const __u8 *s = (const __u8 *)name;
	__u8 uuid[CKPT_UUID_BYTES];
	size_t length;

	if (!*name)
		return "a name has at least one character";
	if (strnlen(name, CKPT_NAME_BYTES) == CKPT_NAME_BYTES)
		return "a name has 111 bytes at most";
	if (!strcmp(name, "-"))
		return "a name is not '-'";
	if (ckpt_uuid_parse(name, uuid))
		return "a name does not look like a UUID";
	for (; *s; s += length) {
		length = utf8_length(s);
		if (!length)
			return "a name is valid UTF-8";
		if (is_sign(s))
			return "a name has no blank, @, /, \\, quote or control character";
	}
	return NULL;
}

void ckpt_uuid_format(const __u8 *uuid, char *text)
{
	static const char digits[] = "0123456789abcdef";
	u32 i;

	for (i = 0; i < CKPT_UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[uuid[i] >> 4];
		*text++ = digits[uuid[i] & 15];
	}
	*text = 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ckpt_uuid_parse(const char *text, __u8 *uuid)
{
	u32 i;

	for (i = 0; i < CKPT_UUID_BYTES; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = digit_value(text[0]);
		low = high < 0 ? -1 : digit_value(text[1]);
		if (low < 0)
			return false;
		uuid[i] = (__u8)(high << 4 | low);
		text += 2;
	}
	return !*text;
}
