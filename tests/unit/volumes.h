/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store of random content, and what it ought to read as: by entries of its journal, or with
 * trees that ckpt_restore has made of them.
 *
 *	base - ONE - TWO - HEAD		volume "disk", checkpoints "one" (ONE), "two" (TWO)
 *	          \ CLONE_HEAD		volume "clone"
 */
#ifndef UNIT_VOLUMES_H
#define UNIT_VOLUMES_H

#include <stdio.h>

#include "libckpt/check.h"
#include "libckpt/dump.h"
#include "libckpt/repair.h"
#include "store.h"
#include "test.h"

#define BLOCKS		256u		/* of a volume: 8 clusters of 4 KiB blocks */
#define CLUSTERS	(BLOCKS / CKPT_CLUSTER_BLOCKS)
#define WINDOWS		80u
#define WINDOW_SECTORS	256u
/* Behind the nodes, which ckpt_restore puts as far in front as it can. */
#define WINDOWS_START	(STORE_SECTORS - WINDOWS * WINDOW_SECTORS)

/* Records. */
enum { BASE = 1, ONE, TWO, HEAD, DISK, CLONE_HEAD, CLONE, CP_ONE, CP_TWO, NUMBERS };

/* What a layer sits on. */
extern const uint32_t parent[NUMBERS];

struct named {
	const char *name;
	uint32_t number, layer;
};

/* All volumes and checkpoints. */
#define NAMES 4u
extern const struct named names[NAMES];

/* The store, and how it ought to be. */
extern struct store store;
extern struct ckpt_state slots[NUMBERS][CLUSTERS];
extern struct ckpt_error error;		/* the last one */

/* Set-up and tear-down of each test: all records, no slots. */
int begin(void **state);
int end(void **state);

/* Change some clusters of any layers, and commit; @with_merges moves, adopts and prunes as well. */
void random_slots(unsigned int nr, bool with_merges);

/* The image, with its origin; it can be opened. */
struct ckpt_image *open_image(const struct ckpt_source *source, bool salvage);

/* Does it read as it ought to? */
bool is_right(struct ckpt_image *image, const struct named *n);

/* Everything does, and the check finds nothing. */
void check_whole(const struct ckpt_source *source);

/*
 * Repair the store: what is said to be saved reads as it did, unless @is_older, and the rest is
 * gone.  Returns how many read as they did.
 */
unsigned int check_repaired(struct ckpt_file *file, bool partial, bool is_older);

/* A file in memory as large as the store; @bytes, or zeros. */
struct ckpt_file new_file(const void *bytes);

/* A dump, to be freed, and back. */
char *dump(const struct ckpt_source *source);
enum ckpt_result restore(char *text, struct ckpt_file *file);

/* The trees are written back, in a way. */
void write_back(void);

#endif
