// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "status.h"

static enum ckpt_result odd_status(const char *target, const char *line, struct ckpt_error *e)
{
	return ckpt_fail(e, CKPT_FAILED,
			 "the status of the %s target makes no sense here ('%.80s'); are the module and ckptctl of the same release?",
			 target, line);
}

enum ckpt_result ckpt_parse_store_status(const char *line, struct ckpt_store_status *s,
					 struct ckpt_error *e)
{
	char *copy = strdup(line), *rest = copy;
	struct ckpt_words words = { 0 };
	char **w = words.word;
	bool good = false;

	memset(s, 0, sizeof(*s));
	if (copy && ckpt_next_line(&rest, &words) && words.count == 1 && !strcmp(w[0], "-"))
		good = true;
	else if (words.count >= 28)
		good = s->known =
		       ckpt_word_copy(w[0], s->uuid, sizeof(s->uuid)) &&
		       ckpt_word_copy(w[1], s->mode, sizeof(s->mode)) &&
		       ckpt_word_number(w[2], &s->block_sectors) &&
		       ckpt_word_number(w[3], &s->unit_sectors) &&
		       ckpt_word_pair(w[4], &s->used_units, &s->total_units) &&
		       ckpt_word_number(w[5], &s->reserved_units) &&
		       ckpt_word_pair(w[6], &s->journal_used, &s->journal_blocks) &&
		       ckpt_word_pair(w[7], &s->dirty_nodes, &s->dirty_limit) &&
		       ckpt_word_pair(w[8], &s->cached_kib, &s->cache_limit_kib) &&
		       ckpt_word_number(w[9], &s->commits) &&
		       ckpt_word_number(w[10], &s->writebacks) &&
		       ckpt_word_number(w[11], &s->volumes) &&
		       ckpt_word_number(w[12], &s->checkpoints) &&
		       ckpt_word_number(w[13], &s->layers) &&
		       ckpt_word_number(w[14], &s->hidden) &&
		       ckpt_word_number(w[15], &s->freeing) &&
		       ckpt_word_number(w[16], &s->moved) &&
		       ckpt_word_number(w[17], &s->copied) &&
		       ckpt_word_number(w[18], &s->freed) &&
		       ckpt_word_copy(w[19], s->merge, sizeof(s->merge)) &&
		       ckpt_word_record(w[20], &s->from) &&
		       ckpt_word_record(w[21], &s->into) &&
		       ckpt_word_number(w[22], &s->left) &&
		       ckpt_word_number(w[23], &s->rate_kib) &&
		       ckpt_word_number(w[24], &s->share) &&
		       ckpt_word_copy(w[25], s->space, sizeof(s->space)) &&
		       ckpt_word_number(w[26], &s->queued) &&
		       ckpt_word_copy(w[27], s->guard, sizeof(s->guard));
	free(copy);
	return good ? CKPT_DONE : odd_status("ckpt-store", line, e);
}

bool ckpt_merge_works(const struct ckpt_store_status *s)
{
	return strcmp(s->merge, "idle") && strcmp(s->merge, "wait") && strcmp(s->merge, "paused");
}

enum ckpt_result ckpt_parse_volume_status(const char *line, struct ckpt_volume_status *s,
					  struct ckpt_error *e)
{
	char *copy = strdup(line), *rest = copy;
	struct ckpt_words words = { 0 };
	char **w = words.word;
	bool good = false;

	memset(s, 0, sizeof(*s));
	if (copy && ckpt_next_line(&rest, &words) && words.count >= 6) {
		s->is_writable = !strcmp(w[1], "rw");
		s->is_passthrough = !strcmp(w[2], "passthrough");
		good = ckpt_word_copy(w[0], s->uuid, sizeof(s->uuid)) &&
		       (s->is_writable || !strcmp(w[1], "ro")) &&
		       (s->is_passthrough || !strcmp(w[2], "layered")) &&
		       ckpt_word_number(w[3], &s->layers) &&
		       ckpt_word_number(w[4], &s->used_units) &&
		       ckpt_word_number(w[5], &s->sectors);
	}
	free(copy);
	return good ? CKPT_DONE : odd_status("ckpt", line, e);
}

struct ranges {
	ckpt_range_fn fn;
	void *arg;
};

static enum ckpt_result parse_range(void *arg, struct ckpt_words *words, struct ckpt_error *e)
{
	const struct ranges *ranges = arg;
	uint64_t start, length;

	if (words->count < 2 || !ckpt_word_number(words->word[0], &start) ||
	    !ckpt_word_number(words->word[1], &length))
		return ckpt_fail(e, CKPT_FAILED,
				 "the kernel's diff has a line '%s' that is no range",
				 words->word[0]);
	return ranges->fn(ranges->arg, start, length);
}

enum ckpt_result ckpt_parse_diff(const char *page, ckpt_range_fn range, void *arg,
				 char **cursor, struct ckpt_error *e)
{
	struct ranges ranges = { range, arg };

	return ckpt_page_parse(page, "diff", parse_range, &ranges, cursor, e);
}

static enum ckpt_result add_estimate(void *arg, struct ckpt_words *words, struct ckpt_error *e)
{
	struct ckpt_estimate *sum = arg;
	uint64_t freed, copied;

	if (words->count < 2 || !ckpt_word_number(words->word[0], &freed) ||
	    !ckpt_word_number(words->word[1], &copied))
		return ckpt_fail(e, CKPT_FAILED,
				 "the kernel's answer to 'estimate' makes no sense here; are the module and ckptctl of the same release?");
	sum->freed += freed;
	sum->copied += copied;
	return CKPT_DONE;
}

enum ckpt_result ckpt_parse_estimate(const char *page, struct ckpt_estimate *sum, char **cursor,
				     struct ckpt_error *e)
{
	return ckpt_page_parse(page, "estimate", add_estimate, sum, cursor, e);
}
