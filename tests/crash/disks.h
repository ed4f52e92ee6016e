/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The disks below dm-ckpt at a moment of the log, and what a power cut leaves of them.
 *
 * A disk has a cache.  What ended before a flush of this disk began is on the medium when the
 * flush has ended, and so is what was written through when it has ended.  Of all else that was
 * begun each sector may be there or not; only that a sector never goes back behind what
 * ended before the write that is on the medium began.
 *
 * After a power cut, what was discarded in the store reads as garbage, and on an origin as zeros.
 */
#ifndef CRASH_DISKS_H
#define CRASH_DISKS_H

#include "trace.h"

/* Something that the medium may have or not. */
struct loose {
	uint32_t nr;		/* its entry */
	uint8_t *dead;		/* a bit for each sector that cannot come any more, or NULL */
};

struct disks {
	const struct trace *trace;
	uint32_t now;		/* entries before this one have happened */
	char *image[MAX_DISKS];	/* the media */
	struct loose *loose;	/* in the order in which they began */
	uint32_t nr, room;
};

void disks_init(struct disks *d, const struct trace *t);
/* Let everything happen that is before entry @to. */
void disks_advance(struct disks *d, uint32_t to);

/* What becomes of a loose one. */
enum fate { FATE_LOST, FATE_KEPT, FATE_TORN };

/*
 * Put onto the media what the cut leaves there.  @seed: which sectors of a torn one, and
 * in which order they come.
 */
void disks_cut(struct disks *d, const uint8_t *fate, uint64_t seed);

#endif
