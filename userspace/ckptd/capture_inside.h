/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two files of a capture share. */
#ifndef CKPTD_CAPTURE_INSIDE_H
#define CKPTD_CAPTURE_INSIDE_H

#include <sys/types.h>

#include "capture.h"
#include "pump.h"
#include "qmp.h"

#define CAPTURE_TICK_US	250000u
#define CAPTURE_LOOK_US	2000u	/* between looks whether QEMU waits */
#define CAPTURE_EARLY_SECONDS	30u	/* for it to come that far; the rest it does later */
#define CAPTURE_AGAIN_US	2000u	/* before a guest that stands still is told again to run */

enum capture_phase {
	CAPTURE_RUNNING,
	CAPTURE_RECOVERING,	/* it has failed: the guest is made to run */
	CAPTURE_ENDING,		/* all is there; QEMU is put back to how it was */
};

struct capture {
	sd_event *event;
	const struct capture_ops *ops;
	void *arg;
	char *image;			/* NULL: a rescue, there is none */
	struct qmp *qmp;		/* NULL: the monitor was lost */
	struct pump *pump;
	sd_event_source *tick, *again, *look;
	int pipe;			/* QEMU's end, until it has it */
	enum capture_phase phase;
	struct capture_state state;
	struct ckpt_error error;
	uint64_t stopped_us;		/* by QEMU's clock */
	uint64_t moved_us;
	uint64_t failed_at;		/* seconds; or since when it does not get on */
	uint64_t left;			/* bytes of memory, when last looked at after that */
	int64_t bandwidth;		/* QEMU's max-bandwidth as it was; below 0: not known */
	bool was_running, runs_again;
	bool is_background, is_live;	/* neither: it stands still all the time */
	bool is_early;			/* it migrates before the guest is stopped: capture_early.c */
	struct capture_early {
		pid_t qemu;		/* 0: not known */
		int fd;			/* the pipe there; below 0: not known */
		uint64_t until_us;
		dev_t device;
		ino_t pipe;
	} early;
	bool is_migrating;
	bool is_held;			/* live, but it had to be stopped */
	bool is_foreign;		/* the migration is somebody else's: hands off */
	bool has_disks, has_completed, has_image, has_failed_migration;
	bool is_asking;			/* how far it is, or one round of recovery */
};

void capture_call(struct capture *c, const char *command, struct json_object *arguments, qmp_fn fn);
void capture_capabilities(struct capture *c, bool background, bool live, qmp_fn fn);
void capture_put_back(struct capture *c, qmp_fn fn);	/* QEMU, to how it was */
void capture_connect(struct capture *c, int monitor);	/* c->qmp is NULL if that fails */
void capture_end(struct capture *c);
int capture_tick(sd_event_source *source, uint64_t usec, void *c);

/* The guest is stopped, and all that follows from that. */
void capture_stop(struct capture *c);

/*
 * capture_early.c: QEMU's version may allow for it; the pipe is to be QEMU's next; it has the pipe;
 * and it was told to migrate: capture_stop() when it has come as far as it can.
 */
void capture_early_ask(struct capture *c, struct json_object *version);
void capture_early_hold(struct capture *c);
void capture_early_found(struct capture *c);
void capture_early_wait(struct capture *c);

/* capture_recover.c: the first failure counts, and the guest is to run again. */
void capture_fail(struct capture *c, const struct ckpt_error *e);

/* Called at each tick while that is so. */
void capture_recover(struct capture *c);

/* Does query-migrate say that a migration has not ended? */
bool capture_is_migrating(struct json_object *value);

#endif
