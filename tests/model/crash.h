/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Crashes: make one, and find out afterwards whether all that was promised is
 * there.
 */
#ifndef MODEL_CRASH_H
#define MODEL_CRASH_H

#include <stdbool.h>
#include <stdint.h>

/* End the program at some place where this is called, from this time on. */
void crash_after(uint64_t ms);
void crash_here(void);

/*
 * Say in the disk's log that all has ended that has an event by now; or this word.
 * Two of them after each command: what is between a mark and the second one after
 * it then belongs to one command at most.
 */
void crash_mark(const char *word);

/* Copy the disk below everything to cfg.copy_to at some moment of the next seconds. */
void crash_copy_start(unsigned int ms);
bool crash_copied(void);
bool crash_copy_end(void);

/* The model from the log. */
bool crash_replay(void);
/* ... from where it is up to this event; without @ended, those that end had not ended. */
void crash_replay_to(uint64_t last, bool ended);
/*
 * The store is active: finish or forget the command that the crash interrupted,
 * read everything, and begin a new log with what was found.
 */
bool crash_verify(void);
/* Was a command interrupted, and then found to be done? */
bool crash_interrupted(bool *done);
bool crash_new_log(void);

#endif
