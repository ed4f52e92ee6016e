// SPDX-License-Identifier: GPL-2.0-only
/* What is found of rotten and forged stores, and what of them is saved. */
#include "damage.h"
#include "libckpt/image_tree.h"
#include "slot.h"
#include "volumes.h"

struct nodes {
	uint64_t sector[64];
	unsigned int nr;
	enum ckpt_tree_type type[64];
};

static enum ckpt_result add_node(void *arg, const struct image_tree *tree,
				 const struct image_node *node, uint64_t index,
				 const struct ckpt_ref *ref)
{
	struct nodes *nodes = arg;

	(void)node;
	(void)index;
	assert_true(nodes->nr < COUNT_OF(nodes->sector));
	nodes->type[nodes->nr] = tree->type;
	nodes->sector[nodes->nr++] = ckpt_ref_where(ref);
	return CKPT_DONE;
}

static void find_nodes(struct nodes *nodes)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_image *image = open_image(&source, false);

	nodes->nr = 0;
	image_walk(image, &image->records, add_node, nodes, &error);
	image_walk(image, &image->space, add_node, nodes, &error);
	for (uint32_t i = 0; i < image->item_count; i++)
		if (image->maps[i])
			image_walk(image, image->maps[i], add_node, nodes, &error);
	ckpt_image_close(image);
}

/* Each node rots: it is found, and all that does not need it is saved. */
static void rotten_nodes(void **state)
{
	struct ckpt_source source = store_source(&store);
	unsigned int saved = 0;
	struct nodes nodes;

	(void)state;
	random_slots(80, false);
	write_back();
	random_slots(5, false);
	find_nodes(&nodes);
	for (unsigned int i = 0; i < nodes.nr; i++) {
		uint8_t *rot = store.bytes + (nodes.sector[i] << CKPT_SECTOR_SHIFT) + below(4096);
		struct ckpt_check check = { .level = CKPT_CHECK_SPACE };
		struct ckpt_file file = new_file(NULL);
		unsigned int right, partly;

		*rot ^= 4;
		assert_int_equal(ckpt_check(&source, &check, &error), CKPT_INTEGRITY);
		assert_true(check.errors > 0);
		right = check_repaired(&file, false, false);
		partly = check_repaired(&file, true, false);
		assert_true(partly <= right || nodes.type[i] == CKPT_TREE_RECORDS);
		saved += right;
		*rot ^= 4;
		if (nodes.type[i] == CKPT_TREE_SPACE)
			assert_int_equal(right, NAMES);
		ckpt_file_close(&file);
	}
	/* A map is one of four. */
	assert_true(saved >= nodes.nr);
	check_whole(&source);
}

/* The node's content, to be changed, and sealed again in all above it. */
struct forged {
	uint64_t path[CKPT_MAP_LEVELS];		/* sectors, from the leaf to the root of a map */
	unsigned int nr;
	uint64_t leaf;				/* of the records */
};

static enum ckpt_result add_to_path(void *arg, const struct image_tree *tree,
				    const struct image_node *node, uint64_t index,
				    const struct ckpt_ref *ref)
{
	struct forged *f = arg;

	(void)index;
	if (tree->type == CKPT_TREE_RECORDS && !node->level)
		f->leaf = ckpt_ref_where(ref);
	/* All slots are in the first leaf. */
	if (tree->type == CKPT_TREE_MAP)
		f->path[node->level] = ckpt_ref_where(ref);
	return CKPT_DONE;
}

static void *at(uint64_t sector)
{
	return store.bytes + (sector << CKPT_SECTOR_SHIFT);
}

static void find_path(uint32_t layer, struct forged *f)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_image *image = open_image(&source, false);

	image_walk(image, &image->records, add_to_path, f, &error);
	image_walk(image, image_map(image, layer), add_to_path, f, &error);
	ckpt_image_close(image);
}

/* Right checksums in all that refers to what was changed. */
static void seal(void)
{
	damage_seal(store.bytes, STORE_SECTORS);
}

static char said[4096];

static void gather(void *arg, const char *sentence)
{
	size_t used = strlen(said);

	(void)arg;
	snprintf(said + used, sizeof(said) - used, "%s\n", sentence);
}

/* The check fails and says that, and what is repaired is whole. */
static void check_says(const char *what)
{
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = gather };
	struct ckpt_source source = store_source(&store);
	struct ckpt_file file = new_file(NULL);

	*said = '\0';
	assert_int_equal(ckpt_check(&source, &check, &error), CKPT_INTEGRITY);
	if (!strstr(said, what))
		fail_msg("not said: %s; but: %s", what, said);
	check_repaired(&file, false, true);
	ckpt_file_close(&file);
}

/* Two layers with a slot each, written back. */
static void begin_forging(struct forged *f)
{
	store_slot(&store, TWO, 0, (struct ckpt_state){ WINDOWS_START, 3, 0, 0 });
	store_slot(&store, HEAD, 0, (struct ckpt_state){ WINDOWS_START + 256, 3, 0, 0 });
	store_commit(&store);
	write_back();
	memset(f, 0, sizeof(*f));
	find_path(HEAD, f);
}

#define FORGED(what, change) do {					\
		struct ckpt_slot *slot;					\
		union ckpt_record *record;				\
		struct ckpt_ref *ref;					\
		struct forged f;					\
									\
		begin_forging(&f);					\
		slot = at(f.path[0]);					\
		ref = at(f.path[1]);					\
		record = at(f.leaf);					\
		(void)slot, (void)ref, (void)record;			\
		change;							\
		seal();					\
		check_says(what);					\
		end(NULL);						\
		begin(NULL);						\
	} while (0)

/* Right checksums, wrong content. */
static void forged_nodes(void **state)
{
	(void)state;
	FORGED("cluster 0 of layer 3, and not by it alone",
	       slot[0].where = cpu_to_le64(WINDOWS_START));
	FORGED("cluster 0 of layer 4, and not by it alone", slot[1] = slot[0]);
	FORGED("in use in the space map, but nobody", slot[0].present = cpu_to_le32(1));
	FORGED("in use, but free in the space map", slot[0].present = cpu_to_le32(7));
	FORGED("beyond its size", slot[9].zero = cpu_to_le32(7));
	FORGED("a slot of it is impossible", slot[0].zero = cpu_to_le32(1));
	FORGED("a slot of it is impossible", slot[0].where = cpu_to_le64(8));
	FORGED("counted wrong: 3, but it is 2", ref[0].used = cpu_to_le32(3));
	FORGED("outside the store", ref[5].where = cpu_to_le64(STORE_SECTORS));
	FORGED("outside the store", ref[5].where = cpu_to_le64(1));
	FORGED("not by it alone", ref[5] = ref[0]);
	FORGED("layer is below itself",
	       record[TWO].layer.parent = cpu_to_le32(TWO));
	FORGED("layer is below itself",
	       record[ONE].layer.parent = cpu_to_le32(HEAD));
	FORGED("what its layer sits on is not there",
	       record[TWO].layer.parent = cpu_to_le32(DISK));
	FORGED("what its layer sits on is not there",
	       record[TWO].layer.parent = cpu_to_le32(4000000000u));
	FORGED("volume's head is not its own", record[CLONE].volume.top = cpu_to_le32(HEAD));
	FORGED("volume's head is not its own", record[CLONE].volume.top = cpu_to_le32(ONE));
	FORGED("volume's head is not there", record[CLONE].volume.top = 0);
	FORGED("checkpoint's volume is not there",
	       record[CP_ONE].checkpoint.volume = cpu_to_le32(ONE));
	FORGED("checkpoint's layer is not there",
	       record[CP_ONE].checkpoint.layer = cpu_to_le32(HEAD));
	FORGED("has another record's number", record[CP_ONE].head.number = cpu_to_le32(3));
	FORGED("its name is not one", record[DISK].volume.name[0] = '@');
	FORGED("its name is not one", memset(record[DISK].volume.name, 'a', 112));
	FORGED("its type is not known", record[DISK].head.type = cpu_to_le16(77));
	FORGED("its kind is not known", record[CP_TWO].checkpoint.kind = cpu_to_le32(4));
	FORGED("its size is impossible", record[BASE].base.sectors = 0);
	FORGED("smaller than what it sits on", record[TWO].layer.sectors = cpu_to_le64(1024));
	FORGED("has not the size of its head",
	       record[CLONE].volume.sectors = cpu_to_le64(1024));
	FORGED("same name", memcpy(record[CLONE].volume.name, "disk", 5));
	FORGED("same UUID",
	       memcpy(record[CLONE].head.uuid, record[DISK].head.uuid, CKPT_UUID_BYTES));
	FORGED("volume that is not there", record[BASE].base.owner = cpu_to_le32(77));
	FORGED("is damaged", record[HEAD].layer.root.where = cpu_to_le64(77));
	FORGED("use", record[TWO].layer.root = record[HEAD].layer.root);
}

/* What two layers claim is copied for one of them, so that both read as they did. */
static void doubled_is_saved(void **state)
{
	struct ckpt_file file = new_file(NULL);
	struct ckpt_slot *slot;
	struct forged f;

	(void)state;
	begin_forging(&f);
	slot = at(f.path[0]);
	slot[0].where = cpu_to_le64(WINDOWS_START);
	seal();
	slots[TWO][0] = slots[HEAD][0] = (struct ckpt_state){ WINDOWS_START, 3, 0, 0 };
	assert_int_equal(check_repaired(&file, false, false), NAMES);
	ckpt_file_close(&file);
}

/* Both superblocks may be rotten. */
static bool can_be_opened(const struct ckpt_source *source)
{
	struct ckpt_image_options options = { .salvage = true };
	struct ckpt_image *image;
	enum ckpt_result result = ckpt_image_open(source, &options, &image, &error);

	ckpt_image_close(image);
	return !result;
}

/* Both rot where nothing is said: all can be saved.  One byte that is said, and nothing can. */
static void both_superblocks(void **state)
{
	uint8_t *b = store.bytes + (CKPT_SUPER_B << CKPT_SECTOR_SHIFT);
	struct ckpt_source source = store_source(&store);
	struct ckpt_file file = new_file(NULL);
	struct ckpt_image *image;

	(void)state;
	random_slots(20, false);
	write_back();
	random_slots(20, false);
	store.bytes[3000] ^= 1;
	b[2000] ^= 1;
	assert_int_equal(ckpt_image_open(&source, NULL, &image, &error), CKPT_INTEGRITY);
	assert_int_equal(check_repaired(&file, false, false), NAMES);
	b[offsetof(struct ckpt_super, block_sectors)] = 16;
	assert_false(can_be_opened(&source));
	ckpt_file_close(&file);
}

/* Any bytes anywhere in the metadata: no crash, no hang, and a repaired store is whole. */
static void random_damage(void **state)
{
	struct ckpt_source source = store_source(&store);
	struct nodes nodes;

	(void)state;
	random_slots(80, false);
	write_back();
	random_slots(30, false);
	find_nodes(&nodes);
	for (unsigned int i = 0; i < 150; i++) {
		uint8_t *before = malloc(STORE_BYTES);
		struct ckpt_check check = { .level = CKPT_CHECK_SPACE };
		unsigned int times = 1 + (unsigned int)below(4);
		struct ckpt_file file = new_file(NULL);
		enum ckpt_result result;

		memcpy(before, store.bytes, STORE_BYTES);
		while (times--) {
			uint64_t sector = nodes.sector[below(nodes.nr)];

			if (i % 3 == 1)
				sector = CKPT_JOURNAL_START + below(CKPT_JOURNAL_BLOCKS_MIN) * 8;
			if (i % 3 == 2)
				sector = once_in(2) ? CKPT_SUPER_A : CKPT_SUPER_B;
			store.bytes[(sector << CKPT_SECTOR_SHIFT) + below(4096)] = (uint8_t)below(256);
		}
		result = ckpt_check(&source, &check, &error);
		if (can_be_opened(&source)) {
			assert_true(result == CKPT_DONE || result == CKPT_INTEGRITY);
			check_repaired(&file, false, i % 3 == 1);
			check_repaired(&file, true, i % 3 == 1);
		}
		ckpt_file_close(&file);
		memcpy(store.bytes, before, STORE_BYTES);
		free(before);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(rotten_nodes, begin, end),
	cmocka_unit_test_setup_teardown(forged_nodes, begin, end),
	cmocka_unit_test_setup_teardown(doubled_is_saved, begin, end),
	cmocka_unit_test_setup_teardown(both_superblocks, begin, end),
	cmocka_unit_test_setup_teardown(random_damage, begin, end),
};

RUN("rotten", tests)
