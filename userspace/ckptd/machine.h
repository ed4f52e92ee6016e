/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a machine runs, and what is done to one that does not. */
#ifndef CKPTD_MACHINE_H
#define CKPTD_MACHINE_H

#include <stdbool.h>

#include "disks.h"
#include "vm_file.h"

/* Does anybody listen at its monitor's socket? */
bool machine_runs(const struct vm_file *f);

/*
 * CKPT_BUSY if it does not run but somebody has one of its disks open: then what its
 * disks hold may change at any time, and is not what it looks like.
 */
enum ckpt_result machine_is_off(struct disks *d, const struct vm_file *f);

#endif
