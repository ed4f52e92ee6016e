/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are there as a whole, and durable, or not there: written to a new name,
 * flushed, renamed, and the folder flushed.
 */
#ifndef CKPTD_DURABLE_H
#define CKPTD_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "libckpt/error.h"

/* A folder and all above it. */
enum ckpt_result durable_folder(const char *path, mode_t mode, struct ckpt_error *e);

/* With @must_be_new CKPT_BUSY when there is one. */
enum ckpt_result durable_write(const char *path, const char *text, size_t length, mode_t mode,
			       bool must_be_new, struct ckpt_error *e);

/* *@text is allocated and ends with a NUL that is not counted.  CKPT_NOT_FOUND; CKPT_FAILED
 * for what is longer than @limit.
 */
enum ckpt_result durable_read(const char *path, size_t limit, char **text, size_t *length,
			      struct ckpt_error *e);

/* A copy of another file, below a folder that is flushed later. */
enum ckpt_result durable_copy(const char *from, const char *to, size_t limit,
			      struct ckpt_error *e);

/* Both paths lie in the same folder. */
enum ckpt_result durable_rename(const char *from, const char *to, struct ckpt_error *e);
enum ckpt_result durable_unlink(const char *path, struct ckpt_error *e);

/* Make durable which names a folder holds. */
enum ckpt_result durable_sync(const char *folder, struct ckpt_error *e);

/* A folder and the files in it; nothing deeper is expected there.  Gone already is success. */
enum ckpt_result durable_remove(const char *folder, struct ckpt_error *e);

#endif
