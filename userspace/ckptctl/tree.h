/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree that a person looks at.  Time runs downwards: what stands below another
 * entry in the same column came after it, and a branch off the entry above begins
 * with a fork:
 *
 *	■ base of disk                          20 GiB, /dev/disk/by-id/...
 *	● disk@monday    12 MiB  2026-07-01 10:00:12  standard
 *	├─● disk@try      4 KiB  2026-07-01 11:30:00  standard
 *	│ ▶ twin          8 KiB  now                  active, clone of disk@monday
 *	● disk@tuesday    3 MiB  2026-07-02 10:00:03  standard
 *	▶ disk          1.2 MiB  now                  active
 *
 * Pure: draws a model, and looks at no device.
 */
#ifndef CKPTCTL_TREE_H
#define CKPTCTL_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "libckpt/model.h"

struct tree_style {
	bool is_utf8;		/* line drawing beyond ASCII */
	bool has_colour;
	bool in_bytes;		/* sizes as plain numbers */
	bool has_headings;
	uint64_t unit_bytes;	/* of the store's used units */
	/* Where a base's origin is, or NULL; may itself be NULL. */
	const char *(*origin)(void *arg, const struct ckpt_base *base);
	void *arg;
};

/*
 * Draw all trees, or only that of the volume @only.  CKPT_FAILED when there is not
 * enough memory.
 */
enum ckpt_result tree_draw(FILE *to, const struct ckpt_model *m,
			   const struct ckpt_volume *only, const struct tree_style *style,
			   struct ckpt_error *e);

#endif
