/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way of a bio: most want nothing but to be sent on as a whole to one place that is
 * known, and that is to cost next to nothing.  Whatever else there is, remap.h sees to.
 */
#ifndef CKPT_PLAIN_H
#define CKPT_PLAIN_H

#include <linux/bio.h>
#include <linux/device-mapper.h>

/* The volume target's map() and end_io(). */
int ckpt_plain_map(struct dm_target *ti, struct bio *bio);
int ckpt_plain_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error);

#endif
