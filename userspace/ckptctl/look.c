// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <unistd.h>

#include "libckpt/units.h"
#include "look.h"
#include "out.h"

#define BAR_WIDTH	16
#define TELL_SECONDS	0.25
#define RATE_SECONDS	10.0

void look_begin(struct look *l, const struct cli *cli, uint64_t sectors)
{
	*l = (struct look){ .cli = cli, .sectors = sectors, .at.window = RATE_SECONDS };
	meter_look(&l->at, meter_now(), 0);
}

void look_at(void *arg, uint64_t sector)
{
	double now = meter_now();
	struct look *l = arg;
	uint64_t done = sector < l->sectors ? sector : l->sectors;
	char text[CKPT_TEXT_LEN];
	int64_t seconds;

	meter_look(&l->at, now, done);
	if (cli_has(l->cli, OPT_QUIET) || !isatty(STDERR_FILENO) ||
	    (l->is_shown && now - l->told < TELL_SECONDS))
		return;
	l->is_shown = true;
	l->told = now;
	fputs("\r\033[Klooking through the map ", stderr);
	out_bar(stderr, done, l->sectors, BAR_WIDTH);
	seconds = meter_time(l->sectors - done, meter_speed(&l->at));
	if (seconds >= 0)
		fprintf(stderr, " %s left", ckpt_duration((uint64_t)seconds, text));
	fflush(stderr);
}

void look_hide(struct look *l)
{
	if (l->is_shown)
		fputs("\r\033[K", stderr);
	l->is_shown = false;
}
