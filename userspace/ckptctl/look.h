/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a look through a volume's map has come: a line on a terminal, when it takes long. */
#ifndef CKPTCTL_LOOK_H
#define CKPTCTL_LOOK_H

#include "cli.h"
#include "meter.h"

struct look {
	const struct cli *cli;
	uint64_t sectors;		/* of the volume */
	bool is_shown;
	double told;
	struct meter at;		/* sectors that are behind it */
};

void look_begin(struct look *l, const struct cli *cli, uint64_t sectors);

/* It has come to this sector: a ckpt_at_fn, whose @arg is the look. */
void look_at(void *arg, uint64_t sector);

/* Take the line away, for others or at the end. */
void look_hide(struct look *l);

#endif
