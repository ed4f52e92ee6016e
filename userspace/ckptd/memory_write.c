// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/crc32c.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "memory.h"
#include "memory_format.h"

#define LEVEL		1		/* QEMU's pages come faster than a better one packs */
#define WRITE_BEHIND	(8u << 20)	/* bytes that the page cache may hold of it */

struct image {
	const char *path;
	int fd;
	struct memory_control *control;
	struct ckpt_error *e;
	ZSTD_CCtx *zstd;
	char *raw, *packed;
	struct memory_entry *entry;
	size_t frames, room;
	uint64_t at, stream;
	uint64_t begun;			/* of what is on its way to the disk */
	uint64_t dropped;		/* and what the page cache has lost again */
};

static enum ckpt_result failed(struct image *m, int err)
{
	return ckpt_fail_errno(m->e, err, "memory image %s cannot be written", m->path);
}

static int new_path(const char *path, char to[PATH_MAX])
{
	return snprintf(to, PATH_MAX, "%s.new", path) < PATH_MAX ? 0 : ENAMETOOLONG;
}

static enum ckpt_result put(struct image *m, const void *bytes, size_t size)
{
	const char *p = bytes;

	while (size) {
		ssize_t n = write(m->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(m, n ? errno : ENOSPC);
		p += n;
		size -= (size_t)n;
		m->at += (uint64_t)n;
	}
	return CKPT_DONE;
}

/* One stretch is written back while the next is filled, and dropped when it is there. */
static enum ckpt_result write_behind(struct image *m)
{
	if (m->at - m->begun < WRITE_BEHIND)
		return CKPT_DONE;
	sync_file_range(m->fd, (off_t)m->begun, (off_t)(m->at - m->begun), SYNC_FILE_RANGE_WRITE);
	if (m->begun > m->dropped) {
		off_t size = (off_t)(m->begun - m->dropped);

		if (sync_file_range(m->fd, (off_t)m->dropped, size,
				    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) && errno != ENOSYS &&
		    errno != EINVAL && errno != ESPIPE)
			return failed(m, errno);
		posix_fadvise(m->fd, (off_t)m->dropped, size, POSIX_FADV_DONTNEED);
	}
	m->dropped = m->begun;
	m->begun = m->at;
	return CKPT_DONE;
}

static enum ckpt_result put_header(struct image *m)
{
	struct memory_header h = {
		.skippable = cpu_to_le32(MEMORY_SKIPPABLE),
		.size = cpu_to_le32(sizeof(h) - 8), .magic = MEMORY_MAGIC,
		.version = cpu_to_le32(MEMORY_VERSION), .frame = cpu_to_le32(MEMORY_FRAME),
	};

	h.crc = cpu_to_le32(~crc32c(~0u, &h, sizeof(h) - 4));
	return put(m, &h, sizeof(h));
}

static enum ckpt_result remember(struct image *m, size_t packed)
{
	if (m->frames == MEMORY_FRAMES_MAX)
		return failed(m, EFBIG);
	if (m->frames == m->room) {
		size_t room = m->room ? 2 * m->room : 1024;
		struct memory_entry *entry = reallocarray(m->entry, room, sizeof(*entry));

		if (!entry)
			return failed(m, ENOMEM);
		m->entry = entry;
		m->room = room;
	}
	m->entry[m->frames++] = (struct memory_entry){
		.where = cpu_to_le64(m->at), .packed = cpu_to_le32((u32)packed),
		.crc = cpu_to_le32(~crc32c(~0u, m->packed, packed)),
	};
	return CKPT_DONE;
}

static enum ckpt_result put_frame(struct image *m, size_t size)
{
	size_t packed = ZSTD_compressCCtx(m->zstd, m->packed, MEMORY_PACKED_MAX, m->raw, size,
					  LEVEL);
	enum ckpt_result result;

	if (ZSTD_isError(packed))
		return ckpt_fail(m->e, CKPT_FAILED, "memory image %s cannot be compressed: %s",
				 m->path, ZSTD_getErrorName(packed));
	result = remember(m, packed);
	if (!result)
		result = put(m, m->packed, packed);
	if (!result)
		result = write_behind(m);
	m->stream += size;
	atomic_store(&m->control->stream, m->stream);
	atomic_store(&m->control->file, m->at);
	return result;
}

/* A whole frame of the stream, or what there is before its end. */
static enum ckpt_result fill(struct image *m, int in, size_t *size)
{
	for (*size = 0; *size < MEMORY_FRAME;) {
		ssize_t n = read(in, m->raw + *size, MEMORY_FRAME - *size);

		if (atomic_load(&m->control->cancel))
			return ckpt_fail(m->e, CKPT_FAILED, "the memory image was cancelled");
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			memory_wait(in, POLLIN);
			continue;
		}
		if (n < 0)
			return ckpt_fail_errno(m->e, errno, "QEMU's memory cannot be read");
		if (!n)
			break;
		*size += (size_t)n;
	}
	return CKPT_DONE;
}

static enum ckpt_result put_index(struct image *m)
{
	size_t bytes = m->frames * sizeof(*m->entry);
	struct memory_end end = {
		.frames = cpu_to_le64(m->frames), .stream = cpu_to_le64(m->stream),
		.index = cpu_to_le64(m->at), .version = cpu_to_le32(MEMORY_VERSION),
		.index_crc = cpu_to_le32(~crc32c(~0u, m->entry, bytes)),
		.magic = MEMORY_END_MAGIC,
	};
	__le32 begin[2] = { cpu_to_le32(MEMORY_SKIPPABLE),
			    cpu_to_le32((u32)(bytes + sizeof(end))) };
	enum ckpt_result result = put(m, begin, sizeof(begin));

	end.crc = cpu_to_le32(~crc32c(~0u, &end, sizeof(end) - 4));
	if (!result)
		result = put(m, m->entry, bytes);
	if (!result)
		result = put(m, &end, sizeof(end));
	if (!result && fdatasync(m->fd))
		result = failed(m, errno);
	posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED);
	atomic_store(&m->control->file, m->at);
	return result;
}

static enum ckpt_result put_all(struct image *m, int in)
{
	enum ckpt_result result = put_header(m);
	size_t size = MEMORY_FRAME;

	while (!result && size == MEMORY_FRAME) {
		result = fill(m, in, &size);
		if (!result && size)
			result = put_frame(m, size);
	}
	if (!result && !m->stream)
		result = ckpt_fail(m->e, CKPT_FAILED, "QEMU gave nothing of its memory: it may have ended");
	return result ? result : put_index(m);
}

enum ckpt_result memory_write(int in, const char *path, struct memory_control *control,
			      struct ckpt_error *e)
{
	struct image m = { .path = path, .control = control, .e = e, .fd = -1 };
	enum ckpt_result result = CKPT_DONE;
	char to[PATH_MAX];
	int err = new_path(path, to);

	m.zstd = ZSTD_createCCtx();
	m.raw = malloc(MEMORY_FRAME);
	m.packed = malloc(MEMORY_PACKED_MAX);
	if (!m.zstd || !m.raw || !m.packed)
		err = ENOMEM;
	if (!err) {
		m.fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		err = m.fd < 0 ? errno : 0;
	}
	result = err ? failed(&m, err) : put_all(&m, in);
	if (m.fd >= 0 && close(m.fd) && !result)
		result = failed(&m, errno);
	if (result && m.fd >= 0)
		unlink(to);
	ZSTD_freeCCtx(m.zstd);
	free(m.raw);
	free(m.packed);
	free(m.entry);
	return result;
}

enum ckpt_result memory_publish(const char *path, struct ckpt_error *e)
{
	char from[PATH_MAX], folder[PATH_MAX];
	int err = new_path(path, from), fd = -1;

	if (!err && rename(from, path))
		err = errno;
	if (!err) {
		strcpy(folder, path);
		fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fsync(fd))
			err = errno;
	}
	if (fd >= 0)
		close(fd);
	return err ? ckpt_fail_errno(e, err, "memory image %s cannot be put in place", path) :
		     CKPT_DONE;
}

void memory_discard(const char *path)
{
	char name[PATH_MAX];

	if (!new_path(path, name))
		unlink(name);
}
