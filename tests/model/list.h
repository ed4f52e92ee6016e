/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Look into the answer of `list`.
 */
#ifndef MODEL_LIST_H
#define MODEL_LIST_H

#include <stdbool.h>
#include <stdint.h>

/* Is the volume there?  @uuid (128 bytes) and @size may be NULL. */
bool list_volume(const char *text, const char *name, char *uuid, uint64_t *size);
/* Is <volume>@<checkpoint> there?  @layer, which may be NULL: what it is a name of. */
bool list_ckpt(const char *text, const char *full, unsigned int *layer);
/* What is a volume's head, or its base? */
bool list_top(const char *text, const char *name, unsigned int *number);

struct list_layer {
	bool base;
	unsigned int below;	/* 0: nothing */
	uint64_t used;
	char state[16];
};
/* What waits below it to be merged into it counts as its own. */
bool list_layer(const char *text, unsigned int number, struct list_layer *l);
/* How many are there, but for those that wait to be merged, and what do all hold together? */
void list_layers(const char *text, uint64_t *nr, uint64_t *waiting, uint64_t *units);

/* How many lines begin like this? */
unsigned int list_count(const char *text, const char *start);

#endif
