// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's device mapper.
 *
 * libdevmapper keeps a list of nodes to make, without a lock: only the thread
 * that issues commands may create, remove, suspend and resume.  Messages are
 * for all threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "dmdev.h"
#include "util.h"

const struct dm_access *dm = &dm_kernel;

struct table *table_fill(struct table *t, uint64_t sectors, const char *target,
			 const char *fmt, ...)
{
	va_list ap;

	t->sectors = sectors;
	snprintf(t->target, sizeof(t->target), "%s", target);
	va_start(ap, fmt);
	vsnprintf(t->params, sizeof(t->params), fmt, ap);
	va_end(ap);
	return t;
}

bool dev_read(int fd, const char *what, void *buf, uint32_t len, uint64_t sector)
{
	ssize_t n = dm->read(fd, buf, (size_t)len * SECTOR_SIZE, sector * SECTOR_SIZE);

	if (n == (ssize_t)len * SECTOR_SIZE)
		return true;
	failure("read of %s at sector %llu +%u: %s", what, (unsigned long long)sector,
		len, n < 0 ? strerror(-n) : "short");
	return false;
}

static void quiet_log(int level, const char *file, int line, int err,
		      const char *fmt, ...)
{
	va_list ap;

	(void)file, (void)line, (void)err;
	if (!cfg.verbose || (level & 7) > 4)
		return;
	va_start(ap, fmt);
	fputs("# libdevmapper: ", stdout);
	vprintf(fmt, ap);
	fputc('\n', stdout);
	va_end(ap);
}

static struct dm_task *task_new(int type, const char *name)
{
	static bool once;
	struct dm_task *task;

	if (!once) {
		dm_log_with_errno_init(quiet_log);
		dm_udev_set_sync_support(0);
		dm_udev_set_checking(0);
		once = true;
	}
	task = dm_task_create(type);
	if (!task || !dm_task_set_name(task, name))
		abort();
	return task;
}

static int task_run(struct dm_task *task)
{
	int err = 0;

	if (!dm_task_run(task))
		err = dm_task_get_errno(task) ? -dm_task_get_errno(task) : -EIO;
	return err;
}

static int simple(int type, const char *name, const struct table *t, bool ro,
		  bool noflush)
{
	struct dm_task *task = task_new(type, name);
	int err;

	if (t && !dm_task_add_target(task, 0, t->sectors, t->target, t->params))
		abort();
	if (ro)
		dm_task_set_ro(task);
	if (noflush) {
		dm_task_no_flush(task);
		dm_task_skip_lockfs(task);
	}
	err = task_run(task);
	dm_task_destroy(task);
	/* Without udev the library makes the nodes, when it is told to. */
	dm_task_update_nodes();
	return err;
}

static int k_create(const char *name, const struct table *t, bool ro)
{
	return simple(DM_DEVICE_CREATE, name, t, ro, false);
}

static int k_remove(const char *name)
{
	int err;

	/* Somebody may have a look at a device that has just come. */
	for (int i = 0; i < 50; i++) {
		err = simple(DM_DEVICE_REMOVE, name, NULL, false, false);
		if (err != -EBUSY)
			break;
		sleep_ms(20);
	}
	return err;
}

static int k_reload(const char *name, const struct table *t, bool ro)
{
	return simple(DM_DEVICE_RELOAD, name, t, ro, false);
}

static int k_suspend(const char *name, bool noflush)
{
	return simple(DM_DEVICE_SUSPEND, name, NULL, false, noflush);
}

static int k_resume(const char *name)
{
	return simple(DM_DEVICE_RESUME, name, NULL, false, false);
}

static int k_message(const char *name, const char *msg, char **answer)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *text;
	int err;

	dm_task_set_sector(task, 0);
	if (!dm_task_set_message(task, msg))
		abort();
	err = task_run(task);
	if (answer) {
		text = err ? NULL : dm_task_get_message_response(task);
		*answer = text ? strdup(text) : NULL;
	}
	dm_task_destroy(task);
	return err;
}

static int first_target(int type, const char *name, struct table *t)
{
	struct dm_task *task = task_new(type, name);
	uint64_t start, length;
	char *target, *params;
	int err;

	err = task_run(task);
	if (!err) {
		dm_get_next_target(task, NULL, &start, &length, &target, &params);
		if (target)
			table_fill(t, length, target, "%s", params);
		else
			err = -ENOENT;
	}
	dm_task_destroy(task);
	return err;
}

static int k_status(const char *name, char *buf, size_t size)
{
	struct table t;
	int err = first_target(DM_DEVICE_STATUS, name, &t);

	snprintf(buf, size, "%s", err ? "" : t.params);
	return err;
}

static int k_table(const char *name, struct table *t)
{
	return first_target(DM_DEVICE_TABLE, name, t);
}

static int k_open(const char *name, bool ro)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static ssize_t k_read(int fd, void *buf, size_t len, uint64_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	return n < 0 ? -errno : n;
}

static ssize_t k_write(int fd, const void *buf, size_t len, uint64_t off, bool fua)
{
	struct iovec iov = { (void *)buf, len };
	ssize_t n = pwritev2(fd, &iov, 1, off, fua ? RWF_DSYNC : 0);

	return n < 0 ? -errno : n;
}

static int k_discard(int fd, uint64_t off, uint64_t len)
{
	uint64_t range[2] = { off, len };

	return ioctl(fd, BLKDISCARD, range) ? -errno : 0;
}

static int k_zero(int fd, uint64_t off, uint64_t len)
{
	uint64_t range[2] = { off, len };

	return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
}

static int k_flush(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

const struct dm_access dm_kernel = {
	.create = k_create, .remove = k_remove, .reload = k_reload,
	.suspend = k_suspend, .resume = k_resume, .message = k_message,
	.status = k_status, .table = k_table, .open = k_open, .read = k_read,
	.write = k_write, .discard = k_discard, .zero = k_zero, .flush = k_flush,
	.dir = "/dev/mapper",
};
