// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "freeze.h"
#include "store.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
#define CAUGHT ((int)(sizeof(caught) / sizeof(caught[0])))

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static void catch_signals(struct sigaction old[CAUGHT])
{
	/* No SA_RESTART: a suspend that waits has to end. */
	struct sigaction action = { .sa_handler = on_signal };

	stopped = 0;
	for (int i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &action, &old[i]);
}

static void release_signals(const struct sigaction old[CAUGHT])
{
	for (int i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &old[i], NULL);
}

/* Waits for a byte, which says that all is well, or for the end of its parent. */
static void guard(struct ckpt *c, int fd, const char *const *names, size_t count)
{
	char all_is_well;
	ssize_t got;

	setsid();
	for (int i = 0; i < CAUGHT; i++)
		signal(caught[i], SIG_IGN);
	mlockall(MCL_CURRENT | MCL_FUTURE);

	do {
		got = read(fd, &all_is_well, 1);
	} while (got < 0 && errno == EINTR);
	if (got != 1)
		for (size_t i = 0; i < count; i++)
			ckpt_dm_resume(c, names[i]);
	_exit(0);
}

/* Returns the guardian's process id and the pipe to it, or -1. */
static pid_t start_guard(struct ckpt *c, const char *const *names, size_t count, int *fd)
{
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		guard(c, ends[0], names, count);
	}
	close(ends[0]);
	if (pid < 0)
		close(ends[1]);
	else
		*fd = ends[1];
	return pid;
}

static enum ckpt_result why_stopped(struct ckpt *c, unsigned int timeout)
{
	if (stopped == SIGALRM)
		return ckpt_fail(&c->error, CKPT_TIMEOUT,
				 "the volumes were not frozen within %u s; nothing was changed", timeout);
	return ckpt_fail(&c->error, CKPT_FAILED, "stopped by a signal; nothing was changed");
}

enum ckpt_result ckpt_frozen(struct ckpt *c, const char *const *names, size_t count,
			     unsigned int timeout,
			     enum ckpt_result (*act)(void *arg), void *arg)
{
	struct sigaction old[CAUGHT];
	char *traced = NULL;
	size_t length;
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_error failed;
	int err = 0, fd = -1;
	size_t done = 0, still = 0;
	pid_t guardian = -1;
	ssize_t told;

	if (!c->is_dry) {
		guardian = start_guard(c, names, count, &fd);
		if (guardian < 0)
			return ckpt_fail_errno(&c->error, errno, "cannot start a process");
		/* What is written may end up on one of the devices. */
		c->trace = open_memstream(&traced, &length);
		mlockall(MCL_CURRENT | MCL_FUTURE);
	}
	catch_signals(old);
	alarm(timeout);

	for (; done < count && !stopped && !err; done++)
		err = ckpt_dm_suspend(c, names[done]);
	alarm(0);

	if (stopped)
		result = why_stopped(c, timeout);
	else if (err)
		result = ckpt_dm_sentence(c, err, "suspend the volumes' devices");
	else
		result = act(arg);
	failed = c->error;

	/* The one whose suspend failed may have got halfway. */
	while (done--)
		if (ckpt_dm_resume(c, names[done]))
			still++;

	if (!c->is_dry) {
		/* With all resumed the guardian has nothing to do; otherwise the
		 * closed pipe has it try once more. */
		told = still ? 0 : write(fd, "", 1);
		(void)told;
		close(fd);
		waitpid(guardian, NULL, 0);
		munlockall();
	}
	release_signals(old);
	if (c->trace) {
		fclose(c->trace);
		c->trace = NULL;
		fputs(traced, stderr);
		free(traced);
	}

	c->error = failed;
	if (still && !result)
		result = ckpt_fail(&c->error, CKPT_FAILED,
				   "%zu of the devices were not resumed; 'dmsetup resume' does it by hand",
				   still);
	return result;
}
