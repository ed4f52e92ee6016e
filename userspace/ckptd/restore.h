/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Give a guest its memory and devices back, from an image, to a QEMU that was started with
 * "-incoming defer -S" (without -S it runs by itself as soon as it is loaded) and the same
 * machine, and with its disks as they were at that instant.
 */
#ifndef CKPTD_RESTORE_H
#define CKPTD_RESTORE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "libckpt/error.h"

#define RESTORE_ANSWER_SECONDS	30u
#define RESTORE_STALL_SECONDS	60u	/* without a byte that is read, or that QEMU takes */

struct restore;

struct restore_ops {
	void (*progress)(void *arg, uint64_t done, uint64_t total);	/* may be NULL */
	/*
	 * All is loaded, and was found right; now it may run.  A failure ends it.  May be
	 * NULL.
	 */
	enum ckpt_result (*loaded)(void *arg, struct ckpt_error *e);
	/*
	 * The guest runs (or is paused, if it was not to run), or @e says why not: then
	 * nothing of it ever ran, and the caller is to end that QEMU.
	 */
	void (*done)(void *arg, enum ckpt_result result, const struct ckpt_error *e);
};

/* @monitor is as of qmp_open().  NULL with errno. */
struct restore *restore_start(sd_event *event, int monitor, const char *image, bool run,
			      const struct restore_ops *ops, void *arg);

/*
 * Only look whether all of the image is there, and right: a failure of done() is about that.
 * NULL with errno.
 */
struct restore *restore_verify(sd_event *event, const char *image, const struct restore_ops *ops,
			       void *arg);

/* Only have a guest run that was loaded before.  NULL with errno. */
struct restore *restore_resume(sd_event *event, int monitor, const struct restore_ops *ops,
			       void *arg);

/* It ends with a failure, from the event loop. */
void restore_cancel(struct restore *r);

#endif
