/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that a daemon which was killed has left standing still, or with their file systems
 * frozen, as the notes in a checkpoint's folder say (manifest.h).  They are told to run by a
 * job of their machine's, so that nobody else waits for a QEMU or an agent that does not
 * answer: an agent's thaw is waited for GUARD_THAW_SECONDS and what an answer takes, QEMU
 * for CAPTURE_RECOVER_SECONDS.
 */
#ifndef CKPTD_RESCUE_H
#define CKPTD_RESCUE_H

#include "jobs.h"

/* At the start, for all machines: that, and then whatever else was half-made (recover.h, back.h). */
void rescue_all(struct daemon *daemon);

/*
 * Before @call does what a request asks for: is there a guest of that machine's to be told to
 * run?  True: @call comes when that is done, or the request is answered with the reason why it
 * cannot be.
 */
bool rescue_first(struct request *r, struct daemon *daemon,
		  void (*call)(struct request *r, struct daemon *daemon));

#endif
