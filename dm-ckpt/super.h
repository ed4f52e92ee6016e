/* SPDX-License-Identifier: GPL-2.0-only */
/* The superblock's two copies on the device.  All functions sleep. */
#ifndef CKPT_SUPER_H
#define CKPT_SUPER_H

#include "codec.h"

struct block_device;

/*
 * Read the copy that counts into @super (4 KiB).  -ENODEV: no store there; -EIO: it cannot
 * be read or is damaged; -EOPNOTSUPP: of another kind; the log tells which.
 */
int ckpt_super_read(struct block_device *bdev, struct ckpt_super *super);

/*
 * Seal @super and write it as A and then as B, each of them flushed; what the device holds in
 * its cache is flushed before.
 */
int ckpt_super_write(struct block_device *bdev, struct ckpt_super *super);

struct ckpt_format {
	u32 block_sectors;
	u32 journal_blocks;		/* 0: as the size asks for */
};

/* Make @sectors of the device an empty store, unless there is one already (-EEXIST). */
int ckpt_super_format(struct block_device *bdev, u64 sectors,
		      const struct ckpt_format *format);

#endif
