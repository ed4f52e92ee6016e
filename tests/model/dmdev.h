/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of the device mapper: the kernel's (dm.c), or an emulation of the
 * targets on plain files (fake.c), with which the test tests itself.
 *
 * All functions return 0 or -errno.
 */
#ifndef MODEL_DMDEV_H
#define MODEL_DMDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DM_TEXT		4096u

struct table {
	uint64_t sectors;
	char target[32];
	char params[DM_TEXT];
};

struct dm_access {
	int (*create)(const char *name, const struct table *t, bool ro);
	int (*remove)(const char *name);
	int (*reload)(const char *name, const struct table *t, bool ro);
	int (*suspend)(const char *name, bool noflush);
	int (*resume)(const char *name);
	/* The answer is malloc'ed, or NULL; @answer may be NULL. */
	int (*message)(const char *name, const char *msg, char **answer);
	int (*status)(const char *name, char *buf, size_t size);
	int (*table)(const char *name, struct table *t);
	/* These return a file descriptor, a number of bytes, 0, or -errno. */
	int (*open)(const char *name, bool ro);
	ssize_t (*read)(int fd, void *buf, size_t len, uint64_t off);
	ssize_t (*write)(int fd, const void *buf, size_t len, uint64_t off, bool fua);
	int (*discard)(int fd, uint64_t off, uint64_t len);
	int (*zero)(int fd, uint64_t off, uint64_t len);
	int (*flush)(int fd);
	const char *dir;		/* the devices' nodes */
};

extern const struct dm_access dm_kernel, dm_fake;
extern const struct dm_access *dm;

/* A table of one target from printf-like arguments. */
struct table *table_fill(struct table *t, uint64_t sectors, const char *target,
			 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* I/O in whole, or the failure of the run. */
bool dev_read(int fd, const char *what, void *buf, uint32_t len, uint64_t sector);

#endif
