/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the content of a device comes from: a block device, an image of one in
 * a file, or whatever has a function that reads.
 */
#ifndef LIBCKPT_SOURCE_H
#define LIBCKPT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct ckpt_source {
	/* All of the bytes at that offset (in bytes): 0, or a positive errno. */
	int (*read)(void *arg, void *buffer, uint64_t offset, size_t bytes);
	void *arg;
	uint64_t sectors;
};

/* A block device or a regular file. */
struct ckpt_file {
	int fd;			/* -1: not open */
	bool is_device;
	uint64_t sectors;	/* whole ones */
};

/*
 * Open for reading.  A device that the kernel uses is CKPT_BUSY, and so is a file that a loop
 * device in use has for its content: what is live changes while it is read.
 */
enum ckpt_result ckpt_file_open(const char *path, struct ckpt_file *f, struct ckpt_error *e);

/*
 * Open for writing, too.  What is not there is made, a sparse file of @sectors.  A file with
 * content or a device is CKPT_BUSY, unless @force says to overwrite it; it has at least as many
 * sectors, else CKPT_USAGE; a file grows to that.
 */
enum ckpt_result ckpt_file_create(const char *path, uint64_t sectors, bool force,
				  struct ckpt_file *f, struct ckpt_error *e);

/* Are both the same file? */
bool ckpt_file_same(const struct ckpt_file *a, const struct ckpt_file *b);
void ckpt_file_close(struct ckpt_file *f);

/* The file as a source, as long as it is open. */
struct ckpt_source ckpt_file_source(struct ckpt_file *f);

/* All of the bytes at that offset: 0, or a positive errno. */
int ckpt_file_write(const struct ckpt_file *f, const void *buffer, uint64_t offset,
		    size_t bytes);

/* What is there reads as zeros afterwards: 0, or a positive errno. */
int ckpt_file_zero(const struct ckpt_file *f, uint64_t offset, uint64_t bytes);

#endif
