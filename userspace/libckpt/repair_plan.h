/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a damaged store is saved, and how that hangs together anew. */
#ifndef LIBCKPT_REPAIR_PLAN_H
#define LIBCKPT_REPAIR_PLAN_H

#include "image_tree.h"
#include "repair.h"

struct repair_plan {
	struct ckpt_image *image;
	struct ckpt_repair *repair;
	struct ckpt_error *e;
	struct ckpt_item **items;	/* copies of those that are kept, by number, or NULL */
	bool *is_taken;			/* numbers that no item made now has */
	uint32_t count;			/* places */
};

enum ckpt_result repair_plan(struct repair_plan *plan);
void repair_plan_free(struct repair_plan *plan);

void repair_say(const struct repair_plan *plan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
