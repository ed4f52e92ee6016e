/* SPDX-License-Identifier: GPL-2.0-only */
/* Is all of a store what it ought to be? */
#ifndef LIBCKPT_CHECK_H
#define LIBCKPT_CHECK_H

#include "image.h"

enum ckpt_check_level {
	CKPT_CHECK_SUPER,	/* the superblocks alone */
	CKPT_CHECK_RECORDS,	/* the journal, all records, and how they hang together */
	CKPT_CHECK_NODES,	/* every node of every tree, and what it counts */
	CKPT_CHECK_SPACE,	/* every cluster's owner, and what nobody owns */
};

struct ckpt_check {
	enum ckpt_check_level level;
	ckpt_report_fn error;	/* or NULL; told of each thing that is wrong */
	ckpt_report_fn note;	/* or NULL; of what is not wrong, but worth to be known */
	void *arg;

	/* Afterwards: */
	uint64_t errors, notes;
	uint64_t nodes;		/* looked at */
	uint64_t units;		/* of data */
	uint64_t leaked;	/* units that are in use for nobody, or for what cannot be read */
};

/*
 * CKPT_DONE if nothing is wrong, CKPT_INTEGRITY if something is, CKPT_NOT_FOUND or CKPT_FAILED
 * if there is no store that is known here.  Beyond a thousand errors of one kind they
 * are only counted.
 */
enum ckpt_result ckpt_check(const struct ckpt_source *source, struct ckpt_check *check,
			    struct ckpt_error *e);

/* The same for what has been opened, @counted; what was found then is not told again. */
enum ckpt_result ckpt_check_image(struct ckpt_image *image, struct ckpt_check *check,
				  struct ckpt_error *e);

#endif
