// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/string.h>

#include "fault.h"

int ckpt_fault_active;

static const char *const names[] = CKPT_FAULT_NAMES;

static int set_fault(const char *text, const struct kernel_param *kp)
{
	int i = sysfs_match_string(names, text);

	if (i < 0)
		return i;
	WRITE_ONCE(ckpt_fault_active, i);
	return 0;
}

static int get_fault(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", names[ckpt_fault_active]);
}

static const struct kernel_param_ops fault_ops = {
	.set = set_fault,
	.get = get_fault,
};

module_param_cb(fault, &fault_ops, NULL, 0600);
MODULE_PARM_DESC(fault, "a deliberate fault, for tests");
