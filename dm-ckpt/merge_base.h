/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Merging a layer into the base below it, of which it is the only child: what it has is copied
 * to the origin, in order of the origin's addresses, many blocks at a time; the origin is
 * flushed; then the layer drops the blocks, and the commit frees their places.  Then what sat
 * on the layer sits on the base, tags move down, and a volume whose head it was passes I/O
 * through.
 *
 * While the layer is a head, its volume's writes go to the base as well (through.h), so that what
 * is left only shrinks.  While it is frozen nobody changes it, and nobody reads the base below
 * what it has.
 *
 * CRASH CASES: a block that was copied and not dropped is copied again; one that was dropped is
 * in the base, which had been flushed.  The base's sample is given up before its first
 * change, and taken anew when its volume rests, or something depends on its content again.
 */
#ifndef CKPT_MERGE_BASE_H
#define CKPT_MERGE_BASE_H

#include <linux/types.h>

struct ckpt_layer;
struct ckpt_store;

/*
 * Is there a base that takes in what sits on it?  The rule's part: an owned base without tags or
 * views, with one child; that may go elsewhere first, see gc.h.  store->admin is held.
 */
bool ckpt_base_merges(const struct ckpt_layer *base);

/* The same, and its volume is active, with its origin open for writing; same context. */
bool ckpt_base_ready(struct ckpt_store *store, const struct ckpt_layer *base);

/*
 * Merge @layer into @base.  Sleeps; called by the background worker alone.
 *	-EINTR	 it was told to stop, or the volume is no longer active
 *	-EAGAIN	 something was in use: call again
 *	-EBUSY	 the origin is still smaller than the layer	-EIO, -ENOMEM
 * After an error what was done stays done, and another call goes on.
 */
int ckpt_merge_base(struct ckpt_store *store, struct ckpt_layer *base, struct ckpt_layer *layer);

#endif
