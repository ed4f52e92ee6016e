/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes of ours that outlive us, for what must be done though we are killed. */
#ifndef CKPTD_ORPHAN_H
#define CKPTD_ORPHAN_H

/*
 * As fork(): 0 in the new process, 1 in the caller, -1 with errno.  Nobody of ours has to
 * wait for it, and signals for our session do not reach it.  The caller may have threads:
 * before it executes something, nothing is to be called in it that might wait for one.
 */
int orphan_fork(void);

#endif
