/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * That a machine is going back, noted in a file "going-back.json" in its directory from
 * before it is ended until the guest runs again: a daemon that is killed meanwhile has ended
 * a machine, and the next one has to go on from there (back.c).
 */
#ifndef CKPTD_INTENT_H
#define CKPTD_INTENT_H

#include <stdbool.h>

#include "libckpt/error.h"
#include "libckpt/names.h"

enum intent_stage {
	INTENT_GOING,		/* if the machine runs, it is as before, and nothing was done to it */
	INTENT_BACK,		/* its disks are back; if it runs, its guest never ran */
	INTENT_LOADED,		/* it was given its memory; if it does not run, it has ended since */
	INTENT_STAGES
};

struct intent {
	char checkpoint[CKPT_UUID_LEN];		/* the id of where to */
	enum intent_stage stage;
	bool disks_only;			/* without memory, whether there is any or not */
	bool paused;				/* not to run when it is back */
};

/* Durable, in place of what was noted before. */
enum ckpt_result intent_write(const char *directory, const struct intent *i, struct ckpt_error *e);

/* CKPT_NOT_FOUND: the machine is not going back. */
enum ckpt_result intent_read(const char *directory, struct intent *i, struct ckpt_error *e);

/* Also if there is none. */
enum ckpt_result intent_clear(const char *directory, struct ckpt_error *e);

#endif
