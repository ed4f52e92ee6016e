/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking, naming, applying and deleting checkpoints.  Contexts and errors are those of admin.h.
 */
#ifndef CKPT_CHECKPOINT_H
#define CKPT_CHECKPOINT_H

#include "store.h"

/* Volumes of a group; their records fit in one transaction. */
#define CKPT_GROUP_MAX 200u

/* "volume@checkpoint", taken apart. */
struct ckpt_checkpoint_name {
	const char *volume;
	const char *checkpoint;
};

/*
 * Take a checkpoint of all these volumes at one instant.  I/O to them stands still from when
 * the gates close until what was mapped before has ended and the new heads are in place.
 */
int ckpt_take(struct ckpt_store *store, const char *name, enum ckpt_kind kind,
	      char *const *volumes, unsigned int nr, __u8 *uuid);

int ckpt_apply_checkpoints(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			   unsigned int nr);
int ckpt_delete_checkpoints(struct ckpt_store *store, const struct ckpt_checkpoint_name *names,
			    unsigned int nr);
int ckpt_rename_checkpoint(struct ckpt_store *store, const struct ckpt_checkpoint_name *name,
			   const char *new);

/* "standard" and so on; -EINVAL. */
int ckpt_kind_parse(const char *text);
const char *ckpt_kind_name(enum ckpt_kind kind);

#endif
