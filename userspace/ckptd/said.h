/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program says on its stderr: the end of that, for a person to read. */
#ifndef CKPTD_SAID_H
#define CKPTD_SAID_H

#include <stddef.h>
#include <systemd/sd-event.h>

#define SAID_BYTES	600u

struct said {
	sd_event_source *io;		/* NULL: nobody listens */
	int fd;
	char text[SAID_BYTES];
	size_t used;
};

/*
 * From now on read what comes from @fd, which does not block and is ours to close.  A
 * negative errno, and then it is closed.
 */
int said_begin(struct said *s, sd_event *event, int fd);

/*
 * All that was said so far, in one line and with nothing in it that a terminal obeys; "" for
 * nothing.  For who has just seen the program end.
 */
const char *said_words(struct said *s);

/* Nobody listens any more.  Twice is fine, and so is one that never began and is all zeros. */
void said_end(struct said *s);

#endif
