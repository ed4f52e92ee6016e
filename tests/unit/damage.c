// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every damage there is, to a store with trees and a journal of all kinds of entries: nothing
 * crashes or hangs, each failure has a sentence, what is refused is found by the check, and what
 * is repaired is whole.  With DAMAGE_TELL set it tells of each.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "damage.h"
#include "libckpt/check.h"
#include "libckpt/repair.h"
#include "slot.h"
#include "store.h"
#include "test.h"

#define DATA (STORE_SECTORS / 2)	/* behind all nodes */

static struct store store;
static uint8_t *whole, content[1u << 20];
static struct ckpt_error error;
static struct ckpt_file file;

/* Of all damages: */
static uint64_t refused, found, unseen, rescued, lost, nothing;

static int read_origin(void *arg, void *buffer, uint64_t offset, size_t bytes)
{
	(void)arg;
	memset(buffer, (int)(offset >> 12), bytes);
	return 0;
}

static const struct ckpt_source origin_source = { read_origin, NULL, 2048 };

static int begin(void **state)
{
	(void)state;
	store_new(&store);
	store_begin(&store);
	store_slot(&store, STORE_LAYER, 0, (struct ckpt_state){ DATA, 0xff, 0x100, 0 });
	store_slot(&store, STORE_LAYER, 2, (struct ckpt_state){ DATA + 256, ~0u, 0, 0 });
	store_slot(&store, STORE_HEAD, 0, (struct ckpt_state){ DATA + 512, 0xf0, 0xf, 0 });
	store_slot(&store, STORE_HEAD, 5, (struct ckpt_state){ DATA + 768, 0xf0, 0xf, 0 });
	store_slot(&store, STORE_HEAD, 6, (struct ckpt_state){ DATA + 896, 0x8421, 0x100, 0x8521 });
	store_commit(&store);
	store_write_back(&store);

	store_slot(&store, STORE_HEAD, 1, (struct ckpt_state){ DATA + 1024, 0x7, 0, 0 });
	store_slot(&store, STORE_HEAD, 5, (struct ckpt_state){ DATA + 768, 0xf1, 0, 0 });
	store_slot(&store, STORE_HEAD, 6, (struct ckpt_state){ DATA + 896, 0x8420, 0, 0x8521 });
	store_commit(&store);
	store_begin(&store);
	store_commit(&store);
	store_merge(&store, STORE_HEAD, STORE_LAYER, 0,
		    (struct ckpt_state){ DATA + 512, 0xf0, 0x10f, 0 });
	store_merge(&store, STORE_HEAD, STORE_LAYER, 2,
		    (struct ckpt_state){ DATA + 256, ~0u, 0, 0 });
	store_prune(&store, STORE_LAYER, 0, 0);
	store_commit(&store);
	store_slot(&store, STORE_LAYER, 256, (struct ckpt_state){ 0, 0, 0, 0 });
	store_adopt(&store, STORE_HEAD, STORE_LAYER, 0, 1);
	store_size(&store, STORE_SECTORS);
	store_commit(&store);

	whole = malloc(STORE_BYTES);
	memcpy(whole, store.bytes, STORE_BYTES);
	file = (struct ckpt_file){ .fd = memfd_create("store", MFD_CLOEXEC),
				   .sectors = STORE_SECTORS };
	return ftruncate(file.fd, STORE_BYTES);
}

static int end(void **state)
{
	(void)state;
	ckpt_file_close(&file);
	free(whole);
	store_free(&store);
	return 0;
}

/* Read everything; returns how much of it could be. */
static unsigned int read_all(struct ckpt_image *image)
{
	const struct ckpt_item *item;
	unsigned int right = 0;

	ckpt_image_origin(image, build_uuid, &origin_source, &error);
	ckpt_image_for_each(image, item) {
		uint64_t bytes = item->sectors << CKPT_SECTOR_SHIFT;
		enum ckpt_result result;

		*error.text = '\0';
		result = ckpt_image_read(image, item, 0, content,
					 bytes < sizeof(content) ? bytes : sizeof(content), &error);
		if (result)
			assert_true(*error.text);
		right += !result;
	}
	return right;
}

static enum ckpt_result open_strictly(const struct ckpt_source *source)
{
	struct ckpt_image *image;
	enum ckpt_result result;

	*error.text = '\0';
	result = ckpt_image_open(source, NULL, &image, &error);
	if (result)
		assert_true(*error.text);
	else
		read_all(image);
	ckpt_image_close(image);
	return result;
}

static void tell(void *arg, const char *sentence)
{
	(void)arg;
	print_message("# %s\n", sentence);
}

static void repair(const struct ckpt_source *source, bool partial)
{
	struct ckpt_image_options options = { .salvage = true };
	struct ckpt_source repaired = ckpt_file_source(&file);
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell };
	struct ckpt_repair r = { .partial = partial };
	struct ckpt_image *image;
	enum ckpt_result result = ckpt_image_open(source, &options, &image, &error);

	if (result) {
		lost++;
		return;
	}
	read_all(image);
	*error.text = '\0';
	result = ckpt_repair(image, &file, &r, &error);
	/* A size or a block of its own may leave no room for what there is: then it is said. */
	if (result && result != CKPT_INTEGRITY) {
		assert_true(*error.text);
		ckpt_image_close(image);
		lost++;
		return;
	}
	ckpt_image_close(image);
	if (ckpt_check(&repaired, &check, &error))
		fail_msg("what was repaired is not whole: %s", error.text);
	rescued++;
}

static void try_damage(const struct ckpt_source *source, const char *what)
{
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE };
	enum ckpt_result strict = open_strictly(source), result;

	result = ckpt_check(source, &check, &error);
	refused += strict != CKPT_DONE;
	found += result != CKPT_DONE;
	unseen += result == CKPT_DONE;
	if (getenv("DAMAGE_TELL"))
		print_message("# %s: %s\n", strict ? "refused" : result ? "found" : "unseen", what);
	/* What the module would refuse is never whole. */
	assert_true(!strict || result);
	assert_true(result == CKPT_DONE || result == CKPT_INTEGRITY || strict == result);
	repair(source, false);
	repair(source, true);
}

static void all_damages(void **state)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell };
	char what[DAMAGE_TEXT];
	uint64_t n;

	(void)state;
	assert_int_equal(open_strictly(&source), CKPT_DONE);
	assert_int_equal(ckpt_check(&source, &check, &error), CKPT_DONE);
	for (n = 0; damage_apply(store.bytes, STORE_SECTORS, n, what); n++) {
		if (memcmp(store.bytes, whole, STORE_BYTES))
			try_damage(&source, what);
		else
			nothing++;
		memcpy(store.bytes, whole, STORE_BYTES);
	}
	assert_int_equal(n, damage_count(store.bytes, STORE_SECTORS));
	print_message("# %llu damages: %llu refused, %llu found, %llu no damage by any rule, %llu of no effect; %llu repairs, %llu not to be repaired\n",
		      (unsigned long long)n, (unsigned long long)refused,
		      (unsigned long long)found, (unsigned long long)unseen,
		      (unsigned long long)nothing, (unsigned long long)rescued,
		      (unsigned long long)lost);
	assert_true(n > 1000 && found > n / 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(all_damages, begin, end),
};

RUN("damage", tests)
