// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "reach.h"

#define SENTINEL	0xff
#define NOISE_MAX	(1u << 20)	/* bytes before an answer to guest-sync-delimited */
#define BLANKS		" \t\r\n"

/* One question and its answer. */
struct talk {
	struct agent *a;
	const char *command;
	uint64_t until;			/* milliseconds, as of now_ms() */
	struct ckpt_error *e;
};

static uint64_t now_ms(void)
{
	return clock_us() / 1000;
}

void agent_use(struct agent *a, int fd)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	/* Another one each time, also than those of who has asked before us; and a positive int. */
	*a = (struct agent){
		.fd = fd, .id = (((int64_t)t.tv_sec << 12 ^ t.tv_nsec ^ getpid()) & 0x3fffffff) + 1,
	};
}

enum ckpt_result agent_open(struct agent *a, const char *path, struct ckpt_error *e)
{
	int err;

	agent_use(a, reach(path));
	err = errno;
	if (a->fd >= 0)
		return CKPT_DONE;
	if (err == ENOENT || err == ECONNREFUSED)
		return ckpt_fail(e, CKPT_NOT_FOUND, "there is no guest agent: nobody listens at %s",
				 path);
	return ckpt_fail_errno(e, err, "the guest agent cannot be reached at %s", path);
}

void agent_close(struct agent *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->is_in_step = false;
	json_stream_free(&a->stream);
}

static enum ckpt_result is_gone(struct talk *t)
{
	agent_close(t->a);
	return ckpt_fail(t->e, CKPT_FAILED, "the guest agent has closed its socket before it answered '%s'",
			 t->command);
}

static enum ckpt_result is_strange(struct talk *t, const char *what)
{
	return ckpt_fail(t->e, CKPT_FAILED, "the guest agent is none: asked for '%s', it %s", t->command,
			 what);
}

static enum ckpt_result await(struct talk *t, short events)
{
	struct pollfd p = { .fd = t->a->fd, .events = events };
	uint64_t now;
	int n;

	do {
		now = now_ms();
		n = now < t->until ? poll(&p, 1, (int)(t->until - now)) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return ckpt_fail_errno(t->e, errno, "the guest agent cannot be waited for");
	return n ? CKPT_DONE : ckpt_fail(t->e, CKPT_TIMEOUT, "the guest agent does not answer '%s' in time",
					 t->command);
}

static enum ckpt_result put(struct talk *t, const char *bytes, size_t size)
{
	enum ckpt_result result;
	ssize_t n;

	while (size) {
		n = send(t->a->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			/* Nobody reads: in the guest there may be no agent. */
			result = await(t, POLLOUT);
			if (result)
				return result;
		} else {
			return is_gone(t);
		}
	}
	return CKPT_DONE;
}

/* Some bytes, at least one. */
static enum ckpt_result get(struct talk *t, char *bytes, size_t *size)
{
	enum ckpt_result result;
	ssize_t n;

	for (;;) {
		result = await(t, POLLIN);
		if (result)
			return result;
		n = recv(t->a->fd, bytes, *size, MSG_DONTWAIT);
		if (n > 0) {
			*size = (size_t)n;
			return CKPT_DONE;
		}
		if (!n || (errno != EAGAIN && errno != EINTR))
			return is_gone(t);
	}
}

static enum ckpt_result send_question(struct talk *t, struct json_object *arguments)
{
	struct json_object *question = json_object_new_object();
	enum ckpt_result result;
	const char *text;

	json_object_object_add(question, "execute", json_object_new_string(t->command));
	if (arguments)
		json_object_object_add(question, "arguments", arguments);
	text = json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN);
	result = put(t, text, strlen(text));
	if (!result)
		result = put(t, "\n", 1);
	json_object_put(question);
	return result;
}

/* ---- into step ---- */

static bool is_answer(const struct agent *a, struct json_object *object)
{
	struct json_object *value;

	return json_object_object_get_ex(object, "return", &value) &&
	       json_object_is_type(value, json_type_int) && json_object_get_int64(value) == a->id;
}

/*
 * What has come while we are looking for a byte 0xff and the answer behind it: true when
 * that is found.  What is left behind it is nothing but blanks, or it was not it.
 */
static bool take_in(struct agent *a, const char *bytes, size_t size, bool *is_behind)
{
	const char *wrong, *sentinel;
	struct json_object *object;
	bool found = false;

	while (size && !found) {
		sentinel = memchr(bytes, SENTINEL, size);
		if (sentinel || !*is_behind) {
			json_stream_reset(&a->stream);
			*is_behind = sentinel;
			size -= sentinel ? (size_t)(sentinel + 1 - bytes) : size;
			bytes = sentinel ? sentinel + 1 : bytes;
			continue;
		}
		object = json_stream_next(&a->stream, &bytes, &size, &wrong);
		if (wrong || object)
			*is_behind = false;	/* another one's, or nobody's */
		else
			break;
		found = object && is_answer(a, object);
		json_object_put(object);
	}
	while (found && size)
		found = strchr(BLANKS, bytes[--size]) && bytes[size];
	return found;
}

static enum ckpt_result get_into_step(struct talk *t)
{
	enum ckpt_result result;
	bool is_behind = false;
	char bytes[4096];
	size_t size, noise = 0;

	do {
		size = sizeof(bytes);
		result = get(t, bytes, &size);
		if (result == CKPT_TIMEOUT && noise)
			return ckpt_fail(t->e, CKPT_TIMEOUT,
					 "the guest agent does not answer '%s' in time, but says something else",
					 t->command);
		if (result)
			return result;
		noise += size;
		if (noise > NOISE_MAX)
			return is_strange(t, "says too much that is no answer");
	} while (!take_in(t->a, bytes, size, &is_behind));
	return CKPT_DONE;
}

static enum ckpt_result sync_until(struct agent *a, uint64_t until, struct ckpt_error *e)
{
	static const char sentinel = (char)SENTINEL;
	struct talk t = { a, "guest-sync-delimited", until, e };
	struct json_object *arguments = json_object_new_object();
	enum ckpt_result result;

	a->is_in_step = false;
	json_stream_reset(&a->stream);
	json_object_object_add(arguments, "id", json_object_new_int64(++a->id));
	/* It has the agent forget half a question, whoever has put that. */
	result = put(&t, &sentinel, 1);
	if (result)
		json_object_put(arguments);
	else
		result = send_question(&t, arguments);
	if (!result)
		result = get_into_step(&t);
	a->is_in_step = !result;
	return result;
}

enum ckpt_result agent_sync(struct agent *a, unsigned int ms, struct ckpt_error *e)
{
	return sync_until(a, now_ms() + ms, e);
}

/* ---- questions ---- */

/* What comes before it was asked for is late, or nobody's. */
static enum ckpt_result refuse_early(struct talk *t)
{
	char bytes[256];
	ssize_t n = recv(t->a->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (!n)
		return is_gone(t);
	for (ssize_t i = 0; i < n; i++)
		if (!bytes[i] || !strchr(BLANKS, bytes[i]))
			return is_strange(t, "answers something else first, or an earlier question");
	return CKPT_DONE;
}

static enum ckpt_result get_object(struct talk *t, struct json_object **object)
{
	enum ckpt_result result = CKPT_DONE;
	const char *at, *wrong = NULL;
	char bytes[4096];
	size_t size;

	*object = NULL;
	while (!*object && !wrong && !result) {
		at = bytes;
		size = sizeof(bytes);
		result = get(t, bytes, &size);
		if (!result)
			*object = json_stream_next(&t->a->stream, &at, &size, &wrong);
		for (; *object && !wrong && size; at++, size--)
			if (!*at || !strchr(BLANKS, *at))
				wrong = "answers more than once";
	}
	if (wrong)
		result = is_strange(t, wrong);
	if (result)
		json_object_put(*object);
	return result;
}

/* @type is json_type_null when what is returned does not matter. */
static enum ckpt_result look_at(struct talk *t, struct json_object *object, enum json_type type,
				struct json_object **value)
{
	struct json_object *error;
	const char *text;
	char clean[600];

	if (json_object_object_get_ex(object, "return", value)) {
		if (type == json_type_null || json_object_is_type(*value, type))
			return CKPT_DONE;
		t->a->is_in_step = false;
		return is_strange(t, "answers what is not asked for, or an earlier question");
	}
	if (!json_object_object_get_ex(object, "error", &error)) {
		t->a->is_in_step = false;
		return is_strange(t, "neither answers nor refuses");
	}
	text = json_stream_text(error, "desc");
	json_stream_clean(text ? text : "it does not say why", clean, sizeof(clean));
	return ckpt_fail(t->e, CKPT_FAILED, "the guest agent refuses '%s': %s", t->command, clean);
}

/* *@object, which *@value is a part of, is the caller's to put after success only. */
static enum ckpt_result ask(struct agent *a, const char *command, struct json_object *arguments,
			    unsigned int ms, enum json_type type, struct json_object **object,
			    struct json_object **value, struct ckpt_error *e)
{
	struct talk t = { a, command, now_ms() + ms, e };
	enum ckpt_result result = a->is_in_step ? refuse_early(&t) : sync_until(a, t.until, e);

	a->is_in_step = false;
	if (result)
		json_object_put(arguments);
	else
		result = send_question(&t, arguments);
	if (!result)
		result = get_object(&t, object);
	if (result)
		return result;
	a->is_in_step = true;
	result = look_at(&t, *object, type, value);
	if (result)
		json_object_put(*object);
	return result;
}

static enum ckpt_result ask_plainly(struct agent *a, const char *command,
				    struct json_object *arguments, unsigned int ms,
				    struct ckpt_error *e)
{
	struct json_object *object, *value;
	enum ckpt_result result = ask(a, command, arguments, ms, json_type_null, &object, &value, e);

	if (!result)
		json_object_put(object);
	return result;
}

static enum ckpt_result ask_number(struct agent *a, const char *command, unsigned int ms,
				   int64_t *number, struct ckpt_error *e)
{
	struct json_object *object, *value;
	enum ckpt_result result = ask(a, command, NULL, ms, json_type_int, &object, &value, e);

	if (result)
		return result;
	*number = json_object_get_int64(value);
	json_object_put(object);
	if (*number >= 0)
		return CKPT_DONE;
	a->is_in_step = false;
	return is_strange(&(struct talk){ a, command, 0, e }, "counts less than nothing");
}

enum ckpt_result agent_ping(struct agent *a, unsigned int ms, struct ckpt_error *e)
{
	return ask_plainly(a, "guest-ping", NULL, ms, e);
}

enum ckpt_result agent_freeze(struct agent *a, unsigned int ms, int64_t *count,
			      struct ckpt_error *e)
{
	return ask_number(a, "guest-fsfreeze-freeze", ms, count, e);
}

enum ckpt_result agent_thaw(struct agent *a, unsigned int ms, int64_t *count, struct ckpt_error *e)
{
	return ask_number(a, "guest-fsfreeze-thaw", ms, count, e);
}

enum ckpt_result agent_status(struct agent *a, unsigned int ms, bool *is_frozen,
			      struct ckpt_error *e)
{
	static const char command[] = "guest-fsfreeze-status";
	struct json_object *object, *value;
	enum ckpt_result result = ask(a, command, NULL, ms, json_type_string, &object, &value, e);
	const char *text;

	if (result)
		return result;
	text = json_object_get_string(value);
	*is_frozen = !strcmp(text, "frozen");
	if (!*is_frozen && strcmp(text, "thawed")) {
		a->is_in_step = false;
		result = is_strange(&(struct talk){ a, command, 0, e },
				    "says neither 'frozen' nor 'thawed'");
	}
	json_object_put(object);
	return result;
}

enum ckpt_result agent_set_clock(struct agent *a, unsigned int ms, int64_t ns,
				 struct ckpt_error *e)
{
	struct json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "time", json_object_new_int64(ns));
	return ask_plainly(a, "guest-set-time", arguments, ms, e);
}
