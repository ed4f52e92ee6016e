// SPDX-License-Identifier: GPL-2.0-only
/*
 * The targets, emulated on plain files: so that the test can be tested without a
 * kernel, and be shown faults that it must find.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmdev.h"
#include "fake.h"
#include "util.h"

#define MAX_DEVS	512

struct fdev {
	char name[64];
	char file[256];		/* in the folder, or of the origin; "": the store */
	struct table table;
	bool ro;
};

static struct fdev devs[MAX_DEVS];
static pthread_mutex_t devs_lock = PTHREAD_MUTEX_INITIALIZER;
/* Readers are I/O, the writer is a take. */
static pthread_rwlock_t gate;
static pthread_once_t gate_once = PTHREAD_ONCE_INIT;

/* Shall this fault happen now?  Every so often, and not at the very beginning. */
bool fake_inject(const char *what)
{
	static atomic_uint count;

	if (!cfg.inject || strcmp(cfg.inject, what))
		return false;
	if (!strcmp(what, "group-order") || !strcmp(what, "stale-apply") ||
	    !strcmp(what, "half-checkpoint"))
		return true;
	return atomic_fetch_add(&count, 1) % 97 == 96;
}

char *fake_path(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(buf, size, "%s/", cfg.fake);

	va_start(ap, fmt);
	vsnprintf(buf + n, size - n, fmt, ap);
	va_end(ap);
	return buf;
}

static struct fdev *find(const char *name)
{
	for (unsigned int i = 0; i < MAX_DEVS; i++)
		if (*name && !strcmp(devs[i].name, name))
			return &devs[i];
	return NULL;
}

bool fake_active(const char *file)
{
	for (unsigned int i = 0; i < MAX_DEVS; i++)
		if (*devs[i].name && !strcmp(devs[i].file, file))
			return true;
	return false;
}

unsigned int fake_split(char *s, char **arg)
{
	unsigned int n = 0;

	for (char *p = strtok(s, " "); p && n < MAX_ARGS; p = strtok(NULL, " "))
		arg[n++] = p;
	return n;
}

static int set_table(struct fdev *d, const struct table *t)
{
	char params[DM_TEXT], *arg[MAX_ARGS];
	unsigned int n;

	snprintf(params, sizeof(params), "%s", t->params);
	n = fake_split(params, arg);
	d->table = *t;
	if (!strcmp(t->target, "ckpt-store"))
		return 0;
	if (!strcmp(t->target, "linear")) {
		int fd = open(arg[0], O_RDWR | O_CREAT, 0600);
		int err = fd < 0 || ftruncate(fd, t->sectors * SECTOR_SIZE) ? -errno : 0;

		snprintf(d->file, sizeof(d->file), "%s", arg[0]);
		close(fd);
		return err;
	}
	if (strcmp(t->target, "ckpt") || n < 2)
		return -EINVAL;
	snprintf(d->file, sizeof(d->file), "%s/%c.%s", cfg.fake,
		 strchr(arg[1], '@') ? 'c' : 'v', arg[1]);
	if (!fake_exists(d->file))
		return -ENOENT;
	if (n > 2 && fake_exists(PATH("n.%s", arg[1]))) {
		struct fdev *o = find(strrchr(arg[2], '/') + 1);
		struct stat st;

		if (!o || stat(d->file, &st))
			return -ENODEV;
		fake_copy(o->file, d->file, st.st_size);
		unlink(PATH("n.%s", arg[1]));
	}
	return 0;
}

static int f_create(const char *name, const struct table *t, bool ro)
{
	struct fdev *d;
	int err = -EBUSY;

	pthread_mutex_lock(&devs_lock);
	for (d = devs; d < devs + MAX_DEVS && *d->name; d++)
		;
	if (!find(name) && d < devs + MAX_DEVS) {
		memset(d, 0, sizeof(*d));
		err = set_table(d, t);
		d->ro = ro;
		if (!err)
			snprintf(d->name, sizeof(d->name), "%s", name);
	}
	pthread_mutex_unlock(&devs_lock);
	return err;
}

static int f_remove(const char *name)
{
	struct fdev *d = find(name);

	if (!d)
		return -ENXIO;
	memset(d, 0, sizeof(*d));
	return 0;
}

static int f_reload(const char *name, const struct table *t, bool ro)
{
	struct fdev *d = find(name);

	(void)ro;
	return d ? set_table(d, t) : -ENXIO;
}

static int f_suspend(const char *name, bool noflush)
{
	(void)noflush;
	return find(name) ? 0 : -ENXIO;
}

static int f_resume(const char *name)
{
	return find(name) ? 0 : -ENXIO;
}

static int f_table(const char *name, struct table *t)
{
	struct fdev *d = find(name);

	if (!d)
		return -ENXIO;
	*t = d->table;
	return 0;
}

static int f_status(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "emulated %s", name);
	return find(name) ? 0 : -ENXIO;
}

/* Open devices go on under the new name, as tables with UUIDs would. */
static void retarget(struct fdev *d, const char *from, const char *to)
{
	char params[DM_TEXT], *arg[MAX_ARGS], *at;
	unsigned int n, len;

	snprintf(params, sizeof(params), "%s", d->table.params);
	n = fake_split(params, arg);
	if (n < 2 || strcmp(d->table.target, "ckpt"))
		return;
	at = strchr(arg[1], '@');
	len = at ? (size_t)(at - arg[1]) : strlen(arg[1]);
	if (strlen(from) != len || strncmp(arg[1], from, len))
		return;
	snprintf(d->file, sizeof(d->file), "%s/%c.%s%s", cfg.fake, at ? 'c' : 'v', to,
		 at ? at : "");
	len = snprintf(d->table.params, DM_TEXT, "%s %s%s", arg[0], to, at ? at : "");
	for (unsigned int i = 2; i < n; i++)
		len += snprintf(d->table.params + len, DM_TEXT - len, " %s", arg[i]);
}

static void gate_init(void)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&gate, &attr);
}

void fake_close_gate(void)
{
	pthread_once(&gate_once, gate_init);
	pthread_rwlock_wrlock(&gate);
}

void fake_open_gate(void)
{
	pthread_rwlock_unlock(&gate);
}

void fake_renamed(const char *from, const char *to)
{
	for (unsigned int i = 0; i < MAX_DEVS; i++)
		retarget(&devs[i], from, to);
}

void fake_moved(const char *from, const char *to)
{
	for (unsigned int i = 0; i < MAX_DEVS; i++)
		if (!strcmp(devs[i].file, from))
			snprintf(devs[i].file, sizeof(devs[i].file), "%s", to);
}

static int f_message(const char *name, const char *msg, char **answer)
{
	char copy[DM_TEXT], *arg[MAX_ARGS];
	unsigned int n;
	int err;

	if (answer)
		*answer = NULL;
	if (!find(name))
		return -ENXIO;
	snprintf(copy, sizeof(copy), "%s", msg);
	n = fake_split(copy, arg);
	if (!n)
		return -EINVAL;
	if (!strcmp(arg[0], "list") && answer) {
		*answer = fake_list();
		return 0;
	}
	fake_close_gate();
	err = fake_command(arg, n);
	fake_open_gate();
	return err;
}

static int f_open(const char *name, bool ro)
{
	struct fdev *d = find(name);
	int fd = d ? open(d->file, ro ? O_RDONLY : O_RDWR) : -1;

	return d ? (fd < 0 ? -errno : fd) : -ENXIO;
}

static ssize_t f_read(int fd, void *buf, size_t len, uint64_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	return n < 0 ? -errno : n;
}

static ssize_t f_write(int fd, const void *buf, size_t len, uint64_t off, bool fua)
{
	ssize_t n = len;

	(void)fua;
	pthread_once(&gate_once, gate_init);
	pthread_rwlock_rdlock(&gate);
	if (fake_inject("wrong-sector"))
		off += SECTOR_SIZE;
	if (fake_inject("torn-write"))
		n = pwrite(fd, buf, len / 2, off), n = len;
	else if (!fake_inject("lost-write"))
		n = pwrite(fd, buf, len, off);
	if (*fake_leak && fake_inject("leak")) {
		int to = open(fake_leak, O_WRONLY);

		if (to >= 0 && pwrite(to, buf, len, off) < 0)
			n = -1;
		close(to);
	}
	pthread_rwlock_unlock(&gate);
	return n < 0 ? -errno : n;
}

static int f_zero(int fd, uint64_t off, uint64_t len)
{
	int err = 0;

	pthread_once(&gate_once, gate_init);
	pthread_rwlock_rdlock(&gate);
	if (!fake_inject("lost-zero") &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len))
		err = -errno;
	pthread_rwlock_unlock(&gate);
	return err;
}

static int f_flush(int fd)
{
	(void)fd;
	return 0;
}

const struct dm_access dm_fake = {
	.create = f_create, .remove = f_remove, .reload = f_reload,
	.suspend = f_suspend, .resume = f_resume, .message = f_message,
	.status = f_status, .table = f_table, .open = f_open, .read = f_read,
	.write = f_write, .discard = f_zero, .zero = f_zero, .flush = f_flush,
	.dir = "/dev/mapper",
};
