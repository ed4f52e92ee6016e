/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a machine runs, starting it, and ending it. */
#ifndef CKPTD_MACHINE_H
#define CKPTD_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "disks.h"
#include "jobs.h"
#include "said.h"
#include "vm_file.h"

#define MACHINE_START_SECONDS	120u	/* until QEMU has opened what it wants to */
#define MACHINE_END_SECONDS	30u	/* for it to end when told to */
#define MACHINE_DOWN_SECONDS	300u	/* for the guest to shut down */

/* Connect to its monitor: a descriptor that does not block, or -1 with errno. */
int machine_monitor(const struct vm_file *f);

/* What to say of that errno.  CKPT_BUSY: as many wait there as there is room for. */
enum ckpt_result machine_unreachable(const struct vm_file *f, int err, struct ckpt_error *e);

/* Does anybody listen at its monitor's socket? */
bool machine_runs(const struct vm_file *f);

/*
 * CKPT_BUSY if it does not run but somebody has one of its disks open: then what its
 * disks hold may change at any time, and is not what it looks like.
 */
enum ckpt_result machine_is_off(struct disks *d, const struct vm_file *f);

/*
 * What follows is part of a job and ends, perhaps at once, with a call of @done; a failure
 * is left in the job's error.
 */
typedef void (*machine_fn)(struct job *job, enum ckpt_result result);

/*
 * Run QEMU with the machine's disks, which are opened if need be.  If the daemon is killed
 * before that has ended, so is QEMU.  @incoming (or NULL) has it wait for a guest's memory
 * (restore.h); what QEMU says when it does not like that is there, for said_end() in any case.
 */
void machine_start(struct job *job, struct disks *d, struct said *incoming, machine_fn done);

enum machine_end {
	MACHINE_SHUT_DOWN,	/* the guest is to do it */
	MACHINE_TURN_OFF,	/* as when the power goes, but QEMU flushes what it has */
	MACHINE_KILL,		/* nothing of it is wanted any more, and it is not to run on */
};

/*
 * Have QEMU end.  Not running is success.  One that is to be turned off is found by the lock on
 * its machine_pid_file() where nobody gets at its monitor; it is one that machine_start() has run.
 */
void machine_end(struct job *job, enum machine_end how, machine_fn done);

/* Written by QEMU, which holds a lock on it for as long as it lives. */
void machine_pid_file(const struct vm_file *f, char path[PATH_MAX]);

/* The words that start it, for machine_start() and for people; free with machine_words_free(). */
char **machine_words(const struct vm_file *f, char path[VM_DISKS_MAX][PATH_MAX], bool incoming);
void machine_words_free(char **words);

#endif
