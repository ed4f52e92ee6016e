/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest agent is asked by a process of its own, the guard, which outlives the daemon:
 * a guest that was told to freeze its file systems is told to thaw them, whatever becomes
 * of us.  The guard is this program, executed anew.
 *
 *	freeze		in step? -> thawed? -> freeze -> frozen? -> HELD -> thaw
 *
 * It thaws when it is told to, when the daemon is dead, when file systems were frozen for
 * GUARD_HOLD_SECONDS, and when the freeze failed in any way; and tries that again until
 * the agent says that they are thawed, or GUARD_STAY_SECONDS have passed.
 */
#ifndef CKPTD_GUARD_H
#define CKPTD_GUARD_H

#include <systemd/sd-event.h>

#include "libckpt/error.h"

#define GUARD_ANSWER_SECONDS	5u	/* of the agent to all but a freeze */
#define GUARD_HOLD_SECONDS	10u	/* frozen at the longest: Windows (VSS) thaws then, too */
#define GUARD_THAW_SECONDS	15u	/* without an answer to the thaw: it is said so */
#define GUARD_STAY_SECONDS	600u	/* and it is repeated for so long */

struct guard;

struct guard_handlers {
	/*
	 * All file systems that can be are frozen: do what is to be done, be quick, and call
	 * guard_thaw().  May be NULL when there is nothing to freeze.
	 */
	void (*frozen)(void *arg);
	/*
	 * The end.  After a freeze success means that nothing was written to those file
	 * systems between frozen() and guard_thaw(), and that they are thawed now.  A failure
	 * says what the agent did, and whether something may be frozen still.  The guard is
	 * to be freed.
	 */
	void (*ended)(void *arg, enum ckpt_result result, const struct ckpt_error *e);
};

/*
 * Have the agent at the socket @path freeze the guest's file systems, in @seconds at the
 * longest.  NULL with errno.
 */
struct guard *guard_freeze(sd_event *event, const char *path, unsigned int seconds,
			   const struct guard_handlers *handlers, void *arg);
void guard_thaw(struct guard *g);

/*
 * After a guest was given its memory back: set its clock to that of this host.  What was
 * frozen when its memory was saved is thawed first.  A guest without an agent costs
 * GUARD_THAW_SECONDS.  NULL with errno.
 */
struct guard *agent_set_time(sd_event *event, const char *path,
			     const struct guard_handlers *handlers, void *arg);

/* It is not called back any more; the process does what it has to.  NULL is fine. */
void guard_free(struct guard *g);

/*
 * Somebody who had frozen file systems was killed: see to it that they are thawed.  After a failure
 * of an agent that is there it is tried further.  CKPT_NOT_FOUND: the machine has ended.  NULL
 * with errno.
 */
struct guard *guard_rescue(sd_event *event, const char *path,
			   const struct guard_handlers *handlers, void *arg);

/*
 * The process: this program was executed with GUARD_OPTION first, and @words are those
 * behind it.  Returns what it is to exit with.
 */
#define GUARD_OPTION	"--agent"
int guard_main(int count, char **words);

#endif
