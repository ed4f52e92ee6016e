/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages that end with a NUL, out of bytes as they come.  Pure: no descriptor is touched
 * here.
 */
#ifndef CKPTD_FRAME_H
#define CKPTD_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#define FRAME_MAX	65536u	/* bytes of a message, its NUL included */

struct frame {
	char *bytes;		/* FRAME_MAX of them, allocated at first need */
	size_t used;
	size_t searched;	/* so many have no NUL among them */
};

/* Where to read to, and how much at most; NULL: no memory.  0 when a message waits. */
char *frame_room(struct frame *f, size_t *size);

/* So many bytes were read there. */
void frame_filled(struct frame *f, size_t size);

/* The first message that is whole, without being taken away, or NULL. */
const char *frame_first(struct frame *f);

/* Take the first one away. */
void frame_drop(struct frame *f);

/* It is full, and no message has ended in it: none ever will. */
bool frame_is_stuck(struct frame *f);

/* Has a message begun that has not ended? */
bool frame_is_partial(struct frame *f);

void frame_free(struct frame *f);

#endif
