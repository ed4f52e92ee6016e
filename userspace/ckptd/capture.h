/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory and devices of a guest, at the same instant as its disks.
 *
 * "background": QEMU gets ready, the guest is stopped, its disks are taken, and QEMU writes each
 * page as it was then while the guest runs again.  "live", where QEMU or its host refuses that:
 * memory is written while the guest runs, what it changes meanwhile once more, and for the rest it
 * is stopped, when the disks are taken as well.  "stopped", without KVM, or if the guest is
 * paused: it stands still until all of its memory is written.
 *
 * Whatever fails, and when it is cancelled, the guest runs on if it ran before, and
 * nothing is left of the image.
 */
#ifndef CKPTD_CAPTURE_H
#define CKPTD_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "libckpt/error.h"

#define CAPTURE_ANSWER_SECONDS	30u	/* of QEMU to one command */
#define CAPTURE_STALL_SECONDS	60u	/* without a byte of memory: given up */
/*
 * To have the guest run after a failure; while what QEMU has left of its memory gets less, it is not at
 * its end.  A test has less patience.
 */
#ifndef CAPTURE_RECOVER_SECONDS
#define CAPTURE_RECOVER_SECONDS	60u
#endif

/*
 * A live one that has written so many times the guest's memory, or in so many passes, is
 * not going to end by itself: the guest is stopped.  A test has less patience.
 */
#ifndef CAPTURE_LIVE_TIMES
#define CAPTURE_LIVE_TIMES	2u
#endif
#define CAPTURE_LIVE_PASSES	30u

struct capture;

struct capture_state {
	const char *way;		/* "background", "live" or "stopped"; "" before that is known */
	char note[300];			/* why it is not "background"; or "" */
	bool is_early;			/* QEMU had done what it can before the guest was stopped */
	bool is_paused;			/* it stood still before, and was not to run again */
	uint64_t standstill_us;		/* by QEMU's clock; 0: it has not run again yet */
	uint64_t disks_us;		/* of that, what disks() took */
	/* Bytes of memory done, and with what is left; a page of zeros is hardly one. 0: unknown. */
	uint64_t stream, stream_total;
	uint64_t file;			/* bytes of the image */
};

struct capture_ops {
	/*
	 * The guest runs and is going to be stopped, at once or when it is "live" after minutes:
	 * note that and the way @s says where it survives us, for capture_rescue().  A failure ends the capture.  May be NULL.
	 */
	enum ckpt_result (*stopping)(void *arg, const struct capture_state *s,
				     struct ckpt_error *e);
	/* It runs again: what was noted is true no more.  May be NULL. */
	void (*running)(void *arg);
	/*
	 * The guest stands still: take the disks, and whatever else is to be of this
	 * instant, and be quick.  A failure ends the capture.
	 */
	enum ckpt_result (*disks)(void *arg, struct ckpt_error *e);
	/*
	 * The monitor was lost while the guest may stand still: another connection, as of
	 * qmp_open(), or -1 if nobody listens there any more.  May be NULL.
	 */
	int (*reconnect)(void *arg);
	/* Four times a second; may be NULL. */
	void (*progress)(void *arg, const struct capture_state *s);
	/*
	 * The end: the image is durable under its name, or @e says what was wrong; then
	 * what disks() took is to be removed, if it was called.  @c is freed afterwards.
	 */
	void (*done)(void *arg, enum ckpt_result result, const struct capture_state *s,
		     const struct ckpt_error *e);
};

/* @monitor is as of qmp_open().  NULL with errno. */
struct capture *capture_start(sd_event *event, int monitor, const char *image,
			      const struct capture_ops *ops, void *arg);

/*
 * Who captured a guest was killed between stopping() and running(): have it run, and end
 * what QEMU is at.  @is_background is the way that was noted.  Of @ops reconnect() is called, and
 * done() when it runs, or with a failure when it may not after CAPTURE_RECOVER_SECONDS; never
 * before this has returned.  NULL with errno.
 */
struct capture *capture_rescue(sd_event *event, bool is_background, const struct capture_ops *ops,
			       void *arg);

/* It ends soon, with a failure unless it was just done. */
void capture_cancel(struct capture *c);

#endif
