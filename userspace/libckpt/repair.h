/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be read of a damaged store, as a new one. */
#ifndef LIBCKPT_REPAIR_H
#define LIBCKPT_REPAIR_H

#include "image.h"

struct ckpt_repair {
	/*
	 * Without it, a volume or checkpoint of which anything cannot be known is left out.  With
	 * it, what is lost of it becomes zeros.
	 */
	bool partial;
	ckpt_report_fn report;	/* or NULL; told of what was saved, and what not */
	void *arg;

	/* Afterwards: volumes and checkpoints. */
	uint64_t saved, lost;
	uint64_t partly;	/* of those that were saved */
};

/*
 * Write what can be had of @image, which was opened to be salvaged, as a new store to @file,
 * which has as many sectors: the same volumes and checkpoints on the same bases, with data and
 * metadata.  A checkpoint whose volume is lost gets a new volume, as it was then.
 * CKPT_INTEGRITY if anything could not be saved as a whole.
 */
enum ckpt_result ckpt_repair(struct ckpt_image *image, struct ckpt_file *file,
			     struct ckpt_repair *repair, struct ckpt_error *e);

#endif
