/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is being done to machines: one thing at a time to each.  A job that takes time
 * goes on when nobody waits for it any more.
 */
#ifndef CKPTD_JOBS_H
#define CKPTD_JOBS_H

#include "server.h"
#include "vm_file.h"

struct daemon {
	sd_event *event;
	struct server *server;
	struct job *jobs;
};

struct job {
	struct daemon *daemon;
	struct job *next;
	struct vm_file vm;
	const char *what;		/* "checkpoint", "apply", "start", ... */
	struct request *request;	/* who waits for the answer; NULL: nobody */
	struct ckpt_error error;
	uint64_t done, total;		/* bytes, as far as that is known */
	uint64_t begun_usec, begun_at;	/* since when there is a total, and what was done then */
	double seconds_left;		/* below 0: that cannot be told */
	/* NULL: it cannot be cancelled.  Ends the job, now or later, with a failure. */
	void (*cancel)(struct job *job);
	void *part;			/* that of it which is at work, for cancel() */
	/* Called once by job_end(): its own things are to be freed, and the job itself. */
	void (*free)(struct job *job);
};

/*
 * Read the description of the machine and see that nothing else is done to it.  @job is of
 * the caller's making, with @what and @free set; after a failure it is as it was.
 */
enum ckpt_result job_begin(struct job *job, struct daemon *daemon, const char *vm,
			   struct request *request, struct ckpt_error *e);

/* The answer: @parameters (may be NULL) if @result is CKPT_DONE, or else job->error. */
void job_end(struct job *job, enum ckpt_result result, struct json_object *parameters);

/* So many bytes of so many are done: tell whoever wants to know, and how long it takes yet. */
void job_progress(struct job *job, uint64_t done, uint64_t total);

struct job *job_find(struct daemon *daemon, const char *vm);

/* {"what": ..., "done": ..., "total": ..., "seconds_left": ...} */
struct json_object *job_json(const struct job *job);

#endif
