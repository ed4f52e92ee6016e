// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "dump_fields.h"
#include "writer.h"

#define LINE_MAX_BYTES 1024

/* A text that is read line by line, twice: first what is in use, then what is written. */
struct text {
	FILE *from;
	char line[LINE_MAX_BYTES];
	uint64_t number;		/* of the line */
	struct ckpt_writer *writer;
	bool is_second;
	struct ckpt_item layer;		/* whose slots come, or of another type */
	uint64_t next_cluster;
	union ckpt_record *records;	/* of the second round */
	size_t record_count;
	struct ckpt_error *e;
};

static enum ckpt_result wrong(struct text *t, const char *why)
{
	return ckpt_fail(t->e, CKPT_USAGE, "line %" PRIu64 " is not right: %s", t->number, why);
}

/* The next line that is no comment, without its end. */
static enum ckpt_result next_line(struct text *t)
{
	do {
		size_t length;

		t->number++;
		if (!fgets(t->line, sizeof(t->line), t->from))
			return ferror(t->from) ?
			       ckpt_fail_errno(t->e, errno, "the text cannot be read") :
			       wrong(t, "the text ends before its line 'end'");
		length = strlen(t->line);
		if (!length || t->line[length - 1] != '\n')
			return wrong(t, "it is too long, or is cut off");
		t->line[length - 1] = '\0';
	} while (*t->line == '#');
	return CKPT_DONE;
}

/* From the beginning of the text to behind the line "store". */
static enum ckpt_result read_store(struct text *t, struct dump_store *store)
{
	static const char word[] = "store ";
	enum ckpt_result result;

	rewind(t->from);
	t->number = 0;
	memset(&t->layer, 0, sizeof(t->layer));
	result = next_line(t);
	if (!result && strcmp(t->line, DUMP_HEAD))
		return wrong(t, "the text does not begin with '" DUMP_HEAD "'");
	if (!result)
		result = next_line(t);
	if (!result && (strncmp(t->line, word, strlen(word)) ||
			!dump_get_fields(t->line + strlen(word), dump_store_fields, store)))
		return wrong(t, "it does not say what the store is");
	return result;
}

/* ---- slots ---- */

static enum ckpt_result use_slot(struct text *t, uint64_t cluster, const struct ckpt_state *slot)
{
	const struct ckpt_geometry *g = ckpt_writer_geometry(t->writer);
	uint64_t start = cluster << g->cluster_shift;
	uint32_t inside = ~0u;
	char why[1100];

	if (start >= t->layer.sectors)
		inside = 0;
	else if (t->layer.sectors - start < ckpt_cluster_sectors(g))
		inside = ckpt_mask(0, (uint32_t)((t->layer.sectors - start) >> g->block_shift));
	if ((slot->present | slot->zero) & ~inside)
		return wrong(t, "blocks are beyond the size of their layer");
	if (t->is_second)
		return ckpt_writer_slot(t->writer, cluster, slot, t->e);
	if (!ckpt_writer_reserve(t->writer, slot, t->e))
		return CKPT_DONE;
	snprintf(why, sizeof(why), "%s", t->e->text);
	return wrong(t, why);
}

static bool scan_slots(const char *line, uint64_t *first, uint64_t *count, struct ckpt_state *s)
{
	int length = 0;

	return sscanf(line, " slots %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNx32 " %" SCNx32 "%n",
		      first, count, (uint64_t *)&s->where, &s->present, &s->zero, &length) == 5 &&
	       !line[length];
}

static bool scan_packed(const char *line, uint64_t *cluster, struct ckpt_state *s)
{
	int length = 0;

	return sscanf(line, " packed %" SCNu64 " %" SCNu64 " %" SCNx32 " %" SCNx32 " %" SCNx32 "%n",
		      cluster, (uint64_t *)&s->where, &s->present, &s->zero, &s->packed,
		      &length) == 5 &&
	       !line[length] && s->packed && !(s->present & ~s->packed) && ckpt_state_encodes(s);
}

static enum ckpt_result read_slots(struct text *t)
{
	uint32_t step = ckpt_cluster_sectors(ckpt_writer_geometry(t->writer));
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_state s = { 0 };
	uint64_t first, count = 1;

	if (!scan_packed(t->line, &first, &s) && !scan_slots(t->line, &first, &count, &s))
		return wrong(t, "it says no slots");
	if (t->layer.type != CKPT_RECORD_LAYER)
		return wrong(t, "these slots are no layer's");
	if (!count || first < t->next_cluster || first >> 32 || count > (UINT64_C(1) << 32) - first)
		return wrong(t, "the clusters are not in their order, or too many");
	if (!(s.present | s.zero))
		return wrong(t, "a slot says nothing");
	t->next_cluster = first + count;
	for (uint64_t i = 0; i < count && !result; i++) {
		result = use_slot(t, first + i, &s);
		if (s.present)
			s.where += step;
	}
	return result;
}

/* ---- items ---- */

static enum ckpt_result keep_record(struct text *t)
{
	union ckpt_record *grown;

	if ((t->record_count & (t->record_count - 1)) == 0) {
		size_t room = t->record_count ? 2 * t->record_count : 16;

		grown = reallocarray(t->records, room, sizeof(*grown));
		if (!grown)
			return ckpt_fail(t->e, CKPT_FAILED, "there is not enough memory");
		t->records = grown;
	}
	ckpt_item_record(&t->layer, &t->records[t->record_count++]);
	return CKPT_DONE;
}

/* The item before is through: now its map is known, if it is a layer's. */
static enum ckpt_result end_item(struct text *t)
{
	if (!t->is_second || t->layer.type != CKPT_RECORD_LAYER)
		return CKPT_DONE;
	return ckpt_writer_layer(t->writer, &t->records[t->record_count - 1].layer.root, t->e);
}

static enum ckpt_result read_item(struct text *t)
{
	uint32_t last = t->layer.number;
	enum ckpt_result result = end_item(t);
	unsigned int type, number;
	char word[16];
	int length;

	if (result)
		return result;
	if (sscanf(t->line, "%15s %u %n", word, &number, &length) != 2)
		return wrong(t, "it says nothing that is known");
	for (type = CKPT_RECORD_BASE; dump_types[type] && strcmp(dump_types[type], word); type++)
		;
	if (!dump_types[type])
		return wrong(t, "it says nothing that is known");
	if (number <= last || number >= CKPT_RECORD_MAX)
		return wrong(t, "the numbers are not in their order, or too many");
	t->layer = (struct ckpt_item){ .type = type, .number = number };
	t->next_cluster = 0;
	if (!dump_get_fields(t->line + length, dump_item_fields[type], &t->layer))
		return wrong(t, "its fields are not those that it must have");
	return t->is_second ? keep_record(t) : CKPT_DONE;
}

static enum ckpt_result read_round(struct text *t)
{
	enum ckpt_result result;

	while (!(result = next_line(t))) {
		if (!strcmp(t->line, "end"))
			return end_item(t);
		if (!strncmp(t->line + (*t->line == ' '), "lost", 4))
			return wrong(t, "something is lost there; ckpt_repair makes a store of what is left");
		result = *t->line == ' ' ? read_slots(t) : read_item(t);
		if (result)
			break;
	}
	return result;
}

/* ---- all ---- */

static void fill_super(const struct dump_store *store, struct ckpt_super *super)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->uuid, store->uuid, sizeof(super->uuid));
	super->features_compat = cpu_to_le64(store->compat);
	super->features_ro = cpu_to_le64(store->ro);
	super->sequence = cpu_to_le64(store->sequence);
	super->sectors = cpu_to_le64(store->sectors);
	super->block_sectors = cpu_to_le32(store->block_sectors);
	super->journal_blocks = cpu_to_le32(store->journal_blocks);
	super->epoch = cpu_to_le64(store->epoch);
	super->journal_seq = cpu_to_le64(store->journal);
	super->created = cpu_to_le64(store->created);
}

static enum ckpt_result write_all(struct text *t, struct dump_store *store)
{
	enum ckpt_result result = read_round(t);

	t->is_second = true;
	if (!result)
		result = read_store(t, store);
	if (!result)
		result = read_round(t);
	for (size_t i = 0; i < t->record_count && !result; i++)
		result = ckpt_writer_record(t->writer, &t->records[i], t->e);
	return result ? result : ckpt_writer_finish(t->writer, t->e);
}

/* What the module would not take is no store; nobody shall try. */
static enum ckpt_result try_it(struct ckpt_file *file, struct ckpt_error *e)
{
	struct ckpt_source source = ckpt_file_source(file);
	struct ckpt_image *image;
	enum ckpt_result result = ckpt_image_open(&source, NULL, &image, e);

	ckpt_image_close(image);
	if (!result)
		return CKPT_DONE;
	ckpt_file_zero(file, CKPT_SUPER_A << CKPT_SECTOR_SHIFT, sizeof(struct ckpt_super));
	ckpt_file_zero(file, CKPT_SUPER_B << CKPT_SECTOR_SHIFT, sizeof(struct ckpt_super));
	return ckpt_fail(e, CKPT_USAGE, "the text is not that of a store: %s", e->text);
}

enum ckpt_result ckpt_restore_sectors(FILE *from, uint64_t *sectors, struct ckpt_error *e)
{
	struct text t = { .from = from, .e = e };
	struct dump_store store;
	enum ckpt_result result = read_store(&t, &store);

	*sectors = result ? 0 : store.sectors;
	if (!result && store.sectors > CKPT_STORE_SECTORS_MAX)
		return wrong(&t, "no store is that large");
	return result;
}

enum ckpt_result ckpt_restore(FILE *from, struct ckpt_file *file, struct ckpt_error *e)
{
	struct text t = { .from = from, .e = e };
	struct ckpt_super super;
	struct dump_store store;
	enum ckpt_result result = read_store(&t, &store);

	if (result)
		return result;
	fill_super(&store, &super);
	result = ckpt_writer_new(file, &super, &t.writer, e);
	if (!result)
		result = write_all(&t, &store);
	ckpt_writer_free(t.writer);
	free(t.records);
	return result ? result : try_it(file, e);
}
