// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "check.h"
#include "dmdev.h"
#include "evlog.h"
#include "pattern.h"
#include "util.h"
#include "verify.h"

/* Call @fn for the pieces of all windows of a device of @size sectors. */
typedef bool (*piece_fn)(void *arg, uint64_t sector, uint32_t len, void *buf);

static bool each_piece(uint64_t size, piece_fn fn, void *arg)
{
	void *buf = xbuffer(PIECE * SECTOR_SIZE);
	bool ok = true;

	for (unsigned int i = 0; i < layout.nr; i++) {
		uint32_t len = window_len(i, size);

		for (uint32_t at = 0; ok && at < len; at += PIECE)
			ok = fn(arg, layout.w[i].start + at, min(PIECE, len - at), buf);
	}
	free(buf);
	return ok;
}

bool verify_piece(struct vol *v, int fd, uint64_t sector, uint32_t len, void *buf)
{
	struct op op = { .type = OP_READ, .sector = sector, .len = len };
	struct check c = { .vol = v, .dev = VOL_DEV(v), .how = "read" };
	uint32_t *vals = xmalloc(len * sizeof(*vals));
	bool ok;

	read_begin(v, &op, vals);
	ok = dev_read(fd, c.dev, buf, len, sector);
	if (ok) {
		check_init(&c);
		check_range(&c, sector, len, buf, vals);
		check_free(&c);
		ok = !c.bad;
	}
	read_end(v, &op, ok ? vals : NULL);
	free(vals);
	return ok;
}

static atomic_ullong failed_units;

uint64_t verify_failed_units(void)
{
	return atomic_load(&failed_units);
}

bool verify_failed(struct vol *v, struct op *op, void *buf)
{
	struct check c = { .vol = v, .dev = VOL_DEV(v), .how = "after a write without space" };
	uint32_t *vals = xmalloc(op->len * sizeof(*vals));
	struct watch w = { 0 };
	struct tag tag;
	bool ok;

	/* What was copied for it stands in blocks of its own, and is what it was. */
	atomic_fetch_add(&failed_units, (op->len + 2 * max(cfg.block, 8u)) / 8);
	/* Nobody else can be at it, as the operation counts as being under way. */
	watch_begin(v, &w, op->sector, op->len, vals);
	ok = dev_read(v->fd, c.dev, buf, op->len, op->sector);
	watch_end(v, &w);
	if (ok) {
		c.maybe = &w.ops;
		check_init(&c);
		check_range(&c, op->sector, op->len, buf, vals);
		check_free(&c);
		ok = !c.bad;
		/* Zeros over zeros may stand in blocks now. */
		for (uint32_t i = 0; op->type != OP_WRITE && i < op->len; i++)
			if (pattern_read((char *)buf + i * SECTOR_SIZE, &tag) == FOUND_ZERO)
				vals[i] = op->id;
	}
	read_end(v, op, ok ? vals : NULL);
	oplist_free(&w.ops);
	free(vals);
	return ok;
}

bool verify_racing(struct vol *v, int fd, uint64_t sector, uint32_t len, void *buf)
{
	struct check c = { .vol = v, .dev = VOL_DEV(v), .how = "racing read",
			   .racing = true };
	uint32_t *vals = xmalloc(len * sizeof(*vals));
	struct watch w = { 0 };
	bool ok;

	watch_begin(v, &w, sector, len, vals);
	ok = dev_read(fd, c.dev, buf, len, sector);
	watch_end(v, &w);
	if (ok) {
		c.maybe = &w.ops;
		check_init(&c);
		check_range(&c, sector, len, buf, vals);
		check_free(&c);
		ok = !c.bad;
	}
	oplist_free(&w.ops);
	free(vals);
	return ok;
}

struct vol_piece {
	struct vol *v;
	int fd;
};

static bool live_piece(void *arg, uint64_t sector, uint32_t len, void *buf)
{
	struct vol_piece *p = arg;

	return verify_piece(p->v, p->fd, sector, len, buf);
}

bool verify_vol(struct vol *v)
{
	struct vol_piece p = { v, v->fd };

	return each_piece(v->dev_size, live_piece, &p);
}

struct map_piece {
	struct check *c;
	struct map *map;
	int fd;
};

static bool map_piece(void *arg, uint64_t sector, uint32_t len, void *buf)
{
	struct map_piece *p = arg;
	uint32_t vals[PIECE], index = layout_index(sector);

	map_read(p->map, index, len, vals);
	if (!dev_read(p->fd, p->c->dev, buf, len, sector))
		return false;
	check_range(p->c, sector, len, buf, vals);
	if (p->c->bad)
		return false;
	if (!p->c->quiet)
		map_write(p->map, index, len, vals);
	return true;
}

/* What was uncertain is known now; the log must know it as well. */
static void ckpt_resolved(struct ckpt *ck)
{
	for (uint32_t i = 0; i < ck->watch.ops.nr; i++) {
		const struct op *op = op_get(ck->watch.ops.id[i]);
		uint32_t index = layout_index(op->sector);

		for (uint32_t k = 0, n; k < op->len; k += n) {
			uint32_t val = map_get(&ck->map, index + k);
			const struct op *by = op_get(VAL_OP(val));

			for (n = 1; k + n < op->len; n++)
				if (map_get(&ck->map, index + k + n) != val)
					break;
			/*
			 * The log may not know old operations any more, nor their type.  What is
			 * uncertain still is whose zeros they are.
			 */
			if (val & VAL_SOFT || (by && by->type != OP_WRITE))
				val = 0;
			ev_add(EV_SET_CKPT, ck->id, op->sector + k, n, val);
		}
	}
	if (ck->watch.ops.nr)
		ev_add(EV_RESOLVED, ck->id, 0, 0, 0);
	ck->watch.ops.nr = 0;
}

bool verify_view(const struct view *w)
{
	struct ckpt *ck = w->ck;
	struct check c = { .vol = ck->vol, .ck = ck, .dev = w->name, .how = "view",
			   .maybe = &ck->watch.ops, .group = ck->group,
			   .whole_all = true };
	struct map_piece p = { &c, &ck->map, w->fd };
	bool ok;

	check_init(&c);
	ok = each_piece(ck->size, map_piece, &p);
	check_free(&c);
	if (ok)
		ckpt_resolved(ck);
	check_group(ck->group);
	return ok && !failed;
}

bool verify_ckpt(struct ckpt *ck)
{
	struct view w;
	bool ok;

	if (!view_open(&w, ck))
		return false;
	ok = verify_view(&w);
	return view_close(&w) && ok;
}

static void *view_thread(void *arg)
{
	return verify_view(arg) ? arg : NULL;
}

bool verify_views(struct view *w, unsigned int nr)
{
	pthread_t thread[MAX_MEMBERS];
	bool ok = true;
	void *res;

	for (unsigned int i = 0; i < nr; i++)
		if (pthread_create(&thread[i], NULL, view_thread, &w[i]))
			abort();
	for (unsigned int i = 0; i < nr; i++) {
		pthread_join(thread[i], &res);
		ok = ok && res;
	}
	return ok;
}

/* Some at a time, for more than one CPU. */
#define AT_ONCE	4u

static bool verify_some(struct ckpt **ck, unsigned int nr)
{
	struct view w[AT_ONCE];
	unsigned int open = 0;
	bool ok = true;

	while (ok && open < nr) {
		ok = view_open(&w[open], ck[open]);
		open += ok;
	}
	ok = ok && verify_views(w, nr);
	while (open)
		ok = view_close(&w[--open]) && ok;
	return ok;
}

bool verify_all(void)
{
	struct ckpt *some[AT_ONCE];
	unsigned int nr = 0;

	for (uint32_t i = 0; i < model.nr_vols; i++) {
		struct vol *v = model.vol[i];

		if (v && v->state == VOL_ACTIVE && !verify_vol(v))
			return false;
	}
	for (uint32_t i = 0; i < model.nr_cks; i++) {
		if (!model.ck[i] || !model.ck[i]->there)
			continue;
		some[nr++] = model.ck[i];
		if (nr < AT_ONCE)
			continue;
		if (!verify_some(some, nr))
			return false;
		nr = 0;
	}
	return !nr || verify_some(some, nr);
}

struct sum_piece {
	int fd;
	const char *dev;
	uint32_t crc;
};

static bool sum_piece(void *arg, uint64_t sector, uint32_t len, void *buf)
{
	struct sum_piece *p = arg;

	if (!dev_read(p->fd, p->dev, buf, len, sector))
		return false;
	p->crc = crc32c(p->crc, buf, len * SECTOR_SIZE);
	return true;
}

static bool print_sum(FILE *f, const char *name, int fd, const char *dev, uint64_t size)
{
	struct sum_piece p = { fd, dev, ~0u };

	return each_piece(size, sum_piece, &p) &&
	       fprintf(f, "%s %llu %08x\n", name, (unsigned long long)size, p.crc) > 0;
}

bool verify_print(FILE *f)
{
	struct vol *v;
	struct ckpt *ck;

	for each_vol(v)
		if (!print_sum(f, VOL_NAME(v), v->fd, VOL_DEV(v), v->size))
			return false;
	for each_ck(ck) {
		struct view w;

		if (!view_open(&w, ck))
			return false;
		if (!print_sum(f, CK_NAME(ck), w.fd, w.name, ck->size) || !view_close(&w))
			return false;
	}
	return true;
}

bool verify_crashed(struct vol *v, bool quiet)
{
	struct check c = { .vol = v, .dev = VOL_DEV(v), .how = "after the crash",
			   .maybe = &v->maybe, .whole_first = true, .quiet = quiet };
	struct map_piece p = { &c, &v->dur, v->fd };
	bool ok;

	check_init(&c);
	ok = each_piece(v->size, map_piece, &p);
	check_free(&c);
	if (ok && !quiet) {
		map_copy(&v->cur, &v->dur);
		v->maybe.nr = 0;
		v->nr_busy = 0;
	}
	return ok;
}
