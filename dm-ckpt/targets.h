/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module registers with device-mapper. */
#ifndef CKPT_TARGETS_H
#define CKPT_TARGETS_H

#include <linux/device-mapper.h>

extern struct target_type ckpt_store_target;
extern struct target_type ckpt_volume_target;

#endif
