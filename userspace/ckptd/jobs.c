// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <time.h>

#include "jobs.h"

struct job *job_find(struct daemon *daemon, const char *vm)
{
	for (struct job *job = daemon->jobs; job; job = job->next)
		if (!strcmp(job->vm.name, vm))
			return job;
	return NULL;
}

enum ckpt_result job_begin(struct job *job, struct daemon *daemon, const char *vm,
			   struct request *request, struct ckpt_error *e)
{
	const struct job *other = job_find(daemon, vm);
	enum ckpt_result result;

	if (other)
		return ckpt_fail(e, CKPT_BUSY,
				 "'%s' is being done to machine %s; 'ckptctl vm progress' shows how that gets on",
				 other->what, vm);
	result = vm_file_read(&job->vm, vm, e);
	if (result == CKPT_NOT_FOUND)
		ckpt_fail(e, result, "there is no machine called %s; 'ckptctl vm list' shows those there are",
			  vm);
	if (result) {
		vm_file_free(&job->vm);
		return result;
	}
	job->daemon = daemon;
	job->request = request;
	job->seconds_left = -1;
	job->next = daemon->jobs;
	daemon->jobs = job;
	return CKPT_DONE;
}

void job_end(struct job *job, enum ckpt_result result, struct json_object *parameters)
{
	struct job **at = &job->daemon->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->request && result) {
		request_failed(job->request, &job->error);
	} else if (job->request) {
		request_done(job->request, parameters);
		parameters = NULL;
	}
	json_object_put(parameters);
	vm_file_free(&job->vm);
	job->free(job);
}

struct json_object *job_json(const struct job *job)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "what", json_object_new_string(job->what));
	json_object_object_add(object, "done", json_object_new_uint64(job->done));
	json_object_object_add(object, "total", json_object_new_uint64(job->total));
	json_object_object_add(object, "seconds_left", job->seconds_left < 0 ? NULL :
			       json_object_new_double(job->seconds_left));
	return object;
}

void job_progress(struct job *job, uint64_t done, uint64_t total)
{
	uint64_t now = 0;

	sd_event_now(job->daemon->event, CLOCK_MONOTONIC, &now);
	/* Another thing has begun. */
	if (!job->total || done < job->done) {
		job->begun_usec = now;
		job->begun_at = done;
	}
	job->done = done;
	job->total = total;
	job->seconds_left = -1;
	if (done > job->begun_at && total >= done)
		job->seconds_left = (double)(total - done) * (double)(now - job->begun_usec) / 1e6 /
				    (double)(done - job->begun_at);
	if (job->request)
		request_progress(job->request, job_json(job));
}
