// SPDX-License-Identifier: GPL-2.0-only
/* The suites run when this is inserted; their results are below /sys/kernel/debug/kunit. */
#include <linux/module.h>

MODULE_DESCRIPTION("tests of dm-ckpt's parts");
MODULE_AUTHOR("The dm-ckpt developers");
MODULE_LICENSE("GPL");
