/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The socket: who connects, what they ask, and what they are answered.  Requests and
 * replies are JSON objects that end with a NUL, as varlink has them:
 *
 *	{"method": "dm-ckpt.vm.Show", "parameters": {"vm": "web"}, "more": false}
 *	{"parameters": {...}}
 *	{"parameters": {...}, "continues": true}	only if "more" was asked for
 *	{"error": "dm-ckpt.vm.Failed", "parameters": {"message": "...", "result": 3}}
 *
 * A connection's requests are answered one after the other.  Whatever the peer sends or
 * does not read, what it can take of the daemon is bounded, and one that may not be here
 * is gone before a byte of it is read.
 */
#ifndef CKPTD_SERVER_H
#define CKPTD_SERVER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "libckpt/error.h"

#define SERVER_PEERS_MAX	64u		/* connections at a time */
#define SERVER_OUT_MAX		(4u << 20)	/* bytes that a peer has not read yet */
#define SERVER_IDLE_SECONDS	60u		/* without a request, or for one to be whole */
#define SERVER_DEPTH_MAX	8		/* of JSON */

struct server;
struct request;

/*
 * A request has come.  It is to be answered once, now or later, by request_done() or
 * request_failed(), which free it.
 */
typedef void (*server_fn)(struct request *r, void *arg);

/*
 * Listen on @fd (which becomes the server's), or make a socket at @path with mode 0600 if it
 * is -1.
 */
enum ckpt_result server_new(struct server **server, sd_event *event, int fd, const char *path,
			    server_fn call, void *arg, struct ckpt_error *e);

/* Take no more connections and requests; answers that are due are still sent. */
void server_stop(struct server *server);
/* How many requests have not been answered, and bytes not been sent. */
bool server_is_busy(const struct server *server);
void server_free(struct server *server);

const char *request_method(const struct request *r);
/* An object, perhaps an empty one. */
struct json_object *request_parameters(const struct request *r);

/* Tell how it gets on, if that is wanted and the last one was read; takes @parameters over. */
void request_progress(struct request *r, struct json_object *parameters);

/* The answer; takes @parameters (may be NULL) over. */
void request_done(struct request *r, struct json_object *parameters);
void request_failed(struct request *r, const struct ckpt_error *e);

#endif
