// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread owns a part that it shares with the event loop; the last one frees it.  What
 * the thread has found is read only after its word on the eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "drain.h"
#include "pump.h"

#define PIPE_BYTES	(1 << 20)

struct shared {
	atomic_int owners;
	struct memory_control control;
	enum pump_what what;
	char path[PATH_MAX];
	int pipe, ready;		/* pipe: -1 if there is nothing to save or give */
	int drain;			/* of the pipe, as soon as this is closed */
	enum ckpt_result result;
	struct ckpt_error error;
};

struct pump {
	struct shared *s;
	sd_event_source *source;
	pump_fn fn;
	void *arg;
	size_t filled;			/* bytes that lie before the image's */
	bool has_ended;
};

static void put(struct shared *s)
{
	if (atomic_fetch_sub(&s->owners, 1) > 1)
		return;
	if (s->pipe >= 0)
		close(s->pipe);
	if (s->ready >= 0)
		close(s->ready);
	if (s->drain >= 0)
		close(s->drain);
	free(s);
}

/* Neither the pipe nor its drain is held any more; also while a thread hangs at a disk. */
static void let_go(struct shared *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	if (s->pipe >= 0)
		dup3(null, s->pipe, O_CLOEXEC);
	if (s->drain >= 0)
		dup3(null, s->drain, O_CLOEXEC);
	close(null);
}

static void *run(void *arg)
{
	struct shared *s = arg;
	uint64_t one = 1;

	if (s->what == PUMP_SAVE)
		s->result = memory_write(s->pipe, s->path, &s->control, &s->error);
	else
		s->result = memory_read(s->path, s->pipe, &s->control, &s->error);
	if (write(s->ready, &one, sizeof(one)) < 0)
		abort();
	let_go(s);
	/* Cancelled as it came to its end: pump_free() sees that, or this does. */
	if (s->what == PUMP_SAVE && atomic_load(&s->control.cancel))
		memory_discard(s->path);
	put(s);
	return NULL;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct pump *p = arg;

	(void)fd;
	(void)events;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	p->has_ended = true;
	p->fn(p->arg, p->s->result, &p->s->error);
	return 0;
}

/* No signal is for this thread; a pipe that nobody reads is an error there. */
static int start_thread(struct shared *s)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_fetch_add(&s->owners, 1);
	err = pthread_create(&thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		atomic_fetch_sub(&s->owners, 1);
	else
		pthread_detach(thread);
	return err;
}

static int make_pipe(struct shared *s, int *fd)
{
	bool save = s->what == PUMP_SAVE;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	s->pipe = ends[save ? 0 : 1];
	*fd = ends[save ? 1 : 0];
	/* Ours only: what QEMU does with its end is its own. */
	fcntl(s->pipe, F_SETFL, O_NONBLOCK);
	fcntl(s->pipe, F_SETPIPE_SZ, PIPE_BYTES);
	if (!save)
		return 0;
	s->drain = drain_start(s->pipe);
	if (s->drain >= 0)
		return 0;
	err = errno;
	close(*fd);
	*fd = -1;
	return err;
}

static int set_up(struct pump *p, sd_event *event, int *fd)
{
	struct shared *s = p->s;
	int err = 0;

	*fd = -1;
	s->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->ready < 0)
		return errno;
	if (s->what != PUMP_VERIFY)
		err = make_pipe(s, fd);
	if (err)
		return err;
	err = -sd_event_add_io(event, &p->source, s->ready, EPOLLIN, on_ready, p);
	if (err <= 0) {
		/* Before what the other end says to the same failure. */
		sd_event_source_set_priority(p->source, SD_EVENT_PRIORITY_IMPORTANT);
		err = s->what == PUMP_SAVE ? 0 : start_thread(s);
	}
	if (err > 0 && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return err > 0 ? err : 0;
}

struct pump *pump_start(sd_event *event, enum pump_what what, const char *path, int *fd,
			pump_fn fn, void *arg)
{
	struct pump *p = calloc(1, sizeof(*p));
	struct shared *s = calloc(1, sizeof(*s));
	int err;

	if (!p || !s)
		abort();
	*s = (struct shared){ .owners = 1, .what = what, .pipe = -1, .ready = -1,
			      .drain = -1 };
	*p = (struct pump){ .s = s, .fn = fn, .arg = arg };
	err = strlen(path) < sizeof(s->path) ? 0 : ENAMETOOLONG;
	if (!err) {
		strcpy(s->path, path);
		err = set_up(p, event, fd);
	}
	if (!err)
		return p;
	p->has_ended = true;
	pump_free(p);
	errno = err;
	return NULL;
}

/* The pipe is made small, and full. */
int pump_hold(struct pump *p, int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL), err;
	ssize_t n;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return errno;
	fcntl(fd, F_SETPIPE_SZ, sizeof(bytes));
	while ((n = write(fd, bytes, sizeof(bytes))) > 0)
		p->filled += (size_t)n;
	err = errno;
	if (fcntl(fd, F_SETFL, flags))
		return errno;
	return err == EAGAIN ? 0 : err;
}

int pump_go(struct pump *p)
{
	struct shared *s = p->s;
	char bytes[4096];
	ssize_t n;

	while (p->filled) {
		n = read(s->pipe, bytes, p->filled < sizeof(bytes) ? p->filled : sizeof(bytes));
		if (n <= 0)
			return n ? errno : EPIPE;
		p->filled -= (size_t)n;
	}
	fcntl(s->pipe, F_SETPIPE_SZ, PIPE_BYTES);
	return start_thread(s);
}

const struct memory_control *pump_control(const struct pump *p)
{
	return &p->s->control;
}

void pump_free(struct pump *p)
{
	uint64_t count;

	if (!p)
		return;
	sd_event_source_disable_unref(p->source);
	if (!p->has_ended) {
		atomic_store(&p->s->control.cancel, true);
		if (p->s->what == PUMP_SAVE && read(p->s->ready, &count, sizeof(count)) > 0)
			memory_discard(p->s->path);
		let_go(p->s);
	}
	put(p->s);
	free(p);
}
