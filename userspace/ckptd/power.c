// SPDX-License-Identifier: GPL-2.0-only
/* Starting and ending machines, and what is being done to one. */
#include <stdlib.h>

#include "machine.h"
#include "operations.h"
#include "params.h"
#include "recover.h"

struct power {
	struct job job;			/* first */
	struct disks disks;
};

static void free_power(struct job *job)
{
	struct power *p = (struct power *)job;

	disks_close(&p->disks);
	free(p);
}

static struct power *begin(struct request *r, struct daemon *daemon, const char *what,
			   const struct param *list, const char **vm)
{
	struct power *p = calloc(1, sizeof(*p));
	struct ckpt_error e;

	if (!p)
		abort();
	p->job.what = what;
	p->job.free = free_power;
	if (!params_get(r, list, &e) && !job_begin(&p->job, daemon, *vm, r, &e))
		return p;
	request_failed(r, &e);
	free(p);
	return NULL;
}

static void done(struct job *job, enum ckpt_result result)
{
	job_end(job, result, NULL);
}

/* The job of the machine that the request is about; NULL: it was answered. */
static bool find(struct request *r, struct daemon *daemon, struct job **job)
{
	const char *vm;
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true }, { 0 },
	};
	struct ckpt_error e;

	if (params_get(r, list, &e)) {
		request_failed(r, &e);
		return false;
	}
	*job = job_find(daemon, vm);
	return true;
}

void operation_progress(struct request *r, struct daemon *daemon)
{
	struct json_object *answer;
	struct job *job;

	if (!find(r, daemon, &job))
		return;
	answer = json_object_new_object();
	json_object_object_add(answer, "job", job ? job_json(job) : NULL);
	request_done(r, answer);
}

void operation_cancel(struct request *r, struct daemon *daemon)
{
	struct ckpt_error e;
	struct job *job;

	if (!find(r, daemon, &job))
		return;
	if (job && job->cancel) {
		job->cancel(job);
		request_done(r, NULL);
		return;
	}
	if (job)
		ckpt_fail(&e, CKPT_BUSY, "'%s' cannot be cancelled: it is nearly done", job->what);
	else
		ckpt_fail(&e, CKPT_NOT_FOUND, "nothing is being done to that machine");
	request_failed(r, &e);
}

void operation_start(struct request *r, struct daemon *daemon)
{
	const char *vm;
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true }, { 0 },
	};
	struct power *p = begin(r, daemon, "start", list, &vm);
	enum ckpt_result result = CKPT_DONE;

	if (!p)
		return;
	if (machine_runs(&p->job.vm))
		result = ckpt_fail(&p->job.error, CKPT_BUSY, "machine %s runs already", vm);
	if (!result)
		result = recover_open(&p->disks, &p->job.vm, &p->job.error);
	if (!result && machine_is_off(&p->disks, &p->job.vm)) {
		p->job.error = p->disks.c.error;
		result = p->job.error.result;
	}
	if (result)
		done(&p->job, result);
	else
		machine_start(&p->job, &p->disks, NULL, done);
}

void operation_stop(struct request *r, struct daemon *daemon)
{
	const char *vm;
	bool force = false;
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true },
		{ .name = "force", .flag = &force }, { 0 },
	};
	struct power *p = begin(r, daemon, "stop", list, &vm);

	if (!p)
		return;
	if (!machine_runs(&p->job.vm)) {
		ckpt_fail(&p->job.error, CKPT_NOT_FOUND, "machine %s does not run", vm);
		done(&p->job, CKPT_NOT_FOUND);
		return;
	}
	machine_end(&p->job, force ? MACHINE_TURN_OFF : MACHINE_SHUT_DOWN, done);
}
