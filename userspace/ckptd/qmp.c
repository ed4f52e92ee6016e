// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json_stream.h"
#include "qmp.h"

#define SECOND	1000000ull
#define READS	16			/* at most in a row, so that others get their turn */

struct call {
	struct call *next;
	struct qmp *q;
	const char *command;
	struct json_object *message;
	int64_t id;
	int fd;
	bool is_sent;
	sd_event_source *late;
	qmp_fn fn;
};

struct qmp {
	sd_event *event;
	sd_event_source *io, *late, *defer;
	int fd;
	struct json_stream stream;
	struct call *calls;		/* oldest first */
	int64_t id;
	bool has_greeted, is_ready, is_closed, is_dead;
	unsigned int inside;		/* callbacks on the stack */
	struct ckpt_error error;	/* why it is closed */
	const struct qmp_handlers *handlers;
	void *arg;
};

static void call_free(struct call *c)
{
	sd_event_source_disable_unref(c->late);
	json_object_put(c->message);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static void release(struct qmp *q)
{
	if (!q->is_dead || q->inside)
		return;
	sd_event_source_disable_unref(q->io);
	sd_event_source_disable_unref(q->late);
	sd_event_source_disable_unref(q->defer);
	while (q->calls) {
		struct call *c = q->calls;

		q->calls = c->next;
		call_free(c);
	}
	json_stream_free(&q->stream);
	close(q->fd);
	free(q);
}

void qmp_free(struct qmp *q)
{
	if (!q)
		return;
	q->is_dead = true;
	release(q);
}

/* Take it off the list and tell its owner. */
static void call_end(struct call *c, struct json_object *value, const struct ckpt_error *e)
{
	struct qmp *q = c->q;
	struct call **at = &q->calls;
	qmp_fn fn = c->fn;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	call_free(c);
	if (fn && !q->is_dead)
		fn(q->arg, value, e);
}

static int on_close(sd_event_source *source, void *arg)
{
	struct qmp *q = arg;

	(void)source;
	q->inside++;
	while (q->calls && !q->is_dead)
		call_end(q->calls, NULL, &q->error);
	if (!q->is_dead)
		q->handlers->closed(q->arg, &q->error);
	q->inside--;
	release(q);
	return 0;
}

/* Nothing more is read; who waits is told from the event loop. */
static void give_up(struct qmp *q)
{
	if (q->is_closed)
		return;
	q->is_closed = true;
	sd_event_source_set_enabled(q->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(q->late, SD_EVENT_OFF);
	shutdown(q->fd, SHUT_RDWR);
	if (sd_event_add_defer(q->event, &q->defer, on_close, q) < 0)
		abort();
}

/* Found by who reads or by who writes, whichever is first. */
static void has_closed(struct qmp *q)
{
	ckpt_fail(&q->error, CKPT_FAILED, "QEMU has closed its monitor: it may have ended");
	give_up(q);
}

static void send_call(struct call *c)
{
	struct qmp *q = c->q;
	const char *text = json_object_to_json_string_ext(c->message, JSON_C_TO_STRING_PLAIN);
	struct iovec part[2] = { { (void *)text, strlen(text) }, { "\n", 1 } };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { 0 };
	struct msghdr m = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t n;

	if (c->fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &c->fd, sizeof(int));
	}
	c->is_sent = true;
	/* They are short: a socket without room for one has nobody that reads. */
	n = sendmsg(q->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		has_closed(q);
	} else if (n != (ssize_t)(part[0].iov_len + 1)) {
		ckpt_fail(&q->error, CKPT_FAILED, "QEMU's monitor does not take commands any more");
		give_up(q);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct call *c = arg;
	struct qmp *q = c->q;
	struct ckpt_error e;

	(void)source;
	(void)usec;
	ckpt_fail(&e, CKPT_TIMEOUT, "QEMU does not answer '%s' in time", c->command);
	q->inside++;
	call_end(c, NULL, &e);
	q->inside--;
	release(q);
	return 0;
}

static struct call *new_call(struct qmp *q, const char *command, struct json_object *arguments,
			     int fd, unsigned int seconds, qmp_fn fn)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	*c = (struct call){ .q = q, .command = command, .id = ++q->id, .fd = fd, .fn = fn };
	c->message = json_object_new_object();
	json_object_object_add(c->message, "execute", json_object_new_string(command));
	if (arguments)
		json_object_object_add(c->message, "arguments", arguments);
	json_object_object_add(c->message, "id", json_object_new_int64(c->id));
	if (sd_event_add_time_relative(q->event, &c->late, CLOCK_MONOTONIC, seconds * SECOND, 0,
				       on_late, c) < 0)
		abort();
	return c;
}

void qmp_call(struct qmp *q, const char *command, struct json_object *arguments, int fd,
	      unsigned int seconds, qmp_fn fn)
{
	struct call *c = new_call(q, command, arguments, fd, seconds, fn), **at = &q->calls;

	while (*at)
		at = &(*at)->next;
	*at = c;
	if (q->is_closed)		/* and so told already, perhaps: this one is late */
		sd_event_source_set_time_relative(c->late, 0);
	else if (q->is_ready)
		send_call(c);
}

/* The greeting was answered: what has waited goes out. */
static void on_capabilities(struct qmp *q, struct json_object *object)
{
	if (!json_object_object_get_ex(object, "return", NULL)) {
		ckpt_fail(&q->error, CKPT_FAILED, "QEMU's monitor refuses to negotiate");
		give_up(q);
		return;
	}
	sd_event_source_set_enabled(q->late, SD_EVENT_OFF);
	q->is_ready = true;
	for (struct call *c = q->calls; c && !q->is_closed; c = c->next)
		if (!c->is_sent)
			send_call(c);
}

static void on_answer(struct qmp *q, struct json_object *object)
{
	struct json_object *id, *value = NULL, *error = NULL;
	struct call *c = q->calls;
	const char *text;
	struct ckpt_error e;
	char clean[600];

	if (!json_object_object_get_ex(object, "id", &id) ||
	    !json_object_is_type(id, json_type_int))
		return;
	while (c && (!c->is_sent || c->id != json_object_get_int64(id)))
		c = c->next;
	if (!c)
		return;			/* it came too late */
	if (json_object_object_get_ex(object, "return", &value) && value) {
		call_end(c, value, NULL);
		return;
	}
	json_object_object_get_ex(object, "error", &error);
	text = json_stream_text(error, "desc");
	json_stream_clean(text ? text : "it does not say why", clean, sizeof(clean));
	ckpt_fail(&e, CKPT_FAILED, "QEMU refuses '%s': %s", c->command, clean);
	call_end(c, NULL, &e);
}

static uint64_t time_of(struct json_object *object)
{
	struct json_object *stamp, *s, *us;

	if (!json_object_object_get_ex(object, "timestamp", &stamp) ||
	    !json_object_is_type(stamp, json_type_object) ||
	    !json_object_object_get_ex(stamp, "seconds", &s) ||
	    !json_object_object_get_ex(stamp, "microseconds", &us))
		return 0;
	return (uint64_t)json_object_get_int64(s) * SECOND + (uint64_t)json_object_get_int64(us);
}

static void on_object(struct qmp *q, struct json_object *object)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\",\"id\":0}\n";
	struct json_object *data = NULL;
	const char *name = json_stream_text(object, "event");

	if (!q->has_greeted) {
		q->has_greeted = json_object_object_get_ex(object, "QMP", NULL);
		if (!q->has_greeted || send(q->fd, hello, strlen(hello), MSG_NOSIGNAL) < 0) {
			ckpt_fail(&q->error, CKPT_FAILED, "what answers there is no monitor of QEMU");
			give_up(q);
		}
	} else if (name) {
		json_object_object_get_ex(object, "data", &data);
		q->handlers->event(q->arg, name, data, time_of(object));
	} else if (!q->is_ready) {
		on_capabilities(q, object);
	} else {
		on_answer(q, object);
	}
}

static void take_in(struct qmp *q, const char *bytes, size_t size)
{
	const char *wrong = NULL;
	struct json_object *object;

	while (!q->is_closed && !q->is_dead) {
		object = json_stream_next(&q->stream, &bytes, &size, &wrong);
		if (wrong) {
			ckpt_fail(&q->error, CKPT_FAILED, "QEMU's monitor is given up: it %s", wrong);
			give_up(q);
		}
		if (!object)
			break;
		on_object(q, object);
		json_object_put(object);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct qmp *q = arg;
	char bytes[16384];
	ssize_t n = 0;

	(void)source;
	(void)events;
	q->inside++;
	for (int i = 0; i < READS && !q->is_closed && !q->is_dead; i++) {
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n > 0) {
			take_in(q, bytes, (size_t)n);
			continue;
		}
		has_closed(q);
	}
	q->inside--;
	release(q);
	return 0;
}

static int on_silence(sd_event_source *source, uint64_t usec, void *arg)
{
	struct qmp *q = arg;

	(void)source;
	(void)usec;
	ckpt_fail(&q->error, CKPT_BUSY,
		  "QEMU's monitor does not greet: " QMP_OWNED);
	give_up(q);
	return 0;
}

struct qmp *qmp_open(sd_event *event, int fd, const struct qmp_handlers *handlers, void *arg)
{
	struct qmp *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		abort();
	*q = (struct qmp){ .event = event, .fd = fd, .handlers = handlers, .arg = arg };
	err = sd_event_add_io(event, &q->io, fd, EPOLLIN, on_io, q);
	if (err >= 0)
		err = sd_event_add_time_relative(event, &q->late, CLOCK_MONOTONIC,
						 QMP_GREETING_SECONDS * SECOND, 0, on_silence, q);
	if (err >= 0)
		return q;
	qmp_free(q);
	errno = -err;
	return NULL;
}
