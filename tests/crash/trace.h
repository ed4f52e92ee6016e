/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of the recorder (recorder/recorder.h), in memory.  An entry's number is its place in
 * it, from 0, and is the time.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/recorder.h"

#define NEVER		UINT32_MAX
#define MAX_DISKS	9		/* the store, and the model's origins */

struct entry {
	const struct rec_entry *e;
	const void *data;
	uint32_t end;			/* when it ended; of an end: when that began */
};

/* A mark of the model: the events up to this number had ended. */
struct mark {
	uint32_t at;
	uint64_t event;
};

struct trace {
	struct entry *entry;
	uint32_t nr;
	struct mark *mark;
	uint32_t nr_marks;
	/*
	 * When the power may go: each time when something became durable on some disk, and,
	 * several times, while something is on its way of which a part is worse than nothing.
	 */
	uint32_t *moment;
	uint32_t nr_moments;
	uint64_t sectors[MAX_DISKS];	/* 0: there is no such disk */
};

/* 0, or 1 after a message. */
int trace_read(struct trace *t, const char *path);

/* Is it something that changes a disk? */
bool trace_changes(const struct entry *entry);
/* Is it a write of a superblock, of the journal?  Then of how many nodes, else 0. */
unsigned int trace_super(const struct entry *entry);
unsigned int trace_journal(const struct entry *entry);

/*
 * What a power cut right before entry @at leaves to be checked: which of the model's events
 * had ended for certain, and which may have begun.  False: before the first mark.
 */
bool trace_events(const struct trace *t, uint32_t at, uint64_t *ended, uint64_t *begun);

/* What to call it in a message. */
const char *trace_describe(const struct trace *t, uint32_t nr, char *buf, unsigned int size);

#endif
