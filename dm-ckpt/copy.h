/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies of data in the background, many at a time, by the kernel's own copier (kcopyd).
 */
#ifndef CKPT_COPY_H
#define CKPT_COPY_H

#include <linux/completion.h>
#include <linux/llist.h>
#include <linux/types.h>

#include "slot.h"

struct ckpt_store;
struct block_device;

struct ckpt_copies {
	struct ckpt_store *store;
	atomic_t left;			/* in flight, and one for whoever adds */
	struct completion done;
	struct llist_head refused;	/* zeros that must be written in another way */
	int error;
};

/* What is to be copied; sizes and places in sectors. */
struct ckpt_copy {
	struct block_device *from_bdev;	/* NULL: zeros */
	struct block_device *to_bdev;
	u64 from, to;
	u64 sectors;
};

/* Begin a batch, add to it, wait until all of it has ended: 0 or -EIO.  All may sleep. */
void ckpt_copies_begin(struct ckpt_copies *copies, struct ckpt_store *store);
void ckpt_copies_add(struct ckpt_copies *copies, const struct ckpt_copy *copy);
int ckpt_copies_wait(struct ckpt_copies *copies);

/* Add those blocks, which both slots have a place for, to a batch that copies within the store. */
void ckpt_copies_add_blocks(struct ckpt_copies *copies, const struct ckpt_state *from,
			    const struct ckpt_state *to, u32 blocks);

int ckpt_copy_init(struct ckpt_store *store);
void ckpt_copy_exit(struct ckpt_store *store);

#endif
