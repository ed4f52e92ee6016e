// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "tree_rows.h"

/* One node of the forest: a base, or a layer. */
struct node {
	uint32_t number;
	uint32_t below;
	const struct ckpt_base *base;
	const struct ckpt_layer *layer;
	/* The best-placed volume above it, see line_of(); UINT64_MAX: none. */
	uint64_t line;
	bool seen;
};

struct forest {
	const struct ckpt_model *m;
	struct node *node;		/* by number */
	size_t count;
	size_t *child;			/* nodes, by what is below them, then by line */
	struct tree_rows *rows;
	bool failed;
};

static struct node *find(const struct forest *f, uint32_t number)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->node[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < f->count && f->node[low].number == number ? &f->node[low] : NULL;
}

static int by_number(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Branches by age, and last what goes on in the same column. */
static int by_place(const void *a, const void *b, void *arg)
{
	const struct forest *f = arg;
	const struct node *x = &f->node[*(const size_t *)a];
	const struct node *y = &f->node[*(const size_t *)b];

	if (x->below != y->below)
		return x->below > y->below ? 1 : -1;
	if (x->line != y->line)
		return x->line < y->line ? 1 : -1;
	return by_number(x, y);
}

/*
 * Which volume's line goes straight on: the owner's of the base, otherwise the
 * oldest one's, which a clone never is.
 */
static uint64_t line_of(const struct ckpt_model *m, const struct ckpt_volume *v)
{
	const struct ckpt_base *base = ckpt_model_bottom(m, v->top);

	return base && !strcmp(base->owner, v->uuid) ? 0 : (uint64_t)v->created + 1;
}

static void place_lines(struct forest *f)
{
	for (size_t i = 0; i < f->m->volume_count; i++) {
		uint64_t line = line_of(f->m, &f->m->volumes[i]);
		struct node *node = find(f, f->m->volumes[i].top);

		/* Below a better line all is at least as good already. */
		while (node && node->line > line) {
			node->line = line;
			node = find(f, node->below);
		}
	}
}

static bool plant(struct forest *f)
{
	const struct ckpt_model *m = f->m;

	f->node = calloc(m->base_count + m->layer_count + 1, sizeof(*f->node));
	f->child = calloc(m->base_count + m->layer_count + 1, sizeof(*f->child));
	if (!f->node || !f->child)
		return false;
	for (size_t i = 0; i < m->base_count; i++)
		f->node[f->count++] = (struct node){
			.number = m->bases[i].number, .base = &m->bases[i], .line = UINT64_MAX,
		};
	for (size_t i = 0; i < m->layer_count; i++)
		f->node[f->count++] = (struct node){
			.number = m->layers[i].number, .below = m->layers[i].below,
			.layer = &m->layers[i], .line = UINT64_MAX,
		};
	qsort(f->node, f->count, sizeof(*f->node), by_number);
	place_lines(f);

	for (size_t i = 0; i < f->count; i++)
		f->child[i] = i;
	qsort_r(f->child, f->count, sizeof(*f->child), by_place, f);
	return true;
}

/* The children of @number: f->child[*first] up to @last, not included. */
static void children(const struct forest *f, uint32_t number, size_t *first, size_t *last)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->node[f->child[middle]].below < number)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	while (low < f->count && f->node[f->child[low]].below == number)
		low++;
	*last = low;
}

static struct tree_row *add_row(struct forest *f, enum tree_kind kind, unsigned int depth,
				bool forks)
{
	struct tree_rows *rows = f->rows;
	struct tree_row *grown = rows->row;

	if ((rows->count & (rows->count - 1)) == 0) {
		grown = reallocarray(rows->row, rows->count ? rows->count * 2 : 1, sizeof(*grown));
		if (!grown) {
			f->failed = true;
			return NULL;
		}
		rows->row = grown;
	}
	grown += rows->count++;
	*grown = (struct tree_row){ .kind = kind, .depth = depth, .forks = forks };
	return grown;
}

/* The volume whose "now" is that very node; *@i is where to go on looking. */
static const struct ckpt_volume *volume_on(const struct forest *f, uint32_t number, size_t *i)
{
	while (*i < f->m->volume_count) {
		const struct ckpt_volume *v = &f->m->volumes[(*i)++];

		if (v->top == number)
			return v;
	}
	return NULL;
}

/* The rows of one node itself. */
static void add_node(struct forest *f, const struct node *node, unsigned int depth,
			     bool forks)
{
	const struct ckpt_volume *v;
	struct tree_row *row;
	unsigned int count = 0;
	size_t i = 0;

	if (node->base) {
		row = add_row(f, TREE_BASE, depth, forks);
		if (row) {
			row->base = node->base;
			row->number = node->number;
			row->is_first = true;
		}
		forks = false;
	}
	for (size_t j = 0; !f->failed && j < f->m->checkpoint_count; j++) {
		if (f->m->checkpoints[j].layer != node->number)
			continue;
		row = add_row(f, TREE_CHECKPOINT, depth, forks && !count);
		if (row) {
			row->checkpoint = &f->m->checkpoints[j];
			row->number = node->number;
			row->is_first = !count++;
		}
	}
	if (node->layer && !node->layer->is_head && !count) {
		row = add_row(f, TREE_HIDDEN, depth, forks);
		if (row) {
			row->number = node->number;
			row->is_first = true;
		}
		count++;
	}
	while (!f->failed && (v = volume_on(f, node->number, &i))) {
		row = add_row(f, TREE_VOLUME, depth, forks && !count);
		if (row) {
			row->volume = v;
			row->number = node->number;
			row->is_first = !count++;
		}
	}
}

/* A node and all that sits on it, the line that goes on last. */
static void add_line(struct forest *f, struct node *node, unsigned int depth, bool forks)
{
	size_t first, last;

	while (node && !node->seen && !f->failed) {
		/* Malformed lists may have circles. */
		node->seen = true;
		add_node(f, node, depth, forks);
		forks = false;

		children(f, node->number, &first, &last);
		if (first == last)
			return;
		for (; first + 1 < last; first++)
			add_line(f, &f->node[f->child[first]], depth + 1, true);
		node = &f->node[f->child[first]];
	}
}

static bool is_wanted(const struct forest *f, const struct node *root,
		      const struct ckpt_volume *only)
{
	return !only || ckpt_model_sits_on(f->m, only->top, root->number);
}

bool tree_rows_make(const struct ckpt_model *m, const struct ckpt_volume *only,
		    struct tree_rows *rows)
{
	struct forest f = { .m = m, .rows = rows };

	memset(rows, 0, sizeof(*rows));
	if (plant(&f))
		for (size_t i = 0; i < f.count && !f.failed; i++) {
			struct node *node = &f.node[i];

			/* Also what sits on something that was not listed. */
			if (find(&f, node->below) || !is_wanted(&f, node, only))
				continue;
			if (!node->base)
				add_row(&f, TREE_ZEROS, 0, false);
			add_line(&f, node, 0, false);
		}
	else
		f.failed = true;
	free(f.node);
	free(f.child);
	if (f.failed)
		tree_rows_free(rows);
	return !f.failed;
}

void tree_rows_free(struct tree_rows *rows)
{
	free(rows->row);
	memset(rows, 0, sizeof(*rows));
}
