// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "json_stream.h"

/* What stands between objects is not given to the parser, which would wait for more. */
static void skip_blanks(const char **bytes, size_t *size)
{
	while (*size && strchr(" \t\r\n", **bytes) && **bytes) {
		++*bytes;
		--*size;
	}
}

static struct json_object *parse(struct json_stream *s, const char **bytes, size_t *size,
				 const char **wrong)
{
	size_t room = JSON_STREAM_MAX - s->used, n = *size < room ? *size : room;
	struct json_object *object = json_tokener_parse_ex(s->tokener, *bytes, (int)n);
	enum json_tokener_error error = json_tokener_get_error(s->tokener);

	n = json_tokener_get_parse_end(s->tokener);
	*bytes += n;
	*size -= n;
	s->used += n;
	if (error == json_tokener_success) {
		s->used = 0;
		return object;
	}
	if (error != json_tokener_continue)
		*wrong = "says what is not JSON";
	else if (s->used >= JSON_STREAM_MAX)
		*wrong = "says too much at once";
	return NULL;
}

struct json_object *json_stream_next(struct json_stream *s, const char **bytes, size_t *size,
				     const char **wrong)
{
	struct json_object *object;

	*wrong = NULL;
	if (!s->tokener)
		s->tokener = json_tokener_new_ex(JSON_STREAM_DEPTH);
	if (!s->tokener)
		abort();
	if (!s->used)
		skip_blanks(bytes, size);
	if (!*size)
		return NULL;
	/* A parser of texts may take it for an end. */
	if (memchr(*bytes, '\0', *size) || (!s->used && **bytes != '{')) {
		*wrong = "says what is not JSON";
		return NULL;
	}
	object = parse(s, bytes, size, wrong);
	if (*wrong)
		json_stream_reset(s);
	return object;
}

void json_stream_reset(struct json_stream *s)
{
	if (s->tokener)
		json_tokener_reset(s->tokener);
	s->used = 0;
}

void json_stream_free(struct json_stream *s)
{
	if (s->tokener)
		json_tokener_free(s->tokener);
	*s = (struct json_stream){ 0 };
}

const char *json_stream_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

uint64_t json_stream_number(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return 0;
	return json_object_get_uint64(value);
}

void json_stream_clean(const char *from, char *to, size_t size)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		to[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
	to[i] = '\0';
}
