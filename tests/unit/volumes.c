// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "slot.h"
#include "volumes.h"

const uint32_t parent[NUMBERS] = {
	[ONE] = BASE, [TWO] = ONE, [HEAD] = TWO, [CLONE_HEAD] = ONE,
};

const struct named names[NAMES] = {
	{ "disk", DISK, HEAD }, { "clone", CLONE, CLONE_HEAD }, { "disk@one", CP_ONE, ONE },
	{ "disk@two", CP_TWO, TWO },
};

struct store store;
struct ckpt_state slots[NUMBERS][CLUSTERS];
struct ckpt_error error;

static bool is_used[WINDOWS];
/* Levels of a layer's map that have a node: all clusters are in one leaf. */
static unsigned int levels[NUMBERS];
#define ALL_LEVELS ((1u << CKPT_MAP_LEVELS) - 1)
static uint8_t origin[BLOCKS * 4096], content[BLOCKS * 4096], wanted[BLOCKS * 4096];

static int read_origin(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	(void)arg;
	memcpy(buffer, origin + offset, bytes);
	return 0;
}

static const struct ckpt_source origin_source = { read_origin, NULL, BLOCKS * 8 };

/* ---- random stores ---- */

static uint64_t new_window(void)
{
	uint64_t i = below(WINDOWS);

	while (is_used[i])
		i = (i + 1) % WINDOWS;
	is_used[i] = true;
	return WINDOWS_START + i * WINDOW_SECTORS;
}

static void free_window(const struct ckpt_state *s)
{
	if (s->present)
		is_used[(s->where - WINDOWS_START) / WINDOW_SECTORS] = false;
}

static void random_slot(void)
{
	static const uint32_t layers[] = { ONE, TWO, HEAD, CLONE_HEAD };
	uint32_t layer = layers[below(COUNT_OF(layers))], cluster = (uint32_t)below(CLUSTERS);
	struct ckpt_state *s = &slots[layer][cluster];
	uint64_t where = s->where;

	if (!s->present || once_in(4)) {
		free_window(s);
		where = new_window();
	}
	s->where = where;
	s->present = random_mask();
	s->zero = random_mask() & ~s->present;
	if (!s->present) {
		*s = (struct ckpt_state){ where, 1, 0, 0 };
		free_window(s);
		*s = (struct ckpt_state){ 0, 0, s->zero, 0 };
	}
	store_slot(&store, layer, cluster, *s);
	levels[layer] = ALL_LEVELS;
}

/* One cluster goes from a layer to the one above it; blocks are copied if both have some. */
static void random_merge(uint32_t child)
{
	uint32_t cluster = (uint32_t)below(CLUSTERS), from = parent[child];
	struct ckpt_state *mine = &slots[child][cluster], *theirs = &slots[from][cluster];
	uint32_t open = ~(mine->present | mine->zero);
	struct ckpt_state new = { mine->where, mine->present | (theirs->present & open),
				  mine->zero | (theirs->zero & open), 0 };

	if (!(levels[from] & 1))
		return;
	if (!mine->present)
		new.where = new.present ? theirs->where : 0;
	for (unsigned int i = 0; i < 32; i++)
		if (theirs->present & open & ckpt_mask(i, 1) && new.where != theirs->where)
			memcpy(store.bytes + ((new.where + i * 8) << CKPT_SECTOR_SHIFT),
			       store.bytes + ((theirs->where + i * 8) << CKPT_SECTOR_SHIFT), 4096);
	if (new.where != theirs->where)
		free_window(theirs);
	*mine = new;
	memset(theirs, 0, sizeof(*theirs));
	store_merge(&store, child, from, cluster, new);
	levels[child] = ALL_LEVELS;
}

/* All that a layer has below a node becomes that of the one above it, which has nothing there. */
static void random_adopt(uint32_t child)
{
	uint32_t from = parent[child], level = (uint32_t)below(CKPT_MAP_LEVELS);
	unsigned int moved = levels[from] & (2 * (1u << level) - 1);

	if (levels[child] & (1u << level))
		return;
	store_adopt(&store, child, from, level, 0);
	if (!(levels[from] & (1u << level)))
		return;
	levels[child] |= moved | (ALL_LEVELS & ~(2 * (1u << level) - 1));
	levels[from] &= ~moved;
	if (!(moved & 1))
		return;
	memcpy(slots[child], slots[from], sizeof(slots[child]));
	memset(slots[from], 0, sizeof(slots[from]));
}

/* Nodes are freed from the leaf up, as far as it goes. */
static void random_prune(uint32_t layer)
{
	uint32_t most = (uint32_t)below(CKPT_MAP_LEVELS);

	for (uint32_t level = 0; level <= most; level++) {
		store_prune(&store, layer, level, 0);
		levels[layer] &= ~(1u << level);
	}
	for (unsigned int i = 0; i < CLUSTERS; i++)
		free_window(&slots[layer][i]);
	memset(slots[layer], 0, sizeof(slots[layer]));
}

static void layer_record(uint32_t number, bool frozen)
{
	union ckpt_record record;

	build_record(&record, CKPT_RECORD_LAYER, number);
	memset(&record.layer.root, 0, sizeof(record.layer.root));
	record.head.uuid[0] = (uint8_t)number;
	record.layer.parent = cpu_to_le32(parent[number]);
	record.head.flags = cpu_to_le16(frozen ? CKPT_LAYER_FROZEN : 0);
	store_record(&store, &record, number);
}

static void volume_record(uint32_t number, const char *name, uint32_t head)
{
	union ckpt_record record;

	build_record(&record, CKPT_RECORD_VOLUME, number);
	record.head.uuid[0] = (uint8_t)number;
	memset(record.volume.name, 0, sizeof(record.volume.name));
	strcpy((char *)record.volume.name, name);
	record.volume.top = cpu_to_le32(head);
	store_record(&store, &record, number);
}

static void checkpoint_record(uint32_t number, const char *name, uint32_t layer)
{
	union ckpt_record record;

	build_record(&record, CKPT_RECORD_CHECKPOINT, number);
	record.head.uuid[0] = (uint8_t)number;
	memset(record.checkpoint.name, 0, sizeof(record.checkpoint.name));
	strcpy((char *)record.checkpoint.name, name);
	record.checkpoint.volume = cpu_to_le32(DISK);
	record.checkpoint.layer = cpu_to_le32(layer);
	store_record(&store, &record, number);
}

int begin(void **state)
{
	union ckpt_record record;

	(void)state;
	memset(slots, 0, sizeof(slots));
	memset(is_used, 0, sizeof(is_used));
	memset(levels, 0, sizeof(levels));
	memset(&error, 0, sizeof(error));
	random_bytes(origin, sizeof(origin));
	store_new(&store);
	build_record(&record, CKPT_RECORD_BASE, BASE);
	record.base.owner = cpu_to_le32(DISK);
	record.head.flags = 0;
	memset(record.base.name, 0, sizeof(record.base.name));
	store_record(&store, &record, BASE);
	layer_record(ONE, true);
	layer_record(TWO, true);
	layer_record(HEAD, false);
	layer_record(CLONE_HEAD, false);
	volume_record(DISK, "disk", HEAD);
	volume_record(CLONE, "clone", CLONE_HEAD);
	checkpoint_record(CP_ONE, "one", ONE);
	checkpoint_record(CP_TWO, "two", TWO);
	store_commit(&store);
	return 0;
}

int end(void **state)
{
	(void)state;
	store_free(&store);
	return 0;
}

void random_slots(unsigned int nr, bool with_merges)
{
	while (nr--) {
		if (with_merges && once_in(3))
			random_merge(once_in(2) ? HEAD : TWO);
		else if (with_merges && once_in(8))
			random_adopt(once_in(2) ? HEAD : TWO);
		else if (with_merges && once_in(8))
			random_prune(once_in(2) ? HEAD : TWO);
		else
			random_slot();
		if (once_in(8))
			store_commit(&store);
	}
	store_commit(&store);
}

/* ---- what it ought to read as ---- */

static void fill_wanted(uint32_t layer)
{
	for (unsigned int i = 0; i < BLOCKS; i++) {
		uint32_t at = layer, bit = ckpt_mask(i % 32, 1);
		uint8_t *to = wanted + i * 4096;
		const struct ckpt_state *s;

		while (at != BASE && !((slots[at][i / 32].present | slots[at][i / 32].zero) & bit))
			at = parent[at];
		s = &slots[at][i / 32];
		if (at == BASE)
			memcpy(to, origin + i * 4096, 4096);
		else if (s->zero & bit)
			memset(to, 0, 4096);
		else
			memcpy(to, store.bytes + ((s->where + i % 32 * 8) << CKPT_SECTOR_SHIFT), 4096);
	}
}

struct ckpt_image *open_image(const struct ckpt_source *source, bool salvage)
{
	struct ckpt_image_options options = { .salvage = salvage };
	struct ckpt_image *image;

	if (ckpt_image_open(source, &options, &image, &error) ||
	    ckpt_image_origin(image, build_uuid, &origin_source, &error))
		fail_msg("%s", error.text);
	return image;
}

bool is_right(struct ckpt_image *image, const struct named *n)
{
	const struct ckpt_item *item;

	fill_wanted(n->layer);
	return !ckpt_image_find(image, n->name, &item, &error) &&
	       !ckpt_image_read(image, item, 0, content, sizeof(content), &error) &&
	       !memcmp(content, wanted, sizeof(content));
}

static void tell(void *arg, const char *sentence)
{
	(void)arg;
	print_message("# %s\n", sentence);
}

void check_whole(const struct ckpt_source *source)
{
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell, .note = tell };
	struct ckpt_image *image = open_image(source, false);
	unsigned int i;

	for (i = 0; i < NAMES; i++)
		assert_true(is_right(image, &names[i]));
	assert_int_equal(ckpt_image_damages(image), 0);
	ckpt_image_close(image);
	assert_int_equal(ckpt_check(source, &check, &error), CKPT_DONE);
	assert_int_equal(check.errors + check.notes, 0);
}

/* ---- files ---- */

struct ckpt_file new_file(const void *bytes)
{
	struct ckpt_file file = { .fd = memfd_create("store", MFD_CLOEXEC), .sectors = STORE_SECTORS };

	assert_int_equal(ftruncate(file.fd, STORE_BYTES), 0);
	if (bytes)
		assert_int_equal(ckpt_file_write(&file, bytes, 0, STORE_BYTES), 0);
	return file;
}

char *dump(const struct ckpt_source *source)
{
	struct ckpt_image *image = open_image(source, false);
	char *text;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	assert_int_equal(ckpt_dump(image, to, &error), CKPT_DONE);
	fclose(to);
	ckpt_image_close(image);
	return text;
}

enum ckpt_result restore(char *text, struct ckpt_file *file)
{
	FILE *from = fmemopen(text, strlen(text), "r");
	enum ckpt_result result = ckpt_restore(from, file, &error);

	fclose(from);
	return result;
}

/* The trees are written back, in a way. */
void write_back(void)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_file file = new_file(store.bytes);
	struct ckpt_source restored = ckpt_file_source(&file);
	char *text = dump(&source), *again;

	if (restore(text, &file))
		fail_msg("%s", error.text);
	again = dump(&restored);
	assert_string_equal(text, again);
	free(text);
	free(again);
	assert_int_equal(restored.read(restored.arg, store.bytes, 0, STORE_BYTES), 0);
	memcpy(&store.super, store.bytes, sizeof(store.super));
	assert_int_equal(le64_to_cpu(store.super.journal_seq), store.seq);
	/* Nodes without content are not made again. */
	for (unsigned int i = 0; i < NUMBERS; i++) {
		levels[i] = 0;
		for (unsigned int k = 0; k < CLUSTERS; k++)
			if (slots[i][k].present | slots[i][k].zero)
				levels[i] = ALL_LEVELS;
	}
	ckpt_file_close(&file);
}

/* ---- repair ---- */

unsigned int check_repaired(struct ckpt_file *file, bool partial, bool is_older)
{
	struct ckpt_source source = store_source(&store), repaired = ckpt_file_source(file);
	struct ckpt_image *image = open_image(&source, true), *new;
	struct ckpt_repair repair = { .partial = partial };
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell };
	enum ckpt_result result = ckpt_repair(image, file, &repair, &error);
	unsigned int right = 0;

	assert_true(result == CKPT_DONE || result == CKPT_INTEGRITY);
	assert_int_equal(result, repair.lost || repair.partly ? CKPT_INTEGRITY : CKPT_DONE);
	ckpt_image_close(image);
	assert_int_equal(ckpt_check(&repaired, &check, &error), CKPT_DONE);
	new = open_image(&repaired, false);
	for (unsigned int i = 0; i < NAMES; i++)
		right += is_right(new, &names[i]);
	ckpt_image_close(new);
	assert_true(is_older || right >= repair.saved - repair.partly);
	return right;
}
