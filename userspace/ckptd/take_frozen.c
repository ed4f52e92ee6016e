// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking a checkpoint of a machine that runs, with its file systems frozen by the guest
 * agent.  From before the agent is told to until it has thawed them the folder holds a
 * file "frozen": if we and the guard are killed, the next one of us thaws.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "durable.h"
#include "machine.h"
#include "points.h"
#include "port.h"
#include "take.h"

/* All was taken, or that has failed: then it is the store's failure, and not the agent's. */
static void frozen(void *arg)
{
	struct taking *t = arg;
	enum ckpt_result result = CKPT_DONE;

	point(POINT_FROZEN);
	if (!t->is_cancelled)
		result = take_reopen(t);
	if (!result && !t->is_cancelled)
		result = take_state(t);
	t->has_failed = result;
	point(POINT_THAWING);
	guard_thaw(t->guard);
}

/* What was taken is worth nothing, or nothing was. */
static void fall_back(struct taking *t, const struct ckpt_error *e)
{
	const char *name = t->job->vm.name;

	if (t->policy == VM_PRODUCTION_ONLY) {
		take_finish(t, ckpt_fail(&t->job->error, e->result,
					 "machine %s is to have production checkpoints only, but %.700s; mend that, shut it down, or ask for 'standard'",
					 name, e->text));
		return;
	}
	if (t->has_begun)
		take_back(t);
	t->has_begun = false;
	memset(&t->m, 0, sizeof(t->m));
	snprintf(t->m.note, sizeof(t->m.note), "production was asked for, but %.260s", e->text);
	take_guest(t);
}

static void remove_note(struct taking *t)
{
	struct ckpt_error e;
	char path[PATH_MAX];

	manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, MANIFEST_FROZEN, path);
	if (durable_unlink(path, &e))
		t->disks->c.warn(e.text);
}

static void ended(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct taking *t = arg;
	struct ckpt_error why = t->job->error;

	guard_free(t->guard);
	t->guard = NULL;
	t->job->cancel = NULL;
	t->job->part = NULL;
	point(POINT_THAWED);
	remove_note(t);
	/* That may have taken a while: the store is not what it was. */
	t->is_left = take_reopen(t);
	if (t->is_left && !t->has_failed) {
		why = t->job->error;
		t->has_failed = true;
	}
	if (t->is_cancelled) {
		take_finish(t, ckpt_fail(&t->job->error, CKPT_FAILED, "the checkpoint was cancelled"));
	} else if (t->has_failed) {
		t->job->error = why;
		take_finish(t, why.result);
	} else if (result) {
		fall_back(t, e);
	} else {
		take_finish(t, CKPT_DONE);
	}
}

/* The guard looks at that when the agent has answered, or has not in time. */
static void cancel(struct job *job)
{
	struct taking *t = job->part;

	t->is_cancelled = true;
	guard_thaw(t->guard);
}

static enum ckpt_result begin(struct taking *t)
{
	static const char text[] = "frozen by ckptd\n";
	struct ckpt_error *e = &t->job->error;
	enum ckpt_result result = take_begin(t, "production");
	char path[PATH_MAX];

	if (result)
		return result;
	manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, MANIFEST_FROZEN, path);
	return durable_write(path, text, strlen(text), 0600, false, e);
}

static void freeze(struct taking *t)
{
	static const struct guard_handlers handlers = { frozen, ended };
	const struct vm_file *vm = &t->job->vm;
	enum ckpt_result result = begin(t);
	struct ckpt_error e;

	if (result) {
		take_finish(t, result);
		return;
	}
	point(POINT_FREEZING);
	t->guard = guard_freeze(t->job->daemon->event, vm->agent, vm->freeze_seconds, &handlers, t);
	if (!t->guard) {
		ckpt_fail_errno(&e, errno, "the process that asks the guest agent cannot be started");
		ended(t, e.result, &e);
		return;
	}
	t->job->part = t;
	t->job->cancel = cancel;
}

/* Nothing has begun yet. */
static void on_port(void *arg, bool is_shut)
{
	struct taking *t = arg;
	struct ckpt_error e;

	t->job->cancel = NULL;
	t->job->part = NULL;
	if (t->is_cancelled) {
		take_finish(t, ckpt_fail(&t->job->error, CKPT_FAILED, "the checkpoint was cancelled"));
	} else if (is_shut) {
		ckpt_fail(&e, CKPT_NOT_FOUND, PORT_NO_AGENT);
		fall_back(t, &e);
	} else {
		freeze(t);
	}
}

static void cancel_early(struct job *job)
{
	struct taking *t = job->part;

	t->is_cancelled = true;
}

void take_frozen(struct taking *t)
{
	t->job->part = t;
	t->job->cancel = cancel_early;
	if (!port_ask(t->job->daemon->event, &t->job->vm, on_port, t))
		on_port(t, false);
}
