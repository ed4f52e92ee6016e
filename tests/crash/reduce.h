/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A crash state in which something is wrong, made as small as can be: all that was loose is
 * kept, or all is lost, but for as few as possible.
 */
#ifndef CRASH_REDUCE_H
#define CRASH_REDUCE_H

#include "try.h"

/*
 * @d is at the moment of the cut, in which something is wrong.  Prints what is, and what the
 * state is; @save: a folder for it, or NULL.  False: nothing is wrong.
 */
bool reduce(const struct disks *d, struct cut *c, const char *save);

#endif
