/* SPDX-License-Identifier: GPL-2.0-only */
/* What has changed between two checkpoints. */
#ifndef LIBCKPT_DELTA_H
#define LIBCKPT_DELTA_H

#include "image.h"

/*
 * Sectors @sector to @sector + @sectors may differ.  @place says what the second one has there:
 * zeros, or data in the store or of the origin.  Something else than CKPT_DONE ends it.
 */
typedef enum ckpt_result (*ckpt_delta_fn)(void *arg, uint64_t sector, uint64_t sectors,
					  enum ckpt_place place);

/*
 * Ranges, in their order, in which the content of two volumes or checkpoints may differ: those of
 * which any layer has something that is below the one and not below the other.  Neighbours that
 * the second one has from the same kind of place are one range.  @from NULL: what lies at the
 * bottom, the base or zeros.  CKPT_USAGE if they have not one base in common.
 */
enum ckpt_result ckpt_delta(struct ckpt_image *image, const struct ckpt_item *from,
			    const struct ckpt_item *to, ckpt_delta_fn fn, void *arg,
			    struct ckpt_error *e);

#endif
