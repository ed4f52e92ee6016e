/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Volumes, templates and checkpoints by what they are called: a name, or a UUID.  Both are in
 * hash tables, so that finding one takes the same time among many as among few.
 *
 * Checkpoints are called so within their volume, the others within the store.
 *
 * store->admin is held for everything, or the store is not active yet.
 */
#ifndef CKPT_NAMES_H
#define CKPT_NAMES_H

#include "objects.h"

/* -ENOMEM; sleeps. */
int ckpt_names_init(struct ckpt_store *store);
/* All objects are gone. */
void ckpt_names_exit(struct ckpt_store *store);

/*
 * Object @number is called something now, or something else than before, and will be found by that.
 * Of a checkpoint its volume is known, and a base is a template.  Needs no memory.
 */
void ckpt_name_changed(struct ckpt_store *store, u32 number);

/* It is found by neither any more, if it was; for ckpt_object_drop(). */
void ckpt_name_drop(struct ckpt_object *object);

/* By name or UUID; NULL if there is none. */
struct ckpt_volume *ckpt_volume_find(struct ckpt_store *store, const char *name);
struct ckpt_layer *ckpt_template_find(struct ckpt_store *store, const char *name);
struct ckpt_checkpoint *ckpt_checkpoint_find(struct ckpt_store *store,
					     const struct ckpt_volume *volume,
					     const char *name);

#endif
