/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memory image on disk: what QEMU's migration stream gives, in order.  All of it are
 * zstd frames, so that `zstd -dc` gives the stream back without any of our tools:
 *
 *	header		a skippable frame with a struct memory_header
 *	frames		each a zstd frame by itself of MEMORY_FRAME bytes of the stream, but
 *			for the last, which may be shorter
 *	index		a skippable frame with a struct memory_entry for each of them, and
 *			a struct memory_end at its end, which is the file's
 *
 * Integers are little-endian.  A file without a valid end was not finished.
 */
#ifndef CKPTD_MEMORY_FORMAT_H
#define CKPTD_MEMORY_FORMAT_H

#include <linux/types.h>

#define MEMORY_FRAME		(1u << 20)
#define MEMORY_PACKED_MAX	(MEMORY_FRAME + (MEMORY_FRAME >> 8) + 64)
#define MEMORY_FRAMES_MAX	(1u << 24)	/* 16 TiB of stream */
#define MEMORY_SKIPPABLE	0x184d2a5cu
#define MEMORY_VERSION		1u
#define MEMORY_MAGIC		"ckptmem"
#define MEMORY_END_MAGIC	"ckptend"

struct memory_header {
	__le32 skippable;		/* MEMORY_SKIPPABLE */
	__le32 size;			/* of what follows */
	char magic[8];
	__le32 version;
	__le32 frame;			/* MEMORY_FRAME */
	__le32 reserved;
	__le32 crc;			/* of all before it */
};

struct memory_entry {
	__le64 where;			/* of the frame in the file */
	__le32 packed;			/* bytes there */
	__le32 crc;			/* of these */
};

struct memory_end {
	__le64 frames;
	__le64 stream;			/* bytes before compression */
	__le64 index;			/* where its skippable frame begins */
	__le32 index_crc;		/* of all entries */
	__le32 version;
	char magic[8];
	__le32 reserved;
	__le32 crc;			/* of all before it */
};

#endif
