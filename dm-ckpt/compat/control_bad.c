// SPDX-License-Identifier: GPL-2.0-only
/* Control: compiles with no kernel. If it does, the probing is broken. */
#include <linux/device-mapper.h>

int probe(void);
int probe(void)
{
	return ckpt_no_kernel_has_this_function();
}
