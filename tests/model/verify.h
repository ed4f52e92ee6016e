/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read volumes and checkpoints and hold them against the model.
 */
#ifndef MODEL_VERIFY_H
#define MODEL_VERIFY_H

#include <stdio.h>

#include "model.h"
#include "stack.h"

#define PIECE		512u	/* sectors read at once */

/* A piece of an active volume, while nobody writes it. */
bool verify_piece(struct vol *v, int fd, uint64_t sector, uint32_t len, void *buf);
/*
 * A write, a discard or zeroes that ended for want of space, and has not been written off yet:
 * whatever of it is there is what the volume has from now on.  @buf has room for all of it.
 */
bool verify_failed(struct vol *v, struct op *op, void *buf);
/* So many units may stand in layers for all of these, and be the same as below; they merge on. */
uint64_t verify_failed_units(void);
/* A piece while others may write it. */
bool verify_racing(struct vol *v, int fd, uint64_t sector, uint32_t len, void *buf);
/* A whole active volume, beside its users. */
bool verify_vol(struct vol *v);

/* A checkpoint by a view that is open, or by one for the purpose. */
bool verify_view(const struct view *w);
bool verify_ckpt(struct ckpt *ck);
/* Several at a time. */
bool verify_views(struct view *w, unsigned int nr);

/* Everything that is there. */
bool verify_all(void);
/* For each volume and checkpoint its name, its size, and a checksum of what it holds. */
bool verify_print(FILE *f);

/*
 * A volume after a crash: every sector as the last flush left it, or as
 * something did that came later.  What is found is the truth from then on.
 * @quiet: only say whether it fits.
 */
bool verify_crashed(struct vol *v, bool quiet);

/* `list` and the model have the same volumes and checkpoints. */
bool verify_list(void);
/* `diff` of two checkpoints of a volume has all that differs. */
bool verify_diff(struct ckpt *a, struct ckpt *b);
/* The base itself, as the volume that owns it was when it was closed. */
bool verify_base(struct base *b, const struct map *m, uint64_t size);

#endif
