// SPDX-License-Identifier: GPL-2.0-only
/*
 * Before it protects memory against writes QEMU (7.2) reads a byte of each page, so that there is
 * one to protect: for a GiB that may take 0.1 s, and a guest that was stopped before stands still
 * for it.  So it is told to migrate while the guest runs, into a pipe that is full already: its
 * thread waits there when it has read them all, and has not looked at the guest yet.  Then the guest
 * is stopped, its disks are taken, and the pipe is emptied.
 *
 * Whether it waits the kernel tells (/proc/PID/task/TID/syscall).  Where it does not, or that
 * takes too long, the guest is stopped at once: it stands still for longer, and all else is the same.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture_inside.h"
#include "clock.h"
#include "points.h"

/* Later ones write the beginning while they hold their big lock, and would not answer "stop". */
#define EARLY_MAJOR	7

void capture_early_ask(struct capture *c, struct json_object *version)
{
	struct json_object *qemu, *major;

	c->is_early = json_object_object_get_ex(version, "qemu", &qemu) &&
		      json_object_object_get_ex(qemu, "major", &major) &&
		      json_object_get_int(major) == EARLY_MAJOR;
}

void capture_early_hold(struct capture *c)
{
	struct stat st;

	c->early.fd = -1;
	if (fstat(c->pipe, &st) || pump_hold(c->pump, c->pipe)) {
		c->is_early = false;
		return;
	}
	c->early.device = st.st_dev;
	c->early.pipe = st.st_ino;
}

/* The next entry of a folder of /proc that is called by a number; -1 at the end. */
static int next_number(DIR *dir)
{
	struct dirent *entry;
	char *end;
	long n;

	while ((entry = readdir(dir))) {
		n = strtol(entry->d_name, &end, 10);
		if (end != entry->d_name && !*end && n >= 0 && n <= INT_MAX)
			return (int)n;
	}
	return -1;
}

static DIR *open_folder(const struct capture *c, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)c->early.qemu, name);
	return opendir(path);
}

/* Which of QEMU's descriptors the pipe is: it has it under the number that it got it by. */
void capture_early_found(struct capture *c)
{
	DIR *dir = c->early.qemu > 0 ? open_folder(c, "fd") : NULL;
	char name[16];
	struct stat st;
	int fd;

	while (dir && c->early.fd < 0 && (fd = next_number(dir)) >= 0) {
		snprintf(name, sizeof(name), "%d", fd);
		if (!fstatat(dirfd(dir), name, &st, 0) && st.st_dev == c->early.device &&
		    st.st_ino == c->early.pipe)
			c->early.fd = fd;
	}
	if (dir)
		closedir(dir);
}

/* Is that thread within a write to the pipe?  "<call> <argument> ..." if it is within any. */
static bool is_writing(const struct capture *c, int folder, int thread)
{
	char path[32], text[128] = "";
	unsigned long fd;
	ssize_t n;
	long call;
	int file;

	snprintf(path, sizeof(path), "%d/syscall", thread);
	file = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	n = read(file, text, sizeof(text) - 1);
	close(file);
	return n > 0 && sscanf(text, "%ld %lx", &call, &fd) == 2 &&
	       (call == SYS_write || call == SYS_writev) && fd == (unsigned long)c->early.fd;
}

static bool waits(const struct capture *c)
{
	DIR *dir = open_folder(c, "task");
	bool found = false;
	int thread;

	while (dir && !found && (thread = next_number(dir)) >= 0)
		found = is_writing(c, dirfd(dir), thread);
	if (dir)
		closedir(dir);
	return found;
}

static int on_look(sd_event_source *source, uint64_t usec, void *arg)
{
	struct capture *c = arg;

	(void)usec;
	c->state.is_early = c->early.fd >= 0 && waits(c);
	if (c->phase != CAPTURE_RUNNING || !c->qmp)
		return 0;
	if (c->early.fd >= 0 && !c->state.is_early && clock_us() < c->early.until_us) {
		sd_event_source_set_time_relative(source, CAPTURE_LOOK_US);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		return 0;
	}
	point(POINT_HELD);
	c->moved_us = clock_us();
	capture_stop(c);
	return 0;
}

void capture_early_wait(struct capture *c)
{
	struct ckpt_error e;
	int err;

	c->early.until_us = clock_us() + CAPTURE_EARLY_SECONDS * 1000000ull;
	err = sd_event_add_time_relative(c->event, &c->look, CLOCK_MONOTONIC, 0, 0, on_look, c);
	if (err >= 0)
		return;
	ckpt_fail_errno(&e, -err, "the guest's memory cannot be watched");
	capture_fail(c, &e);
}
