/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store's status, and how to wait until its background worker has nothing left to do.
 */
#ifndef MODEL_SETTLE_H
#define MODEL_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#define BACKGROUND_MS	60000u	/* that merging and freeing may take at most */

/* Fields of the store's status, counted from 0. */
enum { ST_USED = 4, ST_LAYERS = 13, ST_FREEING = 15, ST_MERGE = 19 };

bool store_field(unsigned int nr, uint64_t *val);

/* Merge at full speed until nothing is left to be merged or freed, but for what has no space. */
bool settle_now(void);

#endif
