// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_tree.h"

/* Clean nodes beyond this number go: 32 MiB. */
#define NODES_KEPT	8192u
/*
 * The module writes the trees back when it has 8192 dirty nodes; a journal that changes so many
 * more is none of its.
 */
#define DIRTY_MAX	131072u

enum ckpt_result image_damage(struct ckpt_image *image, struct ckpt_error *e,
			      const char *format, ...)
{
	va_list args;
	char text[sizeof(e->text)];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	image->damages++;
	image->is_partial = true;
	if (image->options.report)
		image->options.report(image->options.arg, text);
	return ckpt_fail(e, CKPT_INTEGRITY, "%s", text);
}

static enum ckpt_result no_memory(struct ckpt_error *e)
{
	return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
}

void image_tree_init(struct image_tree *tree, enum ckpt_tree_type type, unsigned int levels,
		     uint32_t number)
{
	*tree = (struct image_tree){ .type = type, .levels = levels, .number = number };
}

static struct image_node *new_node(struct ckpt_image *image, unsigned int level)
{
	struct image_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->level = level;
	node->content = calloc(1, CKPT_NODE_BYTES);
	if (level)
		node->child = calloc(CKPT_FANOUT, sizeof(struct image_node *));
	image->nodes++;
	if (node->content && (node->child || !level))
		return node;
	image_forget(image, &node);
	return NULL;
}

void image_forget(struct ckpt_image *image, struct image_node **in)
{
	struct image_node *node = *in;

	if (!node)
		return;
	*in = NULL;
	for (unsigned int i = 0; node->child && i < CKPT_FANOUT; i++)
		image_forget(image, &node->child[i]);
	image->nodes--;
	image->dirty -= node->is_dirty;
	free(node->child);
	free(node->content);
	free(node);
}

void image_tree_drop(struct ckpt_image *image, struct image_tree *tree)
{
	image_forget(image, &tree->root);
}

/* A dirty node has its parents dirty, so all below a clean one can go. */
static void trim_below(struct ckpt_image *image, struct image_node **in)
{
	struct image_node *node = *in;

	if (!node)
		return;
	if (!node->is_dirty) {
		image_forget(image, in);
		return;
	}
	for (unsigned int i = 0; node->child && i < CKPT_FANOUT; i++)
		trim_below(image, &node->child[i]);
}

void image_trim(struct ckpt_image *image)
{
	if (image->nodes - image->dirty <= NODES_KEPT)
		return;
	trim_below(image, &image->records.root);
	trim_below(image, &image->space.root);
	for (uint32_t i = 0; i < image->item_count; i++)
		if (image->maps[i])
			trim_below(image, &image->maps[i]->root);
}

static const char *read_node(struct ckpt_image *image, const struct image_tree *tree,
			     struct image_node *node, const struct ckpt_ref *ref)
{
	uint64_t where = ckpt_ref_where(ref);
	const char *bad;

	/* A record's own check has seen to the root of a map, a parent's to the others. */
	if (!ckpt_ref_valid(&image->geometry, where))
		return "its place is outside the store";
	if (image->source.read(image->source.arg, node->content, where << CKPT_SECTOR_SHIFT,
			       CKPT_NODE_BYTES))
		return "it cannot be read";
	bad = ckpt_content_verify(&image->geometry, tree->type, node->level, node->content, ref);
	if (!bad && image->options.counted) {
		node->used = ckpt_content_used(&image->geometry, tree->type, node->level,
					       node->content);
		node->is_counted = true;
	}
	return bad;
}

/* Nodes are loaded more than once, but told of once; so many at least. */
#define TOLD_MAX	4096u

static bool is_news(struct ckpt_image *image, uint64_t where)
{
	for (size_t i = 0; i < image->told_count; i++)
		if (image->told[i] == where)
			return false;
	if (!image->told)
		image->told = calloc(TOLD_MAX, sizeof(*image->told));
	if (image->told && image->told_count < TOLD_MAX)
		image->told[image->told_count++] = where;
	return true;
}

static enum ckpt_result node_is_bad(struct ckpt_image *image, const struct image_tree *tree,
				    const struct image_node *node, uint64_t index,
				    const struct ckpt_ref *ref, struct ckpt_error *e)
{
	static const char *const what[] = { "map of layer", "records", "space map" };
	char text[192];

	snprintf(text, sizeof(text),
		 "node at sector %" PRIu64 " is damaged: %s (%s %u, level %u, index %" PRIu64 ")",
		 (uint64_t)ckpt_ref_where(ref), node->bad, what[tree->type], tree->number,
		 node->level, index);
	if (is_news(image, ckpt_ref_where(ref)))
		return image_damage(image, e, "%s", text);
	return ckpt_fail(e, CKPT_INTEGRITY, "%s", text);
}

/* What stands at a place of a tree, loaded or made if need be; may be NULL. */
static enum ckpt_result get_child(struct ckpt_image *image, const struct image_tree *tree,
				  enum image_mode mode, uint64_t index,
				  struct image_place *p, struct ckpt_error *e)
{
	bool is_there = ckpt_ref_where(p->ref);

	p->node = *p->in;
	if (!p->node && !is_there && mode != IMAGE_MAKE)
		return CKPT_DONE;
	if (!p->node) {
		p->node = new_node(image, p->level);
		if (!p->node)
			return no_memory(e);
		*p->in = p->node;
		if (is_there)
			p->node->bad = read_node(image, tree, p->node, p->ref);
	}
	if (p->node->bad)
		return node_is_bad(image, tree, p->node, index, p->ref, e);
	if (mode == IMAGE_LOOK || p->node->is_dirty)
		return CKPT_DONE;
	if (image->dirty >= DIRTY_MAX)
		return image_damage(image, e, "journal is damaged: it changes more nodes than it can");
	p->node->is_dirty = true;
	image->dirty++;
	return CKPT_DONE;
}

static uint64_t index_at(uint64_t index, unsigned int from, unsigned int level)
{
	return index >> (CKPT_FANOUT_SHIFT * (level - from));
}

static void step_down(struct image_place *p, unsigned int slot)
{
	p->in = &p->node->child[slot];
	p->ref = (struct ckpt_ref *)p->node->content + slot;
	p->level--;
}

enum ckpt_result image_get(struct ckpt_image *image, struct image_tree *tree,
			   enum image_mode mode, unsigned int level, uint64_t index,
			   struct image_place *p, struct ckpt_error *e)
{
	enum ckpt_result result;

	*p = (struct image_place){ .in = &tree->root, .ref = &tree->root_ref,
				   .level = tree->levels - 1 };
	if (index_at(index, level, tree->levels - 1))
		return CKPT_DONE;
	for (;;) {
		result = get_child(image, tree, mode, index_at(index, level, p->level), p, e);
		if (result || !p->node || p->level == level)
			return result;
		step_down(p, index_at(index, level, p->level - 1) % CKPT_FANOUT);
	}
}

/* The first child at or behind @from, or CKPT_FANOUT. */
static unsigned int next_child(const struct image_node *node, unsigned int from)
{
	const struct ckpt_ref *ref = (const void *)node->content;

	for (; from < CKPT_FANOUT; from++)
		if (ref[from].where || node->child[from])
			break;
	return from;
}

enum ckpt_result image_next_leaf(struct ckpt_image *image, struct image_tree *tree,
				 uint64_t *index, uint64_t *end, const void **leaf,
				 struct ckpt_error *e)
{
	const uint64_t leaves = image_leaves(tree->levels);
	struct image_place p;

	image_trim(image);
	*leaf = NULL;
	while (*index < leaves) {
		enum ckpt_result result = image_get(image, tree, IMAGE_LOOK, 0, *index, &p, e);
		uint64_t span = UINT64_C(1) << (CKPT_FANOUT_SHIFT * p.level);

		*end = (*index / span + 1) * span;
		if (result)
			return result;
		if (p.node) {
			*leaf = p.node->content;
			return CKPT_DONE;
		}
		*index = *end;
	}
	return CKPT_DONE;
}

struct walk {
	struct ckpt_image *image;
	const struct image_tree *tree;
	image_visit_fn visit;
	void *arg;
	struct ckpt_error *e;
};

static enum ckpt_result walk_below(const struct walk *w, struct image_place p, uint64_t index)
{
	bool is_guest = !*p.in;
	enum ckpt_result result = get_child(w->image, w->tree, IMAGE_LOOK, index, &p, w->e);
	struct image_node *node = p.node;

	if (!node)
		return result;
	result = w->visit(w->arg, w->tree, node, index, p.ref);
	for (unsigned int i = 0; node->level && !node->bad && !result; i++) {
		struct image_place child = p;

		i = next_child(node, i);
		if (i == CKPT_FANOUT)
			break;
		step_down(&child, i);
		result = walk_below(w, child, index << CKPT_FANOUT_SHIFT | i);
	}
	/* So a walk needs memory for one path only. */
	if (is_guest)
		image_forget(w->image, p.in);
	return result;
}

enum ckpt_result image_walk(struct ckpt_image *image, struct image_tree *tree,
			    image_visit_fn visit, void *arg, struct ckpt_error *e)
{
	struct walk w = { image, tree, visit, arg, e };
	struct image_place p = { .in = &tree->root, .ref = &tree->root_ref,
				 .level = tree->levels - 1 };

	return walk_below(&w, p, 0);
}
