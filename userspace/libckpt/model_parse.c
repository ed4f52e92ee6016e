// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "page.h"

/* Make room for one more entry; arrays double so that n entries cost O(n). */
static void *one_more(void **array, size_t *count, size_t size)
{
	char *grown = *array;

	if ((*count & (*count - 1)) == 0) {
		size_t room = *count ? *count * 2 : 1;

		grown = reallocarray(*array, room, size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

#define ADD(m, kind) \
	one_more((void **)&(m)->kind##s, &(m)->kind##_count, sizeof(*(m)->kind##s))

static bool time64(const char *word, int64_t *time)
{
	uint64_t value;

	if (!ckpt_word_number(word, &value) || value > INT64_MAX)
		return false;
	*time = (int64_t)value;
	return true;
}

/* A name or UUID for which "-" stands when there is none. */
static bool text_or_none(const char *word, char *to, size_t size)
{
	return ckpt_word_copy(strcmp(word, "-") ? word : "", to, size);
}

/* One of two words. */
static bool choice(const char *word, const char *yes, const char *no, bool *is)
{
	*is = !strcmp(word, yes);
	return *is || !strcmp(word, no);
}

static bool parse_base(struct ckpt_model *m, char **w)
{
	struct ckpt_base *b = ADD(m, base);

	return b && ckpt_word_record(w[1], &b->number) &&
	       ckpt_word_copy(w[2], b->uuid, sizeof(b->uuid)) &&
	       text_or_none(w[3], b->name, sizeof(b->name)) &&
	       ckpt_word_number(w[4], &b->sectors) &&
	       choice(w[5], "template", "owned", &b->is_template) &&
	       text_or_none(w[6], b->owner, sizeof(b->owner));
}

static bool layer_state(const char *word, enum ckpt_layer_state *state)
{
	static const char *const words[] = {
		[CKPT_LAYER_KEPT] = "kept", [CKPT_LAYER_HIDDEN] = "hidden",
		[CKPT_LAYER_MERGING] = "merging", [CKPT_LAYER_FREEING] = "freeing",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i])) {
			*state = (enum ckpt_layer_state)i;
			return true;
		}
	return false;
}

static bool parse_layer(struct ckpt_model *m, char **w)
{
	struct ckpt_layer *l = ADD(m, layer);

	return l && ckpt_word_record(w[1], &l->number) && ckpt_word_record(w[2], &l->below) &&
	       ckpt_word_number(w[3], &l->sectors) &&
	       choice(w[4], "head", "frozen", &l->is_head) &&
	       ckpt_word_number(w[5], &l->used_units) &&
	       time64(w[6], &l->created) && layer_state(w[7], &l->state);
}

static bool parse_volume(struct ckpt_model *m, char **w)
{
	struct ckpt_volume *v = ADD(m, volume);

	return v && ckpt_word_record(w[1], &v->number) &&
	       ckpt_word_copy(w[2], v->uuid, sizeof(v->uuid)) &&
	       ckpt_word_copy(w[3], v->name, sizeof(v->name)) &&
	       ckpt_word_number(w[4], &v->sectors) &&
	       ckpt_word_record(w[5], &v->top) && time64(w[6], &v->created) &&
	       choice(w[7], "active", "inactive", &v->is_active) &&
	       ckpt_word_number(w[8], &v->used_units) &&
	       ckpt_word_number(w[9], &v->limit_units);
}

static bool parse_checkpoint(struct ckpt_model *m, char **w)
{
	struct ckpt_checkpoint *c = ADD(m, checkpoint);

	return c && ckpt_word_record(w[1], &c->number) &&
	       ckpt_word_copy(w[2], c->uuid, sizeof(c->uuid)) &&
	       ckpt_word_copy(w[3], c->name, sizeof(c->name)) &&
	       ckpt_word_copy(w[4], c->volume, sizeof(c->volume)) &&
	       ckpt_word_record(w[5], &c->layer) &&
	       ckpt_word_copy(w[6], c->kind, sizeof(c->kind)) &&
	       time64(w[7], &c->created) && ckpt_word_record(w[8], &c->group) &&
	       choice(w[9], "viewed", "idle", &c->is_viewed);
}

static const struct {
	const char *type;
	size_t words;
	bool (*parse)(struct ckpt_model *m, char **w);
} lines[] = {
	{ "base",	7,	parse_base },
	{ "layer",	8,	parse_layer },
	{ "volume",	10,	parse_volume },
	{ "checkpoint",	10,	parse_checkpoint },
};

static enum ckpt_result parse_line(void *arg, struct ckpt_words *words, struct ckpt_error *e)
{
	struct ckpt_model *m = arg;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strcmp(words->word[0], lines[i].type) &&
		    (words->count < lines[i].words || !lines[i].parse(m, words->word)))
			return ckpt_fail(e, CKPT_FAILED,
					 "the kernel's list has a line about a %s that makes no sense here; are the module and ckptctl of the same release?",
					 words->word[0]);
	return CKPT_DONE;
}

enum ckpt_result ckpt_model_page(struct ckpt_model *m, const char *page,
				 char **cursor, struct ckpt_error *e)
{
	return ckpt_page_parse(page, "list", parse_line, m, cursor, e);
}
