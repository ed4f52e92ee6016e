// SPDX-License-Identifier: GPL-2.0-only
/* Starting a machine: QEMU puts itself into the background when it is ready, or fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

#define SECOND 1000000ull

struct start {
	struct job *job;
	machine_fn done;
	sd_event_source *child, *late;
	struct said own, *said;		/* QEMU's stderr, ours or the caller's */
	bool is_killed;
};

static void start_end(struct start *s, enum ckpt_result result)
{
	struct job *job = s->job;
	machine_fn done = s->done;

	sd_event_source_disable_unref(s->child);
	sd_event_source_disable_unref(s->late);
	said_end(&s->own);
	free(s);
	done(job, result);
}

static void too_late(struct start *s)
{
	ckpt_fail(&s->job->error, CKPT_TIMEOUT, "QEMU has not started machine %s in %u s",
		  s->job->vm.name, MACHINE_START_SECONDS);
	start_end(s, CKPT_TIMEOUT);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct start *s = arg;
	const char *words = said_words(s->said);

	(void)source;
	if (info->si_code == CLD_EXITED && !info->si_status) {
		start_end(s, CKPT_DONE);
		return 0;
	}
	if (s->is_killed) {
		too_late(s);
		return 0;
	}
	ckpt_fail(&s->job->error, CKPT_FAILED, "QEMU did not start machine %s: %s",
		  s->job->vm.name, *words ? words : "it says nothing");
	start_end(s, CKPT_FAILED);
	return 0;
}

/* It is killed, and then waited for: what does not even die is left alone. */
static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct start *s = arg;
	pid_t pid;

	(void)usec;
	if (s->is_killed || sd_event_source_get_child_pid(s->child, &pid) < 0) {
		too_late(s);
		return 0;
	}
	s->is_killed = true;
	kill(pid, SIGKILL);
	sd_event_source_set_time_relative(source, MACHINE_END_SECONDS * SECOND);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/*
 * In the child: signals as usual, and nothing open that is not QEMU's.  It dies with the
 * daemon; what it has put into the background waits for it and ends then too, but for one
 * that was ready.
 */
static void run(char **words, int output)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(output, 2) >= 0 &&
	    !close_range(3, ~0u, 0))
		execvp(words[0], words);
	fprintf(stderr, "%s: %s", words[0], strerror(errno));
	_exit(127);
}

static enum ckpt_result fork_it(struct start *s, char **words)
{
	sd_event *event = s->job->daemon->event;
	struct ckpt_error *e = &s->job->error;
	int pipes[2], err;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return ckpt_fail_errno(e, errno, "machine %s cannot be started", s->job->vm.name);
	pid = fork();
	if (!pid)
		run(words, pipes[1]);
	err = errno;
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return ckpt_fail_errno(e, err, "machine %s cannot be started", s->job->vm.name);
	}
	err = said_begin(s->said, event, pipes[0]);
	if (err >= 0)
		err = sd_event_add_child(event, &s->child, pid, WEXITED, on_child, s);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &s->late, CLOCK_MONOTONIC,
						 MACHINE_START_SECONDS * SECOND, SECOND, on_late, s);
	if (err >= 0)
		return CKPT_DONE;
	kill(pid, SIGKILL);
	return ckpt_fail_errno(e, -err, "machine %s cannot be watched", s->job->vm.name);
}

void machine_start(struct job *job, struct disks *d, struct said *incoming, machine_fn done)
{
	static char path[VM_DISKS_MAX][PATH_MAX];
	struct start *s = calloc(1, sizeof(*s));
	enum ckpt_result result = CKPT_DONE;
	char **words;

	if (!s)
		abort();
	*s = (struct start){ .job = job, .done = done, .said = incoming ? incoming : &s->own };
	if (!job->vm.args.count)
		result = ckpt_fail(&job->error, CKPT_USAGE,
				   "how machine %s is started is not known: its description has no 'arg'",
				   job->vm.name);
	if (!result && disks_paths(d, path)) {
		job->error = d->c.error;
		result = job->error.result;
	}
	if (!result) {
		words = machine_words(&job->vm, path, incoming);
		result = fork_it(s, words);
		machine_words_free(words);
	}
	if (result)
		start_end(s, result);
}
