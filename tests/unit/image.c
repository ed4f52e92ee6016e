// SPDX-License-Identifier: GPL-2.0-only
/* A store that is read without the kernel: what it has, reads as, and what is damaged. */
#include <stdio.h>

#include "libckpt/check.h"
#include "libckpt/guard.h"
#include "owner.h"
#include "slot.h"
#include "store.h"
#include "test.h"

#define MIB (1u << 20)

static struct store store;
static struct ckpt_image *image;
static struct ckpt_error error;
static uint8_t origin[MIB], content[MIB];

static int read_origin(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	(void)arg;
	memcpy(buffer, origin + offset, bytes);
	return 0;
}

static const struct ckpt_source origin_source = { read_origin, NULL, 2048 };

static int begin(void **state)
{
	(void)state;
	store_new(&store);
	store_begin(&store);
	for (unsigned int i = 0; i < sizeof(origin); i++)
		origin[i] = (uint8_t)(i >> 12);
	memset(&error, 0, sizeof(error));
	return 0;
}

static int end(void **state)
{
	(void)state;
	ckpt_image_close(image);
	image = NULL;
	store_free(&store);
	return 0;
}

static enum ckpt_result open_image(bool salvage)
{
	struct ckpt_image_options options = { .salvage = salvage };
	struct ckpt_source source = store_source(&store);
	enum ckpt_result result;

	ckpt_image_close(image);
	result = ckpt_image_open(&source, &options, &image, &error);
	if (!result)
		assert_int_equal(ckpt_image_origin(image, build_uuid, &origin_source, &error), 0);
	return result;
}

/* The content of the volume or checkpoint, which can be read. */
static void read_all(const char *name)
{
	const struct ckpt_item *item;

	if (ckpt_image_find(image, name, &item, &error) ||
	    ckpt_image_read(image, item, 0, content, sizeof(content), &error))
		fail_msg("%s", error.text);
}

/* Every sector of block @block of the content was read from the store, from @sector on. */
static bool is_from_store(unsigned int block, uint64_t sector)
{
	for (unsigned int i = 0; i < 4096; i++)
		if (content[block * 4096 + i] != store_byte(sector + i / 512))
			return false;
	return true;
}

static bool is_all(unsigned int block, uint8_t byte)
{
	for (unsigned int i = 0; i < 4096; i++)
		if (content[block * 4096 + i] != byte)
			return false;
	return true;
}

static void what_is_in_it(void **state)
{
	const struct ckpt_item *item;

	(void)state;
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_DONE);
	assert_int_equal(ckpt_image_find(image, "disk", &item, &error), CKPT_DONE);
	assert_int_equal(item->number, STORE_VOLUME);
	assert_int_equal(item->below, STORE_HEAD);
	assert_int_equal(item->sectors, 2048);
	assert_int_equal(ckpt_image_find(image, "disk@monday", &item, &error), CKPT_DONE);
	assert_int_equal(item->number, STORE_CHECKPOINT);
	assert_int_equal(item->below, STORE_LAYER);
	assert_int_equal(item->sectors, 2048);
	assert_int_equal(ckpt_image_base(image, item)->number, STORE_BASE);
	assert_int_equal(ckpt_image_find(image, "disk@friday", &item, &error), CKPT_NOT_FOUND);
	assert_int_equal(ckpt_image_find(image, "", &item, &error), CKPT_NOT_FOUND);
	assert_int_equal(ckpt_image_journal_end(image), store.seq);
	assert_int_equal(ckpt_image_damages(image), 0);
}

static void layers_lie_over_one_another(void **state)
{
	(void)state;
	store_slot(&store, STORE_LAYER, 0, (struct ckpt_state){ STORE_DATA, 0x6, 0x10, 0 });
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ STORE_DATA + 256, 0x4, 0x1, 0 });
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_DONE);
	read_all("disk");
	assert_true(is_all(0, 0));
	assert_true(is_from_store(1, STORE_DATA + 8));
	assert_true(is_from_store(2, STORE_DATA + 256 + 16));
	assert_true(is_all(3, 3));
	assert_true(is_all(4, 0));
	assert_true(is_all(255, 255));
	read_all("disk@monday");
	assert_true(is_all(0, 0));
	assert_true(is_from_store(2, STORE_DATA + 16));
	assert_true(is_all(5, 5));
	read_all("disk");
}

/* Blocks 1, 2 and 31 of the layer stand in a row with the places of two that have gone. */
static void packed_slots(void **state)
{
	struct ckpt_state s = { STORE_DATA, 0x80000006, 0x100, 0x80000046 };

	(void)state;
	s.packed |= 1;
	store_slot(&store, STORE_LAYER, 0, s);
	s.zero |= s.packed & ~s.present;
	s.where += 512;
	store_slot(&store, STORE_LAYER, 1, s);
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ STORE_DATA + 256, 0x4, 0x1, 0 });
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_DONE);
	read_all("disk@monday");
	assert_true(is_all(0, 0));
	assert_true(is_from_store(1, STORE_DATA + 8));
	assert_true(is_from_store(2, STORE_DATA + 16));
	assert_true(is_all(5, 5));
	assert_true(is_all(6, 6));
	assert_true(is_all(8, 0));
	assert_true(is_from_store(31, STORE_DATA + 32));
	assert_true(is_all(32, 0));
	assert_true(is_from_store(33, STORE_DATA + 512 + 8));
	assert_true(is_all(38, 0));
	assert_true(is_from_store(63, STORE_DATA + 512 + 32));
	read_all("disk");
	assert_true(is_from_store(1, STORE_DATA + 8));
	assert_true(is_from_store(2, STORE_DATA + 256 + 16));
	assert_true(is_from_store(31, STORE_DATA + 32));
}

static void merges_in_the_journal(void **state)
{
	(void)state;
	store_slot(&store, STORE_LAYER, 0, (struct ckpt_state){ STORE_DATA, 0x6, 0x10, 0 });
	store_slot(&store, STORE_LAYER, 1, (struct ckpt_state){ STORE_DATA + 512, 0x1, 0, 0 });
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ STORE_DATA + 256, 0x4, 0x1, 0 });
	store_commit(&store);
	/* Block 1 was copied beside the head's block 2. */
	store_merge(&store, STORE_HEAD, STORE_LAYER, 0,
		    (struct ckpt_state){ STORE_DATA + 256, 0x6, 0x11, 0 });
	store_merge(&store, STORE_HEAD, STORE_LAYER, 1,
		    (struct ckpt_state){ STORE_DATA + 512, 0x1, 0, 0 });
	store_prune(&store, STORE_LAYER, 0, 0);
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_DONE);
	read_all("disk");
	assert_true(is_from_store(1, STORE_DATA + 256 + 8));
	assert_true(is_from_store(2, STORE_DATA + 256 + 16));
	assert_true(is_from_store(32, STORE_DATA + 512));
	assert_true(is_all(3, 3));
	assert_true(is_all(4, 0));
	read_all("disk@monday");
	assert_true(is_all(2, 2));
	assert_true(is_all(32, 32));
}

static void adoption_in_the_journal(void **state)
{
	for (unsigned int level = 0; level < CKPT_MAP_LEVELS; level++) {
		store_slot(&store, STORE_LAYER, 3, (struct ckpt_state){ STORE_DATA, 0x6, 0, 0 });
		store_adopt(&store, STORE_HEAD, STORE_LAYER, level, 0);
		/* Nothing is there any more: no error. */
		store_prune(&store, STORE_LAYER, 0, 0);
		store_commit(&store);
		assert_int_equal(open_image(false), CKPT_DONE);
		read_all("disk");
		assert_true(is_from_store(97, STORE_DATA + 8));
		read_all("disk@monday");
		assert_true(is_all(97, 97));
		/* Where the child has something there is no room. */
		store_slot(&store, STORE_LAYER, 0, (struct ckpt_state){ STORE_DATA + 256, 1, 0, 0 });
		store_adopt(&store, STORE_HEAD, STORE_LAYER, level, 0);
		store_commit(&store);
		assert_int_equal(open_image(false), CKPT_INTEGRITY);
		assert_non_null(strstr(error.text, "no room"));
		end(state);
		begin(state);
	}
}

static void rotten_superblocks(void **state)
{
	(void)state;
	store_commit(&store);
	/* The second stands in for the first, if nothing tells of a newer one. */
	store.bytes[100] ^= 1;
	assert_int_equal(open_image(false), CKPT_DONE);
	assert_int_equal(ckpt_image_damages(image), 1);
	store.super.sequence = cpu_to_le64(6);
	store_seal(&store);
	store.bytes[100] ^= 1;
	assert_int_equal(open_image(false), CKPT_INTEGRITY);
	assert_non_null(strstr(error.text, "superblock is older than the journal"));
	assert_int_equal(open_image(true), CKPT_DONE);
	read_all("disk");
	/* One of a later version is no rotten one. */
	store.super.version = cpu_to_le32(2);
	store_seal(&store);
	assert_int_equal(open_image(true), CKPT_FAILED);
	memset(store.bytes, 0, 4096);
	assert_int_equal(open_image(true), CKPT_FAILED);
	store.bytes[(CKPT_SUPER_B << CKPT_SECTOR_SHIFT) + 100] ^= 1;
	assert_int_equal(open_image(true), CKPT_INTEGRITY);
	memset(store.bytes + (CKPT_SUPER_B << CKPT_SECTOR_SHIFT), 0, 4096);
	assert_int_equal(open_image(true), CKPT_NOT_FOUND);
}

static void lost_journal_blocks(void **state)
{
	uint8_t *first = store.bytes + (CKPT_JOURNAL_START << CKPT_SECTOR_SHIFT) +
			 500 % CKPT_JOURNAL_BLOCKS_MIN * CKPT_NODE_BYTES;

	(void)state;
	store_commit(&store);
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ STORE_DATA, 0x1, 0, 0 });
	store_commit(&store);
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ STORE_DATA, 0x3, 0, 0 });
	store_commit(&store);
	/* The last one may have been under way, one in the middle not. */
	first[2 * CKPT_NODE_BYTES + 500] ^= 1;
	assert_int_equal(open_image(false), CKPT_DONE);
	read_all("disk");
	assert_true(is_from_store(0, STORE_DATA));
	assert_true(is_all(1, 1));
	first[2 * CKPT_NODE_BYTES + 500] ^= 1;
	first[1 * CKPT_NODE_BYTES + 500] ^= 1;
	assert_int_equal(open_image(false), CKPT_INTEGRITY);
	assert_non_null(strstr(error.text, "block 501"));
	assert_int_equal(open_image(true), CKPT_DONE);
	read_all("disk");
	assert_true(is_all(0, 0));
	/* It had been there at an activation. */
	store.super.epoch_seq = cpu_to_le64(503);
	store_seal(&store);
	assert_int_equal(open_image(false), CKPT_INTEGRITY);
}

/* A volume that has grown: what is beyond a lower layer's end, and the base's, is zeros. */
static void sizes(void **state)
{
	union ckpt_record record;

	(void)state;
	build_record(&record, CKPT_RECORD_BASE, STORE_BASE);
	record.head.flags = 0;
	record.base.sectors = cpu_to_le64(64);
	store_record(&store, &record, STORE_BASE);
	build_record(&record, CKPT_RECORD_LAYER, STORE_LAYER);
	memset(&record.layer.root, 0, sizeof(record.layer.root));
	record.head.flags = cpu_to_le16(CKPT_LAYER_FROZEN);
	record.layer.parent = cpu_to_le32(STORE_BASE);
	record.layer.sectors = cpu_to_le64(256 + 128);
	store_record(&store, &record, STORE_LAYER);
	/* No such bits are written, but they must not come up. */
	store_slot(&store, STORE_LAYER, 1, (struct ckpt_state){ STORE_DATA, 0x00ff00ff, 0, 0 });
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_DONE);
	read_all("disk");
	assert_true(is_all(7, 7));
	assert_true(is_all(8, 0));
	assert_true(is_all(31, 0));
	assert_true(is_from_store(32, STORE_DATA));
	assert_true(is_all(40, 0));
	assert_true(is_all(48, 0));
	assert_true(is_all(255, 0));
}

/* A head whose layer is its own grandchild: nothing hangs. */
static void rings(void **state)
{
	const struct ckpt_item *item;
	union ckpt_record record;

	(void)state;
	build_record(&record, CKPT_RECORD_LAYER, STORE_LAYER);
	memset(&record.layer.root, 0, sizeof(record.layer.root));
	record.layer.parent = cpu_to_le32(STORE_HEAD);
	record.head.flags = cpu_to_le16(CKPT_LAYER_FROZEN);
	store_record(&store, &record, STORE_LAYER);
	store_commit(&store);
	assert_int_equal(open_image(false), CKPT_INTEGRITY);
	assert_non_null(strstr(error.text, "below itself"));
	assert_int_equal(open_image(true), CKPT_DONE);
	assert_int_equal(ckpt_image_find(image, "disk", &item, &error), CKPT_DONE);
	assert_int_equal(ckpt_image_read(image, item, 0, content, 4096, &error), CKPT_INTEGRITY);
	assert_null(ckpt_image_base(image, item));
}

static char said[300];

static void keep(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(said, sizeof(said), "%s", sentence);
}

/* What the guard's block is found to say; @note: what ckpt_check says of it. */
static struct ckpt_guard_facts guard_says(const struct ckpt_guard_block *block, const char *note)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = keep, .note = keep };
	struct ckpt_guard_facts facts;

	memcpy(store.bytes + (CKPT_GUARD_PLACE << CKPT_SECTOR_SHIFT), block, sizeof(*block));
	ckpt_guard_read(&source, store.super.uuid, &facts);
	*said = '\0';
	assert_int_equal(ckpt_check(&source, &check, &error), CKPT_DONE);
	assert_int_equal(check.notes, *note ? 1 : 0);
	assert_string_equal(said, note);
	return facts;
}

static void guards(void **state)
{
	struct ckpt_guard_block block = { 0 };
	struct ckpt_guard_facts facts;

	(void)state;
	store_commit(&store);
	store_write_back(&store);
	facts = guard_says(&block, "");
	assert_int_equal(facts.says, CKPT_GUARD_SAYS_NOTHING);
	assert_false(ckpt_guard_waits(&facts));

	block.magic = cpu_to_le32(CKPT_GUARD_MAGIC);
	memcpy(block.uuid, store.super.uuid, sizeof(block.uuid));
	block.state = cpu_to_le32(CKPT_GUARD_ACTIVE);
	block.interval = cpu_to_le32(5);
	block.since = cpu_to_le64(1000000000ull * 86400);
	block.written = cpu_to_le64(1000000000ull * 86401);
	ckpt_owner_name(&block, "far.away");
	ckpt_owner_seal(&block);
	facts = guard_says(&block, "host far.away has had the store open since 1970-01-02 00:00:00 UTC, "
			   "and its last sign of life is of 1970-01-02 00:00:01 UTC");
	assert_int_equal(facts.says, CKPT_GUARD_SAYS_OPEN);
	assert_int_equal(facts.watch_seconds, 21);
	assert_true(ckpt_guard_waits(&facts));

	block.state = cpu_to_le32(CKPT_GUARD_CLEAN);
	ckpt_owner_seal(&block);
	facts = guard_says(&block, "");
	assert_int_equal(facts.says, CKPT_GUARD_SAYS_CLOSED);
	assert_false(ckpt_guard_waits(&facts));

	block.sequence = cpu_to_le64(1);
	facts = guard_says(&block, "the guard's block cannot be used: its checksum is wrong");
	assert_int_equal(facts.says, CKPT_GUARD_IS_DAMAGED);
	assert_int_equal(facts.watch_seconds, 241);
	assert_true(ckpt_guard_waits(&facts));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(what_is_in_it, begin, end),
	cmocka_unit_test_setup_teardown(layers_lie_over_one_another, begin, end),
	cmocka_unit_test_setup_teardown(packed_slots, begin, end),
	cmocka_unit_test_setup_teardown(merges_in_the_journal, begin, end),
	cmocka_unit_test_setup_teardown(adoption_in_the_journal, begin, end),
	cmocka_unit_test_setup_teardown(rotten_superblocks, begin, end),
	cmocka_unit_test_setup_teardown(lost_journal_blocks, begin, end),
	cmocka_unit_test_setup_teardown(sizes, begin, end),
	cmocka_unit_test_setup_teardown(rings, begin, end),
	cmocka_unit_test_setup_teardown(guards, begin, end),
};

RUN("image", tests)
