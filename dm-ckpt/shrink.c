// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "compat.h"
#include "shrink.h"
#include "store.h"

struct ckpt_shrinker {
	struct ckpt_compat_shrinker shrinker;
};

static struct ckpt_store *store_of(struct shrinker *shrinker)
{
	return ckpt_compat_shrinker_owner(shrinker);
}

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return atomic_long_read(&store_of(shrinker)->cached) / CKPT_NODE_BYTES;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long gone = ckpt_cache_trim(store_of(shrinker), sc->nr_to_scan, true);

	return gone ? gone : SHRINK_STOP;
}

int ckpt_shrinker_register(struct ckpt_store *store)
{
	struct ckpt_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int r;

	if (!s)
		return -ENOMEM;
	r = ckpt_compat_shrinker_register(&s->shrinker, store, count, scan);
	if (r)
		kfree(s);
	else
		store->shrinker = s;
	return r;
}

void ckpt_shrinker_unregister(struct ckpt_store *store)
{
	if (!store->shrinker)
		return;
	ckpt_compat_shrinker_unregister(&store->shrinker->shrinker);
	kfree(store->shrinker);
	store->shrinker = NULL;
}
