// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libckpt/check.h"
#include "libckpt/delta.h"
#include "libckpt/repair.h"
#include "slot.h"
#include "target.h"

#define DATA (STORE_SECTORS - 1024u)	/* behind all nodes */

int LLVMFuzzerInitialize(int *argc, char ***argv);

struct store fuzz_store;
static struct store whole;
static struct ckpt_file file;

static struct ckpt_state slot(unsigned int window, uint32_t present, uint32_t zero)
{
	return (struct ckpt_state){ DATA + window * 256, present, zero, 0 };
}

/* In the second half of the window. */
static struct ckpt_state packed(unsigned int window, uint32_t present, uint32_t zero,
				uint32_t places)
{
	return (struct ckpt_state){ DATA + window * 256 + 128, present, zero, places };
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct store *s = &fuzz_store;

	(void)argc;
	(void)argv;
	store_new(s);
	store_begin(s);
	store_slot(s, STORE_LAYER, 0, slot(0, 0xff, 0x100));
	store_slot(s, STORE_LAYER, 2, slot(1, ~0u, 0));
	store_slot(s, STORE_HEAD, 0, slot(2, 0xf0, 0xf));
	store_slot(s, STORE_HEAD, 6, packed(2, 0x8421, 0x100, 0x8521));
	store_commit(s);
	store_write_back(s);
	store_slot(s, STORE_HEAD, 5, slot(3, 0xf1, 0));
	store_slot(s, STORE_HEAD, 6, packed(2, 0x8420, 0, 0x8421));
	store_commit(s);
	store_merge(s, STORE_HEAD, STORE_LAYER, 2, slot(1, ~0u, 0));
	store_commit(s);
	whole = fuzz_store;
	whole.bytes = malloc(STORE_BYTES);
	memcpy(whole.bytes, s->bytes, STORE_BYTES);
	file = (struct ckpt_file){ .fd = memfd_create("store", MFD_CLOEXEC),
				   .sectors = STORE_SECTORS };
	return ftruncate(file.fd, STORE_BYTES);
}

uint64_t fuzz_number(struct fuzz_input *in, size_t bytes)
{
	uint64_t number = 0;

	fuzz_take(in, &number, bytes);
	return number;
}

size_t fuzz_take(struct fuzz_input *in, void *to, size_t most)
{
	size_t bytes = most < in->left ? most : in->left;

	memcpy(to, in->bytes, bytes);
	in->bytes += bytes;
	in->left -= bytes;
	return bytes;
}

void fuzz_change(struct fuzz_input *in, void *block, unsigned int changes)
{
	while (changes-- && in->left) {
		size_t at = fuzz_number(in, 2) % CKPT_NODE_BYTES;
		size_t most = 1 + fuzz_number(in, 1) % 32;

		fuzz_take(in, (uint8_t *)block + at,
			  most < CKPT_NODE_BYTES - at ? most : CKPT_NODE_BYTES - at);
	}
}

static void read_some(struct ckpt_image *image)
{
	static uint8_t content[1u << 16];
	const struct ckpt_item *item;
	struct ckpt_error e;

	ckpt_image_for_each(image, item) {
		uint64_t bytes = item->sectors << CKPT_SECTOR_SHIFT;

		ckpt_image_read(image, item, 0, content,
				bytes < sizeof(content) ? bytes : sizeof(content), &e);
		if (bytes > sizeof(content))
			ckpt_image_read(image, item, bytes - 512, content, 512, &e);
	}
}

static enum ckpt_result range(void *arg, uint64_t sector, uint64_t sectors, enum ckpt_place place)
{
	uint64_t *end = arg;

	(void)place;
	/* In their order, and each is something. */
	if (sector < *end || !sectors)
		abort();
	*end = sector + sectors;
	return CKPT_DONE;
}

/* All that are different things, and each by itself. */
static void compare(struct ckpt_image *image)
{
	const struct ckpt_item *from, *to;
	struct ckpt_error e;
	uint64_t end;

	ckpt_image_for_each(image, to) {
		end = 0;
		ckpt_delta(image, NULL, to, range, &end, &e);
		ckpt_image_for_each(image, from) {
			end = 0;
			ckpt_delta(image, from, to, range, &end, &e);
		}
	}
}

/* What was saved must be whole, whatever it was made of. */
static void repair(struct ckpt_image *image)
{
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE };
	struct ckpt_source source = ckpt_file_source(&file);
	struct ckpt_repair options = { .partial = false };
	struct ckpt_error e;
	enum ckpt_result result;

	if (ckpt_image_geometry(image)->sectors > STORE_SECTORS)
		return;
	result = ckpt_repair(image, &file, &options, &e);
	if ((!result || result == CKPT_INTEGRITY) && ckpt_check(&source, &check, &e))
		abort();
}

void fuzz_try(void)
{
	struct ckpt_image_options salvage = { .salvage = true };
	struct ckpt_source source = store_source(&fuzz_store);
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE };
	struct ckpt_image *image;
	struct ckpt_error e;
	enum ckpt_result strict = ckpt_image_open(&source, NULL, &image, &e);

	if (!strict) {
		read_some(image);
		compare(image);
	}
	ckpt_image_close(image);
	/* What the module would refuse is never whole. */
	if (!ckpt_check(&source, &check, &e) && strict)
		abort();
	if (!ckpt_image_open(&source, &salvage, &image, &e)) {
		read_some(image);
		repair(image);
	}
	ckpt_image_close(image);
	memcpy(fuzz_store.bytes, whole.bytes, STORE_BYTES);
	fuzz_store.super = whole.super;
	fuzz_store.seq = whole.seq;
	memcpy(fuzz_store.block, whole.block, sizeof(whole.block));
}
