// SPDX-License-Identifier: GPL-2.0-only
/* Copies in the background, on /dev/ram0. */
#include <kunit/test.h>
#include <linux/blkdev.h>

#include "copy.h"
#include "io.h"
#include "store.h"

#define DEVICE	"/dev/ram0"
#define SECTORS	8u			/* of one block */
#define BYTES	(SECTORS << SECTOR_SHIFT)

struct fixture {
	struct ckpt_store store;
	void *page;
};

static int copy_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->page = kunit_kzalloc(test, BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->page);
	f->store.bdev = blkdev_get_by_path(DEVICE, FMODE_READ | FMODE_WRITE, NULL);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(f->store.bdev), "there is no %s", DEVICE);
	f->store.geometry.block_shift = 3;
	test->priv = f;
	KUNIT_ASSERT_EQ(test, ckpt_copy_init(&f->store), 0);
	return 0;
}

static void copy_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	ckpt_copy_exit(&f->store);
	blkdev_put(f->store.bdev, FMODE_READ | FMODE_WRITE);
}

static void put_byte(struct kunit *test, u64 block, int byte)
{
	struct fixture *f = test->priv;

	memset(f->page, byte, BYTES);
	KUNIT_ASSERT_EQ(test, ckpt_io(f->store.bdev, REQ_OP_WRITE, block * SECTORS, f->page,
				      BYTES), 0);
}

/* The byte that all of a block consists of, or -1. */
static int get_byte(struct kunit *test, u64 block)
{
	struct fixture *f = test->priv;
	u8 *bytes = f->page;

	KUNIT_ASSERT_EQ(test, ckpt_io(f->store.bdev, REQ_OP_READ, block * SECTORS, f->page,
				      BYTES), 0);
	return memchr_inv(bytes, bytes[0], BYTES) ? -1 : bytes[0];
}

static void nothing_to_copy(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_copies copies;

	ckpt_copies_begin(&copies, &f->store);
	KUNIT_EXPECT_EQ(test, ckpt_copies_wait(&copies), 0);
}

/* Those blocks of a window that the mask names, in runs, and no others. */
static void blocks_of_a_window(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_state from = { .where = 0 }, to = { .where = 64 * SECTORS };
	struct ckpt_copies copies;
	u32 mask = 0x8000f011, i;

	for (i = 0; i < 32; i++) {
		put_byte(test, i, 1 + i);
		put_byte(test, 64 + i, 0xaa);
	}
	ckpt_copies_begin(&copies, &f->store);
	ckpt_copies_add_blocks(&copies, &from, &to, mask);
	KUNIT_EXPECT_EQ(test, ckpt_copies_wait(&copies), 0);
	for (i = 0; i < 32; i++) {
		KUNIT_EXPECT_EQ(test, get_byte(test, i), 1 + i);
		KUNIT_EXPECT_EQ(test, get_byte(test, 64 + i), mask & (1u << i) ? 1 + i : 0xaa);
	}
}

/* brd refuses the command for zeros, so that they are written after all. */
static void zeros(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_copy copy = { .to_bdev = f->store.bdev, .to = 10 * SECTORS,
				  .sectors = 2 * SECTORS };
	struct ckpt_copies copies;
	u32 i;

	for (i = 9; i < 13; i++)
		put_byte(test, i, 0x55);
	ckpt_copies_begin(&copies, &f->store);
	ckpt_copies_add(&copies, &copy);
	KUNIT_EXPECT_EQ(test, ckpt_copies_wait(&copies), 0);
	for (i = 9; i < 13; i++)
		KUNIT_EXPECT_EQ(test, get_byte(test, i), i == 10 || i == 11 ? 0 : 0x55);
}

/* One that fails, among others, is told; the others are done. */
static void behind_the_end(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_copy good = { .from_bdev = f->store.bdev, .to_bdev = f->store.bdev,
				  .from = 0, .to = 20 * SECTORS, .sectors = SECTORS };
	struct ckpt_copy bad = good, zeros = good;
	struct ckpt_copies copies;

	put_byte(test, 0, 0x77);
	put_byte(test, 20, 0);
	bad.to = bdev_nr_sectors(f->store.bdev);
	ckpt_copies_begin(&copies, &f->store);
	ckpt_copies_add(&copies, &bad);
	ckpt_copies_add(&copies, &good);
	KUNIT_EXPECT_EQ(test, ckpt_copies_wait(&copies), -EIO);
	KUNIT_EXPECT_EQ(test, get_byte(test, 20), 0x77);

	zeros.from_bdev = NULL;
	zeros.to = bdev_nr_sectors(f->store.bdev);
	ckpt_copies_begin(&copies, &f->store);
	ckpt_copies_add(&copies, &zeros);
	KUNIT_EXPECT_EQ(test, ckpt_copies_wait(&copies), -EIO);
}

static struct kunit_case copy_cases[] = {
	KUNIT_CASE(nothing_to_copy),
	KUNIT_CASE(blocks_of_a_window),
	KUNIT_CASE(zeros),
	KUNIT_CASE(behind_the_end),
	{}
};

static struct kunit_suite copy_suite = {
	.name = "copy",
	.init = copy_test_init,
	.exit = copy_test_exit,
	.test_cases = copy_cases,
};

kunit_test_suite(copy_suite);
