// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>

#include "dm-ckpt/spacebits.h"
#include "check_parts.h"

#define TOLD_MAX 1000u

/* Bits as in leaves of the space map, which come into being when they are needed. */
struct check_owners {
	const struct ckpt_geometry *g;
	uint64_t leaves;
	__le64 **once, **twice;
	bool is_second, is_twice;
	uint64_t told;
};

struct check_owners *check_owners_new(const struct ckpt_geometry *g)
{
	struct check_owners *owners = calloc(1, sizeof(*owners));

	if (!owners)
		return NULL;
	owners->g = g;
	owners->leaves = ckpt_store_units(g) / CKPT_SPACE_LEAF_UNITS + 1;
	owners->once = calloc(owners->leaves, sizeof(*owners->once));
	owners->twice = calloc(owners->leaves, sizeof(*owners->twice));
	if (owners->once && owners->twice)
		return owners;
	check_owners_free(owners);
	return NULL;
}

void check_owners_free(struct check_owners *owners)
{
	for (uint64_t i = 0; owners->once && owners->twice && i < owners->leaves; i++) {
		free(owners->once[i]);
		free(owners->twice[i]);
	}
	free(owners->once);
	free(owners->twice);
	free(owners);
}

bool check_owned_twice(struct check_owners *owners)
{
	owners->is_second = true;
	return owners->is_twice;
}

static __le64 *bits_of(__le64 **leaves, uint64_t leaf)
{
	if (!leaves[leaf])
		leaves[leaf] = calloc(1, CKPT_NODE_BYTES);
	return leaves[leaf];
}

/* Units of one leaf. */
static bool own_part(struct check_owners *owners, uint64_t leaf, uint32_t first, uint32_t nr)
{
	__le64 *once = bits_of(owners->once, leaf), *twice;

	if (!once)
		return false;
	if (!ckpt_bits_any(once, first, nr)) {
		ckpt_bits_set(once, first, nr);
		return true;
	}
	twice = bits_of(owners->twice, leaf);
	if (!twice)
		return false;
	owners->is_twice = true;
	for (uint32_t i = first; i < first + nr; i++)
		if (!ckpt_bits_set(once, i, 1))
			ckpt_bits_set(twice, i, 1);
	return true;
}

static void tell_twice(struct check_owners *owners, struct ckpt_check *check, uint64_t leaf,
		       uint32_t first, uint32_t nr, const char *who)
{
	for (uint32_t i = first; i < first + nr; i++) {
		uint64_t unit = leaf * CKPT_SPACE_LEAF_UNITS + i;

		if (!owners->twice[leaf] || !ckpt_bits_any(owners->twice[leaf], i, 1))
			continue;
		if (owners->told++ < TOLD_MAX)
			check_error(check, "sector %" PRIu64 " is used by %s, and not by it alone",
				    unit << CKPT_UNIT_SHIFT, who);
		else
			check->errors++;
	}
}

enum ckpt_result check_own(struct check_owners *owners, struct ckpt_check *check, uint64_t unit,
			   uint32_t nr, const char *who, struct ckpt_error *e)
{
	while (nr) {
		uint64_t leaf = unit / CKPT_SPACE_LEAF_UNITS;
		uint32_t first = unit % CKPT_SPACE_LEAF_UNITS;
		uint32_t part = nr < CKPT_SPACE_LEAF_UNITS - first ?
				nr : CKPT_SPACE_LEAF_UNITS - first;

		if (leaf >= owners->leaves)
			break;
		if (owners->is_second)
			tell_twice(owners, check, leaf, first, part, who);
		else if (!own_part(owners, leaf, first, part))
			return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
		unit += part;
		nr -= part;
	}
	return CKPT_DONE;
}

/* A run of units of one kind that grows while the comparison goes on. */
struct run {
	uint64_t first, end, told;
	const char *what;
};

static void end_run(struct run *run, struct ckpt_check *check)
{
	uint64_t nr = run->end - run->first;

	if (nr && run->told++ < TOLD_MAX)
		check_error(check, "%" PRIu64 " units from sector %" PRIu64 " on %s", nr,
			    run->first << CKPT_UNIT_SHIFT, run->what);
	else if (nr)
		check->errors++;
	run->first = run->end;
}

static void add_to_run(struct run *run, struct ckpt_check *check, uint64_t unit)
{
	if (run->end != unit) {
		end_run(run, check);
		run->first = unit;
	}
	run->end = unit + 1;
}

/* @leaked NULL: what nobody has is counted only, as it may be of what cannot be read. */
static void compare(struct ckpt_check *check, uint64_t leaf, const __le64 *own,
		    const __le64 *map, struct run *leaked, struct run *missing)
{
	for (uint32_t word = 0; word < CKPT_SPACE_LEAF_UNITS / 64; word++) {
		uint64_t owned = own ? le64_to_cpu(own[word]) : 0;
		uint64_t used = map ? le64_to_cpu(map[word]) : 0;
		uint64_t differ = owned ^ used;

		for (; differ; differ &= differ - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(differ);
			uint64_t unit = leaf * CKPT_SPACE_LEAF_UNITS + word * 64 + bit;

			if (!(used >> bit & 1))
				add_to_run(missing, check, unit);
			else if (leaked)
				add_to_run(leaked, check, unit);
			check->leaked += used >> bit & 1;
		}
	}
}

/* A leaf that anybody owns something of, or that the space map has. */
struct leaf_at {
	uint64_t leaf;		/* beyond all owners', with no @map: there are no more */
	const void *map;	/* content in the space map, or NULL */
};

/* The first one at or behind @at->leaf.  Of what cannot be read, which was told, none is. */
static enum ckpt_result next_leaf(struct ckpt_image *image, const struct check_owners *owners,
				  struct leaf_at *at, struct ckpt_error *e)
{
	for (;;) {
		uint64_t owned = at->leaf, in_map = at->leaf, end;
		enum ckpt_result result;

		while (owned < owners->leaves && !owners->once[owned])
			owned++;
		result = image_next_leaf(image, &image->space, &in_map, &end, &at->map, e);
		if (result && result != CKPT_INTEGRITY)
			return result;
		if (result && owned >= in_map) {
			at->leaf = end;
			continue;
		}
		if (!at->map || owned < in_map) {
			at->map = NULL;
			at->leaf = owned;
			return CKPT_DONE;
		}
		at->leaf = in_map;
		return CKPT_DONE;
	}
}

enum ckpt_result check_space(struct ckpt_image *image, struct check_owners *owners,
			     struct ckpt_check *check, bool is_whole, struct ckpt_error *e)
{
	struct run missing = { .what = "are in use, but free in the space map" };
	struct run leaked = { .what = "are in use in the space map, but nobody has them" };
	struct leaf_at at = { .leaf = 0 };

	for (;; at.leaf++) {
		enum ckpt_result result = next_leaf(image, owners, &at, e);

		if (result)
			return result;
		if (!at.map && at.leaf >= owners->leaves)
			break;
		compare(check, at.leaf, at.leaf < owners->leaves ? owners->once[at.leaf] : NULL,
			at.map, is_whole ? &leaked : NULL, &missing);
	}
	end_run(&missing, check);
	if (is_whole)
		end_run(&leaked, check);
	else if (check->leaked)
		check_note(check, "%" PRIu64 " units are in use for what cannot be read, or for nobody",
			   check->leaked);
	return CKPT_DONE;
}
