/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of QEMU's monitor.  Everything is asynchronous, every command has a deadline,
 * and what the monitor says is not trusted.  Callbacks come from the event loop, never
 * from within a call; a callback may free the client.
 */
#ifndef CKPTD_QMP_H
#define CKPTD_QMP_H

#include <json-c/json.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "libckpt/error.h"

#define QMP_GREETING_SECONDS	10u

/* Of a monitor that has another client. */
#define QMP_OWNED "another program (libvirt?) owns it, and it is left alone"

struct qmp;

/* The answer's "return" (borrowed), or NULL and what went wrong. */
typedef void (*qmp_fn)(void *arg, struct json_object *value, const struct ckpt_error *e);

struct qmp_handlers {
	/* An event; @usec is when it happened, by QEMU's own (real time) clock. */
	void (*event)(void *arg, const char *name, struct json_object *data, uint64_t usec);
	/*
	 * The monitor is gone, or useless.  Comes once, after all commands have failed
	 * with the same error.  CKPT_BUSY: it accepted us and says nothing, as one does
	 * that another client (libvirt, say) owns.
	 */
	void (*closed)(void *arg, const struct ckpt_error *e);
};

/*
 * @fd is connected, does not block, and is the client's from now on.  NULL with errno.
 * Commands may be given at once; they wait for the greeting.
 */
struct qmp *qmp_open(sd_event *event, int fd, const struct qmp_handlers *handlers, void *arg);

/*
 * @arguments (NULL: none) is taken over; @fd, if not -1, is sent along and closed here in
 * any case.  After @seconds without an answer the command has failed with CKPT_TIMEOUT.
 */
void qmp_call(struct qmp *q, const char *command, struct json_object *arguments, int fd,
	      unsigned int seconds, qmp_fn fn);

/* Commands on their way are forgotten without a callback.  NULL is fine. */
void qmp_free(struct qmp *q);

#endif
