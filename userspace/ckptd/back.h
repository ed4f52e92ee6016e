/* SPDX-License-Identifier: GPL-2.0-only */
/* Going back to a checkpoint: operation_apply(), and what a killed daemon has left of one. */
#ifndef CKPTD_BACK_H
#define CKPTD_BACK_H

#include "jobs.h"

/*
 * At the start, if a daemon was killed while this machine went back: a job that nobody waits
 * for finishes that, or gives it up where nothing was done yet.  A failure is logged; what
 * was noted stays if the disks could not be given back, so that the next start tries again.
 */
void back_finish(struct daemon *daemon, const char *name);

#endif
