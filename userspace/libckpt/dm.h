/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device-mapper, one function for each thing that is done to a device.  They
 * return 0 or a negative errno and say nothing: what it means is known by the
 * caller.  Udev cookies are set and waited for inside.
 *
 * In a dry run, what would change something is written to stdout as a dmsetup
 * command, and counts as done.  When verbose, the same goes to stderr.
 */
#ifndef LIBCKPT_DM_H
#define LIBCKPT_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

#define CKPT_DM_NAME_LEN	128	/* the kernel's limits, with the NUL */
#define CKPT_DM_UUID_LEN	129

#define CKPT_TARGET_STORE	"ckpt-store"
#define CKPT_TARGET_VOLUME	"ckpt"

/* What everything here needs to know of the program that calls. */
struct ckpt {
	struct ckpt_error error;
	bool is_dry;
	bool is_verbose;
	FILE *trace;				/* where to when verbose; NULL: stderr */
	void (*warn)(const char *sentence);	/* what went wrong but matters little */
};

struct ckpt_devno {
	uint32_t major, minor;
};

/* A live device of one of the two targets. */
struct ckpt_dm_device {
	char name[CKPT_DM_NAME_LEN];
	char uuid[CKPT_DM_UUID_LEN];
	struct ckpt_devno devno;
	char target[16];
	char *params;			/* the table line behind the target's name */
	uint64_t sectors;
	int open_count;
	bool is_suspended;
	bool is_readonly;
};

struct ckpt_dm_devices {
	struct ckpt_dm_device *device;
	size_t count;
};

/* What a device is made from.  Names in @params may be as they are. */
struct ckpt_dm_table {
	const char *target;
	const char *params;
	uint64_t sectors;
	bool is_readonly;
	bool is_hidden;		/* udev looks for nothing inside */
};

/* May device-mapper be used at all?  CKPT_PERMISSION or CKPT_FAILED if not. */
enum ckpt_result ckpt_dm_check(struct ckpt *c);

/* Does the kernel know the target, if need be by loading its module? */
bool ckpt_dm_has_target(const char *target);

int ckpt_dm_scan(struct ckpt_dm_devices *devices);
void ckpt_dm_devices_free(struct ckpt_dm_devices *devices);
/* Is there a device of that name, of whatever target? */
bool ckpt_dm_exists(const char *name);

/* Does the name fit into the kernel's limit once libdevmapper mangled it? */
bool ckpt_dm_name_fits(const char *name);

/*
 * All or nothing: a device whose table was refused is gone again.  @uuid may be
 * NULL.
 */
int ckpt_dm_create(struct ckpt *c, const char *name, const char *uuid,
		   const struct ckpt_dm_table *table);

/*
 * Give a live device another table; when that cannot be resumed, @old comes
 * back.  I/O waits meanwhile, file systems are not frozen.
 */
int ckpt_dm_replace(struct ckpt *c, const char *name, const struct ckpt_dm_table *table,
		    const struct ckpt_dm_table *old);

/*
 * A busy device is tried again for some seconds: what udev starts opens every
 * new device for a moment.
 */
int ckpt_dm_remove(struct ckpt *c, const char *name);

/* With file systems frozen and data flushed. */
int ckpt_dm_suspend(struct ckpt *c, const char *name);
int ckpt_dm_resume(struct ckpt *c, const char *name);

int ckpt_dm_rename(struct ckpt *c, const char *name, const char *to);
/* Only for a device that has none. */
int ckpt_dm_set_uuid(struct ckpt *c, const char *name, const char *uuid);

/*
 * Device-mapper splits tables and messages at what the kernel's isspace() takes
 * for a blank, and that takes bytes for Latin-1: 0xa0 is one to it, also as a
 * part of "à" in UTF-8.  Allocates @text with a backslash before each such
 * byte that has none yet.
 */
char *ckpt_dm_quote(const char *text);

/*
 * *@answer (may be NULL) becomes an allocated string, "" if there was none.
 * Messages that only ask are sent in a dry run too.
 */
int ckpt_dm_ask(const char *name, const char *message, char **answer);
int ckpt_dm_tell(struct ckpt *c, const char *name, const char *message, char **answer);

/* The status line of a device with one target, allocated.  Nothing is flushed. */
int ckpt_dm_status(const char *name, char **line);

#endif
