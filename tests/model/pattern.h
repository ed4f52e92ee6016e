/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a sector that the test wrote looks like: it says where it belongs and
 * which operation wrote it, and all of its bytes follow from that.
 */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include <stdint.h>

struct tag {
	uint32_t magic;
	uint32_t op;		/* number of the operation, unique in a run */
	uint64_t sector;	/* of the volume */
	uint32_t vol;		/* that was written, a clone may show it too */
	uint32_t seed;		/* of the run */
	uint32_t zero;
	uint32_t crc;		/* crc32c of the fields above */
};

enum found {
	FOUND_ZERO,		/* all zeros */
	FOUND_TAG,		/* a whole sector of the test, as its tag says */
	FOUND_BAD,		/* anything else */
};

/* Fill @len sectors of @buf for a write to @sector of volume @vol. */
void pattern_fill(void *buf, uint32_t len, uint64_t sector, uint32_t vol,
		  uint32_t op, uint32_t seed);

/* What is in this sector?  @tag is valid for FOUND_TAG. */
enum found pattern_read(const void *buf, struct tag *tag);

#endif
