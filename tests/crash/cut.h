/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power cuts: when, and what becomes of what was loose.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include "../model/util.h"
#include "disks.h"
#include "spoil.h"

#define MAX_LOOSE	16384u

/* All that it takes to make a state again. */
struct cut {
	uint32_t at;		/* right before this entry */
	uint32_t nr;		/* that were loose */
	uint64_t seed;		/* of tears and order; see disks_cut() */
	enum spoil spoil;	/* if that can be */
	uint8_t fate[MAX_LOOSE];
};

/* The entry before which the power goes for state @i of @states; they are in order of time. */
uint32_t cut_moment(const struct trace *t, uint32_t first, uint64_t states, uint64_t i,
		    struct rng *r);

/* What becomes of what is loose now: any of several manners. */
void cut_choose(const struct disks *d, struct cut *c, struct rng *r);

#endif
