/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine's volumes in their store, for as long as one thing is done to them: what
 * the store holds is asked for at disks_open() and after what changes it.
 */
#ifndef CKPTD_DISKS_H
#define CKPTD_DISKS_H

#include "libckpt/store.h"
#include "manifest.h"
#include "vm_file.h"

struct disks {
	struct ckpt c;
	struct ckpt_store s;
	bool is_open;
	const struct ckpt_volume *volume[VM_DISKS_MAX];
	size_t count;
};

/* disks_close() it, also after a failure.  Sentences are left in d->c.error. */
enum ckpt_result disks_open(struct disks *d, const struct vm_file *f);
void disks_close(struct disks *d);

/* The paths of the volumes' devices; those that are not there are made. */
enum ckpt_result disks_paths(struct disks *d, char path[VM_DISKS_MAX][PATH_MAX]);

/* Note down in @m of which store and volumes it is. */
void disks_describe(const struct disks *d, struct manifest *m);

/*
 * All volumes at one instant, as a checkpoint of m->kind, under the name of one that is
 * not complete; fills m->group in.
 */
enum ckpt_result disks_take(struct disks *d, struct manifest *m);

/* Give the checkpoint's part in the store the name that it has in the manifest. */
enum ckpt_result disks_name(struct disks *d, const struct manifest *m);

/* Has it that already? */
bool disks_is_named(const struct disks *d, const struct manifest *m);

/* Is a checkpoint of that name possible?  CKPT_BUSY if a volume has one. */
enum ckpt_result disks_may_name(struct disks *d, const char *name);

/* Delete the checkpoint's part in the store, if there is any left of it. */
enum ckpt_result disks_delete(struct disks *d, const struct manifest *m);

/* All volumes go back, or none. */
enum ckpt_result disks_apply(struct disks *d, const struct manifest *m);

/* Bytes of the store that only this checkpoint's layers hold; 0 if it has none. */
uint64_t disks_used(const struct disks *d, const struct manifest *m);

/* Is a part of it open as a view? */
bool disks_is_viewed(const struct disks *d, const struct manifest *m);

/* Are all of its parts still there? */
bool disks_has(const struct disks *d, const struct manifest *m);

/*
 * Which checkpoint each of @list sits on: parent[i] is an index, or -1 for none; and on
 * which the present state sits.  The first volume tells.
 */
void disks_parents(const struct disks *d, const struct manifests *list, int *parent, int *now);

#endif
