/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model's access to devices, with libckpt's reader in the place of the kernel: stores,
 * volumes and views of the disks of a crash state, which can be read and nothing else.
 */
#ifndef CRASH_READER_H
#define CRASH_READER_H

#include "../model/dmdev.h"
#include "disks.h"

extern const struct dm_access dm_reader;

/* What the next store and the next origins are on. */
void reader_use(const struct disks *d);

/* Is the store that is open in order, down to the owner of each unit?  Reports what is not. */
bool reader_check(void);

#endif
