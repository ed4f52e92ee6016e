// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "admin.h"
#include "check.h"
#include "crash.h"
#include "dmdev.h"
#include "evlog.h"
#include "list.h"
#include "stack.h"
#include "tree.h"
#include "util.h"
#include "verify.h"

#define COPY_PIECE	(1u << 20)

static struct cmd pending;	/* interrupted by the crash */
static enum { NOT_INTERRUPTED, NOT_DONE, DONE } interrupted;
static pthread_t copier;
static unsigned int copy_delay;
static volatile bool copied;
static uint64_t crash_time;
static struct rng crash_rng;

void crash_after(uint64_t ms)
{
	crash_time = ms;
	rng_init(&crash_rng, cfg.seed + op_last());
}

/* The fault of a crash that takes with it what a flush had covered. */
static void lose_something(void)
{
	struct vol *v;

	for each_vol(v) {
		for (uint32_t i = 0; v->state == VOL_ACTIVE && i < layout.w[0].len; i++) {
			const struct op *op = op_get(VAL_OP(map_get(&v->dur, i)));
			bool again = false;

			for (uint32_t k = 0; k < v->maybe.nr; k++) {
				const struct op *o = op_get(v->maybe.id[k]);

				again |= i >= o->sector && i < o->sector + o->len;
			}
			if (op && op->type == OP_WRITE && !again) {
				dm->zero(v->fd, (uint64_t)i * SECTOR_SIZE, SECTOR_SIZE);
				return;
			}
		}
	}
}

void crash_here(void)
{
	if (!crash_time || now_ms() < crash_time || rng_chance(&crash_rng, 50))
		return;
	if (cfg.inject && !strcmp(cfg.inject, "lost-at-crash"))
		lose_something();
	fflush(NULL);
	_exit(0);
}

void crash_mark(const char *word)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char msg[40];
	int err;

	if (!cfg.marks)
		return;
	pthread_mutex_lock(&lock);
	if (word)
		snprintf(msg, sizeof(msg), "mark %s", word);
	else
		snprintf(msg, sizeof(msg), "mark %llu", (unsigned long long)ev_now());
	err = dm->message(cfg.marks, msg, NULL);
	pthread_mutex_unlock(&lock);
	if (err)
		failure("%s to %s: %s", msg, cfg.marks, strerror(-err));
}

static bool copy_disk(void)
{
	uint64_t end = cfg.store.start + cfg.store.len;
	int in = open(cfg.disk, O_RDONLY | O_DIRECT);
	int out = open(cfg.copy_to, O_WRONLY | O_DIRECT);
	char *buf = xbuffer(COPY_PIECE);
	bool ok = in >= 0 && out >= 0;

	for (unsigned int i = 0; i < cfg.origins; i++)
		end = max(end, cfg.origin[i].start + cfg.origin[i].len);
	for (uint64_t at = 0; ok && at < end * SECTOR_SIZE; at += COPY_PIECE) {
		size_t len = min((uint64_t)COPY_PIECE, end * SECTOR_SIZE - at);

		ok = pread(in, buf, len, at) == (ssize_t)len &&
		     pwrite(out, buf, len, at) == (ssize_t)len;
	}
	if (!ok)
		failure("copy of %s to %s: %s", cfg.disk, cfg.copy_to, strerror(errno));
	close(in);
	close(out);
	free(buf);
	return ok;
}

/*
 * Not by libdevmapper: the other thread may be inside of it for as long as this
 * lasts.
 */
static bool lower_suspend(bool suspend)
{
	struct dm_ioctl io = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(io),
		.flags = suspend ? DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG : 0,
	};
	int fd = open("/dev/mapper/control", O_RDWR);
	bool ok;

	snprintf(io.name, sizeof(io.name), "%s", lower_dev());
	ok = fd >= 0 && !ioctl(fd, DM_DEV_SUSPEND, &io);
	if (!ok)
		failure("%s %s: %s", suspend ? "suspend" : "resume", lower_dev(),
			strerror(errno));
	close(fd);
	return ok;
}

static void *copy_thread(void *arg)
{
	uint64_t ack, start;

	(void)arg;
	sleep_ms(copy_delay);
	admin_hold(true);
	ack = ev_now();
	if (lower_suspend(true)) {
		copy_disk();
		start = ev_now();
		evlog_set_cut(ack, start);
		lower_suspend(false);
		note("copied; all that ended by @%llu must be there, nothing begun after @%llu",
		     (unsigned long long)ack, (unsigned long long)start);
	}
	admin_hold(false);
	copied = true;
	return NULL;
}

void crash_copy_start(unsigned int ms)
{
	copy_delay = ms;
	copied = false;
	if (pthread_create(&copier, NULL, copy_thread, NULL))
		abort();
}

bool crash_copied(void)
{
	return copied;
}

bool crash_copy_end(void)
{
	pthread_join(copier, NULL);
	return !failed;
}

static struct base *base_of(uint64_t nr)
{
	return nr ? &model.base[nr - 1] : NULL;
}

static void set_values(const struct event *e, struct map *a, struct map *b)
{
	uint32_t index = layout_index(e->b);

	if (e->d && (!op_get(e->d) || !op_get(e->d)->id))
		op_define(e->d, OP_WRITE, e->a, e->b, e->c, 0);
	for (uint32_t i = 0; i < e->c; i++) {
		map_set(a, index + i, e->d);
		if (b)
			map_set(b, index + i, e->d);
	}
}

static void replay_cmd(const struct event *e)
{
	uint32_t vol = e->b, ck = e->b >> 32;
	unsigned int i = pending.nr++;

	pending.type = e->a & 0xff;
	pending.base = base_of(e->a >> 8);
	pending.arg = e->c;
	pending.group = e->d;
	pending.m[i].vol = NULL;
	pending.m[i].ck = NULL;
	if (pending.type == CMD_CREATE)
		vol_new(vol - 1, e->c, pending.base);
	if (vol)
		pending.m[i].vol = model.vol[vol - 1];
	if (pending.type == CMD_TAKE)
		ckpt_new(ck - 1, pending.m[i].vol, e->d);
	if (ck)
		pending.m[i].ck = model.ck[ck - 1];
	cmd_begin_member(&pending, i);
}

static void replay_state(const struct event *e)
{
	struct vol *v;
	struct ckpt *ck;

	switch (e->type) {
	case EV_BASE:
		base_new(e->a, e->b)->template = e->c & 1;
		model.base[e->a].taken = e->c & 2;
		model.base[e->a].gone = e->c & 4;
		break;
	case EV_VOL:
		v = vol_new(e->a, e->b, base_of(e->c));
		v->state = VOL_INACTIVE;
		v->rev = e->d & ~(1u << 31);
		v->owner = e->d >> 31;
		tree_create(v, NULL);
		break;
	case EV_CKPT:
		ck = ckpt_new(e->a, model.vol[(uint32_t)e->c], e->c >> 32);
		ck->size = e->b;
		ck->rev = e->d;
		ck->there = true;
		tree_found(ck);
		break;
	case EV_OPS:
		op_define(e->a + 1, OP_READ, 0, 0, 0, 0);
		break;
	case EV_SET_BASE:
		set_values(e, &model.base[e->a].map, NULL);
		break;
	case EV_SET_VOL:
		set_values(e, &model.vol[e->a]->cur, &model.vol[e->a]->dur);
		break;
	case EV_SET_CKPT:
		set_values(e, &model.ck[e->a]->map, NULL);
		break;
	case EV_RESOLVED:
		model.ck[e->a]->watch.ops.nr = 0;
		break;
	}
}

static void replay_event(const struct event *e, bool ended)
{
	switch (e->type) {
	case EV_WRITE:
		write_begin(model.vol[e->a], e->c >> 32 & 0xff, e->b, (uint32_t)e->c,
			    e->c >> 40 & 0xff, e->d);
		break;
	case EV_DONE:
		if (ended)
			write_end(model.vol[e->a], op_get(e->d), e->b);
		break;
	case EV_FLUSHED:
		if (ended)
			flush_end(model.vol[e->a], e->b);
		break;
	case EV_CMD:
		replay_cmd(e);
		break;
	case EV_END:
		if (ended) {
			cmd_end(&pending, e->a);
			pending.nr = 0;
		}
		break;
	default:
		replay_state(e);
	}
}

static uint64_t replayed;	/* the last event that was */

void crash_replay_to(uint64_t last, bool ended)
{
	const struct event *e;

	for (; replayed < last && (e = evlog_get(replayed + 1)); replayed++) {
		replaying = replayed + 1;
		replay_event(e, ended);
	}
	replaying = 0;
	evlog_seek(replayed + 1);
}

bool crash_replay(void)
{
	uint64_t ack, start;

	evlog_get_cut(&ack, &start);
	crash_replay_to(ack, true);
	crash_replay_to(start, false);
	note("%llu events, %u operations%s%s", (unsigned long long)replayed, op_last(),
	     pending.nr ? ", interrupted: " : "",
	     pending.nr ? cmd_names[pending.type] : "");
	return replayed;
}

/* How many of the command's effects does the list show? */
static unsigned int effects(const char *text)
{
	unsigned int n = 0;
	uint64_t size;
	char name[NAME_LEN * 2];

	for (unsigned int i = 0; i < pending.nr; i++) {
		struct vol *v = pending.m[i].vol;
		struct ckpt *ck = pending.m[i].ck;

		switch (pending.type) {
		case CMD_CREATE:
			n += list_volume(text, VOL_NAME(v), NULL, NULL);
			break;
		case CMD_DELETE:
			n += !list_volume(text, VOL_NAME(v), NULL, NULL);
			break;
		case CMD_TAKE:
			n += list_ckpt(text, CK_NAME(ck), NULL);
			break;
		case CMD_DROP:
			n += !list_ckpt(text, CK_NAME(ck), NULL);
			break;
		case CMD_RENAME:
			n += !list_volume(text, VOL_NAME(v), NULL, NULL);
			break;
		case CMD_RENAME_CK:
			snprintf(name, sizeof(name), "%s@g%u.%u", VOL_NAME(ck->vol),
				 ck->group->id, (unsigned int)pending.arg);
			n += list_ckpt(text, name, NULL);
			break;
		case CMD_GROW:
			n += list_volume(text, VOL_NAME(v), NULL, &size) &&
			     size == pending.arg;
			break;
		case CMD_APPLY:
			n += list_volume(text, VOL_NAME(v), NULL, &size) &&
			     size == ck->size && size != v->size;
			break;
		default:
			break;
		}
	}
	return n;
}

/* Sizes do not say whether it was applied: the contents must. */
static bool applied(void)
{
	bool old = true;

	for (unsigned int i = 0; i < pending.nr; i++) {
		struct vol *v = pending.m[i].vol;

		if (!vol_activate(v, false))
			return false;
		old = old && verify_crashed(v, true);
		vol_deactivate(v);
	}
	return !old;
}

/* All or nothing: which? */
static bool finish_pending(void)
{
	char *text;
	unsigned int n;
	bool done;

	if (!pending.nr)
		return true;
	text = send_paged("list");
	if (!text)
		return false;
	n = effects(text);
	free(text);
	done = n == pending.nr;
	if (pending.type == CMD_APPLY) {
		done = n || applied();
	} else if (n && !done) {
		failure("the interrupted %s is half done: %u of %u",
			cmd_names[pending.type], n, pending.nr);
		return false;
	}
	note("the interrupted %s is %s", cmd_names[pending.type], done ? "done" : "not done");
	interrupted = done ? DONE : NOT_DONE;
	if (done && pending.type == CMD_GROW && pending.m[0].vol->owner &&
	    !origin_grow(pending.m[0].vol->base, pending.arg))
		return false;
	cmd_end(&pending, done);
	pending.nr = 0;
	return !failed;
}

bool crash_interrupted(bool *done)
{
	*done = interrupted == DONE;
	return interrupted != NOT_INTERRUPTED;
}

bool crash_verify(void)
{
	struct vol *v;
	struct ckpt *ck;

	if (!finish_pending() || !verify_list())
		return false;
	for each_vol(v)
		if (!vol_activate(v, false) || !verify_crashed(v, false))
			return false;
	for each_ck(ck)
		if (!verify_ckpt(ck))
			return false;
	return true;
}

static void dump_map(enum ev_type type, uint32_t id, const struct map *m, uint64_t size)
{
	for (unsigned int i = 0; i < layout.nr; i++) {
		const struct window *w = &layout.w[i];
		uint32_t len = window_len(i, size);

		for (uint32_t at = 0, n; at < len; at += n) {
			uint32_t val = map_get(m, w->index + at);
			const struct op *op = op_get(VAL_OP(val));

			for (n = 1; at + n < len; n++)
				if (map_get(m, w->index + at + n) != val)
					break;
			if (val && op && op->type == OP_WRITE)
				ev_add(type, id, w->start + at, n, val);
		}
	}
}

bool crash_new_log(void)
{
	struct vol *v;
	struct ckpt *ck;

	evlog_begin_half();
	ev_add(EV_OPS, op_last(), 0, 0, 0);
	for (unsigned int i = 0; i < model.nr_bases; i++) {
		struct base *b = &model.base[i];

		ev_add(EV_BASE, i, b->size, b->template | b->taken << 1 | b->gone << 2, 0);
		dump_map(EV_SET_BASE, i, &b->map, b->size);
	}
	for each_vol(v) {
		ev_add(EV_VOL, v->id, v->size, v->base ? v->base->id + 1 : 0,
		       v->rev | (uint32_t)v->owner << 31);
		dump_map(EV_SET_VOL, v->id, &v->cur, v->size);
	}
	for each_ck(ck) {
		ev_add(EV_CKPT, ck->id, ck->size,
		       ck->vol->id | (uint64_t)ck->group->id << 32, ck->rev);
		dump_map(EV_SET_CKPT, ck->id, &ck->map, ck->size);
	}
	evlog_commit_half();
	return true;
}
