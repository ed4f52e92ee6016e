// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "dm-ckpt/codec.h"
#include "names.h"

bool ckpt_is_uuid(const char *text)
{
	__u8 uuid[CKPT_UUID_BYTES];

	return ckpt_uuid_parse(text, uuid);
}

enum ckpt_result ckpt_check_name(const char *name, const char *what,
				 struct ckpt_error *e)
{
	const char *why = ckpt_name_verify(name);

	/* Not repeated: it may hold what a terminal takes for a command. */
	return why ? ckpt_fail(e, CKPT_USAGE, "this cannot be the name of a %s: %s", what, why) :
		     CKPT_DONE;
}

enum ckpt_result ckpt_split_ref(const char *text, struct ckpt_ref_text *ref,
				struct ckpt_error *e)
{
	const char *at = strchr(text, '@');

	if (!at || strchr(at + 1, '@') || !at[1])
		return ckpt_fail(e, CKPT_USAGE,
				 "'%s' is not a checkpoint; write VOLUME@CHECKPOINT", text);
	if ((size_t)(at - text) >= CKPT_NAME_BYTES || strlen(at + 1) >= CKPT_NAME_BYTES)
		return ckpt_fail(e, CKPT_NOT_FOUND, "'%.40s...': no name is that long", text);

	snprintf(ref->volume, sizeof(ref->volume), "%.*s", (int)(at - text), text);
	snprintf(ref->checkpoint, sizeof(ref->checkpoint), "%s", at + 1);
	return CKPT_DONE;
}
