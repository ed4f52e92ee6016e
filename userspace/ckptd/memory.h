/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory images: a stream of QEMU's to a file, and back.  These block and are for a
 * thread of their own (see pump.h).  Neither floods the host's page cache.
 */
#ifndef CKPTD_MEMORY_H
#define CKPTD_MEMORY_H

#include <stdatomic.h>
#include <stdint.h>

#include "libckpt/error.h"

/* What another thread sees of it, and the way to stop it. */
struct memory_control {
	atomic_bool cancel;		/* seen between two pieces */
	atomic_uint_fast64_t stream;	/* bytes of the stream that are done */
	atomic_uint_fast64_t file;	/* bytes of the file that are done */
	atomic_uint_fast64_t total;	/* of the stream, when it is read back; else 0 */
};

#define MEMORY_WAIT_MS	100		/* after so long a cancel is seen at the latest */

/* Wait a little for a descriptor that does not block. */
void memory_wait(int fd, short events);

/*
 * Read @in to its end into PATH.new, all of it durable.  An end is no success: only who
 * fed the stream knows whether it was whole, and then calls memory_publish().  On a failure
 * nothing is left.
 */
enum ckpt_result memory_write(int in, const char *path, struct memory_control *control,
			      struct ckpt_error *e);

/* Durably PATH.new becomes @path. */
enum ckpt_result memory_publish(const char *path, struct ckpt_error *e);

/* Remove PATH.new, if there is one. */
void memory_discard(const char *path);

/*
 * Write the stream to @out.  The index is looked at first, and no byte of a frame is given
 * away before its checksum was found right: CKPT_INTEGRITY if not.  With @out -1 the image
 * is only verified.
 */
enum ckpt_result memory_read(const char *path, int out, struct memory_control *control,
			     struct ckpt_error *e);

#endif
