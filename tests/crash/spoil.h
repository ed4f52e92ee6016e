/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a power cut does not do by itself, but the format has an answer to.
 */
#ifndef CRASH_SPOIL_H
#define CRASH_SPOIL_H

#include "disks.h"

enum spoil {
	SPOIL_NOTHING,
	SPOIL_SUPER,		/* superblock A rots: B stands in for it */
	SPOIL_SUPER_OLD,	/* ... and B is the one before: the store is refused */
	SPOIL_JOURNAL,		/* the transaction in flight goes on with an earlier activation's */
	SPOIL_KINDS
};

extern const char *const spoil_names[SPOIL_KINDS];

/* Is a transaction of several blocks in flight? */
bool spoil_journal(const struct disks *d);

/* Can it be, in what a cut has left?  Then it is done to it. */
bool spoil(struct disks *d, const uint8_t *fate, enum spoil how);

#endif
