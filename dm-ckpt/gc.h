/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The background worker that drives the tree of layers to where the rule has nothing to do.  The
 * tree is the whole state: the worker looks for the next thing, does it, and looks again.  What
 * comes first in this list is done first:
 *
 *	frozen, but heads' windows are still set aside	-> give them back
 *	frozen, no tag, no child, no view		-> free it
 *	frozen, no tag, no view, one child		-> merge it into that child, see merge.h
 *	owned base, no tag, no view, one child		-> that child is merged into it, see
 *							   merge_base.h, once the volume is active
 *	has holes, and whole windows are running out	-> pack it, see pack.h; before any merge
 *							   for a write that waits for a place
 *	frozen, no tag, several children		-> waits, hidden
 *
 * Of a row of layers that go into one another, the uppermost goes first: so no block is moved
 * that something above has overwritten.
 */
#ifndef CKPT_GC_H
#define CKPT_GC_H

#include <linux/types.h>

struct ckpt_layer;
struct ckpt_store;

/* Something may have become garbage; any context. */
void ckpt_gc_kick(struct ckpt_store *store);

/* May the worker change anything?  Any context. */
bool ckpt_gc_may_run(const struct ckpt_store *store);

/* Let the worker come to rest; it begins again with a kick.  Sleeps. */
void ckpt_gc_stop(struct ckpt_store *store);

void ckpt_gc_init(struct ckpt_store *store);

/* May this layer go into its only child?  store->admin is held. */
bool ckpt_gc_merges(const struct ckpt_layer *layer);

#endif
