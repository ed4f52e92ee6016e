/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every kind of damage that a store can have, one after the other: each structure with a wrong
 * checksum, swapped with another, zeroed; and each field of each structure with a wrong value but
 * right checksums, in the field's own block and in all that refers to it.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAMAGE_TEXT 160

/*
 * Do the @n-th damage to a store that was whole, in memory; @what says which.  False, and nothing
 * is changed: there are no more than @n.
 */
bool damage_apply(uint8_t *bytes, uint64_t sectors, uint64_t n, char what[DAMAGE_TEXT]);

/* Make the checksums right of all that the superblock's trees reach, and of both superblocks. */
void damage_seal(uint8_t *bytes, uint64_t sectors);

/* How many there are of this store. */
uint64_t damage_count(uint8_t *bytes, uint64_t sectors);

#endif
