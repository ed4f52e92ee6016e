/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking a machine's checkpoint, for whoever wants one: a request, or going back. */
#ifndef CKPTD_TAKE_H
#define CKPTD_TAKE_H

#include "disks.h"
#include "capture.h"
#include "guard.h"
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
	/* Of a machine that runs, while that is at work: one of these. */
	struct capture *capture;
	struct guard *guard;
	bool is_live;			/* the guest runs until its memory is written */
	bool is_cancelled;		/* while the guest's file systems were to be frozen */
	bool has_failed;		/* the store could not be taken while they were */
};

/* Is the name free, in the store and among the machine's checkpoints? */
enum ckpt_result take_may(struct taking *t);

void take_start(struct taking *t);

/* ---- the parts of it: take.c, take_guest.c and take_frozen.c ---- */

/* The folder. */
enum ckpt_result take_begin(struct taking *t, const char *kind);

/* Its disks and its files, into that. */
enum ckpt_result take_state(struct taking *t);

/* The end of it, and t->done(): a checkpoint, or nothing. */
void take_finish(struct taking *t, enum ckpt_result result);

/* Look at the store anew: others may have changed it. */
enum ckpt_result take_reopen(struct taking *t);

/* Nothing of it is to be left; job->error stays what it is. */
void take_back(struct taking *t);

/* The machine runs: its memory as well. */
void take_guest(struct taking *t);

/*
 * It runs: no memory, and its file systems frozen.  What cannot be had so is taken by
 * take_guest(), or not at all, as t->policy says.
 */
void take_frozen(struct taking *t);

#endif
