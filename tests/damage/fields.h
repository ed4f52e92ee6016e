/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of all structures on disk. */
#ifndef DAMAGE_FIELDS_H
#define DAMAGE_FIELDS_H

#include <stddef.h>

struct field {
	const char *name;
	size_t offset;
	unsigned int bytes;	/* 1, 2, 4 or 8 of what it begins with */
};

/* All end with a field without a name. */
extern const struct field super_fields[], journal_fields[], ref_fields[], slot_fields[];
/* By enum ckpt_record_type and enum ckpt_entry_type; NULL: there is none. */
extern const struct field *const record_fields[5];
extern const struct field *const entry_fields[7];

#endif
