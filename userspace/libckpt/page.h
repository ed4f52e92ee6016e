/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's answers that come in pages: lines, and then "end", or "next" and a cursor. */
#ifndef LIBCKPT_PAGE_H
#define LIBCKPT_PAGE_H

#include "error.h"
#include "words.h"

/* What is to be done with a line, which has words. */
typedef enum ckpt_result (*ckpt_line_fn)(void *arg, struct ckpt_words *words,
					 struct ckpt_error *e);

/*
 * Each line of the answer to @message but the last.  *@cursor becomes NULL, or what is to be sent
 * behind the message for the next page; the caller frees it.
 */
enum ckpt_result ckpt_page_parse(const char *page, const char *message, ckpt_line_fn line,
				 void *arg, char **cursor, struct ckpt_error *e);

#endif
