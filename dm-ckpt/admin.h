/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What messages ask for.  Each function does all of it, durably, or nothing: it checks, changes
 * the objects, queues the records' new state as one transaction, and waits for that.  Should
 * the commit fail, the store is not writable any more, and what memory says goes with it.
 * The caller holds store->admin, so that a message is one step.
 *
 * Names are what the user wrote, a name or a UUID.  All functions sleep; errors have a line in
 * the log that says what is wrong:
 *	-EINVAL	 a name or size that cannot be	-ENOENT	 no such thing
 *	-EEXIST	 the name is taken		-EBUSY	 it is in use, or something needs it
 *	-EROFS	 the store is not writable	-ENOSPC	 no room for a record
 *	-ETIMEDOUT bios in flight did not end in time
 */
#ifndef CKPT_ADMIN_H
#define CKPT_ADMIN_H

#include "store.h"

enum ckpt_volume_from {
	CKPT_FROM_NOTHING,
	CKPT_FROM_ORIGIN,
};

int ckpt_create_volume(struct ckpt_store *store, const char *name, u64 sectors,
		       enum ckpt_volume_from from, __u8 *uuid);
int ckpt_create_template(struct ckpt_store *store, const char *name, u64 sectors, __u8 *uuid);

/* @checkpoint NULL: @source is a template. */
int ckpt_clone(struct ckpt_store *store, const char *source, const char *checkpoint,
	       const char *name, __u8 *uuid);
int ckpt_resize_volume(struct ckpt_store *store, const char *volume, u64 sectors);
/* @units: what its layers may take, 0: no limit. */
int ckpt_limit_volume(struct ckpt_store *store, const char *volume, u64 units);
int ckpt_rename_volume(struct ckpt_store *store, const char *volume, const char *name);
int ckpt_rename_template(struct ckpt_store *store, const char *template, const char *name);
int ckpt_delete_volume(struct ckpt_store *store, const char *volume);
int ckpt_delete_template(struct ckpt_store *store, const char *template);

/* For the functions below and in checkpoint.c: the thing, or an error that has been logged. */
struct ckpt_volume *ckpt_need_volume(struct ckpt_store *store, const char *name);
struct ckpt_checkpoint *ckpt_need_checkpoint(struct ckpt_store *store, const char *volume,
					     const char *name);
int ckpt_need_name(struct ckpt_store *store, const char *name);
int ckpt_need_writable(struct ckpt_store *store);
int ckpt_need_nodes(struct ckpt_store *store);

#endif
