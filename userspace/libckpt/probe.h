/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on a device already.  A zeroed first block proves nothing: btrfs, md
 * and bcache begin later, so libblkid looks at all places that it knows.
 */
#ifndef LIBCKPT_PROBE_H
#define LIBCKPT_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct ckpt_signature {
	char type[32];		/* "ext4", "gpt", "dm-ckpt store", ... */
	char usage[16];		/* "filesystem", "raid", "partitions", ... */
	char name[80];		/* label, or UUID, or "" */
	uint64_t offset;	/* in bytes */
};

struct ckpt_signatures {
	struct ckpt_signature *signature;
	size_t count;
};

/* Works on files too.  Finding nothing is CKPT_DONE with a count of 0. */
enum ckpt_result ckpt_probe(int fd, struct ckpt_signatures *found, struct ckpt_error *e);
void ckpt_signatures_free(struct ckpt_signatures *found);

/*
 * Erase every signature, on a descriptor open for writing, and look whether they
 * are gone.
 */
enum ckpt_result ckpt_probe_wipe(int fd, struct ckpt_error *e);

#endif
