/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes and times as people and programs write them.  All units are binary: K
 * is 1024 bytes.
 */
#ifndef LIBCKPT_UNITS_H
#define LIBCKPT_UNITS_H

#include <stdint.h>

#include "error.h"

#define CKPT_SECTOR	512u
#define CKPT_TEXT_LEN	48	/* enough for every text made here */

/*
 * "10G", "1.5GiB", "512M", "4k", "4096" (bytes), "8s" (sectors of 512 bytes).
 * CKPT_USAGE if it is none of these or does not fit into 64 bits.
 */
enum ckpt_result ckpt_parse_size(const char *text, uint64_t *bytes,
				 struct ckpt_error *e);

/*
 * A volume's size, in sectors: a multiple of @block_bytes, above zero, within
 * what the format can hold.  "+SIZE" adds to @present sectors.  The sentence
 * names the nearest sizes that would do.
 */
enum ckpt_result ckpt_parse_volume_size(const char *text, uint64_t block_bytes,
					uint64_t present, uint64_t *sectors,
					struct ckpt_error *e);

/* A plain decimal number from @min to @max; @what names it in the sentence. */
enum ckpt_result ckpt_parse_number(const char *text, const char *what,
				   uint64_t min, uint64_t max, uint64_t *number,
				   struct ckpt_error *e);

/* "1.5 GiB": three digits or so, for a person.  All return @buf. */
char *ckpt_human(uint64_t bytes, char buf[CKPT_TEXT_LEN]);

/* The shortest text that ckpt_parse_size() reads back as exactly @bytes. */
char *ckpt_exact(uint64_t bytes, char buf[CKPT_TEXT_LEN]);

/*
 * Bytes a second as "20M" or "20M/s", or "none", in KiB; above 0 is never rounded
 * to 0, which stands for none.
 */
enum ckpt_result ckpt_parse_rate(const char *text, uint64_t *kib, struct ckpt_error *e);

/* A size or "none", in units of @unit_bytes, rounded up; 0 is none. */
enum ckpt_result ckpt_parse_units(const char *text, uint64_t unit_bytes, uint64_t *units,
				  struct ckpt_error *e);

/* "50" or "50%", from 1 to 100; @what names it in the sentence. */
enum ckpt_result ckpt_parse_percent(const char *text, const char *what, uint64_t *percent,
				    struct ckpt_error *e);

/* "45 s", "7 min 40 s", "3 h 5 min", "12 days". */
char *ckpt_duration(uint64_t seconds, char buf[CKPT_TEXT_LEN]);

/* RFC 3339 in UTC, "2026-07-01T10:00:12Z". */
char *ckpt_time_utc(int64_t seconds, char buf[CKPT_TEXT_LEN]);

/* Local time, "2026-07-01 10:00:12". */
char *ckpt_time_local(int64_t seconds, char buf[CKPT_TEXT_LEN]);

#endif
