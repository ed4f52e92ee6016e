/* SPDX-License-Identifier: GPL-2.0-only */
/* What must be known of a store on a device before its target exists. */
#ifndef LIBCKPT_SUPER_H
#define LIBCKPT_SUPER_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "names.h"

struct ckpt_super_facts {
	char uuid[CKPT_UUID_LEN];
	uint64_t sectors;		/* of the device that are in use */
	uint32_t block_sectors;
};

/*
 * The facts of the copy that counts.  CKPT_NOT_FOUND if there is no store,
 * CKPT_INTEGRITY if both copies are damaged, CKPT_FAILED if it is whole but
 * cannot be used here, as with a later format.
 */
enum ckpt_result ckpt_super_read(int fd, struct ckpt_super_facts *facts,
				 struct ckpt_error *e);

/* Does a superblock, whole or not, stand at that sector? */
bool ckpt_super_magic_at(int fd, uint64_t sector);

/* Overwrite both copies with zeros. */
enum ckpt_result ckpt_super_erase(int fd, struct ckpt_error *e);

#endif
