/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking a machine's checkpoint, for whoever wants one: a request, or going back. */
#ifndef CKPTD_TAKE_H
#define CKPTD_TAKE_H

#include "disks.h"
#include "capture.h"
#include "jobs.h"

#define TAKE_IMAGE "memory.img"	/* in a checkpoint's folder */

struct taking {
	struct job *job;		/* of which it is a part; failures are left in its error */
	struct disks *disks;		/* open, and nothing half-made about */
	const char *name;
	enum vm_policy policy;		/* not disabled */
	/* Called once, perhaps before take_start() has returned. */
	void (*done)(struct taking *t, enum ckpt_result result);

	struct manifest m;		/* what was taken */
	bool has_begun;			/* there is a folder */
	bool is_left;			/* the store cannot be asked now: the next one removes it */
	bool is_live;			/* the guest runs until its memory is written */
	struct capture *capture;	/* of a machine that runs, while that is at work */
};

/* Is the name free, in the store and among the machine's checkpoints? */
enum ckpt_result take_may(struct taking *t);

void take_start(struct taking *t);

/* ---- the parts of it: take.c and take_guest.c ---- */

/* The folder. */
enum ckpt_result take_begin(struct taking *t, const char *kind);

/* Its disks and its files, into that. */
enum ckpt_result take_state(struct taking *t);

/* The end of it, and t->done(): a checkpoint, or nothing. */
void take_finish(struct taking *t, enum ckpt_result result);

/* The machine runs: its memory as well. */
void take_guest(struct taking *t);

/*
 * The daemon was killed over the checkpoint @id while the guest may have stood still: have
 * it run.  A failure says why it cannot be told to.
 */
enum ckpt_result take_rescue(const struct vm_file *f, const char *id, struct ckpt_error *e);

#endif
