// SPDX-License-Identifier: GPL-2.0-only
/* The daemon's side: start a guard, and hear what it says. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard_inside.h"
#include "orphan.h"

#define SECOND		1000000ull
#define SLACK_SECONDS	30u		/* for a guard that is slow, over what it may take */
#define REPLACED_MAX	3u		/* one that is killed each time is not wanted */

struct guard {
	sd_event *event;
	sd_event_source *io, *late;
	int fd;
	char path[108];
	enum guard_task task;
	unsigned int replaced;		/* above 0: the first one was killed, this one thaws */
	const struct guard_handlers *handlers;
	void *arg;
};

/* In the new process: nothing of the daemon's stays open. */
static _Noreturn void execute(int control, char **words)
{
	int null = open("/dev/null", O_RDWR);

	/* This order, as @null may be any of these. */
	if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2 &&
	    dup2(control, GUARD_CONTROL) == GUARD_CONTROL && !close_range(GUARD_CONTROL + 1, ~0u, 0))
		execv("/proc/self/exe", words);
	_exit(127);
}

/* Our end of the socket, or -1 with errno. */
static int start(enum guard_task task, const char *path, unsigned int seconds)
{
	char task_word[12], seconds_word[12];
	char *words[] = {
		"ckptd", GUARD_OPTION, task_word, (char *)path, seconds_word, NULL
	};
	int ends[2], err, started;

	snprintf(task_word, sizeof(task_word), "%d", (int)task);
	snprintf(seconds_word, sizeof(seconds_word), "%u", seconds);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	/* dup2() onto itself would leave it to be closed. */
	started = fcntl(ends[1], F_DUPFD_CLOEXEC, GUARD_CONTROL + 1);
	if (started >= 0) {
		close(ends[1]);
		ends[1] = started;
		started = orphan_fork();
	}
	if (!started)
		execute(ends[1], words);
	err = errno;
	close(ends[1]);
	if (started > 0)
		return ends[0];
	close(ends[0]);
	errno = err;
	return -1;
}

/* Nothing but a whole message is one.  CKPT_FAILED: the guard is gone. */
static enum ckpt_result hear(int fd, struct guard_message *m, struct ckpt_error *e)
{
	ssize_t n;

	do {
		n = recv(fd, m, sizeof(*m), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*m))
		return ckpt_fail(e, CKPT_FAILED,
				 "the process that asks the guest agent has ended before it was done");
	m->error.text[sizeof(m->error.text) - 1] = '\0';
	return CKPT_DONE;
}

static void end(struct guard *g, const struct ckpt_error *e)
{
	sd_event_source_set_enabled(g->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(g->late, SD_EVENT_OFF);
	g->handlers->ended(g->arg, e->result, e);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg);

static int watch(struct guard *g)
{
	return sd_event_add_io(g->event, &g->io, g->fd, EPOLLIN, on_io, g);
}

/* It was killed, over file systems that may be frozen: another one thaws. */
static bool replace(struct guard *g)
{
	int fd;

	if (g->replaced >= REPLACED_MAX || g->task != GUARD_FREEZE)
		return false;
	g->replaced++;
	fd = start(GUARD_THAW, g->path, 0);
	if (fd < 0)
		return false;
	g->io = sd_event_source_disable_unref(g->io);
	close(g->fd);
	g->fd = fd;
	return watch(g) >= 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct guard *g = arg;
	struct guard_message m;
	struct ckpt_error e;

	(void)source;
	(void)events;
	if (hear(fd, &m, &e)) {
		if (!replace(g))
			end(g, &e);
	} else if (m.what == GUARD_FROZEN && g->task == GUARD_FREEZE && !g->replaced) {
		g->handlers->frozen(g->arg);
	} else if (m.what == GUARD_ENDED) {
		/* What it has thawed nobody watched meanwhile. */
		if (g->replaced && !m.error.result)
			ckpt_fail(&m.error, CKPT_FAILED,
				  "the process that held the guest's file systems frozen was killed");
		end(g, &m.error);
	}
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct ckpt_error e;

	(void)source;
	(void)usec;
	ckpt_fail(&e, CKPT_TIMEOUT,
		  "the process that asks the guest agent says nothing, and file systems may be frozen");
	end(arg, &e);
	return 0;
}

static struct guard *guard_new(sd_event *event, enum guard_task task, const char *path,
			       unsigned int seconds, const struct guard_handlers *handlers,
			       void *arg)
{
	unsigned int most = 4 * GUARD_ANSWER_SECONDS + seconds + GUARD_HOLD_SECONDS +
			    2 * GUARD_THAW_SECONDS + SLACK_SECONDS;
	struct guard *g = calloc(1, sizeof(*g));
	int err = ENAMETOOLONG;

	if (!g)
		abort();
	*g = (struct guard){
		.event = event, .fd = -1, .task = task, .handlers = handlers, .arg = arg,
	};
	if (strlen(path) < sizeof(g->path)) {
		strcpy(g->path, path);
		g->fd = start(task, path, seconds);
		err = errno;
	}
	if (g->fd >= 0)
		err = -watch(g);
	if (g->fd >= 0 && err <= 0)
		err = -sd_event_add_time_relative(event, &g->late, CLOCK_MONOTONIC, most * SECOND, 0,
						  on_late, g);
	if (g->fd >= 0 && err <= 0)
		return g;
	guard_free(g);
	errno = err;
	return NULL;
}

struct guard *guard_freeze(sd_event *event, const char *path, unsigned int seconds,
			   const struct guard_handlers *handlers, void *arg)
{
	return guard_new(event, GUARD_FREEZE, path, seconds, handlers, arg);
}

struct guard *agent_set_time(sd_event *event, const char *path,
			     const struct guard_handlers *handlers, void *arg)
{
	return guard_new(event, GUARD_SET_TIME, path, 0, handlers, arg);
}

struct guard *guard_rescue(sd_event *event, const char *path,
			   const struct guard_handlers *handlers, void *arg)
{
	return guard_new(event, GUARD_THAW, path, 0, handlers, arg);
}

void guard_thaw(struct guard *g)
{
	/* Should it be dead, that is heard at the next turn. */
	send(g->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	sd_event_source_disable_unref(g->io);
	sd_event_source_disable_unref(g->late);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}
