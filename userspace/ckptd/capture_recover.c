// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a failure: QEMU's migration is cancelled or, in the background, let end, and at every tick the guest is told to
 * run until it is seen to, as QEMU refuses that before the migration has ended.
 */
#include <stdlib.h>
#include <string.h>

#include "capture_inside.h"
#include "clock.h"
#include "json_stream.h"

bool capture_is_migrating(struct json_object *value)
{
	static const char * const ended[] = { "none", "completed", "failed", "cancelled" };
	const char *status = json_stream_text(value, "status");

	for (size_t i = 0; status && i < sizeof(ended) / sizeof(*ended); i++)
		if (!strcmp(status, ended[i]))
			return false;
	return status;
}

static void on_ignored(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	(void)arg;
	(void)value;
	(void)e;
}

static void on_off(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	(void)e;
	if (!c->image)		/* a rescue, and so it has succeeded */
		c->error.result = CKPT_DONE;
	capture_end(c);
}

static void on_cont(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	(void)value;
	(void)e;		/* the next tick looks */
	c->is_asking = false;
}

/* Also what it is only when it was told to run, and did. */
static bool has_run(const char *status)
{
	return !strcmp(status, "running") || !strcmp(status, "shutdown") ||
	       !strcmp(status, "io-error");
}

static void on_status(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	const char *status = json_stream_text(value, "status");
	struct capture *c = arg;

	if (e || !status) {
		c->is_asking = false;
	} else if (c->was_running && !has_run(status)) {
		capture_call(c, "cont", NULL, on_cont);
	} else {
		c->phase = CAPTURE_ENDING;
		c->has_image = false;
		capture_put_back(c, on_off);
	}
}

static void on_migrate(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	if (!e && !capture_is_migrating(value))
		capture_call(c, "query-status", NULL, on_status);
	else
		c->is_asking = false;
}

static bool connect_again(struct capture *c)
{
	int fd = c->ops->reconnect(c->arg);

	c->is_asking = false;
	if (fd < 0)
		return false;
	capture_connect(c, fd);
	return c->qmp;
}

void capture_recover(struct capture *c)
{
	if (clock_seconds() - c->failed_at > CAPTURE_RECOVER_SECONDS) {
		ckpt_fail(&c->error, c->error.result,
			  "%.700s; and QEMU cannot be brought to have the guest run: look at its monitor",
			  c->error.text);
		capture_end(c);
		return;
	}
	if (c->is_foreign || (!c->qmp && !connect_again(c))) {
		capture_end(c);
		return;
	}
	if (c->is_asking)
		return;
	c->is_asking = true;
	capture_call(c, "query-migrate", NULL, on_migrate);
}

void capture_fail(struct capture *c, const struct ckpt_error *e)
{
	if (c->phase != CAPTURE_RUNNING)
		return;
	c->phase = CAPTURE_RECOVERING;
	c->error = *e;
	c->failed_at = clock_seconds();
	/* What QEMU still writes is read away, so that it comes to an end. */
	pump_free(c->pump);
	c->pump = NULL;
	/* A background snapshot is never cancelled, for what drain.h says. */
	if (!c->is_foreign && !c->is_background && !c->has_failed_migration)
		capture_call(c, "migrate_cancel", NULL, on_ignored);
}

/* ---- what a capture that was killed has left ---- */

struct rescue {
	sd_event *event;
	int (*connect)(void *arg);
	void *arg;
	struct ckpt_error error;
};

static void rescued(void *arg, enum ckpt_result result, const struct capture_state *s,
		    const struct ckpt_error *e)
{
	struct rescue *r = arg;

	(void)result;
	(void)s;
	r->error = *e;
	sd_event_exit(r->event, 0);
}

static int reconnect(void *arg)
{
	const struct rescue *r = arg;

	return r->connect(r->arg);
}

static int start_rescue(struct rescue *r, bool is_background)
{
	static const struct capture_ops ops = { .reconnect = reconnect, .done = rescued };
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		abort();
	*c = (struct capture){
		.event = r->event, .ops = &ops, .arg = r, .pipe = -1, .state.way = "",
		.bandwidth = -1, .phase = CAPTURE_RECOVERING, .was_running = true,
		/* A capture would have longer. */
		.failed_at = clock_seconds() - CAPTURE_RECOVER_SECONDS + CAPTURE_RESCUE_SECONDS,
	};
	ckpt_fail(&c->error, CKPT_FAILED, "ckptd was killed over a checkpoint of a guest");
	err = sd_event_add_time_relative(r->event, &c->tick, CLOCK_MONOTONIC, 0, 0, capture_tick,
					 c);
	if (err < 0) {
		free(c);
		return err;
	}
	if (connect_again(c) && !is_background)
		capture_call(c, "migrate_cancel", NULL, on_ignored);
	return 0;
}

enum ckpt_result capture_rescue(bool is_background, int (*connect)(void *arg), void *arg,
				struct ckpt_error *e)
{
	struct rescue r = { .connect = connect, .arg = arg };
	int err = sd_event_new(&r.event);

	if (err >= 0)
		err = start_rescue(&r, is_background);
	if (err >= 0)
		err = sd_event_loop(r.event);
	sd_event_unref(r.event);
	if (err < 0)
		return ckpt_fail_errno(e, -err, "the guest's monitor cannot be watched");
	if (r.error.result)
		*e = r.error;
	return r.error.result;
}
