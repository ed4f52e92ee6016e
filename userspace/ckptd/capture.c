// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step is a command to QEMU whose answer leads to the next:
 *
 *	begin -> status -> migration -> capabilities -> parameters -> fd
 *	background:	stop -> disks() -> migrate -> RESUME, completed
 *	and early:	migrate -> it waits -> stop -> disks() -> go on -> RESUME, completed
 *	live:		migrate -> pre-switchover, it stands still -> disks() -> completed -> cont
 *	stopped:	stop -> disks() -> migrate -> pre-switchover -> completed -> cont
 *	all:		the image is written -> capabilities off -> done
 *
 * A failure anywhere leads to capture_recover.c, and that to done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture_inside.h"
#include "clock.h"
#include "json_stream.h"
#include "points.h"

void capture_call(struct capture *c, const char *command, struct json_object *arguments, qmp_fn fn)
{
	qmp_call(c->qmp, command, arguments, -1, CAPTURE_ANSWER_SECONDS, fn);
}

static void add_capability(struct json_object *list, const char *name, bool on)
{
	struct json_object *one = json_object_new_object();

	json_object_object_add(one, "capability", json_object_new_string(name));
	json_object_object_add(one, "state", json_object_new_boolean(on));
	json_object_array_add(list, one);
}

void capture_capabilities(struct capture *c, bool background, bool live, qmp_fn fn)
{
	struct json_object *arguments = json_object_new_object();
	struct json_object *list = json_object_new_array();

	add_capability(list, "events", background || live);
	add_capability(list, "background-snapshot", background);
	add_capability(list, "pause-before-switchover", live);
	json_object_object_add(arguments, "capabilities", list);
	capture_call(c, "migrate-set-capabilities", arguments, fn);
}

void capture_put_back(struct capture *c, qmp_fn fn)
{
	struct json_object *arguments;

	if (c->bandwidth >= 0) {
		arguments = json_object_new_object();
		json_object_object_add(arguments, "max-bandwidth",
				       json_object_new_int64(c->bandwidth));
		capture_call(c, "migrate-set-parameters", arguments, NULL);
	}
	capture_capabilities(c, false, false, fn);
}

/* The end, whatever the reason; nothing of it is touched afterwards. */
void capture_end(struct capture *c)
{
	sd_event_source_disable_unref(c->tick);
	sd_event_source_disable_unref(c->again);
	sd_event_source_disable_unref(c->look);
	qmp_free(c->qmp);
	pump_free(c->pump);
	if (c->error.result && c->image)
		memory_discard(c->image);
	c->ops->done(c->arg, c->error.result, &c->state, &c->error);
	if (c->pipe >= 0)
		close(c->pipe);
	free(c->image);
	free(c);
}

/* ---- the end of a good one ---- */

static void on_all_off(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	(void)e;	/* the image is good whatever QEMU says to that */
	memory_publish(c->image, &c->error);
	capture_end(c);
}

static void finish_if_all(struct capture *c)
{
	if (c->phase != CAPTURE_RUNNING || !c->has_completed || !c->has_image ||
	    !c->has_disks || (c->was_running && !c->runs_again))
		return;
	c->error.result = CKPT_DONE;
	c->phase = CAPTURE_ENDING;
	capture_put_back(c, on_all_off);
}

static void on_pumped(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	struct capture *c = arg;

	c->has_image = !result;
	c->state.stream = atomic_load(&pump_control(c->pump)->stream);
	c->state.file = atomic_load(&pump_control(c->pump)->file);
	if (result && c->phase == CAPTURE_RUNNING)
		capture_fail(c, e);
	else
		finish_if_all(c);
}

/* ---- all ways ---- */

static bool went_wrong(struct capture *c, const struct ckpt_error *e)
{
	if (c->phase != CAPTURE_RUNNING)
		return true;		/* of a command before the failure */
	if (e)
		capture_fail(c, e);
	return e;
}

static bool take_disks(struct capture *c)
{
	uint64_t begin = clock_us();
	struct ckpt_error e = { 0 };

	if (c->ops->disks(c->arg, &e)) {
		capture_fail(c, &e);
		return false;
	}
	c->has_disks = true;
	c->state.disks_us = clock_us() - begin;
	return true;
}

static void on_migrating(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (went_wrong(c, e))
		return;
	c->is_migrating = true;
	if (c->is_early)
		capture_early_wait(c);
}

/* The stream is to come. */
static bool go(struct capture *c)
{
	struct ckpt_error e;
	int err = pump_go(c->pump);

	c->moved_us = clock_us();
	if (!err)
		return true;
	ckpt_fail_errno(&e, err, "the guest's memory cannot be written");
	capture_fail(c, &e);
	return false;
}

static void migrate(struct capture *c)
{
	struct json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "uri", json_object_new_string("fd:ckpt-memory"));
	capture_call(c, "migrate", arguments, on_migrating);
}

static void on_stopped(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (went_wrong(c, e))
		return;
	point(POINT_STOPPED);
	if (!take_disks(c) || !go(c) || c->is_early)
		return;
	migrate(c);
}

static bool is_going_to_stop(struct capture *c)
{
	struct ckpt_error e = { 0 };

	if (c->ops->stopping && c->ops->stopping(c->arg, &c->state, &e)) {
		capture_fail(c, &e);
		return false;
	}
	point(POINT_STOPPING);
	return true;
}

void capture_stop(struct capture *c)
{
	if (is_going_to_stop(c))
		capture_call(c, "stop", NULL, on_stopped);
}

static void on_fd(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (went_wrong(c, e))
		return;
	if (c->is_early) {
		capture_early_found(c);
		migrate(c);
	} else if (c->was_running && !c->is_live) {
		capture_stop(c);
	} else if ((!c->was_running || is_going_to_stop(c)) && go(c)) {
		migrate(c);
	}
}

static void on_parameters(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct json_object *arguments = json_object_new_object();
	struct capture *c = arg;
	int fd = c->pipe;

	(void)value;
	if (went_wrong(c, e)) {
		json_object_put(arguments);
		return;
	}
	if (c->is_early)
		capture_early_hold(c);
	c->pipe = -1;
	json_object_object_add(arguments, "fdname", json_object_new_string("ckpt-memory"));
	qmp_call(c->qmp, "getfd", arguments, fd, CAPTURE_ANSWER_SECONDS, on_fd);
}

/* No limit: who waits for a page that is not written yet is a processor of the guest. */
static void on_query_parameters(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct json_object *arguments, *bandwidth;
	struct capture *c = arg;

	if (went_wrong(c, e))
		return;
	if (json_object_object_get_ex(value, "max-bandwidth", &bandwidth) &&
	    json_object_is_type(bandwidth, json_type_int))
		c->bandwidth = json_object_get_int64(bandwidth);
	arguments = json_object_new_object();
	json_object_object_add(arguments, "max-bandwidth", json_object_new_int64(1ll << 40));
	capture_call(c, "migrate-set-parameters", arguments, on_parameters);
}

static void add_note(struct capture *c, const char *text)
{
	size_t length = strlen(c->state.note);

	snprintf(c->state.note + length, sizeof(c->state.note) - length, "%s", text);
}

static void on_live(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (went_wrong(c, e))
		return;
	c->state.way = c->is_live ? "live" : "stopped";
	capture_call(c, "query-migrate-parameters", NULL, on_query_parameters);
}

/* Without KVM, QEMU loses what its guest writes in the later passes: see memory-image.rst. */
static void on_kvm(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;
	struct json_object *enabled;

	if (went_wrong(c, e))
		return;
	c->is_live = json_object_object_get_ex(value, "enabled", &enabled) &&
		     json_object_get_boolean(enabled);
	if (!c->is_live)
		add_note(c, "; and it has no KVM, so that it stood still for all of its memory");
	capture_capabilities(c, false, true, on_live);
}

static void on_version(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	if (went_wrong(c, e))
		return;
	capture_early_ask(c, value);
	capture_call(c, "query-migrate-parameters", NULL, on_query_parameters);
}

static void on_background(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (e && e->result != CKPT_TIMEOUT && c->phase == CAPTURE_RUNNING) {
		snprintf(c->state.note, sizeof(c->state.note), "%.299s", e->text);
		c->is_background = false;
		capture_call(c, "query-kvm", NULL, on_kvm);
		return;
	}
	if (went_wrong(c, e))
		return;
	c->state.way = "background";
	capture_call(c, "query-version", NULL, on_version);
}

static void on_query_migrate(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;
	struct json_object *list;
	struct ckpt_error why;
	char reason[400];

	if (went_wrong(c, e))
		return;
	if (capture_is_migrating(value)) {
		ckpt_fail(&why, CKPT_BUSY, "the guest is being migrated or saved by somebody else");
		c->is_foreign = true;
		capture_fail(c, &why);
	} else if (json_object_object_get_ex(value, "blocked-reasons", &list) &&
		   json_object_is_type(list, json_type_array) && json_object_array_length(list)) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, 0));

		json_stream_clean(text ? text : "", reason, sizeof(reason));
		ckpt_fail(&why, CKPT_FAILED, "the guest's memory cannot be saved: %s", reason);
		capture_fail(c, &why);
	} else if (c->was_running) {
		c->is_background = true;
		capture_capabilities(c, true, false, on_background);
	} else {
		strcpy(c->state.note, "the guest is paused");
		capture_capabilities(c, false, true, on_live);
	}
}

static void on_query_status(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	const char *status = json_stream_text(value, "status");
	struct capture *c = arg;
	struct ckpt_error why;
	char clean[40];

	if (went_wrong(c, e))
		return;
	c->was_running = status && !strcmp(status, "running");
	c->state.is_paused = !c->was_running;
	if (c->was_running || (status && !strcmp(status, "paused"))) {
		capture_call(c, "query-migrate", NULL, on_query_migrate);
		return;
	}
	json_stream_clean(status ? status : "unknown", clean, sizeof(clean));
	ckpt_fail(&why, CKPT_FAILED, "the guest can be captured when it runs or is paused; it is '%s'",
		  clean);
	capture_fail(c, &why);
}

/* ---- what QEMU tells by itself ---- */

static void on_cont(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	(void)value;
	went_wrong(arg, e);
}

/* QEMU says that it has completed a moment before it takes this. */
static void on_live_cont(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	if (e && e->result == CKPT_FAILED && c->phase == CAPTURE_RUNNING && c->qmp) {
		sd_event_source_set_time_relative(c->again, CAPTURE_AGAIN_US);
		sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT);
	} else {
		went_wrong(c, e);
	}
}

static int on_again(sd_event_source *source, uint64_t usec, void *arg)
{
	struct capture *c = arg;

	(void)source;
	(void)usec;
	if (c->phase == CAPTURE_RUNNING && c->qmp && !c->runs_again)
		capture_call(c, "cont", NULL, on_live_cont);
	return 0;
}

static void on_why(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	const char *text = json_stream_text(value, "error-desc");
	struct capture *c = arg;
	struct ckpt_error why;
	char clean[600];

	if (went_wrong(c, e))
		return;
	json_stream_clean(text ? text : "it does not say why", clean, sizeof(clean));
	ckpt_fail(&why, CKPT_FAILED, "QEMU could not save the guest's memory: %s", clean);
	capture_fail(c, &why);
}

static void on_migration(struct capture *c, const char *status)
{
	struct json_object *arguments;

	if (!strcmp(status, "pre-switchover") && !c->is_background) {
		if (c->is_live)
			point(POINT_STOPPED);
		if (!c->has_disks && !take_disks(c))
			return;
		arguments = json_object_new_object();
		json_object_object_add(arguments, "state", json_object_new_string(status));
		capture_call(c, "migrate-continue", arguments, on_cont);
	} else if (!strcmp(status, "completed") && c->has_disks) {
		c->has_completed = true;
		if (!c->is_background && c->was_running)
			capture_call(c, "cont", NULL, on_live_cont);
		finish_if_all(c);
	} else if (!strcmp(status, "failed") || !strcmp(status, "cancelled") ||
		   !strcmp(status, "completed")) {
		c->has_failed_migration = true;
		capture_call(c, "query-migrate", NULL, on_why);
	}
}

static void on_resume(struct capture *c, uint64_t usec)
{
	c->runs_again = true;
	if (c->stopped_us && usec > c->stopped_us)
		c->state.standstill_us = usec - c->stopped_us;
	if (c->phase == CAPTURE_RUNNING && c->ops->running)
		c->ops->running(c->arg);
	finish_if_all(c);
}

/*
 * Only the first time that it runs after its disks were taken is ours.  It may be stopped once
 * more while its memory is written, by a person, or by QEMU as a disk is full; and before that,
 * where it is written live.
 */
static void on_event(void *arg, const char *name, struct json_object *data, uint64_t usec)
{
	const char *status = json_stream_text(data, "status");
	struct capture *c = arg;

	if (!strcmp(name, "STOP")) {
		if (!c->runs_again)
			c->stopped_us = usec;
	} else if (!strcmp(name, "RESUME")) {
		if (c->has_disks && !c->runs_again)
			on_resume(c, usec);
	} else if (!strcmp(name, "MIGRATION") && status && c->phase == CAPTURE_RUNNING) {
		on_migration(c, status);
	}
}

/* That QEMU has ended is not said: the guest may stand still behind a broken monitor. */
static void on_closed(void *arg, const struct ckpt_error *e)
{
	struct capture *c = arg;

	capture_fail(c, e);
	if (c->phase == CAPTURE_ENDING && c->has_image)
		memory_publish(c->image, &c->error);
	qmp_free(c->qmp);
	c->qmp = NULL;
	if (c->phase == CAPTURE_ENDING || !c->ops->reconnect || !c->was_running)
		capture_end(c);
}

/* ---- time ---- */

/*
 * A guest that changes its memory as fast as it can be written would never be switched over:
 * it has to stand still for the rest. Some pages may be zeros, which are hardly a byte each,
 * so there is a bound for the passes as well.
 */
static void end_of_patience(struct capture *c, struct json_object *ram)
{
	if (!c->is_live || c->is_held || c->has_disks ||
	    (c->state.stream < CAPTURE_LIVE_TIMES * json_stream_number(ram, "total") &&
	     json_stream_number(ram, "dirty-sync-count") < CAPTURE_LIVE_PASSES))
		return;
	c->is_held = true;
	add_note(c, "; it changed its memory faster than that was written, and was stopped for the rest");
	capture_call(c, "stop", NULL, on_cont);
}

static void on_amount(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;
	struct json_object *ram;

	c->is_asking = false;
	if (e || c->phase != CAPTURE_RUNNING || !json_object_object_get_ex(value, "ram", &ram))
		return;		/* the answers to the other commands tell what is wrong */
	c->state.stream_total = c->state.stream + json_stream_number(ram, "remaining");
	end_of_patience(c, ram);
}

static void look_at_progress(struct capture *c)
{
	const struct memory_control *control;
	uint64_t stream, now = clock_us();
	struct ckpt_error e;

	if (!c->pump)
		return;
	control = pump_control(c->pump);
	stream = atomic_load(&control->stream);
	if (stream != c->state.stream) {
		c->moved_us = now;
		c->state.stream = stream;
	}
	c->state.file = atomic_load(&control->file);
	if (c->ops->progress)
		c->ops->progress(c->arg, &c->state);
	if (c->phase != CAPTURE_RUNNING)
		return;
	if (c->is_migrating && !c->has_completed && !c->is_asking && c->qmp) {
		c->is_asking = true;
		capture_call(c, "query-migrate", NULL, on_amount);
	}
	if (now - c->moved_us > CAPTURE_STALL_SECONDS * 1000000ull) {
		ckpt_fail(&e, CKPT_TIMEOUT, "the guest's memory does not come any more: nothing in %u s",
			  CAPTURE_STALL_SECONDS);
		capture_fail(c, &e);
	}
}

int capture_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct capture *c = arg;

	(void)usec;
	sd_event_source_set_time_relative(source, CAPTURE_TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (c->phase == CAPTURE_RECOVERING)
		capture_recover(c);
	else
		look_at_progress(c);
	return 0;
}

void capture_connect(struct capture *c, int monitor)
{
	static const struct qmp_handlers handlers = { on_event, on_closed };
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);

	if (!getsockopt(monitor, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		c->early.qemu = cred.pid;
	c->qmp = qmp_open(c->event, monitor, &handlers, c);
}

static int set_up(struct capture *c, sd_event *event, int monitor)
{
	int err;

	c->pump = pump_start(event, PUMP_SAVE, c->image, &c->pipe, on_pumped, c);
	if (!c->pump)
		return errno;
	err = sd_event_add_time_relative(event, &c->tick, CLOCK_MONOTONIC, CAPTURE_TICK_US, 0,
					 capture_tick, c);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &c->again, CLOCK_MONOTONIC, 0, 0, on_again,
						 c);
	if (err < 0)
		return -err;
	sd_event_source_set_enabled(c->again, SD_EVENT_OFF);
	capture_connect(c, monitor);
	return c->qmp ? 0 : errno;
}

struct capture *capture_start(sd_event *event, int monitor, const char *image,
			      const struct capture_ops *ops, void *arg)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		abort();
	*c = (struct capture){
		.event = event, .ops = ops, .arg = arg, .pipe = -1, .image = strdup(image), .state.way = "",
		.bandwidth = -1,
		.moved_us = clock_us(),
	};
	err = set_up(c, event, monitor);
	if (!err) {
		capture_call(c, "query-status", NULL, on_query_status);
		return c;
	}
	sd_event_source_disable_unref(c->tick);
	sd_event_source_disable_unref(c->again);
	pump_free(c->pump);
	free(c->image);
	free(c);
	errno = err;
	return NULL;
}

void capture_cancel(struct capture *c)
{
	struct ckpt_error e;

	if (c->phase != CAPTURE_RUNNING)
		return;
	ckpt_fail(&e, CKPT_FAILED, "the checkpoint was cancelled");
	capture_fail(c, &e);
}
