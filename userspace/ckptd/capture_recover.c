// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a failure: QEMU's migration is cancelled or, in the background, let end, and at every tick
 * the guest is told to run until it is seen to, as QEMU refuses that before the migration has ended.
 */
#include <errno.h>
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

/* The rest of a large guest may take minutes to be read away, while it runs. */
static void look_what_is_left(struct capture *c, struct json_object *value)
{
	struct json_object *ram;
	uint64_t left = 0;

	if (json_object_object_get_ex(value, "ram", &ram))
		left = json_stream_number(ram, "remaining");
	if (left < c->left)
		c->failed_at = clock_seconds();
	c->left = left;
}

static void on_migrate(void *arg, struct json_object *value, const struct ckpt_error *e)
{
	struct capture *c = arg;

	if (!e && !capture_is_migrating(value)) {
		capture_call(c, "query-status", NULL, on_status);
		return;
	}
	if (!e)
		look_what_is_left(c, value);
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

struct capture *capture_rescue(sd_event *event, bool is_background, const struct capture_ops *ops,
			       void *arg)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		abort();
	*c = (struct capture){
		.event = event, .ops = ops, .arg = arg, .pipe = -1, .state.way = "",
		.bandwidth = -1, .phase = CAPTURE_RECOVERING, .was_running = true,
		.failed_at = clock_seconds(),
	};
	ckpt_fail(&c->error, CKPT_FAILED, "ckptd was killed over a checkpoint of a guest");
	err = sd_event_add_time_relative(event, &c->tick, CLOCK_MONOTONIC, 0, 0, capture_tick, c);
	if (err < 0) {
		free(c);
		errno = -err;
		return NULL;
	}
	if (connect_again(c) && !is_background)
		capture_call(c, "migrate_cancel", NULL, on_ignored);
	return c;
}
