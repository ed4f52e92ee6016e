/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The phases of a run.  Each returns whether it went well.
 */
#ifndef MODEL_RANDOM_H
#define MODEL_RANDOM_H

#include <stdbool.h>

#include "util.h"

void random_init(uint64_t seed);
/* A new store. */
bool phase_format(void);
/* The first volumes and templates. */
bool phase_setup(void);
/* I/O by threads and commands beside it, all at random. */
bool phase_random(void);
/* Close views, then look at everything, before and after an activation. */
bool phase_verify(void);
bool phase_cycle(void);
/* The views that the random phase left open. */
void close_views(void);
/* All merges end, and each layer has what it must. */
bool phase_settle(void);
/* After a crash: they go on and end, and all is as it was. */
bool phase_finish(void);
/* Delete all checkpoints under load: what is on an origin is what its volume holds. */
bool phase_drop(void);
/* Delete the rest: the space comes back. */
bool phase_delete(void);
/* cfg.chain checkpoints in a row, and clones of clones of one of them. */
bool phase_chain(void);
/* Half of the checkpoints away under load, then back to one of the others. */
bool phase_thin_out(void);

#endif
