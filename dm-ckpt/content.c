// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/kernel.h>

#include "content.h"
#include "slot.h"
#include "spacebits.h"

static const char *verify_refs(const struct ckpt_geometry *g, const struct ckpt_ref *ref)
{
	unsigned int i;

	for (i = 0; i < CKPT_FANOUT; i++)
		if (ref[i].where && !ckpt_ref_valid(g, ckpt_ref_where(&ref[i])))
			return "it refers to a place outside the store";
	return NULL;
}

static const char *verify_slots(const struct ckpt_geometry *g, const struct ckpt_slot *slot)
{
	unsigned int i;

	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_state state = ckpt_slot_decode(&slot[i]);

		if (!ckpt_slot_valid(g, &state))
			return "a slot of it is impossible";
	}
	return NULL;
}

const char *ckpt_content_verify(const struct ckpt_geometry *g, enum ckpt_tree_type type,
				unsigned int level, const void *node,
				const struct ckpt_ref *ref)
{
	if (!ckpt_node_matches(node, ref))
		return "its checksum is wrong";
	if (level)
		return verify_refs(g, node);
	return type == CKPT_TREE_MAP ? verify_slots(g, node) : NULL;
}

static u64 slots_used(const struct ckpt_geometry *g, const struct ckpt_slot *slot)
{
	unsigned int i;
	u64 used = 0;

	for (i = 0; i < CKPT_FANOUT; i++) {
		struct ckpt_state state = ckpt_slot_decode(&slot[i]);

		used += ckpt_state_used(g, &state);
	}
	return used;
}

u64 ckpt_content_used(const struct ckpt_geometry *g, enum ckpt_tree_type type,
		      unsigned int level, const void *node)
{
	const union ckpt_record *record = node;
	const struct ckpt_ref *ref = node;
	u64 used = 0;
	unsigned int i;

	if (level) {
		for (i = 0; i < CKPT_FANOUT; i++)
			used += ckpt_ref_used(&ref[i]);
		return used;
	}
	switch (type) {
	case CKPT_TREE_MAP:
		return slots_used(g, node);
	case CKPT_TREE_SPACE:
		return ckpt_bits_count(node);
	case CKPT_TREE_RECORDS:
		for (i = 0; i < CKPT_RECORDS_PER_LEAF; i++)
			used += record[i].head.type != 0;
		break;
	}
	return used;
}
