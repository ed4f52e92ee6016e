// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockdev.h"
#include "source.h"
#include "units.h"

#define SYS_BLOCK "/sys/block"

/* Does the loop device of that name have its content from the file? */
static bool is_backed_by(const char *name, const char *real)
{
	char path[300], backing[PATH_MAX] = "";
	bool same = false;
	FILE *f;

	snprintf(path, sizeof(path), SYS_BLOCK "/%s/loop/backing_file", name);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fgets(backing, sizeof(backing), f)) {
		backing[strcspn(backing, "\n")] = '\0';
		same = !strcmp(backing, real);
	}
	fclose(f);
	return same;
}

/* Is the file in use as a device?  A loop device that nobody has open does not count. */
static enum ckpt_result refuse_live(const char *path, struct ckpt_error *e)
{
	DIR *dir = opendir(SYS_BLOCK);
	char *real = realpath(path, NULL);
	enum ckpt_result result = CKPT_DONE;
	struct dirent *entry;

	while (dir && real && !result && (entry = readdir(dir))) {
		struct ckpt_blockdev b;
		char device[300];

		if (strncmp(entry->d_name, "loop", 4) || !is_backed_by(entry->d_name, real))
			continue;
		snprintf(device, sizeof(device), "/dev/%s", entry->d_name);
		result = ckpt_blockdev_open(device, O_RDONLY | O_EXCL, &b, e);
		if (result == CKPT_BUSY)
			ckpt_fail(e, CKPT_BUSY, "%s is live as %s: close the store first, or make a copy",
				  path, device);
		else if (!result)
			ckpt_blockdev_close(&b);
		else
			result = CKPT_DONE;
	}
	free(real);
	if (dir)
		closedir(dir);
	return result;
}

static enum ckpt_result open_device(const char *path, int flags, struct ckpt_file *f,
				    struct ckpt_error *e)
{
	struct ckpt_blockdev b;
	enum ckpt_result result = ckpt_blockdev_open(path, flags | O_EXCL, &b, e);

	if (result)
		return result;
	/* The module writes past the page cache, which others may have filled. */
	posix_fadvise(b.fd, 0, 0, POSIX_FADV_DONTNEED);
	*f = (struct ckpt_file){ .fd = b.fd, .is_device = true, .sectors = b.sectors };
	return CKPT_DONE;
}

static enum ckpt_result open_regular(const char *path, int flags, struct ckpt_file *f,
				     struct ckpt_error *e)
{
	enum ckpt_result result = refuse_live(path, e);
	struct stat st;

	if (result)
		return result;
	f->fd = open(path, flags | O_CLOEXEC, 0666);
	if (f->fd < 0)
		return ckpt_fail_errno(e, errno, "%s cannot be opened", path);
	if (!fstat(f->fd, &st)) {
		f->sectors = (uint64_t)st.st_size / CKPT_SECTOR;
		return CKPT_DONE;
	}
	ckpt_fail_errno(e, errno, "the size of %s is not to be had", path);
	ckpt_file_close(f);
	return e->result;
}

static enum ckpt_result open_any(const char *path, int flags, struct ckpt_file *f,
				 struct ckpt_error *e)
{
	struct stat st;

	*f = (struct ckpt_file){ .fd = -1 };
	if (stat(path, &st) || S_ISREG(st.st_mode))
		return open_regular(path, flags, f, e);
	if (S_ISBLK(st.st_mode))
		return open_device(path, flags & ~O_CREAT, f, e);
	return ckpt_fail(e, CKPT_USAGE, "%s is neither a block device nor a file", path);
}

enum ckpt_result ckpt_file_open(const char *path, struct ckpt_file *f, struct ckpt_error *e)
{
	return open_any(path, O_RDONLY, f, e);
}

static enum ckpt_result grow(const char *path, uint64_t sectors, struct ckpt_file *f,
			     struct ckpt_error *e)
{
	if (f->is_device)
		return ckpt_fail(e, CKPT_USAGE,
				 "%s has only %" PRIu64 " sectors of the %" PRIu64 " that are needed",
				 path, f->sectors, sectors);
	if (ftruncate(f->fd, (off_t)(sectors * CKPT_SECTOR)))
		return ckpt_fail_errno(e, errno, "%s cannot be made %" PRIu64 " sectors long", path,
				       sectors);
	f->sectors = sectors;
	return CKPT_DONE;
}

enum ckpt_result ckpt_file_create(const char *path, uint64_t sectors, bool force,
				  struct ckpt_file *f, struct ckpt_error *e)
{
	enum ckpt_result result = open_any(path, O_RDWR | O_CREAT, f, e);

	if (result)
		return result;
	if (f->sectors && !force)
		result = ckpt_fail(e, CKPT_BUSY, "%s is there already; --force overwrites it", path);
	else if (f->sectors < sectors)
		result = grow(path, sectors, f, e);
	if (result)
		ckpt_file_close(f);
	return result;
}

bool ckpt_file_same(const struct ckpt_file *a, const struct ckpt_file *b)
{
	struct stat x, y;

	return !fstat(a->fd, &x) && !fstat(b->fd, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

void ckpt_file_close(struct ckpt_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static int read_file(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	const struct ckpt_file *f = arg;
	uint8_t *to = buffer;

	while (bytes) {
		ssize_t got = pread(f->fd, to, bytes, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? errno : EIO;
		to += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

struct ckpt_source ckpt_file_source(struct ckpt_file *f)
{
	return (struct ckpt_source){ .read = read_file, .arg = f, .sectors = f->sectors };
}

int ckpt_file_write(const struct ckpt_file *f, const void *buffer, uint64_t offset,
		    size_t bytes)
{
	const uint8_t *from = buffer;

	while (bytes) {
		ssize_t put = pwrite(f->fd, from, bytes, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? errno : EIO;
		from += put;
		offset += (uint64_t)put;
		bytes -= (size_t)put;
	}
	return 0;
}

int ckpt_file_zero(const struct ckpt_file *f, uint64_t offset, uint64_t bytes)
{
	static const uint8_t zeros[65536];
	int err = 0;

	if (!fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		       (off_t)bytes))
		return 0;
	while (!err && bytes) {
		size_t part = bytes < sizeof(zeros) ? (size_t)bytes : sizeof(zeros);

		err = ckpt_file_write(f, zeros, offset, part);
		offset += part;
		bytes -= part;
	}
	return err;
}
