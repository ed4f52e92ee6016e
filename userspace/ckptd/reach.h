/* SPDX-License-Identifier: GPL-2.0-only */
/* To QEMU's sockets, all of which take one client at a time. */
#ifndef CKPTD_REACH_H
#define CKPTD_REACH_H

/*
 * Connect to the socket at @path: a descriptor that does not block, or -1 with errno.
 * While another client is there it is connected all the same, and nobody answers.
 */
int reach(const char *path);

#endif
