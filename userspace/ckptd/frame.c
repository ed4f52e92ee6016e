// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "frame.h"

char *frame_room(struct frame *f, size_t *size)
{
	if (!f->bytes)
		f->bytes = malloc(FRAME_MAX);
	*size = FRAME_MAX - f->used;
	return f->bytes ? f->bytes + f->used : NULL;
}

void frame_filled(struct frame *f, size_t size)
{
	f->used += size;
}

const char *frame_first(struct frame *f)
{
	const char *end;

	if (!f->bytes)
		return NULL;
	end = memchr(f->bytes + f->searched, '\0', f->used - f->searched);
	f->searched = end ? (size_t)(end - f->bytes) : f->used;
	return end ? f->bytes : NULL;
}

void frame_drop(struct frame *f)
{
	size_t length;

	if (!frame_first(f))
		return;
	length = f->searched + 1;
	memmove(f->bytes, f->bytes + length, f->used - length);
	f->used -= length;
	f->searched = 0;
	/* Most connections wait most of the time. */
	if (!f->used)
		frame_free(f);
}

bool frame_is_stuck(struct frame *f)
{
	return f->used == FRAME_MAX && !frame_first(f);
}

bool frame_is_partial(struct frame *f)
{
	return f->used && !frame_first(f);
}

void frame_free(struct frame *f)
{
	free(f->bytes);
	memset(f, 0, sizeof(*f));
}
