// SPDX-License-Identifier: GPL-2.0-only
/* What the offline tools make of stores of random content that are whole, and of texts. */
#include <unistd.h>

#include "libckpt/delta.h"
#include "libckpt/pack.h"
#include "slot.h"
#include "volumes.h"

static uint8_t content[4096];

static void tell(void *arg, const char *sentence)
{
	(void)arg;
	print_message("# %s\n", sentence);
}

static void random_stores(void **state)
{
	struct ckpt_source source = store_source(&store);

	for (unsigned int i = 0; i < 40; i++) {
		unsigned int rounds = 1 + (unsigned int)below(4);

		while (rounds--) {
			random_slots((unsigned int)below(60), i % 2);
			check_whole(&source);
			write_back();
			check_whole(&source);
		}
		end(state);
		begin(state);
	}
}

/* All that has changed is in a range, and what is in none reads the same. */
static bool in_range[BLOCKS];

static enum ckpt_result add_range(void *arg, uint64_t sector, uint64_t sectors,
				  enum ckpt_place place)
{
	(void)arg;
	(void)place;
	assert_true(sectors && sector % 8 == 0 && sectors % 8 == 0);
	assert_true(sector + sectors <= BLOCKS * 8);
	for (uint64_t i = sector / 8; i < (sector + sectors) / 8; i++) {
		assert_false(in_range[i]);
		in_range[i] = true;
	}
	return CKPT_DONE;
}

static bool has_said(uint32_t from, uint32_t to, unsigned int block)
{
	for (; from != to; from = parent[from])
		if ((slots[from][block / 32].present | slots[from][block / 32].zero) &
		    ckpt_mask(block % 32, 1))
			return true;
	return false;
}

static void deltas(void **state)
{
	struct ckpt_source source = store_source(&store);
	const struct ckpt_item *one, *disk, *clone;
	struct ckpt_image *image;

	(void)state;
	random_slots(100, false);
	image = open_image(&source, false);
	ckpt_image_find(image, "disk@one", &one, &error);
	ckpt_image_find(image, "disk", &disk, &error);
	ckpt_image_find(image, "clone", &clone, &error);
	for (unsigned int round = 0; round < 4; round++) {
		memset(in_range, 0, sizeof(in_range));
		assert_int_equal(ckpt_delta(image, round == 0 ? one : round == 1 ? clone :
					    round == 2 ? NULL : disk, disk, add_range, NULL,
					    &error), 0);
		for (unsigned int i = 0; i < BLOCKS; i++) {
			bool differs = round < 2 && has_said(HEAD, ONE, i);

			differs |= round == 1 && has_said(CLONE_HEAD, ONE, i);
			differs |= round == 2 && has_said(HEAD, BASE, i);
			assert_int_equal(in_range[i], differs);
		}
	}
	ckpt_image_close(image);
}

/* What was packed has the same metadata, also before the journal is replayed. */
static void packed(void **state)
{
	struct ckpt_image_options options = { .salvage = true, .without_journal = true };
	struct ckpt_source source = store_source(&store), unpacked;
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell };
	struct ckpt_file file = new_file(NULL);
	FILE *stream = tmpfile();
	struct ckpt_image *image;
	char *before, *after;
	uint64_t sectors;

	(void)state;
	random_slots(60, false);
	write_back();
	random_slots(60, false);
	assert_int_equal(ckpt_image_open(&source, &options, &image, &error), 0);
	assert_int_equal(ckpt_pack(image, &source, stream, &error), 0);
	ckpt_image_close(image);
	assert_true(ftell(stream) < 200 * 1024);
	assert_int_equal(ckpt_unpack_sectors(stream, &sectors, &error), 0);
	assert_int_equal(sectors, STORE_SECTORS);
	assert_int_equal(ckpt_unpack(stream, &file, &error), 0);
	unpacked = ckpt_file_source(&file);
	before = dump(&source);
	after = dump(&unpacked);
	assert_string_equal(before, after);
	assert_int_equal(ckpt_check(&unpacked, &check, &error), 0);
	/* Data are not in it. */
	assert_int_equal(unpacked.read(unpacked.arg, content, STORE_DATA << CKPT_SECTOR_SHIFT, 4096), 0);
	assert_false(content[0] == store_byte(STORE_DATA) && content[512] == store_byte(STORE_DATA + 1));
	assert_int_equal(ftruncate(fileno(stream), ftell(stream) / 2), 0);
	assert_int_equal(ckpt_unpack(stream, &file, &error), CKPT_USAGE);
	free(before);
	free(after);
	fclose(stream);
	ckpt_file_close(&file);
}

static void doubled_in_text(void **state)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_file file = new_file(NULL);
	char first[64], second[64], *text, *place;

	(void)state;
	store_slot(&store, TWO, 0, (struct ckpt_state){ WINDOWS_START, 3, 0, 0 });
	store_slot(&store, HEAD, 0, (struct ckpt_state){ WINDOWS_START + 256, 3, 0, 0 });
	store_commit(&store);
	snprintf(first, sizeof(first), " slots 0 1 %u ", WINDOWS_START);
	snprintf(second, sizeof(second), " slots 0 1 %u ", WINDOWS_START + 256);
	text = dump(&source);
	place = strstr(text, second);
	assert_non_null(place);
	memcpy(place, first, strlen(first));
	assert_int_equal(restore(text, &file), CKPT_USAGE);
	assert_non_null(strstr(error.text, "used twice"));
	free(text);
	ckpt_file_close(&file);
}

/* Texts that are not of a store: an error that says the line, and nothing is a store then. */
static void wrong_texts(void **state)
{
	struct ckpt_source source = store_source(&store);
	struct ckpt_file file = new_file(NULL);
	struct ckpt_source made = ckpt_file_source(&file);
	struct ckpt_image *image;
	char *text, *copy;
	size_t length;

	(void)state;
	random_slots(20, false);
	text = dump(&source);
	length = strlen(text);
	copy = malloc(length + 1);
	for (unsigned int i = 0; i < 1000; i++) {
		size_t at = below(length);
		enum ckpt_result result;

		memcpy(copy, text, length + 1);
		if (once_in(4))
			copy[at] = '\0';
		else
			copy[at] = (char)(once_in(2) ? '0' + below(10) : 1 + below(127));
		if (!*copy)
			continue;
		ckpt_file_zero(&file, CKPT_SUPER_A << CKPT_SECTOR_SHIFT, 4096);
		ckpt_file_zero(&file, CKPT_SUPER_B << CKPT_SECTOR_SHIFT, 4096);
		result = restore(copy, &file);
		if (!result)
			assert_int_equal(ckpt_image_open(&made, NULL, &image, &error), CKPT_DONE);
		else
			assert_int_not_equal(ckpt_image_open(&made, NULL, &image, &error), CKPT_DONE);
		ckpt_image_close(image);
	}
	free(copy);
	free(text);
	ckpt_file_close(&file);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(random_stores, begin, end),
	cmocka_unit_test_setup_teardown(deltas, begin, end),
	cmocka_unit_test_setup_teardown(packed, begin, end),
	cmocka_unit_test_setup_teardown(doubled_in_text, begin, end),
	cmocka_unit_test_setup_teardown(wrong_texts, begin, end),
};

RUN("offline", tests)
