/* SPDX-License-Identifier: GPL-2.0-only */
/* Block devices other than our own. */
#ifndef LIBCKPT_BLOCKDEV_H
#define LIBCKPT_BLOCKDEV_H

#include <limits.h>
#include <stddef.h>

#include "dm.h"

struct ckpt_blockdev {
	int fd;
	struct ckpt_devno devno;
	uint64_t sectors;
	unsigned int logical_bytes;	/* sector size of the hardware */
};

/*
 * Open @path with @flags of open(2).  With O_EXCL it is CKPT_BUSY, with a word
 * on who has it, when anything in the kernel uses the device.
 */
enum ckpt_result ckpt_blockdev_open(const char *path, int flags, struct ckpt_blockdev *b,
				    struct ckpt_error *e);
void ckpt_blockdev_close(struct ckpt_blockdev *b);

/*
 * Who uses the device: ": mounted on /a, used by b", or "" if nobody in the
 * kernel is known to.
 */
void ckpt_blockdev_users(struct ckpt_devno devno, char *text, size_t size);

/*
 * A path that names the same device after the next boot: below @root (normally
 * CKPT_DISK_ROOT) by-id or by-path, or else @given.  Links that follow
 * from content are no good, as a volume has the content of its origin.
 */
#define CKPT_DISK_ROOT "/dev/disk"
void ckpt_stable_path(const char *root, const char *given, char path[PATH_MAX]);

#endif
