// SPDX-License-Identifier: GPL-2.0-only
#include <linux/blkdev.h>
#include <linux/dm-kcopyd.h>
#include <linux/slab.h>

#include "copy.h"
#include "store.h"

void ckpt_copies_begin(struct ckpt_copies *copies, struct ckpt_store *store)
{
	copies->store = store;
	atomic_set(&copies->left, 1);
	init_completion(&copies->done);
	init_llist_head(&copies->refused);
	copies->error = 0;
}

static void put(struct ckpt_copies *copies)
{
	/* Once it is complete, it may be gone. */
	atomic_inc(&copies->store->nr_copies);
	if (atomic_dec_and_test(&copies->left))
		complete(&copies->done);
}

static void copied(int read_err, unsigned long write_err, void *context)
{
	struct ckpt_copies *copies = context;

	if (read_err || write_err)
		WRITE_ONCE(copies->error, -EIO);
	put(copies);
}

/*
 * Zeros on their way.  A device may say that it takes the command for them, and refuse it; that of
 * a stack of devices goes on saying so.  Then they are written, when the others have ended.
 */
struct zeros {
	struct llist_node list;
	struct ckpt_copies *copies;
	struct block_device *bdev;
	u64 sector, sectors;
};

static void zeroed(int read_err, unsigned long write_err, void *context)
{
	struct zeros *zeros = context;
	struct ckpt_copies *copies = zeros->copies;

	if (write_err)
		llist_add(&zeros->list, &copies->refused);
	else
		kfree(zeros);
	put(copies);
}

static void write_zeros(struct ckpt_copies *copies, struct zeros *zeros)
{
	int r = blkdev_issue_zeroout(zeros->bdev, zeros->sector, zeros->sectors, GFP_NOIO, 0);

	if (r)
		copies->error = -EIO;
	kfree(zeros);
}

static void add_zeros(struct ckpt_copies *copies, const struct ckpt_copy *copy,
		      struct dm_io_region *to)
{
	struct zeros *zeros = kmalloc(sizeof(*zeros), GFP_NOIO | __GFP_NOFAIL);

	zeros->copies = copies;
	zeros->bdev = copy->to_bdev;
	zeros->sector = copy->to;
	zeros->sectors = copy->sectors;
	dm_kcopyd_zero(copies->store->kcopyd, 1, to, 0, zeroed, zeros);
}

void ckpt_copies_add(struct ckpt_copies *copies, const struct ckpt_copy *copy)
{
	struct dm_io_region from = { .bdev = copy->from_bdev, .sector = copy->from,
				     .count = copy->sectors };
	struct dm_io_region to = { .bdev = copy->to_bdev, .sector = copy->to,
				   .count = copy->sectors };
	int r = ckpt_guard_check(copies->store);

	if (r) {
		WRITE_ONCE(copies->error, r);
		return;
	}
	atomic_inc(&copies->left);
	if (copy->from_bdev)
		dm_kcopyd_copy(copies->store->kcopyd, &from, 1, &to, 0, copied, copies);
	else
		add_zeros(copies, copy, &to);
}

void ckpt_copies_add_blocks(struct ckpt_copies *copies, const struct ckpt_state *from,
			    const struct ckpt_state *to, u32 blocks)
{
	struct ckpt_store *store = copies->store;
	const struct ckpt_geometry *g = &store->geometry;

	while (blocks) {
		u32 first = (u32)__ffs(blocks), nr = ckpt_run(blocks, first);
		u64 offset = (u64)first << g->block_shift;
		struct ckpt_copy copy = {
			.from_bdev = store->bdev, .from = ckpt_state_sector(g, from, offset),
			.to_bdev = store->bdev, .to = ckpt_state_sector(g, to, offset),
			.sectors = (u64)nr << g->block_shift,
		};

		ckpt_copies_add(copies, &copy);
		blocks &= ~ckpt_mask(first, nr);
	}
}

int ckpt_copies_wait(struct ckpt_copies *copies)
{
	struct zeros *zeros, *next;

	put(copies);
	wait_for_completion_io(&copies->done);
	llist_for_each_entry_safe(zeros, next, llist_del_all(&copies->refused), list)
		write_zeros(copies, zeros);
	return copies->error;
}

int ckpt_copy_init(struct ckpt_store *store)
{
	struct dm_kcopyd_client *client = dm_kcopyd_client_create(NULL);

	if (IS_ERR(client))
		return PTR_ERR(client);
	store->kcopyd = client;
	return 0;
}

void ckpt_copy_exit(struct ckpt_store *store)
{
	if (store->kcopyd)
		dm_kcopyd_client_destroy(store->kcopyd);
}
