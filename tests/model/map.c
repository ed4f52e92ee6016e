// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "util.h"

struct layout layout;

struct chunk {
	atomic_uint refs;
	uint32_t v[CHUNK_SECTORS];
};

void layout_add(uint64_t start, uint32_t len)
{
	struct window *w = &layout.w[layout.nr++];

	w->start = start;
	w->len = len;
	w->index = layout.sectors;
	layout.sectors += len;
}

uint32_t layout_index(uint64_t sector)
{
	for (unsigned int i = 0; i < layout.nr; i++) {
		const struct window *w = &layout.w[i];

		if (sector >= w->start && sector - w->start < w->len)
			return w->index + (uint32_t)(sector - w->start);
	}
	abort();
}

uint32_t window_len(unsigned int i, uint64_t size)
{
	const struct window *w = &layout.w[i];

	if (size <= w->start)
		return 0;
	return min((uint64_t)w->len, size - w->start);
}

void map_init(struct map *m)
{
	m->nr = (layout.sectors + CHUNK_SECTORS - 1) / CHUNK_SECTORS;
	m->c = xzalloc(m->nr * sizeof(*m->c));
}

static void chunk_put(struct chunk *c)
{
	if (c && atomic_fetch_sub(&c->refs, 1) == 1)
		free(c);
}

void map_free(struct map *m)
{
	for (uint32_t i = 0; i < m->nr; i++)
		chunk_put(m->c[i]);
	free(m->c);
	memset(m, 0, sizeof(*m));
}

void map_copy(struct map *to, const struct map *from)
{
	for (uint32_t i = 0; i < from->nr; i++) {
		struct chunk *old = to->c[i];

		if (from->c[i])
			atomic_fetch_add(&from->c[i]->refs, 1);
		to->c[i] = from->c[i];
		chunk_put(old);
	}
}

uint32_t map_get(const struct map *m, uint32_t index)
{
	const struct chunk *c = m->c[index / CHUNK_SECTORS];

	return c ? c->v[index % CHUNK_SECTORS] : 0;
}

void map_set(struct map *m, uint32_t index, uint32_t val)
{
	struct chunk **slot = &m->c[index / CHUNK_SECTORS];
	struct chunk *c = *slot;

	if (!c || atomic_load(&c->refs) > 1) {
		if (!c && !val)
			return;
		c = xzalloc(sizeof(*c));
		if (*slot)
			memcpy(c->v, (*slot)->v, sizeof(c->v));
		atomic_init(&c->refs, 1);
		chunk_put(*slot);
		*slot = c;
	}
	c->v[index % CHUNK_SECTORS] = val;
}

void map_read(const struct map *m, uint32_t index, uint32_t len, uint32_t *vals)
{
	for (uint32_t i = 0; i < len; i++)
		vals[i] = map_get(m, index + i);
}

void map_write(struct map *m, uint32_t index, uint32_t len, const uint32_t *vals)
{
	for (uint32_t i = 0; i < len; i++)
		if (map_get(m, index + i) != vals[i])
			map_set(m, index + i, vals[i]);
}
