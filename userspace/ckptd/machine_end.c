// SPDX-License-Identifier: GPL-2.0-only
/* Ending a machine, from outside or from inside. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"

#define SECOND 1000000ull

struct end {
	struct job *job;
	machine_fn done;
	sd_event_source *process, *late;
	int monitor, process_fd;
	enum machine_end how;
	bool is_killed;
};

static void end_end(struct end *x, enum ckpt_result result)
{
	struct job *job = x->job;
	machine_fn done = x->done;

	job->cancel = NULL;
	job->part = NULL;
	sd_event_source_disable_unref(x->process);
	sd_event_source_disable_unref(x->late);
	if (x->process_fd >= 0)
		close(x->process_fd);
	if (x->monitor >= 0)
		close(x->monitor);
	free(x);
	done(job, result);
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)source;
	(void)fd;
	(void)events;
	end_end(arg, CKPT_DONE);
	return 0;
}

/* Told to end, it flushes first, from which a disk that hangs may keep it. */
static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct end *x = arg;
	struct ckpt_error *e = &x->job->error;

	(void)usec;
	if (x->how == MACHINE_TURN_OFF && !x->is_killed) {
		x->is_killed = true;
		pidfd_send_signal(x->process_fd, SIGKILL, NULL, 0);
		sd_event_source_set_time_relative(source, MACHINE_END_SECONDS * SECOND);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		return 0;
	}
	if (x->how == MACHINE_SHUT_DOWN)
		ckpt_fail(e, CKPT_TIMEOUT,
			  "the guest of machine %s has not shut down in %u s; 'ckptctl vm stop --now' turns it off",
			  x->job->vm.name, MACHINE_DOWN_SECONDS);
	else
		ckpt_fail(e, CKPT_TIMEOUT, "QEMU of machine %s cannot even be killed",
			  x->job->vm.name);
	end_end(x, CKPT_TIMEOUT);
	return 0;
}

/*
 * Who holds the lock on the file, 0 if nobody does.  The number that the file says is that of
 * whoever wrote it last, and may be anybody's by now; the lock is the kernel's word.
 */
static pid_t lock_holder(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_known;

	if (fd < 0)
		return 0;
	is_known = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0;
	close(fd);
	return is_known ? lock.l_pid : 0;
}

/* The QEMU that was started for the machine, whoever is at its monitor. */
static bool find_own(struct end *x)
{
	char path[PATH_MAX];
	pid_t pid;

	machine_pid_file(&x->job->vm, path);
	pid = lock_holder(path);
	if (pid)
		x->process_fd = pidfd_open(pid, 0);
	/* Had it ended before, that number might be somebody else's. */
	return x->process_fd >= 0 && lock_holder(path) == pid;
}

/* The process that listens at the monitor's socket. */
static int find_process(struct end *x)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	struct pollfd p = { .fd = x->monitor };

	if (getsockopt(x->monitor, SOL_SOCKET, SO_PEERCRED, &cred, &size) || cred.pid <= 0)
		return -1;
	x->process_fd = pidfd_open(cred.pid, 0);
	/* Had it ended before, that number might be somebody else's. */
	if (poll(&p, 1, 0) > 0)
		return -1;
	return x->process_fd;
}

/* As if somebody had pressed the button. */
static bool press(struct end *x)
{
	static const char words[] =
		"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"system_powerdown\"}\n";

	return send(x->monitor, words, strlen(words), MSG_NOSIGNAL) == (ssize_t)strlen(words);
}

static void cancel(struct job *job)
{
	ckpt_fail(&job->error, CKPT_FAILED,
		  "nobody waits any more for the guest of machine %s to shut down; it may still do so",
		  job->vm.name);
	end_end(job->part, CKPT_FAILED);
}

static bool tell(struct end *x)
{
	if (x->how == MACHINE_SHUT_DOWN)
		return press(x);
	return !pidfd_send_signal(x->process_fd, x->how == MACHINE_KILL ? SIGKILL : SIGTERM, NULL,
				  0);
}

static enum ckpt_result begin(struct end *x, sd_event *event)
{
	unsigned int seconds = x->how == MACHINE_SHUT_DOWN ? MACHINE_DOWN_SECONDS :
							     MACHINE_END_SECONDS;
	struct ckpt_error *e = &x->job->error;
	int err;

	if (x->monitor >= 0 && find_process(x) < 0)
		return ckpt_fail(e, CKPT_FAILED, "which process runs machine %s cannot be found out",
				 x->job->vm.name);
	if (!tell(x))
		return ckpt_fail_errno(e, errno, "machine %s cannot be told to end",
				       x->job->vm.name);
	err = sd_event_add_io(event, &x->process, x->process_fd, EPOLLIN, on_ended, x);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &x->late, CLOCK_MONOTONIC,
						 seconds * SECOND, SECOND, on_late, x);
	return err < 0 ? ckpt_fail_errno(e, -err, "machine %s cannot be watched",
					 x->job->vm.name) : CKPT_DONE;
}

void machine_end(struct job *job, enum machine_end how, machine_fn done)
{
	struct end *x = calloc(1, sizeof(*x));
	enum ckpt_result result = CKPT_DONE;
	bool is_found;

	if (!x)
		abort();
	*x = (struct end){
		.job = job, .done = done, .how = how, .process_fd = -1,
		.monitor = machine_monitor(&job->vm),
	};
	is_found = x->monitor >= 0;
	if (!is_found && machine_runs(&job->vm)) {
		is_found = how == MACHINE_TURN_OFF && find_own(x);
		if (!is_found)
			result = machine_unreachable(&job->vm, EAGAIN, &job->error);
	}
	if (is_found)
		result = begin(x, job->daemon->event);
	if (!is_found || result) {
		end_end(x, result);
	} else if (how == MACHINE_SHUT_DOWN) {
		job->part = x;
		job->cancel = cancel;
	}
}
