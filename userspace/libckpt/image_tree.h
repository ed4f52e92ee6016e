/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trees of an image: loaded node by node, checked against the checksum in the
 * parent, and changed in memory by the journal.  For the files of libckpt alone.
 */
#ifndef LIBCKPT_IMAGE_TREE_H
#define LIBCKPT_IMAGE_TREE_H

#include "image.h"

struct image_node {
	unsigned int level;	/* 0: a leaf */
	bool is_dirty;		/* the journal has changed it, or something below */
	bool is_counted;	/* @used is known: how much was below it on disk */
	uint64_t used;
	const char *bad;	/* why it cannot be used, or NULL */
	uint8_t *content;
	struct image_node **child;	/* inner nodes */
};

struct image_tree {
	enum ckpt_tree_type type;
	unsigned int levels;
	uint32_t number;	/* of the layer */
	struct ckpt_ref root_ref;
	struct image_node *root;
};

struct ckpt_image {
	struct ckpt_source source;
	struct ckpt_image_options options;
	struct ckpt_super super;
	struct ckpt_geometry geometry;
	uint64_t journal_end;
	bool is_old;			/* the journal knows of a newer superblock */
	uint64_t damages;
	bool is_partial;		/* something cannot be had */
	uint64_t *told;			/* sectors of nodes that were told of as damaged */
	size_t told_count;
	uint64_t nodes, dirty;		/* in memory */
	struct image_tree records, space;
	struct image_tree **maps;	/* by the layer's number, or NULL */
	struct ckpt_item **items;	/* by number, or NULL */
	uint32_t item_count;		/* places in both */
	struct image_origin *origins;
	size_t origin_count;
};

struct image_origin {
	uint8_t uuid[CKPT_UUID_BYTES];
	struct ckpt_source source;
};

/* Count something that is damaged, and tell of it; returns CKPT_INTEGRITY, and @e has it. */
enum ckpt_result image_damage(struct ckpt_image *image, struct ckpt_error *e,
			      const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void image_tree_init(struct image_tree *tree, enum ckpt_tree_type type, unsigned int levels,
		     uint32_t number);
void image_tree_drop(struct ckpt_image *image, struct image_tree *tree);

/* Where a node is, or would be: its place in memory, and the reference to it. */
struct image_place {
	struct image_node *node;	/* NULL: there is none */
	struct image_node **in;
	struct ckpt_ref *ref;
	unsigned int level;		/* of the node, or of the highest one that is missing */
};

enum image_mode {
	IMAGE_LOOK,
	IMAGE_CHANGE,	/* what is there, and all above it, becomes dirty */
	IMAGE_MAKE,	/* and what is not there is made, empty */
};

/* The node of this level and index.  CKPT_INTEGRITY: it, or one above it, cannot be read. */
enum ckpt_result image_get(struct ckpt_image *image, struct image_tree *tree,
			   enum image_mode mode, unsigned int level, uint64_t index,
			   struct image_place *place, struct ckpt_error *e);

/* Take a node, with all below it, out of its tree. */
void image_forget(struct ckpt_image *image, struct image_node **in);

/*
 * The first leaf with an index of at least *@index, which becomes its own; @leaf is NULL when
 * there is none.  On CKPT_INTEGRITY, *@index to *@end, without that, are the leaves that cannot
 * be known.  What it returns is there until the next call.
 */
enum ckpt_result image_next_leaf(struct ckpt_image *image, struct image_tree *tree,
				 uint64_t *index, uint64_t *end, const void **leaf,
				 struct ckpt_error *e);

/*
 * Every node of a tree, a parent before its children; one that cannot be read is given with its
 * @bad, and nothing below it is seen.  Ends when @visit returns something else than CKPT_DONE.
 */
typedef enum ckpt_result (*image_visit_fn)(void *arg, const struct image_tree *tree,
					   const struct image_node *node, uint64_t index,
					   const struct ckpt_ref *ref);
enum ckpt_result image_walk(struct ckpt_image *image, struct image_tree *tree,
			    image_visit_fn visit, void *arg, struct ckpt_error *e);

/* Keep memory bounded: clean nodes go when there are many.  Nobody holds any. */
void image_trim(struct ckpt_image *image);

/* Leaves of a tree of so many levels. */
static inline uint64_t image_leaves(unsigned int levels)
{
	return UINT64_C(1) << (CKPT_FANOUT_SHIFT * (levels - 1));
}

/* ---- replay: image_replay.c ---- */

/* Apply the journal, whose records and space map are set up.  CKPT_INTEGRITY as the module's. */
enum ckpt_result image_replay(struct ckpt_image *image, struct ckpt_error *e);

/* ---- records: image_items.c ---- */

/* The maps of all layers, before the journal is applied. */
enum ckpt_result image_begin_items(struct ckpt_image *image, struct ckpt_error *e);
/* A record is something else now. */
enum ckpt_result image_change_item(struct ckpt_image *image, const union ckpt_record *record,
				   uint32_t number, struct ckpt_error *e);
/* All items, and how they hang together, afterwards. */
enum ckpt_result image_finish_items(struct ckpt_image *image, struct ckpt_error *e);
void image_drop_items(struct ckpt_image *image);

/*
 * To sort pointers to items: equal are those that must not have the same name, or UUID.  Not all
 * have a name.
 */
int image_by_name(const void *a, const void *b);
int image_by_uuid(const void *a, const void *b);

/* The map of a layer, or NULL. */
struct image_tree *image_map(const struct ckpt_image *image, uint32_t number);

#endif
