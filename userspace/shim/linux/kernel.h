/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_KERNEL_H
#define CKPT_SHIM_KERNEL_H

/* In the kernel this brings byte order, NULL and bool along. */
#include <linux/types.h>

#endif
