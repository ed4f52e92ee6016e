// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dmdev.h"
#include "settle.h"
#include "stack.h"
#include "util.h"

/* So often, and so long after each other, a merge is seen to wait for space before we go on. */
#define WAITS	8u
#define WAIT_MS	1000u

static bool store_word(unsigned int nr, char word[32])
{
	char text[DM_TEXT], *p = text;

	if (dm->status(store_dev(), text, sizeof(text)))
		return false;
	for (; nr && p; nr--) {
		p = strchr(p, ' ');
		p += p ? 1 : 0;
	}
	return p && sscanf(p, "%31s", word) == 1;
}

bool store_field(unsigned int nr, uint64_t *val)
{
	char word[32];

	if (!store_word(nr, word))
		return false;
	*val = strtoull(word, NULL, 10);
	return true;
}

/*
 * Until nothing is left to be merged or freed.  On a store that is full, what fits nowhere may wait
 * to be merged for good, but has nothing then that nobody reads; the first time that it waits the
 * bases have not had their turn.
 */
static bool settle(void)
{
	uint64_t end = now_ms() + BACKGROUND_MS, freeing, waited = 0;
	char state[32], text[DM_TEXT];
	unsigned int waits = 0;

	while (!failed) {
		if (!store_word(ST_MERGE, state) || !store_field(ST_FREEING, &freeing)) {
			failure("the store's status does not tell of merges");
		} else if (!freeing && !strcmp(state, "idle")) {
			return true;
		} else if (cfg.full && !freeing && !strcmp(state, "wait") &&
			   now_ms() > waited + WAIT_MS) {
			waited = now_ms();
			if (++waits == WAITS)
				return true;
		} else if (now_ms() > end) {
			dm->status(store_dev(), text, sizeof(text));
			failure("merges do not end: %s", text);
		}
		sleep_ms(50);
	}
	return false;
}

bool settle_now(void)
{
	int err = send_message(NULL, "merge resume");

	err = err ? err : send_message(NULL, "merge rate 0");
	if (err)
		failure("merge: %s", strerror(-err));
	return !err && settle();
}
