/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that become bases. */
#ifndef CKPTCTL_ORIGIN_H
#define CKPTCTL_ORIGIN_H

#include "cli.h"

/*
 * May the device become a base of the store?  Refused when it is in use, when its
 * size is no multiple of the store's block, and when it is the origin of another
 * base already.
 */
enum ckpt_result origin_check(struct ckpt_store *s, const char *path, uint64_t *sectors);

/* Forget on file what the store, loaded again here, has no base for any more. */
void origin_forget_gone(struct ckpt_store *s);

#endif
