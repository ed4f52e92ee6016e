// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dm-ckpt/slot.h"
#include "check_parts.h"
#include "guard.h"

static void tell(ckpt_report_fn fn, void *arg, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	if (fn)
		fn(arg, text);
}

void check_error(struct ckpt_check *check, const char *format, ...)
{
	va_list args;

	check->errors++;
	va_start(args, format);
	tell(check->error, check->arg, format, args);
	va_end(args);
}

void check_note(struct ckpt_check *check, const char *format, ...)
{
	va_list args;

	check->notes++;
	va_start(args, format);
	tell(check->note, check->arg, format, args);
	va_end(args);
}

/* ---- superblocks ---- */

static const char *read_copy(const struct ckpt_source *source, uint64_t sector,
			     struct ckpt_super *super)
{
	memset(super, 0, sizeof(*super));
	if (source->read(source->arg, super, sector << CKPT_SECTOR_SHIFT, sizeof(*super)))
		return "it cannot be read";
	return ckpt_super_verify(super);
}

static enum ckpt_result check_supers(const struct ckpt_source *source, struct ckpt_check *check,
				     struct ckpt_error *e)
{
	const char *bad_a, *bad_b, *why;
	struct ckpt_super a, b;

	bad_a = read_copy(source, CKPT_SUPER_A, &a);
	bad_b = read_copy(source, CKPT_SUPER_B, &b);
	switch (ckpt_super_choose(&a, &b, &why)) {
	case CKPT_SUPER_ABSENT:
		return ckpt_fail(e, CKPT_NOT_FOUND, "there is no dm-ckpt store there");
	case CKPT_SUPER_STRANGE:
		return ckpt_fail(e, CKPT_FAILED, "the store cannot be used here: %s", why);
	default:
		break;
	}
	if (bad_a)
		check_error(check, "the first superblock cannot be used: %s", bad_a);
	if (bad_b)
		check_error(check, "the second superblock cannot be used: %s", bad_b);
	if (bad_a || bad_b)
		return CKPT_DONE;
	if (memcmp(a.uuid, b.uuid, sizeof(a.uuid)))
		check_error(check, "the superblocks are of different stores");
	if (a.sequence == b.sequence && memcmp(&a, &b, sizeof(a)))
		check_error(check, "the superblocks are equally old, but differ");
	/* A crash between the two leaves the second one older. */
	if (le64_to_cpu(b.sequence) > le64_to_cpu(a.sequence))
		check_error(check, "the first superblock is older than the second: it was rolled back");
	return CKPT_DONE;
}

/* ---- nodes ---- */

struct nodes {
	struct ckpt_image *image;
	struct ckpt_check *check;
	struct check_owners *owners;	/* NULL: those are not asked for */
	bool is_second;			/* round: only to tell who owns what */
	struct ckpt_error *e;
};

static void name_owner(char *who, size_t bytes, const struct image_tree *tree, unsigned int level,
		       uint64_t index)
{
	static const char *const what[] = { "the map of layer", "the records", "the space map" };

	if (tree->type == CKPT_TREE_MAP)
		snprintf(who, bytes, "%s %u (level %u, index %" PRIu64 ")", what[tree->type],
			 tree->number, level, index);
	else
		snprintf(who, bytes, "%s (level %u, index %" PRIu64 ")", what[tree->type], level,
			 index);
}

static enum ckpt_result own_slot(struct nodes *n, const struct image_tree *tree, uint64_t cluster,
				 const struct ckpt_state *s)
{
	uint32_t units = ckpt_state_units(&n->image->geometry, s);
	uint32_t shift = ckpt_unit_mask_shift(&n->image->geometry);
	enum ckpt_result result = CKPT_DONE;
	char who[96] = "";

	if (n->is_second)
		snprintf(who, sizeof(who), "cluster %" PRIu64 " of layer %u", cluster, tree->number);
	while (units && !result) {
		uint32_t first = (uint32_t)__builtin_ctz(units), nr = ckpt_run(units, first);
		uint32_t each = nr << (shift - CKPT_UNIT_SHIFT);

		result = check_own(n->owners, n->check,
				   (s->where + ((uint64_t)first << shift)) >> CKPT_UNIT_SHIFT, each,
				   who, n->e);
		n->check->units += n->is_second ? 0 : each;
		units &= ~ckpt_mask(first, nr);
	}
	return result;
}

/* Blocks beyond the layer's size cannot be written. */
static void check_size(struct nodes *n, const struct image_tree *tree, uint64_t cluster,
		       const struct ckpt_state *s)
{
	const struct ckpt_item *layer = ckpt_image_item(n->image, tree->number);
	const struct ckpt_geometry *g = &n->image->geometry;
	uint64_t start = cluster << g->cluster_shift;
	uint32_t inside = ~0u;

	if (!layer || n->is_second)
		return;
	if (start >= layer->sectors)
		inside = 0;
	else if (layer->sectors - start < ckpt_cluster_sectors(g))
		inside = ckpt_mask(0, (uint32_t)((layer->sectors - start) >> g->block_shift));
	if ((s->present | s->zero) & ~inside)
		check_error(n->check, "layer %u has blocks of cluster %" PRIu64 ", beyond its size",
			    tree->number, cluster);
}

static enum ckpt_result look_at_slots(struct nodes *n, const struct image_tree *tree,
				      const struct image_node *leaf, uint64_t index)
{
	const struct ckpt_slot *slot = (const void *)leaf->content;
	enum ckpt_result result = CKPT_DONE;

	for (unsigned int i = 0; !result && i < CKPT_FANOUT; i++) {
		struct ckpt_state s = ckpt_slot_decode(&slot[i]);
		uint64_t cluster = index << CKPT_FANOUT_SHIFT | i;

		if (s.present | s.zero)
			check_size(n, tree, cluster, &s);
		if (s.present && n->owners)
			result = own_slot(n, tree, cluster, &s);
	}
	return result;
}

static enum ckpt_result look_at_node(void *arg, const struct image_tree *tree,
				     const struct image_node *node, uint64_t index,
				     const struct ckpt_ref *ref)
{
	struct nodes *n = arg;
	enum ckpt_result result = CKPT_DONE;
	char who[96];

	name_owner(who, sizeof(who), tree, node->level, index);
	/* A node that the journal has made has no place yet. */
	if (n->owners && ckpt_ref_where(ref))
		result = check_own(n->owners, n->check, ckpt_ref_where(ref) >> CKPT_UNIT_SHIFT, 1,
				   who, n->e);
	if (result || node->bad)
		return result;
	n->check->nodes += !n->is_second;
	if (!n->is_second && node->is_counted && node->used != ckpt_ref_used(ref))
		check_error(n->check,
			    "what is below %s was counted wrong: %" PRIu64 ", but it is %" PRIu64,
			    who, (uint64_t)ckpt_ref_used(ref), node->used);
	return tree->type == CKPT_TREE_MAP && !node->level ?
	       look_at_slots(n, tree, node, index) : CKPT_DONE;
}

static enum ckpt_result look_at_trees(struct nodes *n)
{
	struct ckpt_image *image = n->image;
	enum ckpt_result result = image_walk(image, &image->records, look_at_node, n, n->e);

	if (!result)
		result = image_walk(image, &image->space, look_at_node, n, n->e);
	for (uint32_t i = 0; !result && i < image->item_count; i++)
		if (image->maps[i])
			result = image_walk(image, image->maps[i], look_at_node, n, n->e);
	return result;
}

static enum ckpt_result check_nodes(struct ckpt_image *image, struct ckpt_check *check,
				    struct ckpt_error *e)
{
	struct nodes n = { .image = image, .check = check, .e = e };
	enum ckpt_result result;

	if (check->level >= CKPT_CHECK_SPACE) {
		n.owners = check_owners_new(&image->geometry);
		if (!n.owners)
			return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	}
	result = look_at_trees(&n);
	if (!result && n.owners)
		result = check_space(image, n.owners, check, !image->is_partial, e);
	if (!result && n.owners && check_owned_twice(n.owners)) {
		n.is_second = true;
		result = look_at_trees(&n);
	}
	if (n.owners)
		check_owners_free(n.owners);
	return result;
}

enum ckpt_result ckpt_check_image(struct ckpt_image *image, struct ckpt_check *check,
				  struct ckpt_error *e)
{
	uint64_t before = image->damages;
	enum ckpt_result result = CKPT_DONE;

	if (check->level >= CKPT_CHECK_RECORDS)
		result = check_items(image, check, e);
	if (!result && check->level >= CKPT_CHECK_NODES)
		result = check_nodes(image, check, e);
	if (result && result != CKPT_INTEGRITY)
		return result;
	check->errors += image->damages - before;
	if (check->errors)
		return ckpt_fail(e, CKPT_INTEGRITY, "%" PRIu64 " things are wrong", check->errors);
	return CKPT_DONE;
}

/* A copy of a store that is open says so as well, and is in order. */
static void check_guard(const struct ckpt_source *source, const struct ckpt_image *image,
			struct ckpt_check *check)
{
	struct ckpt_guard_facts facts;
	char text[256];

	ckpt_guard_read(source, image->super.uuid, &facts);
	if (facts.says == CKPT_GUARD_IS_DAMAGED)
		check_note(check, "the guard's block cannot be used: %s", facts.why);
	if (facts.says != CKPT_GUARD_SAYS_OPEN)
		return;
	ckpt_guard_sentence(&facts, text, sizeof(text));
	check_note(check, "%s", text);
}

enum ckpt_result ckpt_check(const struct ckpt_source *source, struct ckpt_check *check,
			    struct ckpt_error *e)
{
	struct ckpt_image_options options = { .salvage = true, .counted = true,
					      .report = check->error, .arg = check->arg };
	struct ckpt_image *image;
	enum ckpt_result result = check_supers(source, check, e);

	if (result)
		return result;
	if (check->level == CKPT_CHECK_SUPER && check->errors)
		return ckpt_fail(e, CKPT_INTEGRITY, "%" PRIu64 " things are wrong", check->errors);
	if (check->level == CKPT_CHECK_SUPER)
		return CKPT_DONE;
	result = ckpt_image_open(source, &options, &image, e);
	if (result)
		return result;
	check->errors += ckpt_image_damages(image);
	check_guard(source, image, check);
	result = ckpt_check_image(image, check, e);
	ckpt_image_close(image);
	return result;
}
