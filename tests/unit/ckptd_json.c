// SPDX-License-Identifier: GPL-2.0-only
/* Objects out of a hostile stream. */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "ckptd/json_stream.h"

/* How many objects come, @step bytes at a time; -1: it was given up. */
static int count(const char *bytes, size_t size, size_t step)
{
	struct json_stream s = { 0 };
	const char *wrong = NULL;
	int n = 0;

	while (size && !wrong) {
		size_t now = size < step ? size : step, left = now;
		const char *at = bytes;
		struct json_object *object;

		while ((object = json_stream_next(&s, &at, &left, &wrong))) {
			json_object_put(object);
			n++;
		}
		bytes += now;
		size -= now;
	}
	json_stream_free(&s);
	return wrong ? -1 : n;
}

static void cut_anywhere(void **state)
{
	static const char text[] = " {\"QMP\": {}}\r\n{\"a\": \"{}}\\\"\", \"b\": [1, {}]}{} \n{\"half\":";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++)
		assert_int_equal(count(text, strlen(text), step), 3);
}

static void given_up(void **state)
{
	static const char * const bad[] = { "x", "[1]", "1 ", "\"a\"", "{a}", "{\"a\":1}}", "{]", "\xff" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(count(bad[i], strlen(bad[i]), 1), -1);
	assert_int_equal(count("{\0}", 3, 3), -1);
	assert_int_equal(count("{}\0", 3, 1), -1);
}

static void too_much(void **state)
{
	size_t size = JSON_STREAM_MAX + 10;
	char *bytes = malloc(size);

	(void)state;
	memset(bytes, 'x', size);
	memcpy(bytes, "{\"", 2);
	assert_int_equal(count(bytes, JSON_STREAM_MAX - 1, 4096), 0);
	assert_int_equal(count(bytes, size, 4096), -1);
	assert_int_equal(count(bytes, size, size), -1);
	for (size_t i = 0; i + 5 <= size; i += 5)
		memcpy(bytes + i, "{\"a\":", 5);
	assert_int_equal(count(bytes, 1000, 1000), -1);
	free(bytes);
}

static void noise(void **state)
{
	static const char letters[] = "{}[]\":,\\ 1a\n\xff";
	char bytes[200];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = letters[(size_t)rand() % (sizeof(letters) - 1)];
		bytes[0] = '{';
		count(bytes, sizeof(bytes), 1 + (size_t)rand() % 50);
	}
}

static void shown_to_people(void **state)
{
	char to[6];

	(void)state;
	json_stream_clean("a\033[2J\nb", to, sizeof(to));
	assert_string_equal(to, "a [2J");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(cut_anywhere),
	cmocka_unit_test(given_up),
	cmocka_unit_test(too_much),
	cmocka_unit_test(noise),
	cmocka_unit_test(shown_to_people),
};

RUN("ckptd_json", tests)
