// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commits a bug when it is inserted, so that reports.t can see whether a run in the debug
 * kernel fails because of it.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *bug = "none";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which bug to commit");

/* So that the compiler knows nothing of what is done with it. */
static int number = 32;
module_param(number, int, 0444);
MODULE_PARM_DESC(number, "a number that is too large for each purpose");

static void use_after_free(void)
{
	int *p = kmalloc(sizeof(*p), GFP_KERNEL);

	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	WRITE_ONCE(*p, 1);
}

static void out_of_bounds(void)
{
	char *p = kmalloc(number, GFP_KERNEL);

	WRITE_ONCE(p[number], 1);
	kfree(p);
}

static void lock_order(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void rcu_without_lock(void)
{
	static int __rcu *pointer;

	WARN_ON(rcu_dereference(pointer));
}

static void list_twice(void)
{
	static LIST_HEAD(list);
	struct list_head *entry = kmalloc(sizeof(*entry), GFP_KERNEL);

	list_add(entry, &list);
	list_del(entry);
	list_del(entry);
}

static void nothing(struct timer_list *timer)
{
}

static void timer_freed(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	timer_setup(timer, nothing, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void shift(void)
{
	WRITE_ONCE(number, 1 << number);
}

static void leak(void)
{
	int i;

	/* One of them might be found in a register, or on a stack. */
	for (i = 0; i < 16; i++)
		strscpy(kmalloc(333, GFP_KERNEL), "leaked", 333);
}

static void hang(void)
{
	static DECLARE_COMPLETION(never);

	wait_for_completion(&never);
}

static void warn(void)
{
	WARN(1, "ckpt-bugs: a warning");
}

static const struct {
	const char *name;
	void (*commit)(void);
} bugs[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "lock-order", lock_order },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "rcu-without-lock", rcu_without_lock },
	{ "list-twice", list_twice },
	{ "timer-freed", timer_freed },
	{ "shift", shift },
	{ "leak", leak },
	{ "hang", hang },
	{ "warn", warn },
};

static int __init bugs_init(void)
{
	unsigned int i;

	if (!strcmp(bug, "none"))
		return 0;
	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (!strcmp(bug, bugs[i].name)) {
			bugs[i].commit();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit bugs_exit(void)
{
}

module_init(bugs_init);
module_exit(bugs_exit);

MODULE_DESCRIPTION("bugs, to see that they are found");
MODULE_AUTHOR("The dm-ckpt developers");
MODULE_LICENSE("GPL");
