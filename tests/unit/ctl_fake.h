/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A libdevmapper, disks, a terminal and a clock that are not there: ckptctl from the
 * words of its command line down to the calls of the library, on devices that
 * are kept here.  Linked in place of -ldevmapper; see userspace/Makefile.
 */
#ifndef CTL_FAKE_H
#define CTL_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "libckpt/error.h"

#define FAKE_STORE_UUID "00000000-0000-0000-0000-000000000099"

struct fake_table {
	char target[16], params[512];
	uint64_t sectors;
	bool is_readonly;
};

struct fake_device {
	char name[128], uuid[129];
	unsigned int minor;
	bool is_suspended, has_live, has_next;
	struct fake_table live, next;
};

/* What the store's status and its answer to "list" say. */
struct fake_store {
	uint64_t used, total, reserved;		/* units */
	const char *merge;
	uint32_t from, into;
	uint64_t left, rate, share;
	const char *space;
	uint64_t queued, freeing;
	const char *guard;
	const char *list;
};

extern struct fake_store fake_store;

/* All is as at first: a store "st" with what ctl_list holds, and device st-disk. */
void fake_reset(void);

struct fake_device *fake_add(const char *name, const char *uuid, const char *target,
			     const char *params, uint64_t sectors);
struct fake_device *fake_find(const char *name);

/*
 * Let a task of that type (DM_DEVICE_...) fail with @err, as often as @times says.
 * @subject is the device's name or, for messages, the message; a '*' at its end
 * stands for any rest.
 */
void fake_refuse(int type, const char *subject, int times, int err);

/* The answer to a message; the last one that fits counts. */
void fake_answer(const char *message, const char *answer);

/* A suspend of that device stays until a signal comes. */
void fake_hang(const char *name);

/* Called with the seconds that have gone by whenever somebody sleeps. */
extern void (*fake_tick)(double now);

/* Is there a terminal? */
extern bool fake_terminal;

/* What was done to devices, a line each: "suspend st-disk", "message create_volume a 8". */
const char *fake_log(void);

/* Run "ckptctl <words>", split at blanks; what it printed, and its last sentence. */
enum ckpt_result fake_run(const char *words);
extern char fake_out[65536], fake_err[65536];

/* assert_non_null(strstr()) that says what there is instead. */
void fake_says(const char *text, const char *part);

#endif
