/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of the test, and its memory across a crash.
 *
 * Everything that starts or ends gets an event, and the event's number is its
 * time: what ended with a lower number than something else started came before
 * it.  With a log, the events also go to a mapped file, which may be memory that
 * the host shares with a test machine: a plain store is all it takes to keep an
 * event.
 *
 * The file has two halves.  A run appends to one; after a crash the state that
 * was found goes to the other, and the header then says that this is the log.
 */
#ifndef MODEL_EVLOG_H
#define MODEL_EVLOG_H

#include <stdbool.h>
#include <stdint.h>

enum ev_type {
	EV_NONE,
	/* state at the beginning */
	EV_BASE,	/* a base, b size, c flags */
	EV_VOL,		/* a volume, b size, c base + 1, d revision of its name */
	EV_CKPT,	/* a checkpoint, b size, c volume | group << 32, d revision */
	EV_OPS,		/* a number of an operation: the next ones are above */
	EV_SET_BASE,	/* a base, b sector, c sectors, d value */
	EV_SET_VOL,	/* a volume, ... */
	EV_SET_CKPT,	/* a checkpoint, ... */
	EV_RESOLVED,	/* a checkpoint: what was uncertain in it has been set */
	/* what happened */
	EV_WRITE,	/* a volume, b sector, c sectors | type << 32 | thread << 40, d op */
	EV_DONE,	/* a volume, b durable, d op */
	EV_FLUSH,	/* a volume */
	EV_FLUSHED,	/* a volume, b number of the EV_FLUSH */
	EV_CMD,		/* a command | base + 1 << 8, b volume | checkpoint << 32, c argument, d group */
	EV_END,		/* a whether the command that was begun succeeded */
};

struct event {
	uint32_t type;
	uint32_t a;
	uint64_t b;
	uint64_t c;
	uint32_t d;
	uint32_t check;
};

/* Open the log file; @fresh forgets what is in it.  0 or -errno. */
int evlog_open(const char *path, bool fresh, uint32_t *seed);

/* Append; returns the event's number, which is above 0 and grows. */
uint64_t ev_add(enum ev_type type, uint32_t a, uint64_t b, uint64_t c, uint32_t d);
uint64_t ev_now(void);

/*
 * A crash that the test makes itself: what ended up to @ack must have survived,
 * and what started up to @start may have.  Without it both are the log's end.
 */
void evlog_set_cut(uint64_t ack, uint64_t start);
void evlog_get_cut(uint64_t *ack, uint64_t *start);

/* The event with this number, or NULL at the end. */
const struct event *evlog_get(uint64_t nr);

/* Let time go on at @nr; nothing is written until the other half begins. */
void evlog_seek(uint64_t nr);

/* Events on a volume (or of commands) up to @last, for messages. */
void evlog_print(uint32_t vol, uint64_t last, unsigned int nr);

/* Begin the other half, write the state there, then switch over. */
void evlog_begin_half(void);
void evlog_commit_half(void);

#endif
