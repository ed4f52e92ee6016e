/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of QEMU's guest agent, which is a program of the guest's: nothing of what it
 * says is trusted, it may say nothing, and it may be there at one moment and gone at the
 * next.  Each question waits for its answer, a bounded time and a bounded length; so this
 * is for processes that may wait (guard.h), and not for the daemon's event loop.
 *
 * The protocol has no numbers by which an answer is known to belong to a question.  So a
 * conversation begins with guest-sync-delimited, whose answer comes behind a byte 0xff and
 * repeats a number of ours: what stands before that is of others, or late.  After anything
 * but an answer or a refusal the conversation is out of step, and begins anew by itself
 * with the next question.
 */
#ifndef CKPTD_AGENT_H
#define CKPTD_AGENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "json_stream.h"
#include "libckpt/error.h"

struct agent {
	int fd;				/* -1: not connected */
	bool is_in_step;
	int64_t id;			/* of the latest guest-sync-delimited */
	struct json_stream stream;
};

/*
 * Connect to the socket at @path; CKPT_NOT_FOUND if nobody listens there.  That somebody
 * does says nothing of the guest: it is QEMU.
 */
enum ckpt_result agent_open(struct agent *a, const char *path, struct ckpt_error *e);

/* The same with a socket that there is already, for agent_close() to close. */
void agent_use(struct agent *a, int fd);

/* Also after a failure, and twice. */
void agent_close(struct agent *a);

/*
 * The questions.  Each has @ms milliseconds, also for getting into step if need be.
 * CKPT_TIMEOUT; CKPT_FAILED for a refusal (then a->is_in_step is true), or for what no
 * agent says: then the conversation is out of step, and the guest may have done anything.
 * If the other end has closed the socket, so is ours: a->fd is -1.
 */
enum ckpt_result agent_sync(struct agent *a, unsigned int ms, struct ckpt_error *e);
enum ckpt_result agent_ping(struct agent *a, unsigned int ms, struct ckpt_error *e);

/* How many file systems are frozen now.  After a refusal the agent has thawed them all. */
enum ckpt_result agent_freeze(struct agent *a, unsigned int ms, int64_t *count,
			      struct ckpt_error *e);
/* How many were: fewer than agent_freeze() said means that some were not until now. */
enum ckpt_result agent_thaw(struct agent *a, unsigned int ms, int64_t *count,
			    struct ckpt_error *e);
enum ckpt_result agent_status(struct agent *a, unsigned int ms, bool *is_frozen,
			      struct ckpt_error *e);

/* Set the guest's clock: nanoseconds since 1970, UTC. */
enum ckpt_result agent_set_clock(struct agent *a, unsigned int ms, int64_t ns,
				 struct ckpt_error *e);

#endif
