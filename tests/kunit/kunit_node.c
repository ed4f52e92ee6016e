// SPDX-License-Identifier: GPL-2.0-only
/* The cache of nodes: what is found, what may go, and what must not. */
#include <kunit/test.h>
#include <linux/blkdev.h>

#include "node.h"
#include "store.h"
#include "writeback.h"

#define DEVICE	"/dev/ram0"

struct fixture {
	struct ckpt_store store;
	struct ckpt_tree tree;
};

static int node_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct ckpt_store *store;

	KUNIT_ASSERT_NOT_NULL(test, f);
	store = &f->store;
	store->bdev = blkdev_get_by_path(DEVICE, FMODE_READ, NULL);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(store->bdev), "there is no %s", DEVICE);
	store->options.cache_mb = CKPT_CACHE_MB_MIN;
	mutex_init(&store->commit);
	KUNIT_ASSERT_EQ(test, ckpt_writeback_init(store), 0);
	KUNIT_ASSERT_EQ(test, ckpt_cache_init(store), 0);
	/* Its leaves have nothing but an image. */
	ckpt_tree_init(&f->tree, store, CKPT_TREE_RECORDS, CKPT_RECORD_LEVELS, 0);
	test->priv = f;
	return 0;
}

/* Whatever a test did, all memory is accounted for in the end. */
static void node_test_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	ckpt_tree_destroy(&f->tree);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_long_read(&f->store.cached), 0);
	KUNIT_EXPECT_EQ(test, f->store.nr_dirty, 0);
	ckpt_cache_exit(&f->store);
	blkdev_put(f->store.bdev, FMODE_READ);
}

/* Is the leaf in memory? */
static bool cached(struct fixture *f, u64 index)
{
	bool found;

	rcu_read_lock();
	found = ckpt_node_find(&f->tree, 0, index);
	rcu_read_unlock();
	return found;
}

static struct ckpt_node *make(struct kunit *test, u64 index)
{
	struct fixture *f = test->priv;
	struct ckpt_node *node = ckpt_node_get(&f->tree, 0, index, true);

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(node));
	return node;
}

/* Two rounds: the first only takes away that it was used lately. */
static void trim_all(struct fixture *f)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		ckpt_cache_trim(&f->store, 1000, true);
}

static void empty_tree(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int skip = 9;
	u64 index;

	KUNIT_EXPECT_FALSE(test, cached(f, 0));
	KUNIT_EXPECT_NULL(test, ckpt_node_get(&f->tree, 0, 5, false));
	KUNIT_EXPECT_NULL(test, ckpt_node_seek(&f->tree, 0, 5, &skip));
	KUNIT_EXPECT_EQ(test, skip, CKPT_RECORD_LEVELS - 1);
	KUNIT_EXPECT_NULL(test, ckpt_node_next(&f->tree, 0, 0));
	KUNIT_EXPECT_NULL(test, ckpt_node_next_cached(&f->tree, 0));
	KUNIT_EXPECT_EQ(test, ckpt_node_next_index(&f->tree, 0, 0, &index), 0);
	KUNIT_EXPECT_EQ(test, ckpt_node_has(&f->tree, 0, 0, false), 0);
}

static void found_again(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_node *a = make(test, 3), *b = make(test, 300), *c;

	c = ckpt_node_get(&f->tree, 0, 3, false);
	KUNIT_EXPECT_PTR_EQ(test, a, c);
	KUNIT_EXPECT_PTR_NE(test, a, b);
	KUNIT_EXPECT_TRUE(test, cached(f, 3));
	KUNIT_EXPECT_FALSE(test, cached(f, 4));
	ckpt_node_put(c);
	c = ckpt_node_next(&f->tree, 0, 4);
	KUNIT_EXPECT_PTR_EQ(test, c, b);
	ckpt_node_put(c);
	KUNIT_EXPECT_NULL(test, ckpt_node_next(&f->tree, 0, 301));
	ckpt_node_put(a);
	ckpt_node_put(b);
}

static void who_is_used_stays(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_node *kept = make(test, 1), *gone = make(test, 5000);

	ckpt_node_put(gone);
	trim_all(f);
	KUNIT_EXPECT_FALSE(test, cached(f, 5000));
	KUNIT_EXPECT_TRUE(test, cached(f, 1));
	ckpt_node_put(kept);
	trim_all(f);
	KUNIT_EXPECT_FALSE(test, cached(f, 1));
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_long_read(&f->store.cached), 0);
}

/* A changed leaf stays, and all above it; what it is based on is not changed with it. */
static void who_is_dirty_stays(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct ckpt_node *a = make(test, 2), *b = make(test, 4);
	u8 *image;

	mutex_lock(&f->store.commit);
	image = ckpt_node_change(a);
	image[100] = 42;
	KUNIT_EXPECT_PTR_EQ(test, (void *)image, ckpt_node_change(a));
	mutex_unlock(&f->store.commit);
	KUNIT_EXPECT_EQ(test, f->store.nr_dirty, CKPT_RECORD_LEVELS);
	KUNIT_EXPECT_NULL(test, memchr_inv(b->image, 0, CKPT_NODE_BYTES));
	KUNIT_EXPECT_EQ(test, ckpt_node_has(&f->tree, 0, 2, false), 1);
	KUNIT_EXPECT_EQ(test, ckpt_node_has(&f->tree, 0, 4, false), 0);
	ckpt_node_put(a);
	ckpt_node_put(b);
	trim_all(f);
	KUNIT_EXPECT_TRUE(test, cached(f, 2));
	KUNIT_EXPECT_FALSE(test, cached(f, 4));

	a = ckpt_node_get(&f->tree, 0, 2, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(a));
	mutex_lock(&f->store.commit);
	KUNIT_EXPECT_EQ(test, ckpt_node_prune(a), 0);
	mutex_unlock(&f->store.commit);
	KUNIT_EXPECT_FALSE(test, cached(f, 2));
	KUNIT_EXPECT_EQ(test, f->store.nr_dirty, CKPT_RECORD_LEVELS - 1);
}

/* Within its bound the cache keeps what it has. */
static void within_bounds(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 i;

	for (i = 0; i < 40; i++)
		ckpt_node_put(make(test, i));
	KUNIT_EXPECT_EQ(test, ckpt_cache_trim(&f->store, 1000, false), 0);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_TRUE(test, cached(f, i));
}

/* Beyond it, all that it is given has to go again sooner or later. */
static void beyond_bounds(struct kunit *test)
{
	struct fixture *f = test->priv;
	long most = 0;
	u64 i;

	for (i = 0; i < 65536; i += 16) {
		ckpt_node_put(make(test, i));
		most = max(most, atomic_long_read(&f->store.cached));
	}
	KUNIT_EXPECT_LE(test, most, ((long)CKPT_CACHE_MB_MIN << 20) + (256 << 10));
}

/* A root that is not what its reference says: an error for each who asks, and no node. */
static void damaged(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i;

	ckpt_ref_set(&f->tree.root_ref, 800, 1);
	f->tree.root_ref.crc = cpu_to_le32(0x12345678);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_node_get(&f->tree, 0, 0, true)), -EIO);
	ckpt_ref_set(&f->tree.root_ref, bdev_nr_sectors(f->store.bdev), 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ckpt_node_get(&f->tree, 0, 0, true)), -EIO);
	KUNIT_EXPECT_FALSE(test, cached(f, 0));
	memset(&f->tree.root_ref, 0, sizeof(f->tree.root_ref));
}

static struct kunit_case node_cases[] = {
	KUNIT_CASE(empty_tree),
	KUNIT_CASE(found_again),
	KUNIT_CASE(who_is_used_stays),
	KUNIT_CASE(who_is_dirty_stays),
	KUNIT_CASE(within_bounds),
	KUNIT_CASE(beyond_bounds),
	KUNIT_CASE(damaged),
	{}
};

/* The suites run before the module's own init would, while what is for that is still there. */
static int __ref node_suite_init(struct kunit_suite *suite)
{
	return ckpt_node_module_init();
}

static void node_suite_exit(struct kunit_suite *suite)
{
	ckpt_node_module_exit();
}

static struct kunit_suite node_suite = {
	.name = "node",
	.suite_init = node_suite_init,
	.suite_exit = node_suite_exit,
	.init = node_test_init,
	.exit = node_test_exit,
	.test_cases = node_cases,
};

kunit_test_suite(node_suite);
