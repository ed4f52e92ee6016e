// SPDX-License-Identifier: GPL-2.0-only
/*
 * c42d50aefd17 ("mm: shrinker: add infrastructure for dynamically allocating
 * shrinker"), v6.7: shrinker_alloc() instead of a struct of one's own that is
 * given to register_shrinker().
 */
#include <linux/shrinker.h>

struct shrinker *probe(void);
struct shrinker *probe(void)
{
	return shrinker_alloc(0, "name");
}
