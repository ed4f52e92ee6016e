// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

bool ckpt_next_line(char **text, struct ckpt_words *words)
{
	char *line = *text, *end, *word, *save = NULL;

	words->count = 0;
	if (!*line)
		return false;

	end = strchrnul(line, '\n');
	*text = *end ? end + 1 : end;
	*end = '\0';

	for (word = strtok_r(line, " \t\r", &save); word;
	     word = strtok_r(NULL, " \t\r", &save))
		if (words->count < CKPT_WORDS_MAX)
			words->word[words->count++] = word;
	return true;
}

/* A number at the start of @text, *@end behind it. */
static bool number_at(const char *text, uint64_t *number, char **end)
{
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoull(text, end, 10);
	return !errno;
}

bool ckpt_word_number(const char *word, uint64_t *number)
{
	char *end;

	return number_at(word, number, &end) && !*end;
}

bool ckpt_word_record(const char *word, uint32_t *number)
{
	uint64_t value = 0;

	if (strcmp(word, "-") && (!ckpt_word_number(word, &value) || value > UINT32_MAX))
		return false;
	*number = (uint32_t)value;
	return true;
}

bool ckpt_word_pair(const char *word, uint64_t *a, uint64_t *b)
{
	char *end;

	return number_at(word, a, &end) && *end == '/' && ckpt_word_number(end + 1, b);
}

bool ckpt_word_copy(const char *word, char *to, size_t size)
{
	size_t length = strlen(word);

	if (length >= size)
		return false;
	memcpy(to, word, length + 1);
	return true;
}
