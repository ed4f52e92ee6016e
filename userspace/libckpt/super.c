// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dm-ckpt/codec.h"
#include "super.h"

static const uint64_t places[] = { CKPT_SUPER_A, CKPT_SUPER_B };

/* What cannot be read is as good as nothing. */
static bool read_super(int fd, uint64_t sector, struct ckpt_super *super)
{
	if (pread(fd, super, sizeof(*super), (off_t)(sector << CKPT_SECTOR_SHIFT)) ==
	    (ssize_t)sizeof(*super))
		return true;
	memset(super, 0, sizeof(*super));
	return false;
}

enum ckpt_result ckpt_super_read(int fd, struct ckpt_super_facts *facts,
				 struct ckpt_error *e)
{
	struct ckpt_super copy[2], *super = &copy[0];
	const char *why;

	/* The kernel writes past the page cache, which others may have filled. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	for (int i = 0; i < 2; i++)
		read_super(fd, places[i], &copy[i]);
	switch (ckpt_super_choose(&copy[0], &copy[1], &why)) {
	case CKPT_SUPER_CHOOSE_A:
		break;
	case CKPT_SUPER_CHOOSE_B:
		super = &copy[1];
		break;
	case CKPT_SUPER_ABSENT:
		return ckpt_fail(e, CKPT_NOT_FOUND, "there is no dm-ckpt store on the device");
	case CKPT_SUPER_DAMAGED:
		return ckpt_fail(e, CKPT_INTEGRITY,
				 "both superblocks of the store are damaged (of the first: %s); ckpt_repair may rescue it",
				 why);
	case CKPT_SUPER_STRANGE:
		return ckpt_fail(e, CKPT_FAILED,
				 "the store cannot be used here: %s; a newer dm-ckpt may know it",
				 why);
	}
	ckpt_uuid_format(super->uuid, facts->uuid);
	facts->sectors = le64_to_cpu(super->sectors);
	facts->block_sectors = le32_to_cpu(super->block_sectors);
	return CKPT_DONE;
}

bool ckpt_super_magic_at(int fd, uint64_t sector)
{
	struct ckpt_super super;

	return read_super(fd, sector, &super) && ckpt_super_present(&super);
}

enum ckpt_result ckpt_super_erase(int fd, struct ckpt_error *e)
{
	static const char zeros[sizeof(struct ckpt_super)];

	for (int i = 0; i < 2; i++)
		if (ckpt_super_magic_at(fd, places[i]) &&
		    pwrite(fd, zeros, sizeof(zeros), (off_t)(places[i] << CKPT_SECTOR_SHIFT)) < 0)
			return ckpt_fail_errno(e, errno, "the device cannot be written");
	return CKPT_DONE;
}
