// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/crc32c.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "memory.h"
#include "memory_format.h"

struct image {
	const char *path;
	int fd;
	struct memory_control *control;
	struct ckpt_error *e;
	ZSTD_DCtx *zstd;
	char *raw, *packed;
	struct memory_entry *entry;
	uint64_t frames, stream, index;
};

void memory_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	poll(&p, 1, MEMORY_WAIT_MS);
}

static enum ckpt_result rotten(struct image *m, const char *what)
{
	return ckpt_fail(m->e, CKPT_INTEGRITY, "memory image %s cannot be used: %s", m->path, what);
}

static enum ckpt_result get(struct image *m, uint64_t at, void *bytes, size_t size)
{
	char *p = bytes;

	while (size) {
		ssize_t n = pread(m->fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ckpt_fail_errno(m->e, errno, "memory image %s cannot be read",
					       m->path);
		if (!n)
			return rotten(m, "it ends too early");
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return CKPT_DONE;
}

static enum ckpt_result get_header(struct image *m)
{
	struct memory_header h;

	if (get(m, 0, &h, sizeof(h)))
		return m->e->result;
	if (memcmp(h.magic, MEMORY_MAGIC, sizeof(h.magic)))
		return rotten(m, "it is none");
	if (le32_to_cpu(h.crc) != ~crc32c(~0u, &h, sizeof(h) - 4))
		return rotten(m, "its header is damaged");
	if (le32_to_cpu(h.version) != MEMORY_VERSION || le32_to_cpu(h.frame) != MEMORY_FRAME)
		return rotten(m, "it is of a version that is not known here");
	return CKPT_DONE;
}

/* Nothing is allocated by a number of the file's before that was found possible. */
static enum ckpt_result get_end(struct image *m, uint64_t size, u32 *crc)
{
	struct memory_end end;

	if (size < sizeof(struct memory_header) + 8 + sizeof(end))
		return rotten(m, "it is too short");
	if (get(m, size - sizeof(end), &end, sizeof(end)))
		return m->e->result;
	if (memcmp(end.magic, MEMORY_END_MAGIC, sizeof(end.magic)) ||
	    le32_to_cpu(end.crc) != ~crc32c(~0u, &end, sizeof(end) - 4))
		return rotten(m, "its end is damaged, or was never written");
	m->frames = le64_to_cpu(end.frames);
	m->stream = le64_to_cpu(end.stream);
	m->index = le64_to_cpu(end.index);
	*crc = le32_to_cpu(end.index_crc);
	if (!m->frames || m->frames > MEMORY_FRAMES_MAX || m->index > size ||
	    size - m->index != 8 + m->frames * sizeof(*m->entry) + sizeof(end) ||
	    !m->stream || (m->stream - 1) / MEMORY_FRAME + 1 != m->frames)
		return rotten(m, "its end makes no sense");
	return CKPT_DONE;
}

/* The frames lie one after another, and fill what is between header and index. */
static enum ckpt_result check_entries(struct image *m)
{
	uint64_t at = sizeof(struct memory_header);

	for (uint64_t i = 0; i < m->frames; i++) {
		u32 packed = le32_to_cpu(m->entry[i].packed);

		if (le64_to_cpu(m->entry[i].where) != at || !packed ||
		    packed > MEMORY_PACKED_MAX)
			return rotten(m, "its index makes no sense");
		at += packed;
	}
	return at == m->index ? CKPT_DONE : rotten(m, "its index makes no sense");
}

static enum ckpt_result get_index(struct image *m)
{
	struct stat st;
	__le32 begin[2];
	size_t bytes;
	u32 crc = 0;

	if (fstat(m->fd, &st))
		return ckpt_fail_errno(m->e, errno, "memory image %s cannot be read", m->path);
	if (!S_ISREG(st.st_mode))
		return rotten(m, "it is no file");
	if (get_header(m) || get_end(m, (uint64_t)st.st_size, &crc))
		return m->e->result;
	bytes = m->frames * sizeof(*m->entry);
	m->entry = malloc(bytes);
	if (!m->entry)
		return ckpt_fail_errno(m->e, ENOMEM, "memory image %s cannot be read", m->path);
	if (get(m, m->index, begin, sizeof(begin)) ||
	    get(m, m->index + sizeof(begin), m->entry, bytes))
		return m->e->result;
	if (le32_to_cpu(begin[0]) != MEMORY_SKIPPABLE ||
	    le32_to_cpu(begin[1]) != bytes + sizeof(struct memory_end) ||
	    crc != ~crc32c(~0u, m->entry, bytes))
		return rotten(m, "its index is damaged");
	return check_entries(m);
}

static enum ckpt_result give(struct image *m, int out, const char *p, size_t size)
{
	while (size) {
		ssize_t n = write(out, p, size);

		if (atomic_load(&m->control->cancel))
			return ckpt_fail(m->e, CKPT_FAILED, "the memory image was cancelled");
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			memory_wait(out, POLLOUT);
			continue;
		}
		if (n < 0)
			return ckpt_fail_errno(m->e, errno, "QEMU does not take its memory back");
		p += n;
		size -= (size_t)n;
	}
	return CKPT_DONE;
}

static enum ckpt_result give_frame(struct image *m, uint64_t i, int out)
{
	uint64_t where = le64_to_cpu(m->entry[i].where), done = i * MEMORY_FRAME;
	u32 packed = le32_to_cpu(m->entry[i].packed);
	size_t size = m->stream - done < MEMORY_FRAME ? m->stream - done : MEMORY_FRAME;

	if (atomic_load(&m->control->cancel))
		return ckpt_fail(m->e, CKPT_FAILED, "the memory image was cancelled");
	if (get(m, where, m->packed, packed))
		return m->e->result;
	/* All so far: what a range has only a part of is kept, and that may be more than a frame. */
	posix_fadvise(m->fd, 0, (off_t)(where + packed), POSIX_FADV_DONTNEED);
	if (le32_to_cpu(m->entry[i].crc) != ~crc32c(~0u, m->packed, packed))
		return ckpt_fail(m->e, CKPT_INTEGRITY,
				 "memory image %s is damaged: frame %llu at byte %llu has a wrong checksum",
				 m->path, (unsigned long long)i, (unsigned long long)where);
	if (ZSTD_decompressDCtx(m->zstd, m->raw, MEMORY_FRAME, m->packed, packed) != size)
		return rotten(m, "a frame of it is not as long as it should be");
	if (out >= 0 && give(m, out, m->raw, size))
		return m->e->result;
	atomic_store(&m->control->stream, done + size);
	atomic_store(&m->control->file, where + packed);
	return CKPT_DONE;
}

enum ckpt_result memory_read(const char *path, int out, struct memory_control *control,
			     struct ckpt_error *e)
{
	struct image m = { .path = path, .control = control, .e = e };
	enum ckpt_result result;

	m.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (m.fd < 0)
		return ckpt_fail_errno(e, errno, "memory image %s cannot be opened", path);
	m.zstd = ZSTD_createDCtx();
	m.raw = malloc(MEMORY_FRAME);
	m.packed = malloc(MEMORY_PACKED_MAX);
	if (m.zstd && m.raw && m.packed)
		result = get_index(&m);
	else
		result = ckpt_fail_errno(e, ENOMEM, "memory image %s cannot be read", path);
	if (!result)
		control->total = m.stream;
	for (uint64_t i = 0; !result && i < m.frames; i++)
		result = give_frame(&m, i, out);
	posix_fadvise(m.fd, 0, 0, POSIX_FADV_DONTNEED);
	close(m.fd);
	ZSTD_freeDCtx(m.zstd);
	free(m.raw);
	free(m.packed);
	free(m.entry);
	return result;
}
