/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that read and write volumes.
 */
#ifndef MODEL_IO_H
#define MODEL_IO_H

#include "util.h"

struct worker {
	unsigned int nr;
	struct rng rng;
	void *buf;
	uint32_t last_vol;	/* a write there is followed by one elsewhere */
};

void worker_init(struct worker *w, unsigned int nr);
/* One operation on some volume; false if there is none to work on. */
bool worker_step(struct worker *w);
/* One write at random to this volume. */
struct vol;
bool worker_write(struct worker *w, struct vol *v);

/* Start cfg.threads of them; they end after so many operations, on a failure, or when told. */
void workers_start(uint64_t more);
void workers_stop(void);
bool workers_done(void);
uint64_t ops_done(void);
/* ... of them failed as the store was full. */
uint64_t ops_without_space(void);

#endif
