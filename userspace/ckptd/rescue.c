// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "back.h"
#include "capture.h"
#include "durable.h"
#include "guard.h"
#include "json_stream.h"
#include "machine.h"
#include "manifest.h"
#include "recover.h"
#include "rescue.h"
#include "vms.h"

struct rescue {
	struct job job;			/* first; without a request */
	char id[CKPT_UUID_LEN];		/* the checkpoint whose turn it is */
	struct guard *guard;
	struct request *request;	/* NULL: the daemon has just started */
	void (*call)(struct request *r, struct daemon *daemon);
};

static void free_rescue(struct job *job)
{
	struct rescue *r = (struct rescue *)job;

	guard_free(r->guard);
	free(r);
}

static void settle(struct daemon *daemon, const char *name)
{
	recover_machine(name);
	back_finish(daemon, name);
}

static void end(struct rescue *r, enum ckpt_result result)
{
	void (*call)(struct request *r, struct daemon *daemon) = r->call;
	struct daemon *daemon = r->job.daemon;
	struct request *request = r->request;
	struct ckpt_error e = r->job.error;
	char name[CKPT_NAME_BYTES];

	snprintf(name, sizeof(name), "%s", r->job.vm.name);
	job_end(&r->job, result, NULL);
	if (!request)
		settle(daemon, name);
	else if (result)
		request_failed(request, &e);
	else
		call(request, daemon);
}

/* All of them are gone through, as that is what frees the list. */
static bool find(const struct vm_file *f, const char *note, char id[CKPT_UUID_LEN])
{
	char one[CKPT_UUID_LEN];
	bool found = false;
	void *at = NULL;

	while (manifest_next(f->directory, MANIFEST_NEW, &at, one)) {
		if (found || !manifest_is_noted(f->directory, one, note))
			continue;
		strcpy(id, one);
		found = true;
	}
	return found;
}

static void next(struct rescue *r);

/* What was noted is true no more. */
static void done_with(struct rescue *r, const char *note)
{
	char path[PATH_MAX];
	enum ckpt_result result;

	manifest_path(r->job.vm.directory, r->id, MANIFEST_NEW, note, path);
	result = durable_unlink(path, &r->job.error);
	if (result)
		end(r, result);
	else
		next(r);
}

/* Without an agent nothing can be done about it: that is no reason to keep what is half-made. */
static void on_thawed(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct rescue *r = arg;

	guard_free(r->guard);
	r->guard = NULL;
	if (result)
		fprintf(stderr,
			SD_WARNING "machine %s: ckptd was killed while its file systems were frozen; %s\n",
			r->job.vm.name, e->text);
	done_with(r, MANIFEST_FROZEN);
}

static void thaw(struct rescue *r)
{
	static const struct guard_handlers handlers = { .ended = on_thawed };
	struct ckpt_error e;

	if (!machine_runs(&r->job.vm)) {
		done_with(r, MANIFEST_FROZEN);
		return;
	}
	r->guard = guard_rescue(r->job.daemon->event, r->job.vm.agent, &handlers, r);
	if (!r->guard) {
		ckpt_fail_errno(&e, errno, "the process that asks the guest agent cannot be started");
		on_thawed(r, e.result, &e);
	}
}

static int connect_to(void *arg)
{
	const struct rescue *r = arg;

	return machine_monitor(&r->job.vm);
}

static void on_running(void *arg, enum ckpt_result result, const struct capture_state *s,
		       const struct ckpt_error *e)
{
	struct rescue *r = arg;

	(void)s;
	/* It may have ended with the daemon, or meanwhile. */
	if (!result || !machine_runs(&r->job.vm)) {
		done_with(r, MANIFEST_STOPPED);
		return;
	}
	fprintf(stderr, SD_WARNING "machine %s: %s\n", r->job.vm.name, e->text);
	r->job.error = *e;
	end(r, result);
}

static void run(struct rescue *r)
{
	static const struct capture_ops ops = { .reconnect = connect_to, .done = on_running };
	struct ckpt_error *e = &r->job.error;
	enum ckpt_result result;
	char path[PATH_MAX], *way;
	size_t length;

	manifest_path(r->job.vm.directory, r->id, MANIFEST_NEW, MANIFEST_STOPPED, path);
	result = durable_read(path, 64, &way, &length, e);
	if (!result) {
		if (!capture_rescue(r->job.daemon->event, !strcmp(way, "background"), &ops, r))
			result = ckpt_fail_errno(e, errno, "the monitor of machine %s cannot be watched",
						 r->job.vm.name);
		free(way);
	}
	if (result)
		end(r, result);
}

static void next(struct rescue *r)
{
	if (find(&r->job.vm, MANIFEST_FROZEN, r->id))
		thaw(r);
	else if (find(&r->job.vm, MANIFEST_STOPPED, r->id))
		run(r);
	else
		end(r, CKPT_DONE);
}

static bool is_due(const struct vm_file *f)
{
	char id[CKPT_UUID_LEN];

	return find(f, MANIFEST_FROZEN, id) || find(f, MANIFEST_STOPPED, id);
}

/* NULL: there is nothing to be done, or that machine is not for us to say anything about. */
static struct rescue *begin(struct daemon *daemon, const char *vm)
{
	struct rescue *r = calloc(1, sizeof(*r));
	struct ckpt_error e;

	if (!r)
		abort();
	r->job.what = "rescue";
	r->job.free = free_rescue;
	if (job_begin(&r->job, daemon, vm, NULL, &e)) {
		free(r);
		return NULL;
	}
	if (is_due(&r->job.vm))
		return r;
	job_end(&r->job, CKPT_DONE, NULL);
	return NULL;
}

static void rescue_one(const char *name, void *daemon)
{
	struct rescue *r = begin(daemon, name);

	if (r)
		next(r);
	else
		settle(daemon, name);
}

void rescue_all(struct daemon *daemon)
{
	vms_each(rescue_one, daemon);
}

bool rescue_first(struct request *request, struct daemon *daemon,
		  void (*call)(struct request *r, struct daemon *daemon))
{
	const char *vm = json_stream_text(request_parameters(request), "vm");
	struct rescue *r = vm ? begin(daemon, vm) : NULL;

	if (!r)
		return false;
	r->request = request;
	r->call = call;
	next(r);
	return true;
}
