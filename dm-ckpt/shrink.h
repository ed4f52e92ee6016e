/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's request for memory, answered from a store's cached metadata. */
#ifndef CKPT_SHRINK_H
#define CKPT_SHRINK_H

struct ckpt_store;

/* Sleeps; -ENOMEM. */
int ckpt_shrinker_register(struct ckpt_store *store);

/* Sleeps until nobody is at it any more.  May be called more than once, or without the other. */
void ckpt_shrinker_unregister(struct ckpt_store *store);

#endif
