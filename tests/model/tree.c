// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "check.h"
#include "list.h"
#include "stack.h"
#include "tree.h"
#include "verify.h"

#define UNIT_SECTORS	8u

struct node {
	struct node *next, *parent;
	struct base *base;		/* it is one */
	struct vol *head;		/* it is the head of this one */
	struct ckpt *tag;
	bool known;			/* without a tag: what it held is in @map */
	struct map map;
	unsigned int number;		/* in the list; 0: it has no name there */
};

static struct node *nodes;

static struct node *node_new(struct node *parent)
{
	struct node *n = xzalloc(sizeof(*n));

	map_init(&n->map);
	n->parent = parent;
	n->next = nodes;
	nodes = n;
	return n;
}

static void node_free(struct node *n)
{
	for (struct node **p = &nodes; *p; p = &(*p)->next) {
		if (*p == n) {
			*p = n->next;
			break;
		}
	}
	map_free(&n->map);
	free(n);
}

static struct node *base_node(struct base *b)
{
	struct node *n;

	for (n = nodes; n; n = n->next)
		if (n->base == b)
			return n;
	n = node_new(NULL);
	n->base = b;
	if (b->template) {
		map_copy(&n->map, &b->map);
		n->known = true;
	}
	return n;
}

static struct node *new_head(struct vol *v, struct node *parent)
{
	struct node *n = node_new(parent);

	n->head = v;
	return n;
}

void tree_create(struct vol *v, const struct ckpt *from)
{
	if (from)
		v->top = new_head(v, from->node);
	else if (v->owner)
		v->top = base_node(v->base);
	else
		v->top = new_head(v, v->base ? base_node(v->base) : NULL);
}

void tree_take(struct vol *v, struct ckpt *ck)
{
	ck->node = v->top;
	ck->node->tag = ck;
	ck->node->head = NULL;
	v->top = new_head(v, ck->node);
}

void tree_found(struct ckpt *ck)
{
	ck->node = node_new(NULL);
	ck->node->tag = ck;
}

static void drop_head(struct vol *v)
{
	if (v->top->head)
		node_free(v->top);
	v->top = NULL;
}

void tree_apply(struct vol *v, const struct ckpt *ck)
{
	drop_head(v);
	v->top = new_head(v, ck->node);
}

void tree_drop(struct ckpt *ck)
{
	struct node *n = ck->node;

	map_copy(&n->map, &ck->map);
	n->known = !ck->watch.ops.nr;
	n->tag = NULL;
	ck->node = NULL;
}

static unsigned int children(const struct node *n, struct node **child)
{
	unsigned int nr = 0;

	for (struct node *c = nodes; c; c = c->next) {
		if (c->parent != n)
			continue;
		*child = c;
		nr++;
	}
	return nr;
}

static void reparent(const struct node *from, struct node *to)
{
	for (struct node *c = nodes; c; c = c->next)
		if (c->parent == from)
			c->parent = to;
}

/* A base takes in what sits on it. */
static void absorb(struct node *base, struct node *n)
{
	if (n->head) {
		n->head->top = base;
		base->known = false;
	} else if (n->tag) {
		base->tag = n->tag;
		base->tag->node = base;
	} else {
		map_copy(&base->map, &n->map);
		base->known = n->known;
	}
	reparent(n, base);
	node_free(n);
}

/* What the rule does to @n; false: nothing. */
static bool apply_rule(struct node *n)
{
	struct node *child = NULL;
	unsigned int nr = children(n, &child);

	if (n->tag || n->head || nr > 1)
		return false;
	if (n->base) {
		if (nr && !n->base->template && !n->base->gone)
			absorb(n, child);
		else if (!nr && n->base->gone)
			node_free(n);
		else
			return false;
		return true;
	}
	if (nr)
		child->parent = n->parent;
	node_free(n);
	return true;
}

static void settle(void)
{
	struct node *n;

	do {
		for (n = nodes; n && !apply_rule(n); n = n->next)
			;
	} while (n);
}

/* What has not gone into its base by now, does not any more: see admin_delete(). */
void tree_delete(struct vol *v)
{
	if (v->owner)
		settle();
	drop_head(v);
}

bool tree_passthrough(const struct vol *v)
{
	settle();
	return v->top->base;
}

/* What a layer holds; NULL: nobody knows. */
static const struct map *content(const struct node *n)
{
	if (n->head)
		return &n->head->cur;
	if (n->tag)
		return n->tag->watch.ops.nr ? NULL : &n->tag->map;
	return n->known ? &n->map : NULL;
}

static uint64_t size_of(const struct node *n)
{
	if (n->head)
		return n->head->size;
	return n->tag ? n->tag->size : ~0ull >> 1;
}

struct bounds {
	uint64_t low, high;
};

static bool is_data(uint32_t val)
{
	const struct op *op = op_get(VAL_OP(val));

	return VAL_OP(val) && !(val & VAL_SOFT) && op && op->type == OP_WRITE;
}

/*
 * Units of the blocks in which the layer differs from what it sits on: what was written
 * there stands in it; what was zeroed may be one of its blocks, or no more than a bit.
 */
static bool count_units(const struct node *n, struct bounds *b)
{
	const struct map *own = content(n), *below = n->parent ? content(n->parent) : NULL;
	uint32_t step = max(cfg.block, UNIT_SECTORS);

	*b = (struct bounds) { 0 };
	if (!own || (n->parent && !below))
		return false;
	for (unsigned int i = 0; i < layout.nr; i++) {
		uint32_t len = window_len(i, size_of(n));

		for (uint32_t at = 0; at < len; at += step) {
			bool data = false, differs = false;

			for (uint32_t k = at; k < min(at + step, len); k++) {
				uint32_t x = map_get(own, layout.w[i].index + k);
				uint32_t y = below ? map_get(below, layout.w[i].index + k) : 0;

				differs |= x != y;
				data |= VAL_OP(x) != VAL_OP(y) && is_data(x);
			}
			b->low += data ? step / UNIT_SECTORS : 0;
			b->high += differs ? step / UNIT_SECTORS : 0;
		}
	}
	return true;
}

static void number_nodes(const char *text)
{
	struct vol *v;
	struct ckpt *ck;

	for each_ck(ck)
		if (!list_ckpt(text, CK_NAME(ck), &ck->node->number))
			failure("list: checkpoint %s is missing", CK_NAME(ck));
	for each_vol(v)
		if (!list_top(text, VOL_NAME(v), &v->top->number))
			failure("list: volume %s is missing", VOL_NAME(v));
}

static const char *name_of(const struct node *n)
{
	static char name[NAME_LEN];

	if (n->tag)
		return ck_name(name, n->tag);
	return n->head ? vol_name(name, n->head) : n->base ? "a base" : "a hidden layer";
}

/* One layer, or base, against its line. */
static void check_node(const char *text, const struct node *n)
{
	struct bounds b;
	struct list_layer l;

	if (!n->number)
		return;
	if (!list_layer(text, n->number, &l) || l.base != !!n->base) {
		failure("list: %s sits on %u, which should be a %s", name_of(n), n->number,
			n->base ? "base" : "layer");
		return;
	}
	if (n->base)
		return;
	if (n->parent ? n->parent->number && l.below != n->parent->number : l.below)
		failure("list: layer %u (%s) sits on %u, expected %u", n->number, name_of(n),
			l.below, n->parent ? n->parent->number : 0);
	if (strcmp(l.state, "kept"))
		failure("list: layer %u (%s) is %s", n->number, name_of(n), l.state);
	if (count_units(n, &b) &&
	    (l.used < b.low || l.used > b.high + verify_failed_units()))
		failure("list: layer %u (%s) has %llu units, expected %llu to %llu", n->number,
			name_of(n), (unsigned long long)l.used, (unsigned long long)b.low,
			(unsigned long long)b.high);
}

bool verify_layers(struct layer_sum *sum)
{
	unsigned int layers = 0, bases = 0, have_bases;
	char *text = send_paged("list");

	if (!text)
		return false;
	settle();
	for (struct node *n = nodes; n; n = n->next)
		n->number = 0;
	number_nodes(text);
	for (struct node *n = nodes; n; n = n->next) {
		bases += !!n->base;
		layers += !n->base;
		check_node(text, n);
	}
	list_layers(text, &sum->layers, &sum->waiting, &sum->units);
	have_bases = list_count(text, "base ");
	if (sum->layers != layers || have_bases != bases)
		failure("list: %llu layers and %u bases, expected %u and %u",
			(unsigned long long)sum->layers, have_bases, layers, bases);
	if (failed)
		note("the list was:\n%s", text);
	free(text);
	return !failed;
}
