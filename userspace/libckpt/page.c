// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "page.h"

enum ckpt_result ckpt_page_parse(const char *page, const char *message, ckpt_line_fn line,
				 void *arg, char **cursor, struct ckpt_error *e)
{
	char *copy = strdup(page), *rest = copy;
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_words words;
	bool ended = false;

	*cursor = NULL;
	while (copy && !ended && !result && ckpt_next_line(&rest, &words)) {
		if (!words.count)
			continue;
		if (!strcmp(words.word[0], "end")) {
			ended = true;
		} else if (!strcmp(words.word[0], "next") && words.count == 2) {
			*cursor = strdup(words.word[1]);
			ended = *cursor;
		} else {
			result = line(arg, &words, e);
		}
	}
	free(copy);

	if (!result && !ended)
		result = ckpt_fail(e, CKPT_FAILED, "the kernel's answer to '%s' breaks off", message);
	return result;
}
