/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of ckpt_check(). */
#ifndef LIBCKPT_CHECK_PARTS_H
#define LIBCKPT_CHECK_PARTS_H

#include "check.h"
#include "image_tree.h"

/* Something is wrong; a sentence. */
void check_error(struct ckpt_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void check_note(struct ckpt_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How records hang together, beyond what opening them looks at: check_items.c. */
enum ckpt_result check_items(struct ckpt_image *image, struct ckpt_check *check,
			     struct ckpt_error *e);

/* Who owns which unit: check_space.c. */
struct check_owners;

struct check_owners *check_owners_new(const struct ckpt_geometry *g);
void check_owners_free(struct check_owners *owners);

/*
 * @nr units from @unit on have one more owner, @who.  CKPT_FAILED: no memory.  In a second round,
 * those are told of that own what others own as well.
 */
enum ckpt_result check_own(struct check_owners *owners, struct ckpt_check *check, uint64_t unit,
			   uint32_t nr, const char *who, struct ckpt_error *e);

/* Is anything owned twice?  Then a second round begins, which tells by whom. */
bool check_owned_twice(struct check_owners *owners);

/* Compare owners with the space map. */
enum ckpt_result check_space(struct ckpt_image *image, struct check_owners *owners,
			     struct ckpt_check *check, bool is_whole, struct ckpt_error *e);

#endif
