/* SPDX-License-Identifier: GPL-2.0-only */
/* What a daemon that was killed has left half-made: finished or removed at the next start. */
#ifndef CKPTD_RECOVER_H
#define CKPTD_RECOVER_H

#include "disks.h"
#include "vm_file.h"

/*
 * A machine's checkpoints: those that were not complete go, with their part in the store;
 * those that were being deleted too; the others are called in the store as their manifests
 * say.  What cannot be done now is left for the next time, and the sentence says why.
 */
enum ckpt_result recover_checkpoints(struct disks *d, const struct vm_file *f,
				     struct ckpt_error *e);

/*
 * Open a machine's disks for something to be done to it, with nothing half-made left; it
 * fails with CKPT_BUSY if the machine has not come back from going back (intent.h).
 * disks_close() @d, also after a failure.
 */
enum ckpt_result recover_open(struct disks *d, const struct vm_file *f, struct ckpt_error *e);

/* The same at the start, when nobody waits for it: what fails is logged. */
void recover_machine(const char *name);

#endif
