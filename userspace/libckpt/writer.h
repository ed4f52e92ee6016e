/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store is written anew: first what its data take is reserved, then trees are built from their
 * leaves, in places that are free, and at the very end the superblocks name them.  Until then what
 * was there before may be damaged, but is no store.
 */
#ifndef LIBCKPT_WRITER_H
#define LIBCKPT_WRITER_H

#include "dm-ckpt/slot.h"
#include "image.h"

struct ckpt_writer;

/*
 * @super has UUID, geometry, features, epoch, sequence, times and the number of the next journal
 * block in journal_seq; all else is made here.  CKPT_USAGE if no store is like that, or the file
 * has not as many sectors.
 */
enum ckpt_result ckpt_writer_new(const struct ckpt_file *file, const struct ckpt_super *super,
				 struct ckpt_writer **writer, struct ckpt_error *e);
void ckpt_writer_free(struct ckpt_writer *writer);

const struct ckpt_geometry *ckpt_writer_geometry(const struct ckpt_writer *writer);

/*
 * The units that the slot's present blocks touch are in use.  CKPT_BUSY if any is already,
 * CKPT_USAGE if the slot is impossible; then none of them is reserved.
 */
enum ckpt_result ckpt_writer_reserve(struct ckpt_writer *writer, const struct ckpt_state *slot,
				     struct ckpt_error *e);

/* Reserve them at another place, which the slot has then.  CKPT_FAILED: no space. */
enum ckpt_result ckpt_writer_move(struct ckpt_writer *writer, struct ckpt_state *slot,
				  struct ckpt_error *e);

/* After all that is reserved: the map of a layer, its slots in their order. */
enum ckpt_result ckpt_writer_slot(struct ckpt_writer *writer, uint64_t cluster,
				  const struct ckpt_state *slot, struct ckpt_error *e);
/* The map is through; its root, which may be nothing. */
enum ckpt_result ckpt_writer_layer(struct ckpt_writer *writer, struct ckpt_ref *root,
				   struct ckpt_error *e);

/* Records in the order of their numbers, which they have in their heads; after all maps. */
enum ckpt_result ckpt_writer_record(struct ckpt_writer *writer, const union ckpt_record *record,
				    struct ckpt_error *e);

/* The space map, an empty journal, and the superblocks; all is on the medium then. */
enum ckpt_result ckpt_writer_finish(struct ckpt_writer *writer, struct ckpt_error *e);

/* The record that an item was made of, but for the root of a map. */
void ckpt_item_record(const struct ckpt_item *item, union ckpt_record *record);

#endif
