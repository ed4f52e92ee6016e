/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking the kernel's lines apart. */
#ifndef LIBCKPT_WORDS_H
#define LIBCKPT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CKPT_WORDS_MAX	32u

/*
 * The words of one line of a text.  Words beyond the limit are counted, not
 * kept.
 */
struct ckpt_words {
	size_t count;
	char *word[CKPT_WORDS_MAX];
};

/*
 * Cut the first line off *@text (which is changed) and split it at blanks.
 * Returns false at the end of the text.  Empty lines have no words.
 */
bool ckpt_next_line(char **text, struct ckpt_words *words);

/* A decimal number that is the whole word. */
bool ckpt_word_number(const char *word, uint64_t *number);

/* The number of a record, where "-" means 0. */
bool ckpt_word_record(const char *word, uint32_t *number);

/* "<a>/<b>" */
bool ckpt_word_pair(const char *word, uint64_t *a, uint64_t *b);

/* Copy a word that must fit into @size bytes with its NUL. */
bool ckpt_word_copy(const char *word, char *to, size_t size);

#endif
