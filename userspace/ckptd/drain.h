/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A background snapshot must not fail: QEMU (7.2) then leaves the guest's memory protected
 * against writes for ever, and the guest hangs.  So whatever becomes of the image, the
 * stream is read to its end: by a process of its own, which outlives us.
 */
#ifndef CKPTD_DRAIN_H
#define CKPTD_DRAIN_H

/*
 * Returns a descriptor: when it is closed, or we are dead, what comes out of @pipe is read
 * away until that ends.  -1 with errno.
 */
int drain_start(int pipe);

#endif
