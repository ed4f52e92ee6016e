/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether there can be an agent in a guest at all: QEMU knows if somebody in it has opened the
 * port that leads to the agent's socket.  Where nobody has, asking an agent takes seconds in
 * which nothing can come.  That somebody has does not say that it is an agent, or answers.
 */
#ifndef CKPTD_PORT_H
#define CKPTD_PORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "vm_file.h"

#define PORT_SECONDS	3u	/* for the monitor to say it */

/* What to say of a guest without one. */
#define PORT_NO_AGENT	"no guest agent runs in it"

/* @is_shut: nobody has opened it.  Else somebody has, or that cannot be found out. */
typedef void (*port_fn)(void *arg, bool is_shut);

/*
 * Ask the machine's monitor; @fn is called once, from the event loop.  False: it cannot be
 * asked, and @fn is not called.
 */
bool port_ask(sd_event *event, const struct vm_file *vm, port_fn fn, void *arg);

/* That of it which needs no monitor: @chardevs is what QEMU answers to query-chardev. */
bool port_is_shut(struct json_object *chardevs, const char *agent);

#endif
