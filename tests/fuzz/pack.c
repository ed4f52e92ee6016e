// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ckpt_unpack is given: any bytes; or any content that is compressed as it has to be, with
 * the right beginning but for some.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "libckpt/pack.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t content[16 * CKPT_NODE_BYTES], packed[2 * sizeof(content)];

/* Nodes, each a number and a few bytes, so that the input need not have 4 KiB for each. */
static size_t add_nodes(struct fuzz_input *in, size_t at)
{
	while (in->left && at + 8 + CKPT_NODE_BYTES + 8 <= sizeof(content)) {
		__le64 number = cpu_to_le64(fuzz_number(in, 2));

		memcpy(content + at, &number, sizeof(number));
		at += sizeof(number);
		memset(content + at, 0, CKPT_NODE_BYTES);
		fuzz_change(in, content + at, 1);
		at += CKPT_NODE_BYTES;
	}
	if (!in->left)
		memset(content + at, 0xff, 8);
	return at + (in->left ? 0 : 8);
}

static size_t pack(struct fuzz_input *in, unsigned int how)
{
	__le64 sectors = cpu_to_le64(how & 0x10 ? fuzz_number(in, 8) : STORE_SECTORS);
	size_t at = 16;

	memcpy(content, "dm-ckpt packed\r\n", at);
	memcpy(content + at, &sectors, sizeof(sectors));
	at += sizeof(sectors);
	if (how & 0x20)
		at += fuzz_take(in, content + at, sizeof(content) - at);
	else
		at = add_nodes(in, at);
	if (how & 0x40)		/* cut off */
		at -= fuzz_number(in, 2) % (at + 1);
	return ZSTD_compress(packed, sizeof(packed), content, at, 1);
}

static void try(const void *bytes, size_t size, const struct ckpt_file *file)
{
	FILE *from = size ? fmemopen((void *)bytes, size, "r") : NULL;
	struct ckpt_error e;
	uint64_t sectors;
	struct stat s;

	if (!from)
		return;
	/* The tool makes a file of that size first, and nothing is to be beyond it. */
	if (ckpt_unpack_sectors(from, &sectors, &e))
		sectors = 0;
	ckpt_unpack(from, file, &e);
	if (sectors > CKPT_STORE_SECTORS_MAX || fstat(file->fd, &s) ||
	    (uint64_t)s.st_size > sectors << CKPT_SECTOR_SHIFT)
		abort();
	fclose(from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int how = (unsigned int)fuzz_number(&in, 1);
	struct ckpt_file file = { .fd = memfd_create("unpacked", MFD_CLOEXEC),
				  .sectors = STORE_SECTORS };

	if (file.fd < 0)
		abort();
	if (how & 0x80)
		try(in.bytes, in.left, &file);
	else
		try(packed, pack(&in, how), &file);
	close(file.fd);
	return 0;
}
