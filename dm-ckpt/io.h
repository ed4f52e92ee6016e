/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads and writes of the module's own; all of them sleep and allocate from bio sets. */
#ifndef CKPT_IO_H
#define CKPT_IO_H

#include <linux/blk_types.h>
#include <linux/types.h>

/*
 * Transfer @bytes (whole sectors) between a device and memory from ckpt_page_get(), the page
 * allocator or kmalloc, in which no part may cross a page unless it is contiguous.  @opf is
 * REQ_OP_READ or REQ_OP_WRITE and flags.  Returns a negative errno.
 */
int ckpt_io(struct block_device *bdev, blk_opf_t opf, u64 sector, void *data,
	    unsigned int bytes);

/* The same with @nr pages of 4 KiB, 256 at most. */
int ckpt_io_pages(struct block_device *bdev, blk_opf_t opf, u64 sector, void **page,
		  unsigned int nr);

/* Flush the device's cache. */
int ckpt_io_flush(struct block_device *bdev);

#endif
