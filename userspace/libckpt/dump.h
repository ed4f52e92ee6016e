/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metadata of a store as text, and back.  The text is the same for the same metadata,
 * wherever the nodes stand, and says all of them:
 *
 *	dm-ckpt dump 1
 *	store uuid=... sectors=... ...
 *	base|layer|volume|checkpoint <number> uuid=... ...
 *	 slots <cluster> <count> <sector> <present> <zero>
 *	 packed <cluster> <sector> <present> <zero> <places>
 *	end
 *
 * Items stand in the order of their numbers; behind a layer come its slots, in the order of
 * clusters.  Masks are hexadecimal.  Clusters in a row with the same masks are one line if their
 * places are one behind the other.  A packed slot has a place for each block of <places>, in a row.
 * Lines that begin with # are comments.
 */
#ifndef LIBCKPT_DUMP_H
#define LIBCKPT_DUMP_H

#include <stdio.h>

#include "image.h"

/*
 * What cannot be read of an image that was opened to be salvaged is said by lines "lost", which
 * no store is made of.
 */
enum ckpt_result ckpt_dump(struct ckpt_image *image, FILE *to, struct ckpt_error *e);

/* Where the nodes of all trees stand, as comments. */
enum ckpt_result ckpt_dump_nodes(struct ckpt_image *image, FILE *to, struct ckpt_error *e);

/* How many sectors the store of a text has; the text is read from its beginning. */
enum ckpt_result ckpt_restore_sectors(FILE *from, uint64_t *sectors, struct ckpt_error *e);

/*
 * Make the metadata of a store in a file, which has its data already, or never will.  The text can
 * be read twice.  CKPT_USAGE, with the line, if it is not that of a store.
 */
enum ckpt_result ckpt_restore(FILE *from, struct ckpt_file *file, struct ckpt_error *e);

#endif
