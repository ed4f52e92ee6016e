/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module is written for the newest kernel.  What older ones lack or do otherwise is
 * mended here, as told by the compile probes in compat/, and nowhere else.
 */
#ifndef CKPT_COMPAT_H
#define CKPT_COMPAT_H

#include <linux/blkdev.h>
#include <linux/shrinker.h>

#include "compat-config.h"

/* Modes of opening block devices have a type of their own since 6.5. */
#ifndef BLK_OPEN_WRITE
#define BLK_OPEN_WRITE FMODE_WRITE
#endif

/* Shrinkers are allocated since 6.7; before, they were part of their owner. */
#ifdef CKPT_HAVE_SHRINKER_ALLOC

struct ckpt_compat_shrinker {
	struct shrinker *shrinker;
};

#define ckpt_compat_shrinker_owner(s) ((s)->private_data)

static inline int
ckpt_compat_shrinker_register(struct ckpt_compat_shrinker *c, void *owner,
			      unsigned long (*count)(struct shrinker *, struct shrink_control *),
			      unsigned long (*scan)(struct shrinker *, struct shrink_control *))
{
	c->shrinker = shrinker_alloc(0, "dm-ckpt");
	if (!c->shrinker)
		return -ENOMEM;
	c->shrinker->count_objects = count;
	c->shrinker->scan_objects = scan;
	c->shrinker->private_data = owner;
	shrinker_register(c->shrinker);
	return 0;
}

static inline void ckpt_compat_shrinker_unregister(struct ckpt_compat_shrinker *c)
{
	shrinker_free(c->shrinker);
}

#else

struct ckpt_compat_shrinker {
	struct shrinker shrinker;
	void *owner;
};

#define ckpt_compat_shrinker_owner(s) \
	(container_of(s, struct ckpt_compat_shrinker, shrinker)->owner)

static inline int
ckpt_compat_shrinker_register(struct ckpt_compat_shrinker *c, void *owner,
			      unsigned long (*count)(struct shrinker *, struct shrink_control *),
			      unsigned long (*scan)(struct shrinker *, struct shrink_control *))
{
	c->owner = owner;
	c->shrinker.count_objects = count;
	c->shrinker.scan_objects = scan;
	c->shrinker.seeks = DEFAULT_SEEKS;
	return register_shrinker(&c->shrinker, "dm-ckpt");
}

static inline void ckpt_compat_shrinker_unregister(struct ckpt_compat_shrinker *c)
{
	unregister_shrinker(&c->shrinker);
}

#endif

#endif
