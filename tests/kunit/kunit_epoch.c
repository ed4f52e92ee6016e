// SPDX-License-Identifier: GPL-2.0-only
/* Epochs: a wait is for all that entered before, and for nobody else. */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>

#include "epoch.h"

#define ENTERS	20000

/* Long enough to be told from no wait at all, however slow the machine. */
static unsigned long brief(void)
{
	return max(HZ / 50, 2);
}

static int epoch_test_init(struct kunit *test)
{
	struct ckpt_epoch *epoch = kunit_kzalloc(test, sizeof(*epoch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, epoch);
	KUNIT_ASSERT_EQ(test, ckpt_epoch_init(epoch), 0);
	test->priv = epoch;
	return 0;
}

static void epoch_test_exit(struct kunit *test)
{
	if (test->priv)
		ckpt_epoch_exit(test->priv);
}

static void nobody_inside(struct kunit *test)
{
	struct ckpt_epoch *epoch = test->priv;
	unsigned int i;

	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, 0), 0);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_entries(epoch), 0);
}

static void somebody_inside(struct kunit *test)
{
	struct ckpt_epoch *epoch = test->priv;
	unsigned int bank = ckpt_epoch_enter(epoch);

	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, brief()), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, brief()), -ETIMEDOUT);
	ckpt_epoch_leave(epoch, bank);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, 0), 0);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_entries(epoch), 1);
}

/* A wait that gave up has flipped the banks; both must be waited for from then on. */
static void somebody_in_each_bank(struct kunit *test)
{
	struct ckpt_epoch *epoch = test->priv;
	unsigned int first = ckpt_epoch_enter(epoch), second;

	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, brief()), -ETIMEDOUT);
	second = ckpt_epoch_enter(epoch);
	KUNIT_EXPECT_NE(test, first, second);
	ckpt_epoch_leave(epoch, first);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, brief()), -ETIMEDOUT);
	ckpt_epoch_leave(epoch, second);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(epoch, 0), 0);
}

struct visitor {
	struct ckpt_epoch *epoch;
	struct completion entered, leave;
};

static int visit(void *data)
{
	struct visitor *v = data;
	unsigned int bank = ckpt_epoch_enter(v->epoch);

	complete(&v->entered);
	wait_for_completion(&v->leave);
	ckpt_epoch_leave(v->epoch, bank);
	return 0;
}

/* One that is inside when a wait begins ends it; one that comes later does not hold it up. */
static void others_come_later(struct kunit *test)
{
	struct visitor early = { .epoch = test->priv }, late = { .epoch = test->priv };
	struct task_struct *a, *b;

	init_completion(&early.entered);
	init_completion(&early.leave);
	init_completion(&late.entered);
	init_completion(&late.leave);
	a = kthread_run(visit, &early, "ckpt-early");
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	get_task_struct(a);
	wait_for_completion(&early.entered);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(early.epoch, brief()), -ETIMEDOUT);
	b = kthread_run(visit, &late, "ckpt-late");
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	get_task_struct(b);
	wait_for_completion(&late.entered);
	complete(&early.leave);
	kthread_stop(a);
	put_task_struct(a);
	/* It has entered before this one. */
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(early.epoch, brief()), -ETIMEDOUT);
	complete(&late.leave);
	kthread_stop(b);
	put_task_struct(b);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(early.epoch, 0), 0);
}

struct traffic {
	struct ckpt_epoch *epoch;
	bool *inside;
	struct completion done;
};

/* Whoever is inside says so; a wait that has ended has seen each of them leave. */
static int drive(void *data)
{
	struct traffic *t = data;
	unsigned int i;

	for (i = 0; i < ENTERS; i++) {
		unsigned int bank = ckpt_epoch_enter(t->epoch);

		WRITE_ONCE(*t->inside, true);
		if (!(i % 16))
			cond_resched();
		WRITE_ONCE(*t->inside, false);
		ckpt_epoch_leave(t->epoch, bank);
		if (!(i % 8))
			cond_resched();
	}
	complete(&t->done);
	return 0;
}

static void under_traffic(struct kunit *test)
{
	bool inside = false;
	struct traffic t = { .epoch = test->priv, .inside = &inside };
	struct task_struct *task;
	unsigned int waits = 0;

	init_completion(&t.done);
	task = kthread_run(drive, &t, "ckpt-traffic");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	while (!try_wait_for_completion(&t.done)) {
		KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(t.epoch, 0), 0);
		waits++;
		cond_resched();
	}
	KUNIT_EXPECT_GT(test, waits, 0);
	KUNIT_EXPECT_FALSE(test, inside);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_entries(t.epoch), ENTERS);
	KUNIT_EXPECT_EQ(test, ckpt_epoch_wait(t.epoch, 0), 0);
}

static struct kunit_case epoch_cases[] = {
	KUNIT_CASE(nobody_inside),
	KUNIT_CASE(somebody_inside),
	KUNIT_CASE(somebody_in_each_bank),
	KUNIT_CASE(others_come_later),
	KUNIT_CASE(under_traffic),
	{}
};

static struct kunit_suite epoch_suite = {
	.name = "epoch",
	.init = epoch_test_init,
	.exit = epoch_test_exit,
	.test_cases = epoch_cases,
};

kunit_test_suite(epoch_suite);
