// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/slab.h>
#include <linux/uuid.h>

#include "fault.h"
#include "guard.h"
#include "io.h"
#include "store.h"
#include "super.h"

static int read_copy(struct block_device *bdev, u64 sector, struct ckpt_super *super)
{
	int r = ckpt_io(bdev, REQ_OP_READ | REQ_META, sector, super, sizeof(*super));

	if (r)
		pr_err("%pg: the superblock at sector %llu cannot be read\n", bdev, sector);
	return r;
}

int ckpt_super_read(struct block_device *bdev, struct ckpt_super *super)
{
	struct ckpt_super *b = kmalloc(sizeof(*b), GFP_NOIO);
	bool lost = false;
	const char *why;
	int r = 0;

	if (!b)
		return -ENOMEM;
	/* A copy that cannot be read is as good as one with a wrong checksum. */
	if (read_copy(bdev, CKPT_SUPER_A, super)) {
		memset(super, 0, sizeof(*super));
		lost = true;
	}
	if (read_copy(bdev, CKPT_SUPER_B, b)) {
		memset(b, 0, sizeof(*b));
		lost = true;
	}
	switch (ckpt_super_choose(super, b, &why)) {
	case CKPT_SUPER_CHOOSE_A:
		break;
	case CKPT_SUPER_CHOOSE_B:
		pr_warn("%pg: the first superblock is damaged: %s; the second is used\n",
			bdev, why);
		memcpy(super, b, sizeof(*super));
		break;
	case CKPT_SUPER_ABSENT:
		/* Nobody knows what is where it cannot be read. */
		if (!lost)
			pr_err("%pg: there is no store on this device\n", bdev);
		r = lost ? -EIO : -ENODEV;
		break;
	case CKPT_SUPER_DAMAGED:
		pr_err("%pg: both superblocks are damaged: %s\n", bdev, why);
		r = -EIO;
		break;
	case CKPT_SUPER_STRANGE:
		pr_err("%pg: this store cannot be used here: %s\n", bdev, why);
		r = -EIO;
		break;
	}
	kfree(b);
	return r;
}

int ckpt_super_write(struct block_device *bdev, struct ckpt_super *super)
{
	const blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC | REQ_PREFLUSH | REQ_FUA;
	int r;

	super->written = cpu_to_le64(ktime_get_real_seconds());
	ckpt_super_seal(super);
	r = ckpt_io(bdev, opf, CKPT_SUPER_A, super, sizeof(*super));
	if (!r && !ckpt_fault(CKPT_FAULT_ONE_SUPER))
		r = ckpt_io(bdev, opf, CKPT_SUPER_B, super, sizeof(*super));
	return r;
}

/* A 256th of the store within bounds, in whole MiB. */
static u32 default_journal(u64 sectors)
{
	u64 blocks = (sectors >> CKPT_NODE_SHIFT) / 256;

	return clamp_t(u64, blocks, CKPT_JOURNAL_BLOCKS_MIN, 16384) & ~255u;
}

static void new_super(struct ckpt_super *super, u64 sectors, const struct ckpt_format *format)
{
	u32 journal = format->journal_blocks ? format->journal_blocks : default_journal(sectors);

	memset(super, 0, sizeof(*super));
	memcpy(super->magic, CKPT_SUPER_MAGIC, sizeof(super->magic));
	super->version = cpu_to_le32(CKPT_VERSION);
	generate_random_uuid(super->uuid);
	super->sequence = cpu_to_le64(1);
	super->sectors = cpu_to_le64(sectors);
	super->block_sectors = cpu_to_le32(format->block_sectors);
	super->journal_blocks = cpu_to_le32(journal);
	super->created = cpu_to_le64(ktime_get_real_seconds());
	ckpt_super_seal(super);
}

/* Is there anything of a store in either place?  1, 0 or a negative errno. */
static int find_any(struct block_device *bdev, struct ckpt_super *super)
{
	int r = read_copy(bdev, CKPT_SUPER_A, super);

	if (!r && !ckpt_super_present(super))
		r = read_copy(bdev, CKPT_SUPER_B, super);
	return r ? r : ckpt_super_present(super);
}

int ckpt_super_format(struct block_device *bdev, u64 sectors, const struct ckpt_format *format)
{
	struct ckpt_super *super = kzalloc(sizeof(*super), GFP_NOIO);
	const char *bad;
	int r;

	if (!super)
		return -ENOMEM;
	new_super(super, sectors, format);
	bad = ckpt_super_verify(super);
	if (bad) {
		pr_err("%pg: cannot be made a store: %s\n", bdev, bad);
		r = -EINVAL;
		goto out;
	}
	r = find_any(bdev, super);
	if (r > 0) {
		pr_err("%pg: there is a store on this device already; wipe it first\n", bdev);
		r = -EEXIST;
	}
	if (r)
		goto out;
	new_super(super, sectors, format);
	r = ckpt_guard_format(bdev, super->uuid);
	if (!r)
		r = ckpt_super_write(bdev, super);
	if (r)
		pr_err("%pg: cannot be made a store: its superblock cannot be written\n", bdev);
out:
	kfree(super);
	return r;
}
