/* SPDX-License-Identifier: GPL-2.0-only */
/* The status lines of both targets and the answers to "diff" and "estimate", taken apart. */
#ifndef LIBCKPT_STATUS_H
#define LIBCKPT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "names.h"

struct ckpt_store_status {
	bool known;		/* false before the first resume: nothing below */
	char uuid[CKPT_UUID_LEN];
	char mode[8];		/* "rw" or "ro" */
	uint64_t block_sectors, unit_sectors;
	uint64_t used_units, total_units, reserved_units;
	uint64_t journal_used, journal_blocks;
	uint64_t dirty_nodes, dirty_limit;
	uint64_t cached_kib, cache_limit_kib;
	uint64_t commits, writebacks;
	uint64_t volumes, checkpoints, layers, hidden, freeing;
	uint64_t moved, copied, freed;	/* units of data */
	char merge[8];		/* idle, free, pack, layers, base, wait or paused */
	uint32_t from, into;	/* records at work, 0: none; into may be a base */
	uint64_t left;		/* units of data that are to be merged or freed */
	uint64_t rate_kib;	/* limit of a second's copying, 0: none */
	uint64_t share;		/* percent of the time while there is other I/O */
	char space[8];		/* ok, low or full */
	uint64_t queued;	/* bios that wait for space */
	char guard[8];		/* off, held, late or lost */
};

/* Is the merge doing something, so that waiting for its end makes sense? */
bool ckpt_merge_works(const struct ckpt_store_status *s);

struct ckpt_volume_status {
	char uuid[CKPT_UUID_LEN];
	bool is_writable;
	bool is_passthrough;
	uint64_t layers;
	uint64_t used_units;	/* of the head */
	uint64_t sectors;
};

/* CKPT_FAILED if the line has another form.  Further words are ignored. */
enum ckpt_result ckpt_parse_store_status(const char *line, struct ckpt_store_status *s,
					 struct ckpt_error *e);
enum ckpt_result ckpt_parse_volume_status(const char *line, struct ckpt_volume_status *s,
					  struct ckpt_error *e);

/*
 * One page of ranges, in sectors, in the order of the answer.  @range returns
 * CKPT_DONE to go on.  *@cursor is as for ckpt_model_page().
 */
typedef enum ckpt_result (*ckpt_range_fn)(void *arg, uint64_t sector, uint64_t sectors);

enum ckpt_result ckpt_parse_diff(const char *page, ckpt_range_fn range, void *arg,
				 char **cursor, struct ckpt_error *e);

/* What deleting a checkpoint would free, and would have to be copied, in units. */
struct ckpt_estimate {
	uint64_t freed, copied;
};

/* One page of it is added to @sum. */
enum ckpt_result ckpt_parse_estimate(const char *page, struct ckpt_estimate *sum, char **cursor,
				     struct ckpt_error *e);

#endif
