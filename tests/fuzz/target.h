/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share: a small store with trees and a journal, that is changed and tried. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* The store, which is whole at first. */
extern struct store fuzz_store;

/* Part of the input; no more than there is. */
struct fuzz_input {
	const uint8_t *bytes;
	size_t left;
};

/* The next bytes as a number, 0 when there are no more. */
uint64_t fuzz_number(struct fuzz_input *in, size_t bytes);

/* Copy the next bytes, @most at the most, to @to; returns how many. */
size_t fuzz_take(struct fuzz_input *in, void *to, size_t most);

/* Change the fields of a block of 4 KiB: each change is an offset, a length and bytes. */
void fuzz_change(struct fuzz_input *in, void *block, unsigned int changes);

/* Open, read, check and repair the store as it is now, then make it whole again. */
void fuzz_try(void);

#endif
