// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "dm-ckpt/format.h"
#include "units.h"

static const char scale[] = "KMGTPE";

static enum ckpt_result not_a_size(const char *text, struct ckpt_error *e)
{
	return ckpt_fail(e, CKPT_USAGE,
			 "'%s' is not a size; write for example 10G, 1.5GiB, 512M, 4096 (bytes) or 8s (sectors)",
			 text);
}

/* The unit behind a number; 0 if it is none. */
static uint64_t unit_of(const char *suffix)
{
	const char *letter;

	if (!*suffix || !strcasecmp(suffix, "b"))
		return 1;
	if (!strcmp(suffix, "s"))
		return CKPT_SECTOR;

	letter = strchr(scale, toupper((unsigned char)*suffix));
	if (!letter || (suffix[1] && strcasecmp(suffix + 1, "ib")))
		return 0;
	return UINT64_C(1) << (10 * (letter - scale + 1));
}

enum ckpt_result ckpt_parse_size(const char *text, uint64_t *bytes,
				 struct ckpt_error *e)
{
	uint64_t whole = 0, unit, fraction = 0, divisor = 1;
	const char *p = text;
	unsigned __int128 sum;

	if (!isdigit((unsigned char)*p))
		return not_a_size(text, e);

	for (; isdigit((unsigned char)*p); p++) {
		if (whole > (UINT64_MAX - 9) / 10)
			return not_a_size(text, e);
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return not_a_size(text, e);
		for (; isdigit((unsigned char)*p); p++) {
			if (divisor >= UINT64_C(1000000000))
				continue;
			fraction = fraction * 10 + (uint64_t)(*p - '0');
			divisor *= 10;
		}
	}

	unit = unit_of(p);
	if (!unit)
		return not_a_size(text, e);
	if (fraction && unit <= CKPT_SECTOR)
		return ckpt_fail(e, CKPT_USAGE,
				 "'%s' is not a whole number of bytes or sectors", text);

	sum = (unsigned __int128)whole * unit +
	      (unsigned __int128)fraction * unit / divisor;
	if (sum > UINT64_MAX)
		return ckpt_fail(e, CKPT_USAGE, "'%s' is too large", text);

	*bytes = (uint64_t)sum;
	return CKPT_DONE;
}

enum ckpt_result ckpt_parse_volume_size(const char *text, uint64_t block_bytes,
					uint64_t present, uint64_t *sectors,
					struct ckpt_error *e)
{
	char low[CKPT_TEXT_LEN], high[CKPT_TEXT_LEN], block[CKPT_TEXT_LEN];
	const uint64_t limit = CKPT_VOLUME_SECTORS_MAX * CKPT_SECTOR;
	bool relative = *text == '+';
	enum ckpt_result result;
	uint64_t bytes, below;

	result = ckpt_parse_size(text + relative, &bytes, e);
	if (result)
		return result;

	if (relative && bytes <= limit)
		bytes += present * CKPT_SECTOR;
	if (bytes > limit)
		return ckpt_fail(e, CKPT_USAGE, "%s is more than the %s that a volume can have",
				 text, ckpt_human(limit, low));
	if (!bytes)
		return ckpt_fail(e, CKPT_USAGE, "a volume cannot have the size 0; the smallest is %s",
				 ckpt_exact(block_bytes, low));

	if (bytes % block_bytes) {
		below = bytes - bytes % block_bytes;
		ckpt_human(block_bytes, block);
		ckpt_exact(below, low);
		ckpt_exact(below + block_bytes, high);
		if (!below)
			return ckpt_fail(e, CKPT_USAGE,
					 "%s is not a multiple of the store's block size of %s; the nearest right size is %s",
					 text, block, high);
		return ckpt_fail(e, CKPT_USAGE,
				 "%s is not a multiple of the store's block size of %s; the nearest right sizes are %s and %s",
				 text, block, low, high);
	}

	*sectors = bytes / CKPT_SECTOR;
	return CKPT_DONE;
}

enum ckpt_result ckpt_parse_number(const char *text, const char *what,
				   uint64_t min, uint64_t max, uint64_t *number,
				   struct ckpt_error *e)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    *number < min || *number > max)
		return ckpt_fail(e, CKPT_USAGE,
				 "'%s' will not do for %s; it is a number from %" PRIu64 " to %" PRIu64,
				 text, what, min, max);
	return CKPT_DONE;
}

enum ckpt_result ckpt_parse_rate(const char *text, uint64_t *kib, struct ckpt_error *e)
{
	size_t length = strlen(text);
	char size[CKPT_TEXT_LEN];
	uint64_t bytes;

	*kib = 0;
	if (!strcmp(text, "none"))
		return CKPT_DONE;
	if (length > 2 && !strcmp(text + length - 2, "/s"))
		length -= 2;
	if (length >= sizeof(size) || snprintf(size, sizeof(size), "%.*s", (int)length, text) < 0 ||
	    ckpt_parse_size(size, &bytes, e))
		return ckpt_fail(e, CKPT_USAGE,
				 "'%.60s' is no amount for each second; write for example 20M, 512k, or none",
				 text);
	*kib = bytes / 1024 + (bytes % 1024 != 0);
	return CKPT_DONE;
}

enum ckpt_result ckpt_parse_units(const char *text, uint64_t unit_bytes, uint64_t *units,
				  struct ckpt_error *e)
{
	enum ckpt_result result;
	uint64_t bytes;

	*units = 0;
	if (!strcmp(text, "none"))
		return CKPT_DONE;
	result = ckpt_parse_size(text, &bytes, e);
	if (!result)
		*units = bytes / unit_bytes + (bytes % unit_bytes != 0);
	return result;
}

enum ckpt_result ckpt_parse_percent(const char *text, const char *what, uint64_t *percent,
				    struct ckpt_error *e)
{
	char *end;

	*percent = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || (*end && strcmp(end, "%")) ||
	    *percent < 1 || *percent > 100)
		return ckpt_fail(e, CKPT_USAGE, "'%s' will not do for %s; it is from 1%% to 100%%",
				 text, what);
	return CKPT_DONE;
}

char *ckpt_human(uint64_t bytes, char buf[CKPT_TEXT_LEN])
{
	unsigned int step = 0;
	double value = (double)bytes;

	/* 1023.95 would be rounded up to "1024.0" of the smaller unit. */
	while (value >= 1023.95 && step < sizeof(scale) - 1) {
		value /= 1024;
		step++;
	}
	if (!step)
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 " B", bytes);
	else
		snprintf(buf, CKPT_TEXT_LEN, "%.*f %ciB",
			 value < 99.95 && value != (double)(uint64_t)value,
			 value, scale[step - 1]);
	return buf;
}

char *ckpt_exact(uint64_t bytes, char buf[CKPT_TEXT_LEN])
{
	int step = (int)sizeof(scale) - 1;

	for (; bytes && step > 0; step--) {
		uint64_t unit = UINT64_C(1) << (10 * step);

		if (bytes % unit == 0) {
			snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 "%c",
				 bytes / unit, scale[step - 1]);
			return buf;
		}
	}
	if (bytes && bytes % CKPT_SECTOR == 0)
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 "s", bytes / CKPT_SECTOR);
	else
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64, bytes);
	return buf;
}

char *ckpt_duration(uint64_t seconds, char buf[CKPT_TEXT_LEN])
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;
	uint64_t rest = hours ? minutes % 60 : seconds % 60;

	if (!minutes)
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 " s", seconds);
	else if (hours >= 48)
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 " days", hours / 24);
	else if (!rest)
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 " %s", hours ? hours : minutes,
			 hours ? "h" : "min");
	else
		snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64 " %s %" PRIu64 " %s",
			 hours ? hours : minutes, hours ? "h" : "min", rest, hours ? "min" : "s");
	return buf;
}

static char *put_time(const struct tm *tm, const char *format, char *buf)
{
	if (!tm || !strftime(buf, CKPT_TEXT_LEN, format, tm))
		snprintf(buf, CKPT_TEXT_LEN, "?");
	return buf;
}

char *ckpt_time_utc(int64_t seconds, char buf[CKPT_TEXT_LEN])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	return put_time(gmtime_r(&t, &tm), "%Y-%m-%dT%H:%M:%SZ", buf);
}

char *ckpt_time_local(int64_t seconds, char buf[CKPT_TEXT_LEN])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	return put_time(localtime_r(&t, &tm), "%Y-%m-%d %H:%M:%S", buf);
}
