/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hold what was read against what may be there, and say what is wrong.
 */
#ifndef MODEL_CHECK_H
#define MODEL_CHECK_H

#include "model.h"

/* One pass over a volume or a checkpoint, or a part of it. */
struct check {
	const struct vol *vol;
	const struct ckpt *ck;		/* or NULL: the volume itself */
	const char *dev;
	const char *how;		/* "read", "view", "after crash": for messages */
	const struct oplist *maybe;	/* operations that may be in it */
	struct group *group;		/* note here which are in and which are not */
	bool whole_first;		/* first writes of a block are all or nothing */
	bool whole_all;			/* ... and all other small writes */
	bool racing;			/* a sector that is just being written may be torn */
	bool quiet;			/* only count */
	unsigned int bad;
	uint64_t last_bad;		/* sector */
	/* for each of @maybe: the block seen last, and whether the write is in */
	uint64_t *block;
	int8_t *in;
};

void check_init(struct check *c);
void check_free(struct check *c);

/*
 * @vals: the certain values; where something else that is allowed was found,
 * it is put there.
 */
void check_range(struct check *c, uint64_t sector, uint32_t len, const void *buf,
		 uint32_t *vals);

/* After a whole checkpoint: was there one instant for the group? */
void check_group(const struct group *g);

/* Something is wrong; the run is a failure and ends soon. */
void failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern volatile bool failed;
/* Talk, as TAP comments. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Keep a line for the history that is printed with a failure. */
void history(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
