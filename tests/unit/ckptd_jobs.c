// SPDX-License-Identifier: GPL-2.0-only
/* How far a job is, and how long it takes yet. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "ckptd/jobs.h"

#define NOTHING (-1.0)

static struct daemon daemon_;

/* When the job was told something: between those two. */
struct moment {
	double before, after;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double left(struct job *job, uint64_t done, uint64_t total, struct moment *m)
{
	struct json_object *object, *number;
	double answer = NOTHING;

	usleep(20000);
	m->before = seconds();
	job_progress(job, done, total);
	m->after = seconds();
	object = job_json(job);
	assert_true(json_object_object_get_ex(object, "seconds_left", &number));
	if (number)
		answer = json_object_get_double(number);
	json_object_put(object);
	return answer;
}

/* So many times what has passed since @begun are left; the daemon's clock counts microseconds. */
static void so_many(double times, struct job *job, uint64_t done, uint64_t total,
		    const struct moment *begun)
{
	struct moment m;
	double answer = left(job, done, total, &m);

	assert_true(answer >= times * (m.before - begun->after - 2e-6));
	assert_true(answer <= times * (m.after - begun->before + 2e-6));
}

static void figure(void **state)
{
	struct job job = { .daemon = &daemon_, .what = "checkpoint", .seconds_left = NOTHING };
	struct moment begun, m;

	(void)state;
	assert_true(sd_event_new(&daemon_.event) >= 0);
	assert_true(left(&job, 100, 1000, &begun) == NOTHING);
	assert_true(left(&job, 100, 1000, &m) == NOTHING);	/* nothing was done yet */
	/* What was done before it was looked at took a time that nobody knows. */
	so_many(2, &job, 400, 1000, &begun);
	so_many(0.5, &job, 700, 1000, &begun);
	/* More is to be done than it seemed. */
	so_many(1, &job, 700, 1300, &begun);
	so_many(0, &job, 1300, 1300, &begun);
	assert_true(left(&job, 1400, 1300, &m) == NOTHING);
	/* Another thing has begun. */
	assert_true(left(&job, 0, 50, &begun) == NOTHING);
	so_many(4, &job, 10, 50, &begun);
	sd_event_unref(daemon_.event);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(figure) };

RUN("ckptd_jobs", tests)
