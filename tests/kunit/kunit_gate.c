// SPDX-License-Identifier: GPL-2.0-only
/* Gates: who comes when one is shut waits, or goes back, and nothing is lost. */
#include <kunit/test.h>
#include <linux/bio.h>

#include "store.h"
#include "target.h"

/* For what is not to end. */
static unsigned long brief(void)
{
	return max(HZ / 50, 2);
}

static int gate_test_init(struct kunit *test)
{
	struct ckpt_target *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct ckpt_store *store = kunit_kzalloc(test, sizeof(*store), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_NOT_NULL(test, store);
	mutex_init(&store->admin);
	t->store = store;
	spin_lock_init(&t->lock);
	bio_list_init(&t->parked);
	KUNIT_ASSERT_EQ(test, ckpt_epoch_init(&t->epoch), 0);
	test->priv = t;
	mutex_lock(&store->admin);
	return 0;
}

static void gate_test_exit(struct kunit *test)
{
	struct ckpt_target *t = test->priv;

	if (!t)
		return;
	mutex_unlock(&t->store->admin);
	ckpt_epoch_exit(&t->epoch);
}

static void end(struct bio *bio)
{
	complete(bio->bi_private);
}

static struct bio *new_bio(struct kunit *test, struct completion *ended)
{
	struct bio *bio = bio_alloc(NULL, 0, REQ_OP_READ, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bio);
	init_completion(ended);
	bio->bi_private = ended;
	bio->bi_end_io = end;
	return bio;
}

static void open_gate(struct kunit *test)
{
	struct ckpt_target *t = test->priv;
	struct completion ended;
	struct bio *bio = new_bio(test, &ended);
	unsigned int bank = 2;

	KUNIT_EXPECT_FALSE(test, ckpt_gate_park(t, bio));
	KUNIT_ASSERT_TRUE(test, ckpt_gate_enter(t, bio, &bank));
	KUNIT_EXPECT_LT(test, bank, 2);
	KUNIT_EXPECT_EQ(test, ckpt_gate_drain(t, brief()), -ETIMEDOUT);
	ckpt_epoch_leave(&t->epoch, bank);
	KUNIT_EXPECT_EQ(test, ckpt_gate_drain(t, 0), 0);
	KUNIT_EXPECT_TRUE(test, bio_list_empty(&t->parked));
	bio_put(bio);
}

/* Who is parked is in nobody's way, and goes back when a noflush suspend asks for it. */
static void shut_gate(struct kunit *test)
{
	struct ckpt_target *t = test->priv;
	struct completion first, second;
	struct bio *a = new_bio(test, &first), *b = new_bio(test, &second);
	unsigned int bank;

	ckpt_gate_shut(t);
	KUNIT_EXPECT_FALSE(test, ckpt_gate_enter(t, a, &bank));
	KUNIT_EXPECT_TRUE(test, ckpt_gate_park(t, b));
	KUNIT_EXPECT_EQ(test, bio_list_size(&t->parked), 2);
	KUNIT_EXPECT_EQ(test, ckpt_gate_drain(t, 0), 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&first));
	ckpt_gate_requeue(t, true);
	KUNIT_EXPECT_TRUE(test, completion_done(&first));
	KUNIT_EXPECT_TRUE(test, completion_done(&second));
	KUNIT_EXPECT_EQ(test, (__force int)a->bi_status, (__force int)BLK_STS_DM_REQUEUE);
	KUNIT_EXPECT_EQ(test, (__force int)b->bi_status, (__force int)BLK_STS_DM_REQUEUE);
	KUNIT_EXPECT_TRUE(test, bio_list_empty(&t->parked));
	ckpt_gate_open(t);
	bio_put(a);
	bio_put(b);
}

/* During such a suspend nobody is parked, but sent back at once; after it, parked again. */
static void requeue(struct kunit *test)
{
	struct ckpt_target *t = test->priv;
	struct completion first, second;
	struct bio *a = new_bio(test, &first), *b = new_bio(test, &second);

	ckpt_gate_shut(t);
	ckpt_gate_requeue(t, true);
	KUNIT_EXPECT_TRUE(test, ckpt_gate_park(t, a));
	KUNIT_EXPECT_TRUE(test, completion_done(&first));
	ckpt_gate_requeue(t, false);
	KUNIT_EXPECT_TRUE(test, ckpt_gate_park(t, b));
	KUNIT_EXPECT_FALSE(test, completion_done(&second));
	ckpt_gate_requeue(t, true);
	KUNIT_EXPECT_TRUE(test, completion_done(&second));
	ckpt_gate_open(t);
	bio_put(a);
	bio_put(b);
}

/* Shut twice, as by a take while the store is suspended, it opens with the second opening. */
static void shut_twice(struct kunit *test)
{
	struct ckpt_target *t = test->priv;
	struct completion ended;
	struct bio *bio = new_bio(test, &ended);
	unsigned int bank;

	ckpt_gate_shut(t);
	ckpt_gate_shut(t);
	ckpt_gate_open(t);
	KUNIT_EXPECT_TRUE(test, ckpt_gate_park(t, bio));
	ckpt_gate_requeue(t, true);
	KUNIT_EXPECT_TRUE(test, completion_done(&ended));
	ckpt_gate_open(t);
	KUNIT_EXPECT_FALSE(test, ckpt_gate_park(t, bio));
	KUNIT_ASSERT_TRUE(test, ckpt_gate_enter(t, bio, &bank));
	ckpt_epoch_leave(&t->epoch, bank);
	bio_put(bio);
}

/*
 * All of a base passes straight through while it is the volume's top, and nothing while a gate is
 * shut or once a layer sits on it.
 */
static void straight(struct kunit *test)
{
	struct ckpt_target *t = test->priv;
	struct ckpt_volume *volume = kunit_kzalloc(test, sizeof(*volume), GFP_KERNEL);
	struct ckpt_layer *base = kunit_kzalloc(test, sizeof(*base), GFP_KERNEL);
	struct ckpt_layer *head = kunit_kzalloc(test, sizeof(*head), GFP_KERNEL);
	struct dm_dev *origin = kunit_kzalloc(test, sizeof(*origin), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, volume);
	KUNIT_ASSERT_NOT_NULL(test, base);
	KUNIT_ASSERT_NOT_NULL(test, head);
	KUNIT_ASSERT_NOT_NULL(test, origin);
	base->base = kunit_kzalloc(test, sizeof(*base->base), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, base->base);
	base->sectors = 800;
	head->sectors = 1600;
	t->volume = volume;
	t->origin = origin;
	rcu_assign_pointer(volume->top, base);

	KUNIT_EXPECT_EQ(test, t->straight, 0);
	ckpt_gate_straight(t);
	KUNIT_EXPECT_EQ(test, t->straight, 800);
	ckpt_gate_shut(t);
	KUNIT_EXPECT_EQ(test, t->straight, 0);
	ckpt_gate_straight(t);
	KUNIT_EXPECT_EQ(test, t->straight, 0);
	ckpt_gate_shut(t);
	ckpt_gate_open(t);
	KUNIT_EXPECT_EQ(test, t->straight, 0);
	ckpt_gate_open(t);
	KUNIT_EXPECT_EQ(test, t->straight, 800);
	ckpt_gate_shut(t);
	rcu_assign_pointer(volume->top, head);
	ckpt_gate_open(t);
	KUNIT_EXPECT_EQ(test, t->straight, 0);
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE(open_gate),
	KUNIT_CASE(shut_gate),
	KUNIT_CASE(requeue),
	KUNIT_CASE(shut_twice),
	KUNIT_CASE(straight),
	{}
};

static struct kunit_suite gate_suite = {
	.name = "gate",
	.init = gate_test_init,
	.exit = gate_test_exit,
	.test_cases = gate_cases,
};

kunit_test_suite(gate_suite);
