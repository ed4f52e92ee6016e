/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whole windows again, where what is free lies in the holes of others.
 *
 * A layer's slots have gotten a window each, and when the layer is frozen the holes in it are free,
 * which may be most of the store.  A slot's holes are of use to few others, though, as all of a
 * slot's blocks have to stand in one window.  So when windows run out the background worker packs
 * slots: of one layer after the other, in rows behind each other, and the windows that they leave
 * are whole.  Frozen ones, to which nobody will add a block, before windows are missed; when a
 * write has found no place for itself and there is space, those of heads as well.
 *
 * CRASH CASES: as for any other move of a slot, see move.h.
 */
#ifndef CKPT_PACK_H
#define CKPT_PACK_H

#include <linux/types.h>

struct ckpt_layer;
struct ckpt_store;

/*
 * Have slots packed, as whole windows have run out, or as a write finds no *place*: that waits on
 * store->loan_wait as long as it is urgent.  False if it may not be, there is no space either, or
 * it has been in vain just now.  Any context.
 */
bool ckpt_pack_ask(struct ckpt_store *store, bool place);

/*
 * The background worker has nothing else to do: ask, if whole windows are about to run out though
 * space is not, and there are more than the *@last time: so one run of the worker's comes to an
 * end.  True if it has; then it is to go on.  Sleeps.
 */
bool ckpt_pack_look(struct ckpt_store *store, u64 *last);

/* What *@last is before that. */
#define CKPT_PACK_FIRST (~0ull)

/* Has somebody asked, and does somebody wait for a place?  Any context. */
bool ckpt_pack_is_asked(const struct ckpt_store *store);
bool ckpt_pack_is_urgent(const struct ckpt_store *store);

/*
 * From here on it is done for who has asked so far: who wants more than those gets a turn of his
 * own from the first layer on, and no answer to what they have asked.  store->admin is held.
 */
void ckpt_pack_accept(struct ckpt_store *store);

/* Is that a layer to be packed for who has asked?  store->admin is held. */
bool ckpt_pack_wants(const struct ckpt_store *store, const struct ckpt_layer *layer);

/*
 * Pack slots of the layer, from where it was left, until it is done or enough has been moved.  A
 * job of the background worker's, which holds no locks; @other is not used.  Sleeps; -EINTR,
 * -ENOMEM.
 */
int ckpt_pack_layer(struct ckpt_store *store, struct ckpt_layer *layer, struct ckpt_layer *other);

/* There is no layer left to be packed: who has asked is told, and the next one begins anew. */
void ckpt_pack_answer(struct ckpt_store *store);

#endif
