// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dm-kcopyd.h>

#include "copy.h"
#include "store.h"

void ckpt_copies_begin(struct ckpt_copies *copies, struct ckpt_store *store)
{
	copies->store = store;
	atomic_set(&copies->left, 1);
	init_completion(&copies->done);
	copies->error = 0;
}

static void put(struct ckpt_copies *copies)
{
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

void ckpt_copies_add(struct ckpt_copies *copies, const struct ckpt_copy *copy)
{
	struct dm_io_region from = { .bdev = copy->from_bdev, .sector = copy->from,
				     .count = copy->sectors };
	struct dm_io_region to = { .bdev = copy->to_bdev, .sector = copy->to,
				   .count = copy->sectors };

	atomic_inc(&copies->left);
	if (copy->from_bdev)
		dm_kcopyd_copy(copies->store->kcopyd, &from, 1, &to, 0, copied, copies);
	else
		dm_kcopyd_zero(copies->store->kcopyd, 1, &to, 0, copied, copies);
}

void ckpt_copies_add_blocks(struct ckpt_copies *copies, u64 from, u64 to, u32 blocks)
{
	struct ckpt_store *store = copies->store;
	u32 shift = store->geometry.block_shift;

	while (blocks) {
		u32 first = (u32)__ffs(blocks), nr = ckpt_run(blocks, first);
		struct ckpt_copy copy = {
			.from_bdev = store->bdev, .from = from + ((u64)first << shift),
			.to_bdev = store->bdev, .to = to + ((u64)first << shift),
			.sectors = (u64)nr << shift,
		};

		ckpt_copies_add(copies, &copy);
		blocks &= ~ckpt_mask(first, nr);
	}
}

int ckpt_copies_wait(struct ckpt_copies *copies)
{
	put(copies);
	wait_for_completion_io(&copies->done);
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
