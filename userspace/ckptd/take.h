/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking a machine's checkpoint, for whoever wants one: a request, or going back. */
#ifndef CKPTD_TAKE_H
#define CKPTD_TAKE_H

#include "disks.h"
#include "jobs.h"

struct taking {
	struct job *job;		/* of which it is a part; failures are left in its error */
	struct disks *disks;		/* open, and nothing half-made about */
	const char *name;
	enum vm_policy policy;		/* not disabled */
	/* Called once, perhaps before take_start() has returned. */
	void (*done)(struct taking *t, enum ckpt_result result);

	struct manifest m;		/* what was taken */
	bool has_begun;			/* there is a folder */
};

/* Is the name free, in the store and among the machine's checkpoints? */
enum ckpt_result take_may(struct taking *t);

void take_start(struct taking *t);

#endif
