// SPDX-License-Identifier: GPL-2.0-only
/* Capabilities, the pipe, migrate-incoming, and when both ends are done: cont. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "json_stream.h"
#include "pump.h"
#include "qmp.h"
#include "restore.h"

#define TICK_US	250000u

struct restore {
	const struct restore_ops *ops;
	void *arg;
	struct qmp *qmp;
	struct pump *pump;		/* NULL: there is nothing to read */
	sd_event_source *tick;
	int pipe;
	bool run, verify, has_read, has_loaded, is_cancelled;
	uint64_t seen;
	uint64_t moved;			/* clock_seconds(), when @seen was less */
};

static void end(struct restore *r, const struct ckpt_error *e)
{
	struct ckpt_error error = { 0 };

	if (e)
		error = *e;
	sd_event_source_disable_unref(r->tick);
	qmp_free(r->qmp);
	pump_free(r->pump);
	if (r->pipe >= 0)
		close(r->pipe);
	r->ops->done(r->arg, error.result, &error);
	free(r);
}

static void call(struct restore *r, const char *command, struct json_object *arguments, int fd,
		 qmp_fn fn)
{
	qmp_call(r->qmp, command, arguments, fd, RESTORE_ANSWER_SECONDS, fn);
}

static void on_cont(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct restore *r = arg;

	(void)value;
	end(r, e);
}

/* It runs only when QEMU has all, and all of it was found right. */
static void run_if_all(struct restore *r)
{
	struct ckpt_error e;

	if (!r->has_read || (!r->verify && !r->has_loaded))
		return;
	if (!r->verify && r->ops->loaded && r->ops->loaded(r->arg, &e))
		end(r, &e);
	else if (r->run)
		call(r, "cont", NULL, -1, on_cont);
	else
		end(r, NULL);
}

static void on_pumped(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct restore *r = arg;

	r->has_read = !result;
	if (result)
		end(r, e);
	else
		run_if_all(r);
}

static void on_incoming(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	(void)value;
	if (e)
		end(arg, e);
}

static void on_fd(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct json_object *arguments;

	(void)value;
	if (e) {
		end(arg, e);
		return;
	}
	arguments = json_object_new_object();
	json_object_object_add(arguments, "uri", json_object_new_string("fd:ckpt-memory"));
	call(arg, "migrate-incoming", arguments, -1, on_incoming);
}

static void on_capabilities(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct json_object *arguments;
	struct restore *r = arg;
	int fd = r->pipe;

	(void)value;
	if (e) {
		end(r, e);
		return;
	}
	r->pipe = -1;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "fdname", json_object_new_string("ckpt-memory"));
	call(r, "getfd", arguments, fd, on_fd);
}

static void on_event(void *arg, const char *name, struct json_object *data, uint64_t usec)
{
	const char *status = json_stream_text(data, "status");
	struct restore *r = arg;
	struct ckpt_error e;

	(void)usec;
	if (strcmp(name, "MIGRATION") || !status)
		return;
	if (!strcmp(status, "completed")) {
		r->has_loaded = true;
		run_if_all(r);
	} else if (!strcmp(status, "failed")) {
		ckpt_fail(&e, CKPT_FAILED,
			  "QEMU cannot load the memory image: is this the same machine as then?");
		end(r, &e);
	}
}

static void on_closed(void *arg, const struct ckpt_error *e)
{
	struct restore *r = arg;

	end(r, e);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	const struct memory_control *control;
	struct restore *r = arg;
	struct ckpt_error e;

	(void)usec;
	if (r->is_cancelled) {
		ckpt_fail(&e, CKPT_FAILED, "it was cancelled");
		end(r, &e);
		return 0;
	}
	if (!r->pump)
		return 0;
	control = pump_control(r->pump);
	if (atomic_load(&control->stream) != r->seen) {
		r->seen = atomic_load(&control->stream);
		r->moved = clock_seconds();
	}
	if (clock_seconds() - r->moved > RESTORE_STALL_SECONDS) {
		ckpt_fail(&e, CKPT_TIMEOUT, r->verify ?
			  "the memory image cannot be read: nothing in %u s" :
			  "QEMU does not take the guest's memory: nothing in %u s",
			  RESTORE_STALL_SECONDS);
		end(r, &e);
		return 0;
	}
	if (r->ops->progress)
		r->ops->progress(r->arg, r->seen, atomic_load(&control->total));
	sd_event_source_set_time_relative(source, TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void begin(struct restore *r)
{
	struct json_object *arguments = json_object_new_object();
	struct json_object *list = json_object_new_array(), *one = json_object_new_object();

	json_object_object_add(one, "capability", json_object_new_string("events"));
	json_object_object_add(one, "state", json_object_new_boolean(true));
	json_object_array_add(list, one);
	json_object_object_add(arguments, "capabilities", list);
	call(r, "migrate-set-capabilities", arguments, -1, on_capabilities);
}

static struct restore *new_restore(const struct restore_ops *ops, void *arg)
{
	struct restore *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	*r = (struct restore){ .ops = ops, .arg = arg, .pipe = -1, .moved = clock_seconds() };
	return r;
}

/* An image, a monitor, or both.  NULL with errno, and then @r and @monitor are no more. */
static struct restore *set_up(struct restore *r, sd_event *event, enum pump_what what,
			      const char *image, int monitor)
{
	static const struct qmp_handlers handlers = { on_event, on_closed };
	int err = 0;

	if (image) {
		r->pump = pump_start(event, what, image, &r->pipe, on_pumped, r);
		err = r->pump ? 0 : errno;
	}
	if (!err)
		err = -sd_event_add_time_relative(event, &r->tick, CLOCK_MONOTONIC, TICK_US, 0,
						  on_tick, r);
	if (err <= 0 && monitor >= 0) {
		r->qmp = qmp_open(event, monitor, &handlers, r);
		err = r->qmp ? 0 : errno;
	} else if (monitor >= 0) {
		close(monitor);
	}
	if (err <= 0)
		return r;
	sd_event_source_disable_unref(r->tick);
	pump_free(r->pump);
	if (r->pipe >= 0)
		close(r->pipe);
	free(r);
	errno = err;
	return NULL;
}

struct restore *restore_start(sd_event *event, int monitor, const char *image, bool run,
			      const struct restore_ops *ops, void *arg)
{
	struct restore *r = set_up(new_restore(ops, arg), event, PUMP_GIVE, image, monitor);

	if (!r)
		return NULL;
	r->run = run;
	begin(r);
	return r;
}

struct restore *restore_verify(sd_event *event, const char *image, const struct restore_ops *ops,
			       void *arg)
{
	struct restore *r = set_up(new_restore(ops, arg), event, PUMP_VERIFY, image, -1);

	if (r)
		r->verify = true;
	return r;
}

struct restore *restore_resume(sd_event *event, int monitor, const struct restore_ops *ops,
			       void *arg)
{
	struct restore *r = set_up(new_restore(ops, arg), event, PUMP_GIVE, NULL, monitor);

	if (r)
		call(r, "cont", NULL, -1, on_cont);
	return r;
}

void restore_cancel(struct restore *r)
{
	r->is_cancelled = true;
	sd_event_source_set_time_relative(r->tick, 0);
	sd_event_source_set_enabled(r->tick, SD_EVENT_ONESHOT);
}
