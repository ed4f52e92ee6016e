/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of dm-recorder: what was submitted to some devices and what of it ended, all in
 * one order.
 *
 * An entry stands in the log when its bio has not been passed on yet, and the one that says
 * that it ended before whoever submitted it knows.  So if the end of A stands before the
 * beginning of B, A had ended; and if it does not, nobody may have relied on it.
 *
 * In the byte order of the machine.  Data and texts follow their entry.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include <linux/types.h>

#define REC_MAGIC	0x52504b43u

enum rec_type {
	REC_DEVICE = 1,		/* @device is there, with so many @sectors */
	REC_WRITE,		/* begun; its data follow */
	REC_DISCARD,
	REC_ZEROES,
	REC_FLUSH,
	REC_END,		/* of what has this @id; failed, if it has REC_FAILED */
	REC_MARK,		/* text, without a NUL */
	REC_LOST,		/* there was no memory: what follows is not all */
};

#define REC_FUA		(1u << 0)
#define REC_FAILED	(1u << 1)

struct rec_entry {
	__u32 magic;
	__u8 type;
	__u8 device;
	__u16 flags;
	__u64 id;		/* unique, counts up from 1; 0 for what has no end */
	__u64 sector;
	__u64 sectors;
	__u32 bytes;		/* that follow */
	__u32 pad;
};

#endif
