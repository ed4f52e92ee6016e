// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../model/check.h"
#include "../model/util.h"
#include "dm-ckpt/geometry.h"
#include "libckpt/check.h"
#include "libckpt/image.h"
#include "reader.h"

#define MAX_DEVICES	64

/* A device is a file descriptor that nothing is read through, so that it can be closed. */
struct device {
	char name[64];
	int fd;
	const struct ckpt_item *item;	/* of a volume or view */
};

struct disk {
	const char *image;
	uint64_t sectors;
};

static struct disk disk[MAX_DISKS];
static struct ckpt_image *image;
static struct device device[MAX_DEVICES];

/* ---- the disks ---- */

static int read_disk(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	const struct disk *d = arg;

	if (offset + bytes > d->sectors * SECTOR_SIZE)
		return EIO;
	memcpy(buffer, d->image + offset, bytes);
	return 0;
}

static struct ckpt_source source_of(unsigned int nr, uint64_t sectors)
{
	return (struct ckpt_source) { read_disk, &disk[nr], sectors };
}

void reader_use(const struct disks *d)
{
	for (unsigned int i = 0; i < MAX_DISKS; i++)
		disk[i] = (struct disk) { d->image[i], d->trace->sectors[i] };
}

/* ---- devices ---- */

static int complain(const struct ckpt_error *e)
{
	failure("the reader: %s", e->text);
	return -EIO;
}

static struct device *find(const char *name)
{
	for (unsigned int i = 0; i < MAX_DEVICES; i++)
		if (!strcmp(device[i].name, name))
			return &device[i];
	return NULL;
}

static int open_store(void)
{
	static struct ckpt_source source;
	struct ckpt_error e;

	source = source_of(0, disk[0].sectors);
	return ckpt_image_open(&source, NULL, &image, &e) ? complain(&e) : 0;
}

static void report(void *arg, const char *sentence)
{
	(void)arg;
	failure("ckpt_check: %s", sentence);
}

bool reader_check(void)
{
	struct ckpt_check c = { .level = CKPT_CHECK_SPACE, .error = report };
	struct ckpt_error e;

	if (ckpt_check_image(image, &c, &e) && !failed)
		failure("ckpt_check: %s", e.text);
	if (c.leaked)
		failure("ckpt_check: %llu units are in use for nobody",
			(unsigned long long)c.leaked);
	return !failed;
}

/* The table names the origin, "<prefix>-o<number>", which the model has made so long. */
static int set_origin(const struct ckpt_item *base, const char *origin)
{
	const char *number = strrchr(origin, 'o');
	unsigned int nr = number ? strtoul(number + 1, NULL, 10) : MAX_DISKS;
	struct ckpt_source source;
	struct ckpt_error e;

	if (nr + 1 >= MAX_DISKS || !disk[nr + 1].sectors)
		return -ENODEV;
	source = source_of(nr + 1, base->origin_sectors ? base->origin_sectors : base->sectors);
	return ckpt_image_origin(image, base->uuid, &source, &e) ? complain(&e) : 0;
}

static int open_item(const struct table *t, const struct ckpt_item **item)
{
	char name[256], origin[256] = "-";
	const struct ckpt_item *base;
	struct ckpt_error e;

	if (sscanf(t->params, "%*s %255s %255s", name, origin) < 1)
		return -EINVAL;
	if (ckpt_image_find(image, name, item, &e))
		return complain(&e);
	if ((*item)->sectors != t->sectors) {
		failure("%s has %llu sectors, not %llu", name,
			(unsigned long long)(*item)->sectors, (unsigned long long)t->sectors);
		return -EINVAL;
	}
	base = ckpt_image_base(image, *item);
	return base ? set_origin(base, origin) : 0;
}

static int r_create(const char *name, const struct table *t, bool ro)
{
	struct device *d = find("");
	int err = 0;

	(void)ro;
	if (!d)
		return -ENOSPC;
	d->item = NULL;
	if (!strcmp(t->target, "ckpt-store"))
		err = open_store();
	else if (!strcmp(t->target, "ckpt"))
		err = open_item(t, &d->item);
	if (err)
		return err;
	d->fd = -1;
	snprintf(d->name, sizeof(d->name), "%s", name);
	return 0;
}

static int r_remove(const char *name)
{
	struct device *d = find(name);

	if (!d)
		return -ENXIO;
	d->name[0] = 0;
	return 0;
}

static int r_open(const char *name, bool ro)
{
	struct device *d = find(name);

	(void)ro;
	if (!d || !d->item)
		return -ENXIO;
	d->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return d->fd < 0 ? -errno : d->fd;
}

static ssize_t r_read(int fd, void *buf, size_t len, uint64_t off)
{
	struct ckpt_error e;

	for (unsigned int i = 0; i < MAX_DEVICES; i++) {
		if (!device[i].name[0] || device[i].fd != fd || !device[i].item)
			continue;
		if (ckpt_image_read(image, device[i].item, off, buf, len, &e))
			return complain(&e);
		return len;
	}
	return -EBADF;
}

/* ---- the list ---- */

static void uuid_text(char *buf, const uint8_t *uuid)
{
	for (unsigned int i = 0; i < CKPT_UUID_BYTES; i++)
		buf += sprintf(buf, "%02x", uuid[i]);
}

/* As in the answer of the module, as far as the model looks at it. */
static void list_item(FILE *f, const struct ckpt_item *item)
{
	char uuid[2 * CKPT_UUID_BYTES + 1], of[sizeof(uuid)];

	uuid_text(uuid, item->uuid);
	if (item->type == CKPT_RECORD_VOLUME)
		fprintf(f, "volume %u %s %s %llu %u\n", item->number, uuid, item->name,
			(unsigned long long)item->sectors, item->below);
	if (item->type != CKPT_RECORD_CHECKPOINT)
		return;
	uuid_text(of, ckpt_image_item(image, item->volume)->uuid);
	fprintf(f, "checkpoint %u %s %s %s %u\n", item->number, uuid, item->name, of, item->below);
}

static int r_message(const char *name, const char *msg, char **answer)
{
	const struct ckpt_item *item;
	size_t size;
	FILE *f;

	(void)name;
	if (strcmp(msg, "list"))
		return -EOPNOTSUPP;
	f = open_memstream(answer, &size);
	if (!f)
		return -ENOMEM;
	for (uint32_t nr = 1; (item = ckpt_image_next(image, nr)); nr = item->number + 1)
		list_item(f, item);
	fputs("end\n", f);
	return fclose(f) ? -EIO : 0;
}

/* ---- what a reader cannot do, and what needs not be done ---- */

static int r_reload(const char *name, const struct table *t, bool ro)
{
	(void)name, (void)t, (void)ro;
	return 0;
}

static int r_suspend(const char *name, bool noflush)
{
	(void)name, (void)noflush;
	return 0;
}

static int r_resume(const char *name)
{
	(void)name;
	return 0;
}

static int r_status(const char *name, char *buf, size_t size)
{
	(void)name, (void)buf, (void)size;
	return -EOPNOTSUPP;
}

static int r_table(const char *name, struct table *t)
{
	(void)name, (void)t;
	return -EOPNOTSUPP;
}

static ssize_t r_write(int fd, const void *buf, size_t len, uint64_t off, bool fua)
{
	(void)fd, (void)buf, (void)len, (void)off, (void)fua;
	return -EROFS;
}

static int r_change(int fd, uint64_t off, uint64_t len)
{
	(void)fd, (void)off, (void)len;
	return -EROFS;
}

static int r_flush(int fd)
{
	(void)fd;
	return 0;
}

const struct dm_access dm_reader = {
	.create = r_create, .remove = r_remove, .reload = r_reload, .suspend = r_suspend,
	.resume = r_resume, .message = r_message, .status = r_status, .table = r_table,
	.open = r_open, .read = r_read, .write = r_write, .discard = r_change,
	.zero = r_change, .flush = r_flush,
	.dir = "/dev/mapper",
};
