/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a store holds, as the message "list" tells it: a forest whose roots are
 * bases, or layers over nothing, and whose other nodes are layers.  Pure: no
 * device is touched here.
 */
#ifndef LIBCKPT_MODEL_H
#define LIBCKPT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "names.h"

/* Numbers start at 1 and are unique in a store; 0 stands for "none". */
struct ckpt_base {
	uint32_t number;
	char uuid[CKPT_UUID_LEN];
	char name[CKPT_NAME_BYTES];	/* "" unless it is a template */
	uint64_t sectors;
	bool is_template;
	char owner[CKPT_UUID_LEN];	/* volume, "" if none */
	uint32_t children;		/* layers directly on it, see finish */
	uint32_t tags;			/* checkpoints on it, likewise */
};

enum ckpt_layer_state {
	CKPT_LAYER_KEPT,		/* by a volume, a checkpoint or a view */
	CKPT_LAYER_HIDDEN,		/* by several layers that sit on it */
	CKPT_LAYER_MERGING,		/* into its child or its base, or waits for that */
	CKPT_LAYER_FREEING,
};

struct ckpt_layer {
	uint32_t number;
	uint32_t below;			/* layer or base, 0: zeros */
	uint64_t sectors;
	bool is_head;
	uint64_t used_units;
	int64_t created;		/* seconds since 1970 */
	enum ckpt_layer_state state;
	uint32_t children;
	uint32_t tags;
};

struct ckpt_volume {
	uint32_t number;
	char uuid[CKPT_UUID_LEN];
	char name[CKPT_NAME_BYTES];
	uint64_t sectors;
	uint32_t top;			/* its head, or its base */
	int64_t created;
	bool is_active;
	uint64_t used_units;		/* of the store, by all its layers */
	uint64_t limit_units;		/* of those, 0: none */
};

struct ckpt_checkpoint {
	uint32_t number;
	char uuid[CKPT_UUID_LEN];	/* the same for all parts of a group */
	char name[CKPT_NAME_BYTES];
	char volume[CKPT_UUID_LEN];
	uint32_t layer;			/* a frozen layer or a base */
	char kind[16];
	int64_t created;
	uint32_t group;			/* volumes taken at that instant */
	bool is_viewed;
};

/* Each array is sorted by number once ckpt_model_finish() was called. */
struct ckpt_model {
	struct ckpt_base *bases;
	size_t base_count;
	struct ckpt_layer *layers;
	size_t layer_count;
	struct ckpt_volume *volumes;
	size_t volume_count;
	struct ckpt_checkpoint *checkpoints;
	size_t checkpoint_count;
};

/*
 * Add one page of the answer.  *@cursor becomes an allocated string, or NULL
 * after the last page.  Line types and words that are not known are skipped, so
 * that a later kernel may say more.  CKPT_FAILED if a line is malformed.
 */
enum ckpt_result ckpt_model_page(struct ckpt_model *m, const char *page,
				 char **cursor, struct ckpt_error *e);

/*
 * After the last page: sorts, counts children and tags, and keeps once what was
 * listed twice because the store changed between two pages.
 */
void ckpt_model_finish(struct ckpt_model *m);

void ckpt_model_free(struct ckpt_model *m);

/* By number; NULL if there is none. */
const struct ckpt_base *ckpt_model_base(const struct ckpt_model *m, uint32_t number);
const struct ckpt_layer *ckpt_model_layer(const struct ckpt_model *m, uint32_t number);

/* By name or UUID; NULL if there is none. */
const struct ckpt_volume *ckpt_model_volume(const struct ckpt_model *m, const char *id);
const struct ckpt_base *ckpt_model_template(const struct ckpt_model *m, const char *id);
const struct ckpt_checkpoint *ckpt_model_checkpoint(const struct ckpt_model *m,
						    const struct ckpt_volume *v,
						    const char *id);

const struct ckpt_volume *ckpt_model_volume_of(const struct ckpt_model *m,
					       const struct ckpt_checkpoint *c);

/*
 * The base at the bottom of the chain that begins at @number; NULL if zeros are
 * there.
 */
const struct ckpt_base *ckpt_model_bottom(const struct ckpt_model *m, uint32_t number);

/* Does the chain that begins at @number go through @under (itself included)? */
bool ckpt_model_sits_on(const struct ckpt_model *m, uint32_t number, uint32_t under);

/* The size in sectors of a layer or a base, 0 if there is none. */
uint64_t ckpt_model_sectors(const struct ckpt_model *m, uint32_t number);

/* Units that a layer uses alone; a base uses none of the store. */
uint64_t ckpt_model_used(const struct ckpt_model *m, uint32_t number);

/* The volume whose present state reads @number, or NULL; the first of several. */
const struct ckpt_volume *ckpt_model_user(const struct ckpt_model *m, uint32_t number);

#endif
