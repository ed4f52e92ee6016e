/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Crash states, each in a process of its own: the images and the model are copied when they are
 * changed, and whatever goes wrong in there, the next one is tried all the same.
 */
#ifndef CRASH_TRY_H
#define CRASH_TRY_H

#include <sys/types.h>

#include "cut.h"

#define TRY_SECONDS	60	/* that one may take */

struct counts {
	uint64_t states;
	uint64_t fate[3];	/* of what was loose, by enum fate */
	uint64_t commands[2];	/* that were interrupted and are not done, are done */
	uint64_t spoilt[SPOIL_KINDS];	/* in so many of the states */
};

struct try {
	pid_t pid;		/* 0: not running */
	int said;		/* what it printed: a file in memory, or -1 */
	uint64_t index;
	/* In memory that it shares: */
	struct cut *cut;
	struct counts *counts;
};

void try_init(struct try *t);
/*
 * Make the state @t->cut of the disks as they are, and check it beside.  @save: a folder for
 * its images and what its volumes hold, or NULL.
 */
void try_begin(struct try *t, const struct disks *d, const char *save);
/* Wait for it: is all as it must be? */
bool try_end(struct try *t);
/* What it said, then forget that. */
void try_print(struct try *t);
void try_forget(struct try *t);

#endif
