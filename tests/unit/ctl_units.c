// SPDX-License-Identifier: GPL-2.0-only
/* Sizes, times and names. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl_tests.h"
#include "libckpt/names.h"
#include "libckpt/units.h"

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "4k", 4096 }, { "4K", 4096 },
		{ "4KiB", 4096 }, { "8s", 4096 }, { "1.5G", UINT64_C(3) << 29 },
		{ "10G", UINT64_C(10) << 30 }, { "64T", UINT64_C(1) << 46 },
		{ "512b", 512 }, { "0.5k", 512 }, { "1E", UINT64_C(1) << 60 },
	};
	struct ckpt_error e;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(ckpt_parse_size(good[i].text, &bytes, &e), CKPT_DONE);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void wrong_sizes_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "G", "-1", "+1", " 1", "1 G", "10GB", "1x", "1.G", ".5G", "1.5s", "1.5",
		"99999999999999999999", "18446744073709551616", "20E", "1GiBx", "0x10",
	};
	struct ckpt_error e;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(ckpt_parse_size(bad[i], &bytes, &e), CKPT_USAGE);
}

static void volume_sizes_name_the_nearest(void **state)
{
	struct ckpt_error e;
	uint64_t sectors;

	(void)state;
	assert_int_equal(ckpt_parse_volume_size("1G", 4096, 0, &sectors, &e), CKPT_DONE);
	assert_int_equal(sectors, 2097152);
	assert_int_equal(ckpt_parse_volume_size("+1G", 4096, 2097152, &sectors, &e), CKPT_DONE);
	assert_int_equal(sectors, 4194304);
	assert_int_equal(ckpt_parse_volume_size("64T", 4096, 0, &sectors, &e), CKPT_DONE);

	assert_int_equal(ckpt_parse_volume_size("10000", 4096, 0, &sectors, &e), CKPT_USAGE);
	assert_non_null(strstr(e.text, "8K and 12K"));
	assert_int_equal(ckpt_parse_volume_size("1000", 4096, 0, &sectors, &e), CKPT_USAGE);
	assert_non_null(strstr(e.text, "size is 4K"));
	assert_int_equal(ckpt_parse_volume_size("3s", 1024, 0, &sectors, &e), CKPT_USAGE);
	assert_non_null(strstr(e.text, "1K and 2K"));
	assert_int_equal(ckpt_parse_volume_size("0", 4096, 0, &sectors, &e), CKPT_USAGE);
	assert_int_equal(ckpt_parse_volume_size("65T", 4096, 0, &sectors, &e), CKPT_USAGE);
	assert_int_equal(ckpt_parse_volume_size("+64T", 4096, 8, &sectors, &e), CKPT_USAGE);
}

static void sizes_are_written(void **state)
{
	char buf[CKPT_TEXT_LEN];
	struct ckpt_error e;
	uint64_t bytes;
	static const uint64_t exact[] = { 0, 1, 512, 1536, 4096, 4608, UINT64_C(5) << 40 };

	(void)state;
	assert_string_equal(ckpt_human(0, buf), "0 B");
	assert_string_equal(ckpt_human(1023, buf), "1023 B");
	assert_string_equal(ckpt_human(1536, buf), "1.5 KiB");
	assert_string_equal(ckpt_human(UINT64_C(20) << 30, buf), "20 GiB");
	assert_string_equal(ckpt_human((1 << 20) - 1, buf), "1.0 MiB");
	assert_string_equal(ckpt_human(UINT64_MAX, buf), "16 EiB");
	for (size_t i = 0; i < COUNT_OF(exact); i++) {
		assert_int_equal(ckpt_parse_size(ckpt_exact(exact[i], buf), &bytes, &e), 0);
		assert_int_equal(bytes, exact[i]);
	}
}

static void rates_and_shares_are_read(void **state)
{
	static const char *const bad_rates[] = { "", "/s", "fast", "20M/min", "-1", "20M/s/s" };
	static const char *const bad_shares[] = { "", "0", "0%", "101", "50 %", "%", "half", "-5" };
	struct ckpt_error e;
	uint64_t n;

	(void)state;
	assert_int_equal(ckpt_parse_rate("20M", &n, &e), CKPT_DONE);
	assert_int_equal(n, 20480);
	assert_int_equal(ckpt_parse_rate("1.5GiB/s", &n, &e), CKPT_DONE);
	assert_int_equal(n, 1572864);
	assert_int_equal(ckpt_parse_rate("none", &n, &e), CKPT_DONE);
	assert_int_equal(n, 0);
	/* Slow is not unlimited. */
	assert_int_equal(ckpt_parse_rate("1", &n, &e), CKPT_DONE);
	assert_int_equal(n, 1);
	for (size_t i = 0; i < COUNT_OF(bad_rates); i++)
		assert_int_equal(ckpt_parse_rate(bad_rates[i], &n, &e), CKPT_USAGE);

	assert_int_equal(ckpt_parse_percent("1", "x", &n, &e), CKPT_DONE);
	assert_int_equal(ckpt_parse_percent("100%", "x", &n, &e), CKPT_DONE);
	assert_int_equal(n, 100);
	for (size_t i = 0; i < COUNT_OF(bad_shares); i++)
		assert_int_equal(ckpt_parse_percent(bad_shares[i], "x", &n, &e), CKPT_USAGE);

	assert_int_equal(ckpt_parse_units("1G", 4096, &n, &e), CKPT_DONE);
	assert_int_equal(n, 262144);
	assert_int_equal(ckpt_parse_units("4097", 4096, &n, &e), CKPT_DONE);
	assert_int_equal(n, 2);
	assert_int_equal(ckpt_parse_units("none", 4096, &n, &e), CKPT_DONE);
	assert_int_equal(n, 0);
	assert_int_equal(ckpt_parse_units("some", 4096, &n, &e), CKPT_USAGE);
}

static void durations_are_written(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0 s" }, { 59, "59 s" }, { 60, "1 min" }, { 61, "1 min 1 s" },
		{ 3599, "59 min 59 s" }, { 3600, "1 h" }, { 3659, "1 h" }, { 3661, "1 h 1 min" },
		{ 172799, "47 h 59 min" }, { 172800, "2 days" },
	};
	char buf[CKPT_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(ckpt_duration(cases[i].seconds, buf), cases[i].text);
}

static void times_are_written(void **state)
{
	char buf[CKPT_TEXT_LEN];

	(void)state;
	assert_string_equal(ckpt_time_utc(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(ckpt_time_utc(1782900012, buf), "2026-07-01T10:00:12Z");
	assert_string_equal(ckpt_time_local(1782900012, buf), "2026-07-01 10:00:12");
	assert_string_equal(ckpt_time_utc(INT64_MAX, buf), "?");
}

static void names_follow_the_rules(void **state)
{
	static const char *const good[] = { "disk", "a.b-c_d", "Größe", "-x", "日本" };
	static const char *const bad[] = {
		"", "-", "a@b", "a/b", "a b", "a\\b", "a\"b", "a'b", "a\tb", "\x7f", "\xff",
		"\xc0\x80", "\xed\xa0\x80", "\xc2\x9b", "12345678-1234-1234-1234-123456789abc",
	};
	char longest[CKPT_NAME_BYTES + 1];
	struct ckpt_error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_int_equal(ckpt_check_name(good[i], "volume", &e), CKPT_DONE);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(ckpt_check_name(bad[i], "volume", &e), CKPT_USAGE);
	memset(longest, 'x', sizeof(longest));
	longest[CKPT_NAME_BYTES - 1] = '\0';
	assert_int_equal(ckpt_check_name(longest, "volume", &e), CKPT_DONE);
	longest[CKPT_NAME_BYTES - 1] = 'x';
	longest[CKPT_NAME_BYTES] = '\0';
	assert_int_equal(ckpt_check_name(longest, "volume", &e), CKPT_USAGE);
}

static void references_are_split(void **state)
{
	struct ckpt_ref_text ref;
	struct ckpt_error e;

	(void)state;
	assert_int_equal(ckpt_split_ref("disk@monday", &ref, &e), CKPT_DONE);
	assert_string_equal(ref.volume, "disk");
	assert_string_equal(ref.checkpoint, "monday");
	assert_int_equal(ckpt_split_ref("disk", &ref, &e), CKPT_USAGE);
	assert_int_equal(ckpt_split_ref("disk@", &ref, &e), CKPT_USAGE);
	assert_int_equal(ckpt_split_ref("a@b@c", &ref, &e), CKPT_USAGE);
}

static void failures_keep_their_sentence(void **state)
{
	struct ckpt_error e;

	(void)state;
	assert_int_equal(ckpt_fail_errno(&e, ENOSPC, "x"), CKPT_FAILED);
	assert_int_equal(ckpt_fail_errno(&e, EBUSY, "%s is held", "x"), CKPT_BUSY);
	assert_string_equal(e.text, "x is held: Device or resource busy");
	/* The former text as an argument. */
	ckpt_fail(&e, CKPT_BUSY, "y: %s", e.text);
	assert_string_equal(e.text, "y: x is held: Device or resource busy");
	assert_int_equal(ckpt_result_of_errno(EBADMSG), CKPT_INTEGRITY);
	assert_int_equal(ckpt_result_of_errno(ETIMEDOUT), CKPT_TIMEOUT);
}

const struct CMUnitTest ctl_units_tests[] = {
	cmocka_unit_test(sizes_are_read),
	cmocka_unit_test(wrong_sizes_are_refused),
	cmocka_unit_test(volume_sizes_name_the_nearest),
	cmocka_unit_test(sizes_are_written),
	cmocka_unit_test(rates_and_shares_are_read),
	cmocka_unit_test(durations_are_written),
	cmocka_unit_test(times_are_written),
	cmocka_unit_test(names_follow_the_rules),
	cmocka_unit_test(references_are_split),
	cmocka_unit_test(failures_keep_their_sentence),
};
const size_t ctl_units_count = COUNT_OF(ctl_units_tests);
