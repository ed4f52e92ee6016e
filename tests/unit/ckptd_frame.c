// SPDX-License-Identifier: GPL-2.0-only
/* Messages out of bytes, however these come. */
#include <string.h>

#include "test.h"
#include "ckptd/frame.h"

static void feed(struct frame *f, const char *bytes, size_t length)
{
	size_t room;
	char *to = frame_room(f, &room);

	assert_non_null(to);
	assert_true(length <= room);
	memcpy(to, bytes, length);
	frame_filled(f, length);
}

static void one_and_a_half(void **state)
{
	struct frame f = { 0 };

	(void)state;
	assert_null(frame_first(&f));
	assert_false(frame_is_partial(&f));
	feed(&f, "abc", 3);
	assert_null(frame_first(&f));
	assert_true(frame_is_partial(&f));
	feed(&f, "d\0ef", 4);
	assert_string_equal(frame_first(&f), "abcd");
	assert_string_equal(frame_first(&f), "abcd");
	assert_false(frame_is_partial(&f));
	frame_drop(&f);
	assert_null(frame_first(&f));
	assert_true(frame_is_partial(&f));
	frame_drop(&f);
	assert_true(frame_is_partial(&f));
	feed(&f, "\0", 1);
	assert_string_equal(frame_first(&f), "ef");
	frame_drop(&f);
	assert_false(frame_is_partial(&f));
	frame_free(&f);
}

static void empty_ones(void **state)
{
	struct frame f = { 0 };

	(void)state;
	feed(&f, "\0\0x\0", 4);
	assert_string_equal(frame_first(&f), "");
	frame_drop(&f);
	assert_string_equal(frame_first(&f), "");
	frame_drop(&f);
	assert_string_equal(frame_first(&f), "x");
	frame_free(&f);
}

/* As long as can be is taken, and one more byte without an end never will be. */
static void the_longest(void **state)
{
	static char bytes[FRAME_MAX];
	struct frame f = { 0 };
	size_t room;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	feed(&f, bytes, FRAME_MAX - 1);
	assert_false(frame_is_stuck(&f));
	feed(&f, "", 1);
	assert_false(frame_is_stuck(&f));
	assert_int_equal(strlen(frame_first(&f)), FRAME_MAX - 1);
	assert_non_null(frame_room(&f, &room));
	assert_int_equal(room, 0);
	frame_drop(&f);

	feed(&f, bytes, FRAME_MAX);
	assert_null(frame_first(&f));
	assert_true(frame_is_stuck(&f));
	frame_free(&f);
}

/* Cut anywhere, the messages are the same. */
static void cut_anywhere(void **state)
{
	static char text[20000];
	struct frame f = { 0 };
	size_t sent = 0, seen = 0, room;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(below(50) ? 'a' + below(26) : 0);
	text[sizeof(text) - 1] = '\0';
	while (sent < sizeof(text) || frame_first(&f)) {
		const char *message = frame_first(&f);
		size_t n = below(300);

		if (message) {
			assert_string_equal(message, text + seen);
			seen += strlen(message) + 1;
			frame_drop(&f);
			continue;
		}
		n = n < sizeof(text) - sent ? n : sizeof(text) - sent;
		assert_non_null(frame_room(&f, &room));
		feed(&f, text + sent, n);
		sent += n;
	}
	assert_int_equal(seen, sizeof(text));
	frame_free(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_and_a_half),
	cmocka_unit_test(empty_ones),
	cmocka_unit_test(the_longest),
	cmocka_unit_test(cut_anywhere),
};

RUN("ckptd_frame", tests)
