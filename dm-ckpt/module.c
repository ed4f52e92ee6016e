// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) "device-mapper: ckpt: " fmt

#include <linux/module.h>

#include "guard.h"
#include "node.h"
#include "targets.h"

/* What is read without a lock is words of 64 bits, which must not tear: see locking.rst. */
#ifndef CONFIG_64BIT
#error "dm-ckpt needs a processor that reads and writes 64 bits in one piece"
#endif

static int __init ckpt_init(void)
{
	int r = ckpt_node_module_init();

	ckpt_guard_module_init();
	if (r)
		return r;
	r = dm_register_target(&ckpt_store_target);
	if (r)
		goto out_node;
	r = dm_register_target(&ckpt_volume_target);
	if (r)
		goto out_store;
	return 0;

out_store:
	dm_unregister_target(&ckpt_store_target);
out_node:
	ckpt_node_module_exit();
	return r;
}

static void __exit ckpt_exit(void)
{
	dm_unregister_target(&ckpt_volume_target);
	dm_unregister_target(&ckpt_store_target);
	ckpt_node_module_exit();
}

module_init(ckpt_init);
module_exit(ckpt_exit);

MODULE_ALIAS("dm-ckpt-store");
MODULE_DESCRIPTION("device-mapper checkpoints: a tree of layers over raw devices");
MODULE_AUTHOR("The dm-ckpt developers");
MODULE_LICENSE("GPL");
