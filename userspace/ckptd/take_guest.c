// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking a checkpoint of a machine that runs.  The capture has the guest stopped, and calls
 * back for its disks and files.  From before it is stopped until it runs again its folder
 * holds a file "stopped" with the way it is done in: a daemon that is killed may leave a guest
 * paused, and the next one has to know that it was not somebody else who did that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "durable.h"
#include "machine.h"
#include "points.h"
#include "take.h"

/* To look at the store takes time, which there still is. */
static enum ckpt_result stopping(void *arg, const struct capture_state *s, struct ckpt_error *e)
{
	struct taking *t = arg;
	enum ckpt_result result = take_reopen(t);
	char path[PATH_MAX];

	*e = t->job->error;
	if (result)
		return result;
	t->is_live = !strcmp(s->way, "live");
	manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, MANIFEST_STOPPED, path);
	return durable_write(path, s->way, strlen(s->way), 0600, false, e);
}

static enum ckpt_result disks(void *arg, struct ckpt_error *e)
{
	struct taking *t = arg;
	enum ckpt_result result = CKPT_DONE;

	/* What was seen before the guest's memory was written is old. */
	if (t->is_live)
		result = take_reopen(t);
	if (!result && !point_fault("disks-late"))
		result = take_state(t);
	*e = t->job->error;
	return result;
}

static void running(void *arg)
{
	struct taking *t = arg;
	struct ckpt_error e;
	char path[PATH_MAX];

	manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, MANIFEST_STOPPED, path);
	if (durable_unlink(path, &e))
		t->disks->c.warn(e.text);
	point(POINT_RUNNING);
}

static int reconnect(void *arg)
{
	const struct taking *t = arg;

	return machine_monitor(&t->job->vm);
}

static void progress(void *arg, const struct capture_state *s)
{
	struct taking *t = arg;

	job_progress(t->job, s->stream, s->stream_total);
}

static enum ckpt_result note_memory(struct taking *t, const struct capture_state *s)
{
	struct stat st;
	char path[PATH_MAX];

	manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, TAKE_IMAGE, path);
	if (stat(path, &st))
		return ckpt_fail_errno(&t->job->error, errno, "%s cannot be seen", path);
	t->m.has_memory = true;
	t->m.is_paused = s->is_paused;
	t->m.memory_bytes = (uint64_t)st.st_size;
	t->m.standstill_us = s->standstill_us;
	t->m.own_us = s->disks_us;
	snprintf(t->m.way, sizeof(t->m.way), "%s", s->way);
	if (!*t->m.note)
		snprintf(t->m.note, sizeof(t->m.note), "%s", s->note);
	return CKPT_DONE;
}

static void captured(void *arg, enum ckpt_result result, const struct capture_state *s,
		     const struct ckpt_error *e)
{
	struct taking *t = arg;
	struct ckpt_error why;

	t->capture = NULL;
	t->job->cancel = NULL;
	t->job->part = NULL;
	if (!result) {
		point(POINT_REMEMBERED);
		result = note_memory(t, s);
	} else {
		t->job->error = *e;
	}
	/* Writing memory takes long: the store is not what it was. */
	why = t->job->error;
	t->is_left = take_reopen(t);
	if (t->is_left && !result)
		result = t->job->error.result;
	else
		t->job->error = why;
	if (!result && point_fault("disks-late"))
		result = take_state(t);
	take_finish(t, result);
}

static void cancel(struct job *job)
{
	struct taking *t = job->part;

	capture_cancel(t->capture);
}

void take_guest(struct taking *t)
{
	static const struct capture_ops ops = {
		.stopping = stopping, .running = running, .disks = disks, .reconnect = reconnect,
		.progress = progress, .done = captured,
	};
	enum ckpt_result result = take_begin(t, "standard");
	char path[PATH_MAX];
	int monitor = -1;

	if (!result) {
		monitor = machine_monitor(&t->job->vm);
		if (monitor < 0)
			result = machine_unreachable(&t->job->vm, errno, &t->job->error);
	}
	if (!result) {
		manifest_path(t->job->vm.directory, t->m.id, MANIFEST_NEW, TAKE_IMAGE, path);
		t->capture = capture_start(t->job->daemon->event, monitor, path, &ops, t);
		if (!t->capture)
			result = ckpt_fail_errno(&t->job->error, errno,
						 "the memory of machine %s cannot be saved",
						 t->job->vm.name);
	}
	if (result) {
		take_finish(t, result);
		return;
	}
	t->job->part = t;
	t->job->cancel = cancel;
}
