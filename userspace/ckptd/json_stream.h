/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON objects out of bytes as they come, from somebody who is not trusted.  Pure: no
 * descriptor is touched here.
 */
#ifndef CKPTD_JSON_STREAM_H
#define CKPTD_JSON_STREAM_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_STREAM_MAX		(1u << 20)	/* bytes of one object */
#define JSON_STREAM_DEPTH	32

struct json_stream {
	struct json_tokener *tokener;	/* made at first need */
	size_t used;			/* bytes of an object that has not ended */
};

/*
 * Take in some of @size bytes at *@bytes, which moves behind them.  An object, for the
 * caller to put; or NULL: with *@wrong NULL more bytes are needed, else it says, in words
 * that go behind "it", what makes the rest of the stream useless.
 */
struct json_object *json_stream_next(struct json_stream *s, const char **bytes, size_t *size,
				     const char **wrong);

/* Forget what has begun. */
void json_stream_reset(struct json_stream *s);
void json_stream_free(struct json_stream *s);

/* A member that is a text, or NULL. */
const char *json_stream_text(struct json_object *object, const char *key);

/* One that is a number; 0 if there is none. */
uint64_t json_stream_number(struct json_object *object, const char *key);

/* What they say may be shown to a person: no control characters, and not too long. */
void json_stream_clean(const char *from, char *to, size_t size);

#endif
