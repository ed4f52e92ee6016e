/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metadata of a store without its data, to be sent to somebody: a stream of
 *
 *	16 bytes	"dm-ckpt packed\r\n"
 *	8 bytes		sectors of the device, little endian
 *	4104 bytes	for each node: its number (offset / 4096), little endian, and its content
 *	8 bytes		all ones: the end
 *
 * compressed as a whole with zstd.  In it are the superblocks, the journal, and all that is
 * referred to as a node, damaged or not; names and UUIDs are in it, content of volumes is not.
 */
#ifndef LIBCKPT_PACK_H
#define LIBCKPT_PACK_H

#include <stdio.h>

#include "image.h"

/*
 * @image was opened without_journal, as what the journal frees is needed to replay it.  It may be
 * NULL, if no superblock can be used: then the fixed places are packed alone.
 */
enum ckpt_result ckpt_pack(struct ckpt_image *image, const struct ckpt_source *source, FILE *to,
			   struct ckpt_error *e);

/* How many sectors the device had, read from the beginning of a packed one. */
enum ckpt_result ckpt_unpack_sectors(FILE *from, uint64_t *sectors, struct ckpt_error *e);

/* Write a sparse image, which has as many sectors; CKPT_USAGE if it is nothing that was packed. */
enum ckpt_result ckpt_unpack(FILE *from, const struct ckpt_file *file, struct ckpt_error *e);

#endif
