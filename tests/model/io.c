// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crash.h"
#include "dmdev.h"
#include "io.h"
#include "model.h"
#include "pattern.h"
#include "verify.h"

#define MAX_IO		1024u	/* sectors */

static struct worker workers[MAX_THREADS];
static pthread_t threads[MAX_THREADS];
static unsigned int running;
static atomic_uint_fast64_t ops, full;
static atomic_bool stop;
static uint64_t limit;			/* of ops */

void worker_init(struct worker *w, unsigned int nr)
{
	w->nr = nr;
	w->last_vol = ~0u;
	w->buf = xbuffer(MAX_IO * SECTOR_SIZE);
	rng_init(&w->rng, (uint64_t)cfg.seed << 8 | nr);
}

/* A volume that is there and stays so until it is put. */
static struct vol *vol_get(struct rng *r, uint32_t other_than)
{
	struct vol *found = NULL;
	unsigned int n = 0;

	pthread_mutex_lock(&model.lock);
	for (uint32_t i = 0; i < model.nr_vols; i++) {
		struct vol *v = model.vol[i];

		if (!v || v->state != VOL_ACTIVE || v->closing || i == other_than)
			continue;
		if (!rng_below(r, ++n))
			found = v;
	}
	if (found)
		found->users++;
	pthread_mutex_unlock(&model.lock);
	return found;
}

static void vol_put(struct vol *v)
{
	pthread_mutex_lock(&model.lock);
	v->users--;
	pthread_cond_broadcast(&model.cond);
	pthread_mutex_unlock(&model.lock);
}

/* Where, and how much: a bit of everything, a part of it in a hot place. */
static bool pick_range(struct rng *r, const struct vol *v, uint64_t *sector,
		       uint32_t *len)
{
	unsigned int nr = 0, wi = 0;
	uint32_t room, at;

	for (unsigned int i = 0; i < layout.nr; i++)
		if (window_len(i, v->dev_size))
			nr = i + 1;
	if (nr > 1 && rng_chance(r, 50))
		wi = rng_below(r, nr);
	room = window_len(wi, v->dev_size);
	if (!room)
		return false;

	switch (rng_below(r, 20)) {
	case 0 ... 7:
		*len = cfg.block;
		break;
	case 8 ... 11:
		*len = 1 + rng_below(r, 16);
		break;
	case 12 ... 13:
		*len = cfg.block * (1 + rng_below(r, 8));
		break;
	case 14 ... 17:
		*len = 1 + rng_below(r, 256);
		break;
	case 18:
		*len = 8 * (1 + rng_below(r, 32));
		break;
	default:
		*len = 1 + rng_below(r, MAX_IO);
	}
	*len = min(min(*len, MAX_IO), room);
	if (rng_chance(r, 30))
		room = min(room, max(*len, MIB_SECTORS / 2));
	at = rng_below(r, room - *len + 1);
	if (rng_chance(r, 50))
		at -= at % cfg.block;
	*sector = layout.w[wi].start + at;
	return true;
}

/* A store that is recorded may be full as well; what is in it then is looked at later. */
static bool no_space(struct worker *w, struct vol *v, struct op *op, int64_t res)
{
	if (res != -ENOSPC || !(cfg.full || cfg.marks))
		return false;
	if (cfg.marks)
		write_failed(v, op);
	else
		verify_failed(v, op, w->buf);
	atomic_fetch_add(&full, 1);
	return true;
}

static bool io_good(struct vol *v, struct op *op, const char *what, int64_t res, int64_t want)
{
	if (res == want)
		return true;
	/* That nobody waits for it any more. */
	write_failed(v, op);
	failure("%s of v%u sector %llu +%u: %s", what, op->vol,
		(unsigned long long)op->sector, op->len,
		res < 0 ? strerror(-res) : "short");
	return false;
}

static bool do_write(struct worker *w, struct vol *v, uint64_t sector, uint32_t len)
{
	bool fua = rng_chance(&w->rng, 8);
	struct op *op = write_begin(v, OP_WRITE, sector, len, w->nr, 0);
	ssize_t n;

	pattern_fill(w->buf, len, sector, v->id, op->id, cfg.seed);
	n = dm->write(v->fd, w->buf, (size_t)len * SECTOR_SIZE, sector * SECTOR_SIZE, fua);
	if (no_space(w, v, op, n))
		return true;
	if (!io_good(v, op, fua ? "FUA write" : "write", n, (int64_t)len * SECTOR_SIZE))
		return false;
	write_end(v, op, fua);
	if (fua)
		crash_mark(NULL);
	return true;
}

static bool do_zero(struct worker *w, struct vol *v, enum op_type type,
		    uint64_t sector, uint32_t len)
{
	struct op *op = write_begin(v, type, sector, len, w->nr, 0);
	uint64_t at = sector * SECTOR_SIZE, bytes = (uint64_t)len * SECTOR_SIZE;
	int err = type == OP_DISCARD ? dm->discard(v->fd, at, bytes) :
				       dm->zero(v->fd, at, bytes);

	/* A volume that passes through to its base can do what the base can. */
	if (err == -EOPNOTSUPP && type == OP_DISCARD && v->base)
		err = 0;
	if (no_space(w, v, op, err))
		return true;
	if (!io_good(v, op, op_names[type], err, 0))
		return false;
	write_end(v, op, false);
	return true;
}

static bool do_flush(struct vol *v)
{
	uint64_t begun = flush_begin(v);
	int err = dm->flush(v->fd);

	if (err) {
		failure("flush of v%u: %s", v->id, strerror(-err));
		return false;
	}
	flush_end(v, begun);
	crash_mark(NULL);
	return true;
}

bool worker_write(struct worker *w, struct vol *v)
{
	uint64_t sector;
	uint32_t len;

	return pick_range(&w->rng, v, &sector, &len) && do_write(w, v, sector, len);
}

bool worker_step(struct worker *w)
{
	struct rng *r = &w->rng;
	struct vol *v = vol_get(r, w->last_vol);
	unsigned int what = rng_below(r, 100);
	uint64_t sector;
	uint32_t len;

	w->last_vol = ~0u;
	if (!v)
		return false;
	/* What is recorded is looked at later. */
	if (cfg.marks && what >= 52 && what < 76)
		what = what < 66 ? 20 : 99;
	if (!pick_range(r, v, &sector, &len))
		what = 99;
	if (what < 52) {
		do_write(w, v, sector, len);
		if (what < 20)
			w->last_vol = v->id;
	} else if (what < 66) {
		verify_piece(v, v->fd, sector, min(len, PIECE), w->buf);
	} else if (what < 76) {
		verify_racing(v, v->fd, sector, min(len, PIECE), w->buf);
	} else if (what < 84) {
		do_zero(w, v, OP_DISCARD, sector, len);
	} else if (what < 92) {
		do_zero(w, v, OP_ZERO, sector, len);
	} else {
		do_flush(v);
	}
	vol_put(v);
	atomic_fetch_add(&ops, 1);
	return true;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&stop) && !failed && !workers_done())
		if (!worker_step(w))
			sleep_ms(1);
	return NULL;
}

void workers_start(uint64_t more)
{
	limit = atomic_load(&ops) + more;
	atomic_store(&stop, false);
	for (running = 0; running < cfg.threads; running++) {
		struct worker *w = &workers[running];

		if (!w->buf)
			worker_init(w, running + 1);
		if (pthread_create(&threads[running], NULL, worker_main, w))
			abort();
	}
}

void workers_stop(void)
{
	atomic_store(&stop, true);
	while (running)
		pthread_join(threads[--running], NULL);
}

bool workers_done(void)
{
	return atomic_load(&ops) >= limit;
}

uint64_t ops_without_space(void)
{
	return atomic_load(&full);
}

uint64_t ops_done(void)
{
	return atomic_load(&ops);
}
