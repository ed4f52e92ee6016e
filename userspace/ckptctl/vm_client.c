// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vm_client.h"

#define ANSWER_MAX (16u << 20)

struct call {
	struct ckpt_error *e;
	int fd;
	char *bytes;
	size_t used, size;
};

static enum ckpt_result go_to(struct call *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("CKPT_SOCKET"), *run = getenv("CKPT_RUNDIR");
	int length;

	if (path && *path)
		length = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	else
		length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/ckptd.sock",
				  run && *run == '/' ? run : "/run/dm-ckpt");
	if (length >= (int)sizeof(address.sun_path))
		return ckpt_fail(c->e, CKPT_USAGE, "the path of ckptd's socket is too long");
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return ckpt_fail_errno(c->e, errno, "ckptd cannot be asked");
	if (!connect(c->fd, (struct sockaddr *)&address, sizeof(address)))
		return CKPT_DONE;
	if (errno == EACCES || errno == EPERM)
		return ckpt_fail(c->e, CKPT_PERMISSION,
				 "%s may be used by root only; run this as root", address.sun_path);
	return ckpt_fail(c->e, CKPT_NO_DAEMON,
			 "ckptd does not answer at %s; 'systemctl start ckptd.socket' has it started",
			 address.sun_path);
}

static enum ckpt_result lost(struct call *c)
{
	return ckpt_fail(c->e, CKPT_NO_DAEMON,
			 "ckptd has ended before it answered; what was half-made is finished or removed when it starts again");
}

static enum ckpt_result send_all(struct call *c, const char *text, size_t length)
{
	while (length) {
		ssize_t n = send(c->fd, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost(c);
		text += n;
		length -= (size_t)n;
	}
	return CKPT_DONE;
}

/* Read until there is a whole message; *@message becomes an object. */
static enum ckpt_result receive(struct call *c, struct json_object **message)
{
	char *end, *grown;
	ssize_t n;

	while (!(end = c->used ? memchr(c->bytes, '\0', c->used) : NULL)) {
		if (c->used == c->size) {
			grown = c->size < ANSWER_MAX ? realloc(c->bytes, c->size + 65536) : NULL;
			if (!grown)
				return ckpt_fail(c->e, CKPT_FAILED, "ckptd's answer is too long");
			c->bytes = grown;
			c->size += 65536;
		}
		n = recv(c->fd, c->bytes + c->used, c->size - c->used, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost(c);
		c->used += (size_t)n;
	}
	*message = json_tokener_parse(c->bytes);
	c->used -= (size_t)(end - c->bytes) + 1;
	memmove(c->bytes, end + 1, c->used);
	if (json_object_is_type(*message, json_type_object))
		return CKPT_DONE;
	json_object_put(*message);
	*message = NULL;
	return ckpt_fail(c->e, CKPT_FAILED, "ckptd's answer is no JSON object");
}

static struct json_object *member(struct json_object *object, const char *key,
				  enum json_type type)
{
	struct json_object *found;

	return json_object_object_get_ex(object, key, &found) &&
	       json_object_is_type(found, type) ? found : NULL;
}

const char *vm_text(struct json_object *object, const char *key)
{
	struct json_object *found = member(object, key, json_type_string);

	return found ? json_object_get_string(found) : "";
}

uint64_t vm_number(struct json_object *object, const char *key)
{
	struct json_object *found = member(object, key, json_type_int);

	return found ? json_object_get_uint64(found) : 0;
}

bool vm_flag(struct json_object *object, const char *key)
{
	struct json_object *found = member(object, key, json_type_boolean);

	return found && json_object_get_boolean(found);
}

size_t vm_array(struct json_object *object, const char *key, struct json_object **array)
{
	*array = member(object, key, json_type_array);
	return *array ? json_object_array_length(*array) : 0;
}

static enum ckpt_result refused(struct call *c, struct json_object *message)
{
	struct json_object *parameters = member(message, "parameters", json_type_object);
	uint64_t result = vm_number(parameters, "result");
	const char *text = vm_text(parameters, "message");

	if (!result || result > CKPT_INTEGRITY)
		result = CKPT_FAILED;
	return ckpt_fail(c->e, (enum ckpt_result)result, "%s",
			 *text ? text : "ckptd refuses without saying why");
}

static enum ckpt_result wait_for_answer(struct call *c,
					void (*progress)(void *arg, struct json_object *now),
					void *arg, struct json_object **answer)
{
	struct json_object *message = NULL, *parameters;
	enum ckpt_result result;
	bool goes_on;

	do {
		result = receive(c, &message);
		if (result)
			return result;
		goes_on = vm_flag(message, "continues");
		parameters = member(message, "parameters", json_type_object);
		if (member(message, "error", json_type_string))
			result = refused(c, message);
		else if (goes_on && progress)
			progress(arg, parameters);
		else if (!goes_on)
			*answer = json_object_get(parameters);
		json_object_put(message);
	} while (!result && goes_on);
	return result;
}

enum ckpt_result vm_call(struct cli *cli, const char *method, struct json_object *parameters,
			 void (*progress)(void *arg, struct json_object *now), void *arg,
			 struct json_object **answer)
{
	struct call c = { .e = &cli->c.error, .fd = -1 };
	struct json_object *root = json_object_new_object();
	enum ckpt_result result = go_to(&c);
	char name[80];
	const char *text;

	*answer = NULL;
	snprintf(name, sizeof(name), "dm-ckpt.vm.%s", method);
	json_object_object_add(root, "method", json_object_new_string(name));
	json_object_object_add(root, "parameters", parameters);
	json_object_object_add(root, "more", json_object_new_boolean(progress != NULL));
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!result)
		result = send_all(&c, text, strlen(text) + 1);
	if (!result)
		result = wait_for_answer(&c, progress, arg, answer);
	json_object_put(root);
	if (c.fd >= 0)
		close(c.fd);
	free(c.bytes);
	return result;
}
