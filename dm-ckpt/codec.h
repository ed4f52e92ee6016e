/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes from disk to facts and back: here, and nowhere else, every field of a
 * superblock, record, reference and journal block is checked before anything
 * relies on it.  Pure functions, any context.
 *
 * The verifying functions return NULL when all is well, or else a few words
 * that complete the sentence "<structure> cannot be used: ...".
 */
#ifndef CKPT_CODEC_H
#define CKPT_CODEC_H

#include "geometry.h"

/* crc32c of a node's 4 KiB as it stands in references to it. */
u32 ckpt_node_crc(const void *node);

/* Has the node's parent this very content in mind? */
static inline bool ckpt_node_matches(const void *node, const struct ckpt_ref *ref)
{
	return ckpt_node_crc(node) == le32_to_cpu(ref->crc);
}

/* May a node stand there?  (0, "nothing", is not asked for.) */
bool ckpt_ref_valid(const struct ckpt_geometry *g, u64 where);

/* Is there anything of a store here, however damaged? */
bool ckpt_super_present(const struct ckpt_super *super);
void ckpt_super_seal(struct ckpt_super *super);
const char *ckpt_super_verify(const struct ckpt_super *super);
void ckpt_super_geometry(const struct ckpt_super *super, struct ckpt_geometry *g);

enum ckpt_super_choice {
	CKPT_SUPER_CHOOSE_A,
	CKPT_SUPER_CHOOSE_B,	/* *@why says what is wrong with A */
	CKPT_SUPER_ABSENT,	/* nothing of a store here */
	CKPT_SUPER_DAMAGED,	/* both; *@why says what is wrong with A */
	CKPT_SUPER_STRANGE,	/* whole, but not for us, which *@why says why */
};

/*
 * Which of two copies counts.  A is written first, so it counts if it is whole,
 * and B does not stand in for an A that is whole but strange.
 */
enum ckpt_super_choice ckpt_super_choose(const struct ckpt_super *a,
					 const struct ckpt_super *b, const char **why);

/* Fill in and check the frame of journal block @block. */
void ckpt_journal_seal(void *block);
bool ckpt_journal_verify(const void *block, const __u8 *uuid, u64 seq);

/*
 * Walk the entries of a verified block: *@offset starts at 0.  Returns NULL at
 * the end, or with *@offset set to ~0 when the block makes no sense.
 */
const struct ckpt_entry_head *ckpt_journal_next(const void *block, u32 *offset);

/* Check a record by itself; what it refers to is the caller's to check. */
const char *ckpt_record_verify(const struct ckpt_geometry *g,
			       const union ckpt_record *record, u32 number);

/*
 * Is this a name?  1 to CKPT_NAME_BYTES - 1 bytes of UTF-8, no @ / \ " ' blank
 * or control character, not "-", not the look of a UUID.  Returns NULL or what
 * is wrong with it.
 */
const char *ckpt_name_verify(const char *name);

/* 36 characters of hexadecimal digits and dashes and a NUL, to and from bytes. */
#define CKPT_UUID_CHARS 36
void ckpt_uuid_format(const __u8 *uuid, char *text);
bool ckpt_uuid_parse(const char *text, __u8 *uuid);

#endif
