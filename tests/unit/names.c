// SPDX-License-Identifier: GPL-2.0-only
/* Names and UUIDs. */
#include <ctype.h>

#include "codec.h"
#include "test.h"

#define UUID "12345678-9abc-def0-1234-56789abcdef0"

static void good_names(void **state)
{
	static const char *const good[] = {
		"a", "disk", "a.b-c_d", "-x", "--", "x-", ".", "..", "#1", "Größe", "日本",
		"\xf0\x9f\x92\xbe", "\xf4\x8f\xbf\xbf", "\xee\x80\x80", "\xed\x9f\xbf",
		"\xc2\xa0", "\xc3\x80", "\xe0\xa0\x80", "\xc3\x9b",
		"12345678-9abc-def0-1234-56789abcdef", "12345678-9abc-def0-1234-56789abcdef0x",
		"123456789abcdef0123456789abcdef0", "12345678_9abc-def0-1234-56789abcdef0",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT_OF(good); i++)
		assert_null(ckpt_name_verify(good[i]));
}

static void bad_names(void **state)
{
	static const char text[] = "a name is valid UTF-8";
	static const char sign[] =
		"a name has no blank, @, /, \\, quote or control character";
	static const struct {
		const char *name, *why;
	} bad[] = {
		{ "", "a name has at least one character" },
		{ "-", "a name is not '-'" },
		{ UUID, "a name does not look like a UUID" },
		{ "12345678-9ABC-DEF0-1234-56789ABCDEF0", "a name does not look like a UUID" },
		{ "a@b", sign }, { "a/b", sign }, { "a b", sign }, { " a", sign }, { "a ", sign },
		{ "a\\b", sign }, { "a\"", sign }, { "'a", sign }, { "a\tb", sign },
		{ "a\n", sign }, { "\x7f", sign }, { "\x1b[2J", sign },
		/* The same as the escape sequence before, for some terminals. */
		{ "\xc2\x9b" "2J", sign }, { "a\xc2\x80", sign }, { "\xc2\x9f" "a", sign },
		{ "\xff", text }, { "\x80", text }, { "a\xc3", text }, { "\xc3z", text },
		{ "\xe2\x82", text }, { "\xf0\x9f\x92", text },
		/* Longer than needed: "/" in disguise, and the like. */
		{ "\xc0\xaf", text }, { "\xc1\xbf", text }, { "\xe0\x80\xaf", text },
		{ "\xe0\x9f\xbf", text }, { "\xf0\x80\x80\xaf", text },
		{ "\xf0\x8f\xbf\xbf", text },
		/* Halves of UTF-16, and what is above Unicode. */
		{ "\xed\xa0\x80", text }, { "\xed\xbf\xbf", text }, { "\xf4\x90\x80\x80", text },
		{ "\xf5\x80\x80\x80", text },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT_OF(bad); i++) {
		const char *why = ckpt_name_verify(bad[i].name);

		assert_non_null(why);
		assert_string_equal(why, bad[i].why);
	}
}

static void long_names(void **state)
{
	char name[CKPT_NAME_BYTES + 1];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[CKPT_NAME_BYTES] = 0;
	assert_string_equal(ckpt_name_verify(name), "a name has 111 bytes at most");
	name[CKPT_NAME_BYTES - 1] = 0;
	assert_null(ckpt_name_verify(name));
	/* A character cut off by the end. */
	name[CKPT_NAME_BYTES - 2] = '\xc3';
	assert_string_equal(ckpt_name_verify(name), "a name is valid UTF-8");
}

static size_t encode(u32 c, u8 *to)
{
	if (c < 0x80) {
		to[0] = (u8)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (u8)(0xc0 | c >> 6);
		to[1] = (u8)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (u8)(0xe0 | c >> 12);
		to[1] = (u8)(0x80 | (c >> 6 & 63));
		to[2] = (u8)(0x80 | (c & 63));
		return 3;
	}
	to[0] = (u8)(0xf0 | c >> 18);
	to[1] = (u8)(0x80 | (c >> 12 & 63));
	to[2] = (u8)(0x80 | (c >> 6 & 63));
	to[3] = (u8)(0x80 | (c & 63));
	return 4;
}

static bool is_good(u32 c)
{
	if (c < 0x80)
		return c > ' ' && c != 0x7f && c != '-' && !strchr("@/\\\"'", (int)c);
	return c >= 0xa0 && c < 0x110000 && (c < 0xd800 || c > 0xdfff);
}

static void every_character(void **state)
{
	u8 name[5];
	u32 c;

	(void)state;
	for (c = 0; c < 0x200000; c++) {
		name[encode(c, name)] = 0;
		assert_int_equal(!ckpt_name_verify((const char *)name), is_good(c));
	}
}

/* All beginnings of two bytes: good only if they are what a character encodes to. */
static void every_sequence(void **state)
{
	static const u8 rest[] = { 0, 'a', 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	unsigned int two, i, k;

	(void)state;
	for (two = 0; two < 65536; two++) {
		for (i = 0; i < COUNT_OF(rest); i++) {
			for (k = 0; k < COUNT_OF(rest); k++) {
				u8 name[5] = { (u8)(two >> 8), (u8)two, rest[i], rest[k], 0 };
				size_t at = 0, length = strlen((char *)name);
				bool good = length && strcmp((char *)name, "-");

				while (good && at < length) {
					const u8 *p = name + at;
					u8 again[4];
					u32 c;

					if (p[0] < 0x80)
						c = p[0];
					else if (p[0] < 0xe0)
						c = (p[0] & 31) << 6 | (p[1] & 63);
					else if (p[0] < 0xf0)
						c = (p[0] & 15) << 12 | (p[1] & 63) << 6 |
						    (at + 2 < 5 ? p[2] & 63 : 0);
					else
						c = (p[0] & 7u) << 18 | (p[1] & 63) << 12 |
						    (at + 2 < 5 ? (p[2] & 63) << 6 : 0) |
						    (at + 3 < 5 ? p[3] & 63 : 0);
					good = (c == '-' || is_good(c)) &&
					       encode(c, again) <= length - at &&
					       !memcmp(p, again, encode(c, again));
					at += encode(c, again);
				}
				assert_int_equal(!ckpt_name_verify((char *)name), good);
			}
		}
	}
}

static void uuids_there_and_back(void **state)
{
	u8 uuid[CKPT_UUID_BYTES], again[CKPT_UUID_BYTES];
	char text[CKPT_UUID_CHARS + 1];
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 10000; i++) {
		random_bytes(uuid, sizeof(uuid));
		ckpt_uuid_format(uuid, text);
		assert_int_equal(strlen(text), CKPT_UUID_CHARS);
		for (k = 0; k < CKPT_UUID_CHARS; k++) {
			if (k == 8 || k == 13 || k == 18 || k == 23)
				assert_int_equal(text[k], '-');
			else
				assert_true(isdigit(text[k]) || (text[k] >= 'a' && text[k] <= 'f'));
			if (once_in(2))
				text[k] = (char)toupper(text[k]);
		}
		assert_true(ckpt_uuid_parse(text, again));
		assert_memory_equal(uuid, again, sizeof(uuid));
	}
}

static void uuids_byte_by_byte(void **state)
{
	static const u8 bytes[] = {
		0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
		0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
	};
	u8 uuid[CKPT_UUID_BYTES];
	char text[CKPT_UUID_CHARS + 2];
	unsigned int i, c;

	(void)state;
	ckpt_uuid_format(bytes, text);
	assert_string_equal(text, UUID);
	assert_true(ckpt_uuid_parse(UUID, uuid));
	assert_memory_equal(uuid, bytes, sizeof(uuid));
	for (i = 0; i < CKPT_UUID_CHARS; i++) {
		for (c = 0; c < 256; c++) {
			bool dash = UUID[i] == '-';

			strcpy(text, UUID);
			text[i] = (char)c;
			assert_int_equal(ckpt_uuid_parse(text, uuid),
					 dash ? c == '-' : isxdigit((int)c) != 0);
		}
	}
	assert_false(ckpt_uuid_parse("", uuid));
	assert_false(ckpt_uuid_parse(UUID "0", uuid));
	assert_false(ckpt_uuid_parse(UUID "-", uuid));
	assert_false(ckpt_uuid_parse("{" UUID "}", uuid));
	assert_false(ckpt_uuid_parse("123456789abcdef0123456789abcdef0", uuid));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(good_names),
	cmocka_unit_test(bad_names),
	cmocka_unit_test(long_names),
	cmocka_unit_test(every_character),
	cmocka_unit_test(every_sequence),
	cmocka_unit_test(uuids_there_and_back),
	cmocka_unit_test(uuids_byte_by_byte),
};

RUN("names", tests)
