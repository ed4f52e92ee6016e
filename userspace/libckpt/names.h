/* SPDX-License-Identifier: GPL-2.0-only */
/* Names and UUIDs of volumes, checkpoints and templates. */
#ifndef LIBCKPT_NAMES_H
#define LIBCKPT_NAMES_H

#include <stdbool.h>

#include "error.h"
#include "dm-ckpt/format.h"

#define CKPT_UUID_LEN	37	/* the text form with its NUL */

/*
 * Is it a name that the kernel accepts?  CKPT_USAGE and a sentence that says
 * which rule it breaks; @what is "volume", "checkpoint" or "template".
 */
enum ckpt_result ckpt_check_name(const char *name, const char *what,
				 struct ckpt_error *e);

bool ckpt_is_uuid(const char *text);

/*
 * "volume@checkpoint", taken apart.  An empty volume ("@checkpoint") is left to
 * the caller to judge.
 */
struct ckpt_ref_text {
	char volume[CKPT_NAME_BYTES];
	char checkpoint[CKPT_NAME_BYTES];
};

enum ckpt_result ckpt_split_ref(const char *text, struct ckpt_ref_text *ref,
				struct ckpt_error *e);

#endif
