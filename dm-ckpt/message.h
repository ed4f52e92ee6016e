/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages to a store: words in, one call of admin.h, checkpoint.h or report.h out. */
#ifndef CKPT_MESSAGE_H
#define CKPT_MESSAGE_H

struct ckpt_store;

/* 0, 1 with an answer in @result, or a negative errno.  Sleeps. */
int ckpt_message(struct ckpt_store *store, unsigned int argc, char **argv, char *result,
		 unsigned int maxlen);

#endif
