// SPDX-License-Identifier: GPL-2.0-only
/* Lookups in what was parsed by model_parse.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model.h"

/* More links than a store can have records: a chain this long is a circle. */
#define CHAIN_LIMIT	(CKPT_RECORD_MAX + 1u)

/* All four kinds of entries begin with their number. */
static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static const void *find(const void *array, size_t count, size_t size, uint32_t number)
{
	return count ? bsearch(&number, array, count, size, by_number) : NULL;
}

const struct ckpt_base *ckpt_model_base(const struct ckpt_model *m, uint32_t number)
{
	return find(m->bases, m->base_count, sizeof(*m->bases), number);
}

const struct ckpt_layer *ckpt_model_layer(const struct ckpt_model *m, uint32_t number)
{
	return find(m->layers, m->layer_count, sizeof(*m->layers), number);
}

const struct ckpt_volume *ckpt_model_volume(const struct ckpt_model *m, const char *id)
{
	for (size_t i = 0; i < m->volume_count; i++)
		if (!strcmp(m->volumes[i].name, id) || !strcasecmp(m->volumes[i].uuid, id))
			return &m->volumes[i];
	return NULL;
}

const struct ckpt_base *ckpt_model_template(const struct ckpt_model *m, const char *id)
{
	for (size_t i = 0; i < m->base_count; i++)
		if (m->bases[i].is_template &&
		    (!strcmp(m->bases[i].name, id) || !strcasecmp(m->bases[i].uuid, id)))
			return &m->bases[i];
	return NULL;
}

const struct ckpt_checkpoint *ckpt_model_checkpoint(const struct ckpt_model *m,
						    const struct ckpt_volume *v,
						    const char *id)
{
	for (size_t i = 0; i < m->checkpoint_count; i++) {
		const struct ckpt_checkpoint *c = &m->checkpoints[i];

		if (!strcmp(c->volume, v->uuid) &&
		    (!strcmp(c->name, id) || !strcasecmp(c->uuid, id)))
			return c;
	}
	return NULL;
}

const struct ckpt_volume *ckpt_model_volume_of(const struct ckpt_model *m,
					       const struct ckpt_checkpoint *c)
{
	return ckpt_model_volume(m, c->volume);
}

const struct ckpt_base *ckpt_model_bottom(const struct ckpt_model *m, uint32_t number)
{
	for (unsigned int i = 0; number && i < CHAIN_LIMIT; i++) {
		const struct ckpt_layer *layer = ckpt_model_layer(m, number);

		if (!layer)
			return ckpt_model_base(m, number);
		number = layer->below;
	}
	return NULL;
}

bool ckpt_model_sits_on(const struct ckpt_model *m, uint32_t number, uint32_t under)
{
	for (unsigned int i = 0; number && i < CHAIN_LIMIT; i++) {
		const struct ckpt_layer *layer;

		if (number == under)
			return true;
		layer = ckpt_model_layer(m, number);
		number = layer ? layer->below : 0;
	}
	return false;
}

uint64_t ckpt_model_sectors(const struct ckpt_model *m, uint32_t number)
{
	const struct ckpt_layer *layer = ckpt_model_layer(m, number);
	const struct ckpt_base *base = ckpt_model_base(m, number);

	return layer ? layer->sectors : base ? base->sectors : 0;
}

uint64_t ckpt_model_used(const struct ckpt_model *m, uint32_t number)
{
	const struct ckpt_layer *layer = ckpt_model_layer(m, number);

	return layer ? layer->used_units : 0;
}

const struct ckpt_volume *ckpt_model_user(const struct ckpt_model *m, uint32_t number)
{
	for (size_t i = 0; i < m->volume_count; i++)
		if (ckpt_model_sits_on(m, m->volumes[i].top, number))
			return &m->volumes[i];
	return NULL;
}

static size_t sort_once(void *array, size_t count, size_t size)
{
	char *entries = array;
	size_t kept = 0;

	if (!count)
		return 0;
	qsort(array, count, size, by_number);
	for (size_t i = 1; i < count; i++)
		if (by_number(entries + kept * size, entries + i * size)) {
			kept++;
			if (kept != i)
				memcpy(entries + kept * size, entries + i * size, size);
		}
	return kept + 1;
}

static void count_links(struct ckpt_model *m)
{
	struct ckpt_layer *layer;
	struct ckpt_base *base;

	for (size_t i = 0; i < m->layer_count; i++) {
		uint32_t below = m->layers[i].below;

		layer = (struct ckpt_layer *)ckpt_model_layer(m, below);
		base = (struct ckpt_base *)ckpt_model_base(m, below);
		if (layer)
			layer->children++;
		else if (base)
			base->children++;
	}
	for (size_t i = 0; i < m->checkpoint_count; i++) {
		uint32_t on = m->checkpoints[i].layer;

		layer = (struct ckpt_layer *)ckpt_model_layer(m, on);
		base = (struct ckpt_base *)ckpt_model_base(m, on);
		if (layer)
			layer->tags++;
		else if (base)
			base->tags++;
	}
}

void ckpt_model_finish(struct ckpt_model *m)
{
	m->base_count = sort_once(m->bases, m->base_count, sizeof(*m->bases));
	m->layer_count = sort_once(m->layers, m->layer_count, sizeof(*m->layers));
	m->volume_count = sort_once(m->volumes, m->volume_count, sizeof(*m->volumes));
	m->checkpoint_count = sort_once(m->checkpoints, m->checkpoint_count,
					sizeof(*m->checkpoints));
	count_links(m);
}

void ckpt_model_free(struct ckpt_model *m)
{
	free(m->bases);
	free(m->layers);
	free(m->volumes);
	free(m->checkpoints);
	memset(m, 0, sizeof(*m));
}
