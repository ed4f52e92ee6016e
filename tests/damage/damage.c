// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "content.h"
#include "damage.h"
#include "fields.h"

#define NODES_MAX	512u
/* Of one kind of entry, slot or reference; the others are like them. */
#define EACH_MAX	3u

struct node {
	uint64_t sector;
	enum ckpt_tree_type type;
	unsigned int level;
};

struct damager {
	uint8_t *bytes;
	uint64_t sectors;
	struct ckpt_geometry g;
	struct node nodes[NODES_MAX];
	unsigned int node_count;
	uint64_t left;			/* damages before the one that is wanted */
	bool is_done;
	char *what;
};

static void *at(const struct damager *d, uint64_t sector)
{
	return d->bytes + (sector << CKPT_SECTOR_SHIFT);
}

static struct ckpt_super *super(const struct damager *d)
{
	return at(d, CKPT_SUPER_A);
}

/* Is this the one that is wanted? */
static bool hit(struct damager *d, const char *format, ...)
{
	va_list args;

	if (d->is_done || d->left--)
		return false;
	d->is_done = true;
	va_start(args, format);
	vsnprintf(d->what, DAMAGE_TEXT, format, args);
	va_end(args);
	return true;
}

/* ---- what is where ---- */

static bool is_node(const struct damager *d, const struct ckpt_ref *ref)
{
	return ref->where && ckpt_ref_valid(&d->g, ckpt_ref_where(ref)) &&
	       ckpt_ref_where(ref) + CKPT_NODE_SECTORS <= d->sectors;
}

static void find_nodes(struct damager *d, const struct ckpt_ref *ref, enum ckpt_tree_type type,
		       unsigned int level)
{
	const union ckpt_record *record;
	const struct ckpt_ref *child;

	if (!is_node(d, ref) || d->node_count == NODES_MAX)
		return;
	d->nodes[d->node_count++] = (struct node){ ckpt_ref_where(ref), type, level };
	child = at(d, ckpt_ref_where(ref));
	record = at(d, ckpt_ref_where(ref));
	for (unsigned int i = 0; level && i < CKPT_FANOUT; i++)
		find_nodes(d, &child[i], type, level - 1);
	for (unsigned int i = 0; !level && type == CKPT_TREE_RECORDS &&
	     i < CKPT_RECORDS_PER_LEAF; i++)
		if (le16_to_cpu(record[i].head.type) == CKPT_RECORD_LAYER)
			find_nodes(d, &record[i].layer.root, CKPT_TREE_MAP, CKPT_MAP_LEVELS - 1);
}

/* ---- right checksums ---- */

/* Trees that were made to refer to themselves have no end. */
static void seal_ref(const struct damager *d, struct ckpt_ref *ref, enum ckpt_tree_type type,
		     unsigned int level, unsigned int *budget)
{
	union ckpt_record *record;
	struct ckpt_ref *child;

	if (!is_node(d, ref) || !*budget)
		return;
	(*budget)--;
	child = at(d, ckpt_ref_where(ref));
	record = at(d, ckpt_ref_where(ref));
	for (unsigned int i = 0; level && i < CKPT_FANOUT; i++)
		seal_ref(d, &child[i], type, level - 1, budget);
	for (unsigned int i = 0; !level && type == CKPT_TREE_RECORDS &&
	     i < CKPT_RECORDS_PER_LEAF; i++)
		if (le16_to_cpu(record[i].head.type) == CKPT_RECORD_LAYER)
			seal_ref(d, &record[i].layer.root, CKPT_TREE_MAP, CKPT_MAP_LEVELS - 1,
				 budget);
	ref->crc = cpu_to_le32(ckpt_node_crc(child));
}

static void seal_trees(const struct damager *d)
{
	unsigned int budget = 4 * NODES_MAX;

	seal_ref(d, &super(d)->records, CKPT_TREE_RECORDS, CKPT_RECORD_LEVELS - 1, &budget);
	seal_ref(d, &super(d)->space, CKPT_TREE_SPACE, CKPT_SPACE_LEVELS - 1, &budget);
	ckpt_super_seal(super(d));
	memcpy(at(d, CKPT_SUPER_B), super(d), sizeof(struct ckpt_super));
}

/* ---- values ---- */

static const char *const values[] = { "0", "all ones", "one more", "one less", "the top bit" };

#define VALUES (sizeof(values) / sizeof(values[0]))

static void put_value(void *structure, const struct field *f, unsigned int value)
{
	uint8_t *bytes = (uint8_t *)structure + f->offset;
	uint64_t number = 0;

	memcpy(&number, bytes, f->bytes);
	number = le64_to_cpu(number);
	if (value < 2)
		number = value ? ~0ull : 0;
	else if (value < 4)
		number += value == 2 ? 1 : -1ull;
	else
		number ^= 1ull << (8 * f->bytes - 1);
	number = cpu_to_le64(number);
	memcpy(bytes, &number, f->bytes);
}

/* ---- superblocks ---- */

static void damage_supers(struct damager *d)
{
	struct ckpt_super *a = super(d), *b = at(d, CKPT_SUPER_B);

	for (const struct field *f = super_fields; f->name; f++)
		for (unsigned int v = 0; v < VALUES; v++) {
			if (hit(d, "both superblocks: %s: %s", f->name, values[v])) {
				put_value(a, f, v);
				ckpt_super_seal(a);
				memcpy(b, a, sizeof(*a));
			}
			if (hit(d, "first superblock: %s: %s", f->name, values[v])) {
				put_value(a, f, v);
				ckpt_super_seal(a);
			}
			if (hit(d, "second superblock: %s: %s", f->name, values[v])) {
				put_value(b, f, v);
				ckpt_super_seal(b);
			}
		}
	if (hit(d, "first superblock: wrong checksum"))
		d->bytes[777] ^= 1;
	if (hit(d, "both superblocks: wrong checksum")) {
		d->bytes[777] ^= 1;
		b->reserved[99] ^= 1;
	}
	if (hit(d, "first superblock: zeroed"))
		memset(a, 0, sizeof(*a));
	if (hit(d, "both superblocks: zeroed")) {
		memset(a, 0, sizeof(*a));
		memset(b, 0, sizeof(*b));
	}
	if (hit(d, "first superblock lost, the second one rolled back")) {
		memset(a, 0, sizeof(*a));
		b->sequence = cpu_to_le64(le64_to_cpu(b->sequence) - 1);
		ckpt_super_seal(b);
	}
}

/* ---- journal ---- */

static struct ckpt_journal_head *journal_block(const struct damager *d, uint64_t seq)
{
	return at(d, CKPT_JOURNAL_START + seq % d->g.journal_blocks * CKPT_NODE_SECTORS);
}

static void damage_entries(struct damager *d, struct ckpt_journal_head *block, unsigned int *seen)
{
	const struct ckpt_entry_head *entry;
	uint32_t offset = 0;

	while ((entry = ckpt_journal_next(block, &offset))) {
		unsigned int type = le16_to_cpu(entry->type);

		if (seen[type]++ >= EACH_MAX)
			continue;
		for (const struct field *f = entry_fields[type]; f->name; f++)
			for (unsigned int v = 0; v < VALUES; v++)
				if (hit(d, "journal %llu: entry of type %u: %s: %s",
					(unsigned long long)le64_to_cpu(block->seq), type, f->name,
					values[v])) {
					put_value((void *)entry, f, v);
					ckpt_journal_seal(block);
					return;
				}
	}
}

static void damage_block(struct damager *d, struct ckpt_journal_head *block, uint64_t seq,
			 struct ckpt_journal_head *next)
{
	uint8_t copy[CKPT_NODE_BYTES];

	for (const struct field *f = journal_fields; f->name; f++)
		for (unsigned int v = 0; v < VALUES; v++)
			if (hit(d, "journal %llu: %s: %s", (unsigned long long)seq, f->name,
				values[v])) {
				put_value(block, f, v);
				/* Its magic is what sealing writes. */
				if (f->offset)
					ckpt_journal_seal(block);
			}
	if (hit(d, "journal %llu: wrong checksum", (unsigned long long)seq))
		((uint8_t *)block)[4000] ^= 1;
	if (hit(d, "journal %llu: zeroed", (unsigned long long)seq))
		memset(block, 0, CKPT_NODE_BYTES);
	if (hit(d, "journal %llu: swapped with the next one", (unsigned long long)seq)) {
		memcpy(copy, block, sizeof(copy));
		memcpy(block, next, sizeof(copy));
		memcpy(next, copy, sizeof(copy));
	}
}

static void damage_journal(struct damager *d)
{
	uint64_t first = le64_to_cpu(super(d)->journal_seq), end = first;
	unsigned int seen[7] = { 0 };

	while (end < first + d->g.journal_blocks &&
	       ckpt_journal_verify(journal_block(d, end), super(d)->uuid, end))
		end++;
	for (uint64_t seq = first; seq < end; seq++) {
		/* The first ones, one in the middle, the last ones. */
		if (seq < first + 2 || seq == (first + end) / 2 || seq + 2 >= end)
			damage_block(d, journal_block(d, seq), seq, journal_block(d, seq + 1));
		damage_entries(d, journal_block(d, seq), seen);
	}
}

/* ---- nodes ---- */

static const char *const types[] = { "map", "records", "space map" };

static void damage_content(struct damager *d, const struct node *n)
{
	uint8_t *content = at(d, n->sector), copy[CKPT_NODE_BYTES];
	const struct node *other = &d->nodes[(n - d->nodes + 1) % d->node_count];

	if (hit(d, "%s, level %u: wrong checksum", types[n->type], n->level))
		content[2000] ^= 16;
	if (hit(d, "%s, level %u: zeroed", types[n->type], n->level))
		memset(content, 0, CKPT_NODE_BYTES);
	if (hit(d, "%s, level %u: swapped with %s, level %u", types[n->type], n->level,
		types[other->type], other->level)) {
		memcpy(copy, content, sizeof(copy));
		memcpy(content, at(d, other->sector), sizeof(copy));
		memcpy(at(d, other->sector), copy, sizeof(copy));
	}
	if (hit(d, "%s, level %u: content of %s, level %u, with right checksums", types[n->type],
		n->level, types[other->type], other->level)) {
		memcpy(content, at(d, other->sector), CKPT_NODE_BYTES);
		seal_trees(d);
	}
	if (hit(d, "%s, level %u: all ones, with right checksums", types[n->type], n->level)) {
		memset(content, 0xff, CKPT_NODE_BYTES);
		seal_trees(d);
	}
	if (n->level || n->type != CKPT_TREE_SPACE)
		return;
	for (unsigned int i = 0; i < CKPT_NODE_BYTES; i += 97)
		if (hit(d, "space map: byte %u inverted, with right checksums", i)) {
			content[i] = (uint8_t)~content[i];
			seal_trees(d);
		}
}

static void damage_refs(struct damager *d, const struct node *n)
{
	struct ckpt_ref *ref = at(d, n->sector);
	unsigned int seen = 0;

	for (unsigned int i = 0; i < CKPT_FANOUT && seen < EACH_MAX; i++) {
		if (!ref[i].where)
			continue;
		seen++;
		for (const struct field *f = ref_fields; f->name; f++)
			for (unsigned int v = 0; v < VALUES; v++)
				if (hit(d, "%s, level %u: reference %u: %s: %s", types[n->type],
					n->level, i, f->name, values[v])) {
					put_value(&ref[i], f, v);
					seal_trees(d);
				}
		if (hit(d, "%s, level %u: reference %u to the node itself", types[n->type],
			n->level, i)) {
			ref[i].where = cpu_to_le64(n->sector);
			seal_trees(d);
		}
		if (hit(d, "%s, level %u: reference %u twice", types[n->type], n->level, i)) {
			ref[(i + 1) % CKPT_FANOUT] = ref[i];
			seal_trees(d);
		}
	}
}

static void damage_slots(struct damager *d, const struct node *n)
{
	struct ckpt_slot *slot = at(d, n->sector);
	unsigned int seen = 0;

	for (unsigned int i = 0; i < CKPT_FANOUT && seen < EACH_MAX; i++) {
		if (!slot[i].present)
			continue;
		seen++;
		for (const struct field *f = slot_fields; f->name; f++)
			for (unsigned int v = 0; v < VALUES; v++)
				if (hit(d, "map: slot %u: %s: %s", i, f->name, values[v])) {
					put_value(&slot[i], f, v);
					seal_trees(d);
				}
		if (hit(d, "map: slot %u twice", i)) {
			slot[(i + 1) % CKPT_FANOUT] = slot[i];
			seal_trees(d);
		}
		if (hit(d, "map: slot %u at a node", i)) {
			slot[i].where = cpu_to_le64(n->sector);
			seal_trees(d);
		}
	}
}

static void damage_record(struct damager *d, union ckpt_record *record)
{
	unsigned int type = le16_to_cpu(record->head.type);
	uint32_t number = le32_to_cpu(record->head.number);

	for (const struct field *f = record_fields[type]; f->name; f++)
		for (unsigned int v = 0; v < VALUES; v++)
			if (hit(d, "record %u, type %u: %s: %s", number, type, f->name, values[v])) {
				put_value(record, f, v);
				seal_trees(d);
			}
	if (type == CKPT_RECORD_LAYER && hit(d, "layer %u is its own parent", number)) {
		record->layer.parent = cpu_to_le32(number);
		seal_trees(d);
	}
	if (hit(d, "record %u is lost", number)) {
		memset(record, 0, sizeof(*record));
		seal_trees(d);
	}
}

static void damage_nodes(struct damager *d)
{
	for (unsigned int i = 0; i < d->node_count && !d->is_done; i++) {
		const struct node *n = &d->nodes[i];
		union ckpt_record *record = at(d, n->sector);

		damage_content(d, n);
		if (n->level)
			damage_refs(d, n);
		else if (n->type == CKPT_TREE_MAP)
			damage_slots(d, n);
		for (unsigned int k = 0; !n->level && n->type == CKPT_TREE_RECORDS &&
		     k < CKPT_RECORDS_PER_LEAF && !d->is_done; k++)
			if (record[k].head.type)
				damage_record(d, &record[k]);
	}
}

/* ---- all ---- */

static uint64_t walk(struct damager *d)
{
	uint64_t wanted = d->left;

	ckpt_super_geometry(super(d), &d->g);
	find_nodes(d, &super(d)->records, CKPT_TREE_RECORDS, CKPT_RECORD_LEVELS - 1);
	find_nodes(d, &super(d)->space, CKPT_TREE_SPACE, CKPT_SPACE_LEVELS - 1);
	damage_supers(d);
	if (!d->is_done)
		damage_journal(d);
	if (!d->is_done)
		damage_nodes(d);
	return wanted - d->left;
}

void damage_seal(uint8_t *bytes, uint64_t sectors)
{
	struct damager d = { .bytes = bytes, .sectors = sectors };

	ckpt_super_geometry(super(&d), &d.g);
	seal_trees(&d);
}

bool damage_apply(uint8_t *bytes, uint64_t sectors, uint64_t n, char what[DAMAGE_TEXT])
{
	struct damager d = { .bytes = bytes, .sectors = sectors, .left = n, .what = what };

	walk(&d);
	return d.is_done;
}

uint64_t damage_count(uint8_t *bytes, uint64_t sectors)
{
	struct damager d = { .bytes = bytes, .sectors = sectors, .left = UINT64_MAX };

	return walk(&d);
}
