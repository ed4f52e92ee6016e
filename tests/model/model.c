// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model's I/O side: what is in flight, what was completed, what a flush
 * covered.  Commands are in cmd.c.
 */
#include <stdlib.h>
#include <string.h>

#include "evlog.h"
#include "model.h"
#include "util.h"

const char *const op_names[OP_TYPES] = { "read", "write", "discard", "zero" };

struct model model = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
};
uint64_t replaying;

#define OP_BLOCK	4096u

static struct op *op_blocks[4096];
static uint32_t last_op;
static pthread_mutex_t op_lock = PTHREAD_MUTEX_INITIALIZER;

struct op *op_get(uint32_t id)
{
	struct op *b = op_blocks[id / OP_BLOCK];

	return b ? &b[id % OP_BLOCK] : NULL;
}

uint32_t op_last(void)
{
	return last_op;
}

struct op *op_define(uint32_t id, enum op_type type, uint32_t vol, uint64_t sector,
		     uint32_t len, unsigned int thread)
{
	struct op **b, *op;

	pthread_mutex_lock(&op_lock);
	if (!id)
		id = last_op + 1;
	if (id / OP_BLOCK >= ARRAY_SIZE(op_blocks))
		abort();
	last_op = max(last_op, id);
	b = &op_blocks[id / OP_BLOCK];
	if (!*b)
		*b = xzalloc(OP_BLOCK * sizeof(struct op));
	op = &(*b)[id % OP_BLOCK];
	*op = (struct op) { .id = id, .vol = vol, .type = type, .thread = thread,
			    .sector = sector, .len = len };
	pthread_mutex_unlock(&op_lock);
	return op;
}

bool op_soft(const struct op *op, uint64_t sector)
{
	uint64_t block = sector - sector % cfg.block;

	if (op->type != OP_DISCARD)
		return false;
	return !op->hard || block < op->sector ||
	       block + cfg.block > op->sector + op->len;
}

void oplist_add(struct oplist *l, uint32_t id)
{
	if (l->nr == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->id = xrealloc(l->id, l->room * sizeof(*l->id));
	}
	l->id[l->nr++] = id;
}

void oplist_free(struct oplist *l)
{
	free(l->id);
	memset(l, 0, sizeof(*l));
}

static bool overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return a < b + blen && b < a + alen;
}

static bool must_wait(const struct vol *v, const struct op *op)
{
	for (unsigned int i = 0; i < v->nr_busy; i++) {
		const struct op *o = v->busy[i];

		if (o->failed || (op->type == OP_READ && o->type == OP_READ))
			continue;
		if (overlap(op->sector, op->len, o->sector, o->len))
			return true;
	}
	return false;
}

static void busy_add(struct vol *v, struct op *op)
{
	if (v->nr_busy == v->busy_room) {
		v->busy_room = v->busy_room ? v->busy_room * 2 : 32;
		v->busy = xrealloc(v->busy, v->busy_room * sizeof(*v->busy));
	}
	v->busy[v->nr_busy++] = op;
}

/* Wait until nothing in flight is in the way of @op. */
static void busy_wait(struct vol *v, const struct op *op)
{
	while (!replaying && must_wait(v, op))
		pthread_cond_wait(&v->cond, &v->lock);
}

static void busy_del(struct vol *v, struct op *op)
{
	for (unsigned int i = 0; i < v->nr_busy; i++)
		if (v->busy[i] == op)
			v->busy[i] = v->busy[--v->nr_busy];
	pthread_cond_broadcast(&v->cond);
}

static void apply_op(struct map *m, const struct op *op)
{
	uint32_t index = layout_index(op->sector);

	for (uint32_t i = 0; i < op->len; i++) {
		uint32_t val = map_get(m, index + i);

		if (VAL_OP(val) > op->id)
			continue;
		if (op_soft(op, op->sector + i))
			map_set(m, index + i, val | VAL_SOFT);
		else
			map_set(m, index + i, op->id);
	}
}

/* Is every block that @op touches new to the head?  Then it touches them. */
static bool touch(struct vol *v, const struct op *op)
{
	uint32_t first = layout_index(op->sector) / cfg.block;
	uint32_t last = (layout_index(op->sector) + op->len - 1) / cfg.block;
	bool fresh = v->pure;

	for (uint32_t b = first; b <= last; b++) {
		if (v->touched[b])
			fresh = false;
		v->touched[b] = 1;
	}
	return fresh;
}

struct op *write_begin(struct vol *v, enum op_type type, uint64_t sector, uint32_t len,
		       unsigned int thread, uint32_t id)
{
	struct op want = { .type = type, .sector = sector, .len = len };
	struct op *op;

	pthread_mutex_lock(&v->lock);
	busy_wait(v, &want);
	op = op_define(id, type, v->id, sector, len, thread);
	busy_add(v, op);
	/* What passes through to an origin is the origin's affair. */
	op->hard = !v->owner;
	op->start = replaying ? replaying :
		ev_add(EV_WRITE, v->id, op->sector, op->len | (uint64_t)op->type << 32 |
		       (uint64_t)op->thread << 40, op->id);
	op->first = touch(v, op) && !v->watches && op->len <= SMALL_OP &&
		    op->type == OP_WRITE;
	oplist_add(&v->maybe, op->id);
	for (struct watch *w = v->watches; w; w = w->next)
		if (overlap(op->sector, op->len, w->sector, w->len))
			oplist_add(&w->ops, op->id);
	pthread_mutex_unlock(&v->lock);
	return op;
}

void write_end(struct vol *v, struct op *op, bool durable)
{
	pthread_mutex_lock(&v->lock);
	op->end = replaying ? replaying : ev_add(EV_DONE, v->id, durable, 0, op->id);
	apply_op(&v->cur, op);
	if (durable) {
		apply_op(&v->dur, op);
		op->durable = op->end;
	}
	busy_del(v, op);
	pthread_mutex_unlock(&v->lock);
}

/* It stays where it is: checkpoints that are taken from now on have it or have not. */
void write_failed(struct vol *v, struct op *op)
{
	pthread_mutex_lock(&v->lock);
	op->failed = true;
	pthread_cond_broadcast(&v->cond);
	pthread_mutex_unlock(&v->lock);
}

void read_begin(struct vol *v, struct op *op, uint32_t *vals)
{
	pthread_mutex_lock(&v->lock);
	busy_wait(v, op);
	busy_add(v, op);
	map_read(&v->cur, layout_index(op->sector), op->len, vals);
	pthread_mutex_unlock(&v->lock);
}

void read_end(struct vol *v, struct op *op, const uint32_t *vals)
{
	pthread_mutex_lock(&v->lock);
	if (vals)
		map_write(&v->cur, layout_index(op->sector), op->len, vals);
	busy_del(v, op);
	pthread_mutex_unlock(&v->lock);
}

static void watch_add(struct vol *v, struct watch *w, uint64_t sector, uint64_t len)
{
	w->sector = sector;
	w->len = len;
	w->ops.nr = 0;
	for (unsigned int i = 0; i < v->nr_busy; i++) {
		const struct op *op = v->busy[i];

		if (op->type != OP_READ && overlap(op->sector, op->len, sector, len))
			oplist_add(&w->ops, op->id);
	}
	w->next = v->watches;
	v->watches = w;
}

void watch_begin(struct vol *v, struct watch *w, uint64_t sector, uint32_t len,
		 uint32_t *vals)
{
	pthread_mutex_lock(&v->lock);
	map_read(&v->cur, layout_index(sector), len, vals);
	watch_add(v, w, sector, len);
	pthread_mutex_unlock(&v->lock);
}

uint64_t watch_all(struct vol *v, struct watch *w, struct map *copy, const struct event *e)
{
	uint64_t t = replaying;

	pthread_mutex_lock(&v->lock);
	/* Event and copy must be of one instant, or a replay sees another one. */
	if (!replaying)
		t = ev_add(e->type, e->a, e->b, e->c, e->d);
	map_copy(copy, &v->cur);
	watch_add(v, w, 0, ~0ull >> 1);
	pthread_mutex_unlock(&v->lock);
	return t;
}

void watch_end(struct vol *v, struct watch *w)
{
	pthread_mutex_lock(&v->lock);
	for (struct watch **p = &v->watches; *p; p = &(*p)->next) {
		if (*p == w) {
			*p = w->next;
			break;
		}
	}
	pthread_mutex_unlock(&v->lock);
}

uint64_t flush_begin(struct vol *v)
{
	return replaying ? replaying : ev_add(EV_FLUSH, v->id, 0, 0, 0);
}

void durable_until(struct vol *v, uint64_t begun)
{
	uint32_t kept = 0;

	pthread_mutex_lock(&v->lock);
	for (uint32_t i = 0; i < v->maybe.nr; i++) {
		struct op *op = op_get(v->maybe.id[i]);

		if (op->end && op->end < begun) {
			apply_op(&v->dur, op);
			if (!op->durable)
				op->durable = replaying ? replaying : ev_now();
		} else {
			v->maybe.id[kept++] = op->id;
		}
	}
	v->maybe.nr = kept;
	pthread_mutex_unlock(&v->lock);
}

void flush_end(struct vol *v, uint64_t begun)
{
	if (!replaying)
		ev_add(EV_FLUSHED, v->id, begun, 0, 0);
	durable_until(v, begun);
}

struct vol *vol_new(uint32_t id, uint64_t size, struct base *base)
{
	struct vol *v = xzalloc(sizeof(*v));

	v->id = id;
	v->size = size;
	v->base = base;
	v->fd = -1;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->cond, NULL);
	map_init(&v->cur);
	map_init(&v->dur);
	v->touched = xzalloc(layout.sectors / cfg.block + 1);
	if (id >= MAX_VOLS)
		abort();
	pthread_mutex_lock(&model.lock);
	model.vol[id] = v;
	model.nr_vols = max(model.nr_vols, id + 1);
	pthread_mutex_unlock(&model.lock);
	return v;
}

struct base *base_new(uint32_t id, uint64_t size)
{
	struct base *b = &model.base[id];

	b->id = id;
	b->size = size;
	map_init(&b->map);
	model.nr_bases = max(model.nr_bases, id + 1);
	return b;
}
