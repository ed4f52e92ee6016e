/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store that is not active, read without the kernel: an image or a device, or anything that
 * has a function that reads.  Nothing is written; the journal is replayed in memory, by
 * the same rules as the module's.
 *
 * An image has no state outside of itself, and one thread uses it at a time.  Nodes are loaded
 * when they are needed, and memory is bounded.
 *
 * Damage is local.  What cannot be read gives CKPT_INTEGRITY, with a sentence that says what
 * and where, and all else can be read all the same.
 */
#ifndef LIBCKPT_IMAGE_H
#define LIBCKPT_IMAGE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dm-ckpt/content.h"
#include "error.h"
#include "source.h"

struct ckpt_image;

/* Told of each thing that is damaged, as a sentence without a full stop. */
typedef void (*ckpt_report_fn)(void *arg, const char *sentence);

struct ckpt_image_options {
	/*
	 * Without it, a store that the module would not activate is not opened: its superblock
	 * is lost or too old, the journal damaged, or any record.  With it, as much as can be
	 * had is there, and @report is told of what cannot; what it is then may be older than
	 * what was promised.  CKPT_NOT_FOUND, no store, and CKPT_FAILED, one of another version,
	 * stay.
	 */
	bool salvage;
	/* The trees as the superblock has them, without what the journal says. */
	bool without_journal;
	/* Count what is below each node, for ckpt_check_image(). */
	bool counted;
	ckpt_report_fn report;	/* or NULL */
	void *arg;
};

/* @options may be NULL.  The source is used as long as the image is open. */
enum ckpt_result ckpt_image_open(const struct ckpt_source *source,
				 const struct ckpt_image_options *options,
				 struct ckpt_image **image, struct ckpt_error *e);
void ckpt_image_close(struct ckpt_image *image);

/* The superblock that counts; the geometry as the journal has left it. */
const struct ckpt_super *ckpt_image_super(const struct ckpt_image *image);
const struct ckpt_geometry *ckpt_image_geometry(const struct ckpt_image *image);
/* Number of the journal block that would be the next. */
uint64_t ckpt_image_journal_end(const struct ckpt_image *image);
/* How many things were damaged so far, also without a @report. */
uint64_t ckpt_image_damages(const struct ckpt_image *image);

/* ---- what is in it ---- */

/* A record, checked by itself. */
struct ckpt_item {
	enum ckpt_record_type type;
	uint32_t number;
	uint32_t flags;		/* CKPT_BASE_..., CKPT_LAYER_... */
	uint64_t created;	/* seconds since 1970 */
	uint8_t uuid[CKPT_UUID_BYTES];
	char name[CKPT_NAME_BYTES];	/* "": none */
	uint64_t sectors;	/* a checkpoint's are those of its layer or base */
	/*
	 * Number of what is below: of a layer, the layer or base that it sits on, or 0: zeros;
	 * of a volume, its head or base; of a checkpoint, its layer or base.
	 */
	uint32_t below;
	/*
	 * Of a base, the number of the volume that owns it, or 0; of a checkpoint, its volume's;
	 * of a layer, the first four bytes of the UUID of the volume that its units count for.
	 */
	uint32_t volume;
	uint32_t sample_crc;	/* base */
	uint64_t origin_sectors;	/* base */
	uint64_t limit;		/* volume: units, 0: none */
	uint32_t kind;		/* checkpoint: enum ckpt_kind */
	uint32_t group;		/* checkpoint: volumes that were taken together */
};

/*
 * The first item with a number of at least @number; NULL at the end.  Items that are damaged
 * are not among them.
 */
const struct ckpt_item *ckpt_image_next(const struct ckpt_image *image, uint32_t number);

#define ckpt_image_for_each(image, item)						\
	for ((item) = ckpt_image_next(image, 0); (item);			\
	     (item) = ckpt_image_next(image, (item)->number + 1))

/* The item of that number, or NULL. */
const struct ckpt_item *ckpt_image_item(const struct ckpt_image *image, uint32_t number);

/* Is there an item, and one that others can sit on? */
static inline bool ckpt_item_is_layer_or_base(const struct ckpt_item *item)
{
	return item && (item->type == CKPT_RECORD_LAYER || item->type == CKPT_RECORD_BASE);
}

/*
 * By what a person calls it: "VOLUME", "VOLUME@CHECKPOINT", where each is a name or a UUID, or
 * "template:NAME".  CKPT_NOT_FOUND.
 */
enum ckpt_result ckpt_image_find(const struct ckpt_image *image, const char *name,
				 const struct ckpt_item **item, struct ckpt_error *e);

/* The base at the end of the chain below an item (which it may be itself), or NULL. */
const struct ckpt_item *ckpt_image_base(const struct ckpt_image *image,
					const struct ckpt_item *item);

/* ---- what it reads as ---- */

/* Where the content of the base with that UUID comes from; used as long as the image is open. */
enum ckpt_result ckpt_image_origin(struct ckpt_image *image, const uint8_t *uuid,
				   const struct ckpt_source *source, struct ckpt_error *e);

enum ckpt_place {
	CKPT_PLACE_ZEROS,
	CKPT_PLACE_STORE,	/* @sector of the store */
	CKPT_PLACE_ORIGIN,	/* @sector of the base's origin */
};

struct ckpt_extent_at {
	enum ckpt_place place;
	uint64_t sector;
	uint64_t sectors;	/* how many, at least 1, come from there */
};

/*
 * Where sector @sector, and those behind it, of a volume, checkpoint, layer or base come from;
 * it is inside of the item.  On CKPT_INTEGRITY, @extent->sectors are those that cannot be known.
 */
enum ckpt_result ckpt_image_extent(struct ckpt_image *image, const struct ckpt_item *item,
				   uint64_t sector, struct ckpt_extent_at *extent,
				   struct ckpt_error *e);

/*
 * @bytes at @offset of the item, both multiples of 512 and inside of it.  CKPT_INTEGRITY if any
 * of them cannot be had, CKPT_NOT_FOUND if the base has no origin here; the buffer's content
 * is not defined then.
 */
enum ckpt_result ckpt_image_read(struct ckpt_image *image, const struct ckpt_item *item,
				 uint64_t offset, void *buffer, size_t bytes,
				 struct ckpt_error *e);

#endif
