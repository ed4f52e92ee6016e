/* SPDX-License-Identifier: GPL-2.0-only */
/* A memory image is written or read in a thread, while the event loop goes on. */
#ifndef CKPTD_PUMP_H
#define CKPTD_PUMP_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "memory.h"

struct pump;

/* Called from the event loop, once; pump_free() may be called from it. */
typedef void (*pump_fn)(void *arg, enum ckpt_result result, const struct ckpt_error *e);

enum pump_what {
	PUMP_SAVE,		/* the pipe to the image, from pump_go() on */
	PUMP_GIVE,		/* the image to the pipe */
	PUMP_VERIFY,		/* only read it */
};

/*
 * @path is the image's.  *@fd is the other end of the pipe, for QEMU and the caller's to
 * close; -1 if there is none.  NULL with errno.
 */
struct pump *pump_start(sd_event *event, enum pump_what what, const char *path, int *fd,
			pump_fn fn, void *arg);

/*
 * Before any other word to it: who writes to @fd, the other end of a PUMP_SAVE, waits from its first
 * byte on until pump_go() or pump_free().  0, or an errno; then nobody waits.
 */
int pump_hold(struct pump *p, int fd);

/* What there is to save is to come now.  0, or an errno. */
int pump_go(struct pump *p);

const struct memory_control *pump_control(const struct pump *p);

/*
 * If it is still at it, it is cancelled and not called back: what QEMU still gives
 * is read away (see drain.h), even if the disk hangs, and what was written is removed.  NULL is fine.
 */
void pump_free(struct pump *p);

#endif
