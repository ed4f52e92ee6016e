/* SPDX-License-Identifier: GPL-2.0-only */
/* Doing something while devices are suspended and the file systems on them frozen. */
#ifndef LIBCKPT_FREEZE_H
#define LIBCKPT_FREEZE_H

#include "dm.h"

/*
 * Suspend the named devices, call @act, resume them.  They are resumed whatever
 * happens: when a suspend or @act fails, after @timeout seconds (CKPT_TIMEOUT),
 * on SIGINT, SIGTERM and SIGHUP, and by a guardian process should this one be
 * killed.  @act must neither write to stdout nor stderr nor open files: what it
 * needs may be on a device that stands still.
 */
enum ckpt_result ckpt_frozen(struct ckpt *c, const char *const *names, size_t count,
			     unsigned int timeout,
			     enum ckpt_result (*act)(void *arg), void *arg);

#endif
