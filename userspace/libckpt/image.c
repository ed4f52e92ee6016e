// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image_tree.h"

const struct ckpt_super *ckpt_image_super(const struct ckpt_image *image)
{
	return &image->super;
}

const struct ckpt_geometry *ckpt_image_geometry(const struct ckpt_image *image)
{
	return &image->geometry;
}

uint64_t ckpt_image_journal_end(const struct ckpt_image *image)
{
	return image->journal_end;
}

uint64_t ckpt_image_damages(const struct ckpt_image *image)
{
	return image->damages;
}

/* A copy that cannot be read is as good as one with a wrong checksum. */
static void read_copy(const struct ckpt_image *image, uint64_t sector, struct ckpt_super *super)
{
	if (image->source.read(image->source.arg, super, sector << CKPT_SECTOR_SHIFT,
			       sizeof(*super)))
		memset(super, 0, sizeof(*super));
}

/* All that says where things are, and which journal counts. */
static bool say_the_same(const struct ckpt_super *a, const struct ckpt_super *b)
{
	struct ckpt_super x = *a, y = *b;

	x.crc = y.crc;
	x.sequence = y.sequence;
	x.written = y.written;
	return !memcmp(&x, &y, offsetof(struct ckpt_super, reserved));
}

/*
 * With wrong checksums, but the copies say the same, and the root of the records is where they
 * say, with the content that they say: the rot is somewhere else in them.
 */
static enum ckpt_result rescue_super(struct ckpt_image *image, const struct ckpt_super *b,
				     const char *why, struct ckpt_error *e)
{
	struct ckpt_super sealed = image->super;
	uint64_t root = ckpt_ref_where(&sealed.records);
	uint8_t node[CKPT_NODE_BYTES];

	image_damage(image, e, "both superblocks of the store are damaged; of the first: %s", why);
	ckpt_super_seal(&sealed);
	if (!image->options.salvage || !say_the_same(&sealed, b) || ckpt_super_verify(&sealed) ||
	    !root ||
	    image->source.read(image->source.arg, node, root << CKPT_SECTOR_SHIFT, sizeof(node)) ||
	    !ckpt_node_matches(node, &sealed.records))
		return CKPT_INTEGRITY;
	image->super = sealed;
	return CKPT_DONE;
}

static enum ckpt_result read_super(struct ckpt_image *image, struct ckpt_error *e)
{
	struct ckpt_super b;
	const char *why;

	read_copy(image, CKPT_SUPER_A, &image->super);
	read_copy(image, CKPT_SUPER_B, &b);
	switch (ckpt_super_choose(&image->super, &b, &why)) {
	case CKPT_SUPER_CHOOSE_A:
		return CKPT_DONE;
	case CKPT_SUPER_CHOOSE_B:
		/* The module goes on with the second, too, and says so. */
		image_damage(image, e, "the first superblock is damaged: %s; the second is used",
			     why);
		image->super = b;
		image->is_partial = false;
		return CKPT_DONE;
	case CKPT_SUPER_ABSENT:
		return ckpt_fail(e, CKPT_NOT_FOUND, "there is no dm-ckpt store there");
	case CKPT_SUPER_DAMAGED:
		return rescue_super(image, &b, why, e);
	case CKPT_SUPER_STRANGE:
		break;
	}
	return ckpt_fail(e, CKPT_FAILED, "the store cannot be used here: %s", why);
}

static enum ckpt_result begin(struct ckpt_image *image, struct ckpt_error *e)
{
	enum ckpt_result result = read_super(image, e);

	if (result)
		return result;
	ckpt_super_geometry(&image->super, &image->geometry);
	image->records.root_ref = image->super.records;
	image->space.root_ref = image->super.space;
	if (image->geometry.sectors <= image->source.sectors)
		return CKPT_DONE;
	result = image_damage(image, e,
			      "store has %" PRIu64 " sectors, but its device only %" PRIu64 ": it has been cut off",
			      (uint64_t)image->geometry.sectors, image->source.sectors);
	return image->options.salvage ? CKPT_DONE : result;
}

static enum ckpt_result load(struct ckpt_image *image, struct ckpt_error *e)
{
	enum ckpt_result result = begin(image, e);

	if (!result)
		result = image_begin_items(image, e);
	if (!result && !image->options.without_journal) {
		result = image_replay(image, e);
		if (image->options.salvage && result == CKPT_INTEGRITY)
			result = CKPT_DONE;
	}
	return result ? result : image_finish_items(image, e);
}

enum ckpt_result ckpt_image_open(const struct ckpt_source *source,
				 const struct ckpt_image_options *options,
				 struct ckpt_image **opened, struct ckpt_error *e)
{
	struct ckpt_image *image = calloc(1, sizeof(*image));
	enum ckpt_result result;

	*opened = NULL;
	if (!image)
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory");
	image->source = *source;
	if (options)
		image->options = *options;
	image_tree_init(&image->records, CKPT_TREE_RECORDS, CKPT_RECORD_LEVELS, 0);
	image_tree_init(&image->space, CKPT_TREE_SPACE, CKPT_SPACE_LEVELS, 0);
	result = load(image, e);
	if (result) {
		ckpt_image_close(image);
		return result;
	}
	*opened = image;
	return CKPT_DONE;
}

void ckpt_image_close(struct ckpt_image *image)
{
	if (!image)
		return;
	image_drop_items(image);
	image_tree_drop(image, &image->records);
	image_tree_drop(image, &image->space);
	free(image->origins);
	free(image->told);
	free(image);
}
