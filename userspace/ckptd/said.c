// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "json_stream.h"
#include "said.h"

/* What read() says. */
static ssize_t take_in(struct said *s)
{
	char bytes[SAID_BYTES / 2];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));
	size_t keep;

	if (n <= 0)
		return n;
	keep = s->used + (size_t)n >= sizeof(s->text) ? sizeof(s->text) - 1 - (size_t)n : s->used;
	memmove(s->text, s->text + s->used - keep, keep);
	memcpy(s->text + keep, bytes, (size_t)n);
	s->used = keep + (size_t)n;
	s->text[s->used] = '\0';
	return n;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)fd;
	(void)events;
	if (!take_in(arg))		/* its end */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

int said_begin(struct said *s, sd_event *event, int fd)
{
	int err;

	*s = (struct said){ .fd = fd };
	err = sd_event_add_io(event, &s->io, fd, EPOLLIN, on_io, s);
	if (err < 0)
		close(fd);
	return err;
}

const char *said_words(struct said *s)
{
	while (s->io && take_in(s) > 0)
		;
	while (s->used && strchr("\r\n ", s->text[s->used - 1]))
		s->text[--s->used] = '\0';
	json_stream_clean(s->text, s->text, sizeof(s->text));
	return s->text;
}

void said_end(struct said *s)
{
	if (!s->io)
		return;
	s->io = sd_event_source_disable_unref(s->io);
	close(s->fd);
}
