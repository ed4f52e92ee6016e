// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/crc32c.h>

#include "base.h"
#include "compat.h"
#include "io.h"

/* Nodes' worth of content that are looked at: 16 at each end and 96 in between. */
#define ENDS	16u
#define BETWEEN	96u

static int add_sample(struct block_device *bdev, u64 sector, void *page, u32 *crc)
{
	int r = ckpt_io(bdev, REQ_OP_READ, sector, page, CKPT_NODE_BYTES);

	if (!r)
		*crc = crc32c(*crc, page, CKPT_NODE_BYTES);
	return r;
}

static int sample(struct ckpt_store *store, struct block_device *bdev, u64 sectors, u32 *crc)
{
	u64 nodes = sectors >> CKPT_NODE_SHIFT, i, step;
	void *page = ckpt_page_get(store);
	int r = 0;

	*crc = ~0u;
	if (nodes <= 2 * ENDS + BETWEEN) {
		for (i = 0; !r && i < nodes; i++)
			r = add_sample(bdev, i << CKPT_NODE_SHIFT, page, crc);
		goto out;
	}
	step = div_u64(nodes - 2 * ENDS, BETWEEN);
	for (i = 0; !r && i < ENDS; i++)
		r = add_sample(bdev, i << CKPT_NODE_SHIFT, page, crc);
	for (i = 0; !r && i < BETWEEN; i++)
		r = add_sample(bdev, (ENDS + i * step) << CKPT_NODE_SHIFT, page, crc);
	for (i = nodes - ENDS; !r && i < nodes; i++)
		r = add_sample(bdev, i << CKPT_NODE_SHIFT, page, crc);
out:
	ckpt_page_put(store, page);
	return r;
}

static int record_sample(struct ckpt_store *store, struct ckpt_layer *base, u32 crc)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_record));

	if (!txn)
		return -ENOMEM;
	base->base->sampled = true;
	base->base->sample_crc = crc;
	ckpt_txn_record(txn, store, base->number);
	return ckpt_txn_run(store, txn);
}

static struct ckpt_layer *base_of(struct ckpt_target *t)
{
	return ckpt_layer_base(t->view ? t->layer : ckpt_volume_top(t->store, t->volume));
}

/*
 * Does anything need the content to be what it is?  A single child does not: it is merged into
 * the base, which changes while that goes on.
 */
static bool is_fixed(const struct ckpt_layer *base)
{
	return !base->heads && (base->children > 1 || base->tags || base->base->template);
}

int ckpt_base_set(struct ckpt_store *store, struct ckpt_layer *base, u64 sectors, bool sampled)
{
	struct ckpt_txn *txn = ckpt_txn_alloc(sizeof(struct ckpt_entry_record));
	int r;

	if (!txn)
		return -ENOMEM;
	mutex_lock(&store->admin);
	down_write(&store->chain);
	WRITE_ONCE(base->sectors, sectors);
	base->base->sampled = sampled;
	up_write(&store->chain);
	ckpt_txn_record(txn, store, base->number);
	r = ckpt_txn_run(store, txn);
	mutex_unlock(&store->admin);
	return r;
}

static void sample_base(struct ckpt_target *t, struct ckpt_layer *base)
{
	u32 crc;

	if (base->base->sampled || ckpt_store_writable(t->store))
		return;
	/* What is recorded must not be newer than what a power cut leaves. */
	if (ckpt_io_flush(t->origin->bdev) ||
	    sample(t->store, t->origin->bdev, base->sectors, &crc) ||
	    record_sample(t->store, base, crc))
		ckpt_log(warn, t->store, "origin %s could not be sampled", t->origin->name);
}

void ckpt_base_sample(struct ckpt_target *t)
{
	struct ckpt_layer *base = base_of(t);

	if (base && is_fixed(base))
		sample_base(t, base);
}

void ckpt_base_rest(struct ckpt_target *t)
{
	struct ckpt_layer *base = base_of(t);

	/* What passes through may be written again without a word to the store. */
	if (base && base->children && !base->heads && base->base->owner == t->volume->number)
		sample_base(t, base);
}

/* What is written goes through to the origin. */
static int check_writable(struct ckpt_target *t)
{
	if (!(dm_table_get_mode(t->ti->table) & BLK_OPEN_WRITE) || ckpt_origin_writable(t))
		return 0;
	ckpt_log(err, t->store, "origin %s is read-only, but volume %s passes writes through to it: use a read-only table",
		 t->origin->name, t->volume->name);
	return -EROFS;
}

int ckpt_base_check(struct ckpt_target *t)
{
	struct ckpt_layer *base = base_of(t);
	u64 sectors;
	u32 crc;
	int r;

	if (!base)
		return 0;
	sectors = bdev_nr_sectors(t->origin->bdev);
	/* An origin may have grown for the volume that owns it, or be about to. */
	if (sectors < base->sectors || sectors > max(base->sectors, base->base->origin_sectors)) {
		ckpt_log(err, t->store, "origin %s has %llu sectors, but that of volume %s has %llu",
			 t->origin->name, sectors, t->volume->name, base->sectors);
		return -EINVAL;
	}
	if (base->heads)
		return check_writable(t);
	if (!base->base->sampled) {
		ckpt_base_sample(t);
		return 0;
	}
	r = sample(t->store, t->origin->bdev, base->sectors, &crc);
	if (r) {
		ckpt_log(err, t->store, "origin %s cannot be read, so whether it is that of volume %s is not known",
			 t->origin->name, t->volume->name);
		return r;
	}
	if (crc != base->base->sample_crc) {
		ckpt_log(err, t->store, "origin %s does not hold what the base of volume %s did: it is another device, or it was written to",
			 t->origin->name, t->volume->name);
		return -EINVAL;
	}
	return 0;
}
