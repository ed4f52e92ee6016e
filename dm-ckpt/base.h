/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is this origin the device that a base stands for?  A raw device has no perfect identity:
 * its size is compared, and while something depends on its content, a checksum of that at
 * fixed places, which are spread over the device and include both ends.
 */
#ifndef CKPT_BASE_H
#define CKPT_BASE_H

#include "target.h"

/*
 * Check the origin of a table that is to go live.  The checksum is recorded if it is not known
 * yet and somebody depends on it.  Sleeps; store->admin is held.  -EINVAL: it is the wrong
 * device; -EROFS: it is read-only, and the volume would write to it.  The log says so.
 */
int ckpt_base_check(struct ckpt_target *t);

/*
 * A base that has just got its first dependent is sampled, if a table has its origin.  Sleeps;
 * store->admin is held; a failure is made up for when a table goes live next.
 */
void ckpt_base_sample(struct ckpt_target *t);

/*
 * The volume rests, in the middle of a merge into its base perhaps: the base is sampled as it is
 * now, so that the next table is known to have the same.  As before.
 */
void ckpt_base_rest(struct ckpt_target *t);

/*
 * Record another size, and whether the sample is what the origin holds; takes store->admin.
 */
int ckpt_base_set(struct ckpt_store *store, struct ckpt_layer *base, u64 sectors, bool sampled);

#endif
