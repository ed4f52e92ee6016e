// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <time.h>

#include "meter.h"

/* Longer than anybody plans for. */
#define TIME_MAX	(100.0 * 365 * 86400)

double meter_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void meter_sleep(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL);
}

static void drop(struct meter *m, unsigned int i)
{
	m->count--;
	memmove(&m->look[i], &m->look[i + 1], (m->count - i) * sizeof(m->look[0]));
}

void meter_look(struct meter *m, double when, uint64_t value)
{
	while (m->count > 1 && when - m->look[0].when > m->window)
		drop(m, 0);
	/* The last look but one makes room if it is too close to those beside it. */
	if (m->count > 1 &&
	    m->look[m->count - 1].when - m->look[m->count - 2].when < m->window / (METER_LOOKS - 2))
		drop(m, m->count - 1);
	if (m->count == METER_LOOKS)
		drop(m, 0);
	m->look[m->count].when = when;
	m->look[m->count++].value = value;
}

double meter_speed(const struct meter *m)
{
	unsigned int last = m->count - 1;
	double span;

	if (m->count < 2)
		return 0;
	span = m->look[last].when - m->look[0].when;
	return span > 0 ? ((double)m->look[last].value - (double)m->look[0].value) / span : 0;
}

int64_t meter_time(uint64_t amount, double speed)
{
	if (speed <= 0 || (double)amount > speed * TIME_MAX)
		return -1;
	return (int64_t)((double)amount / speed + 0.5);
}
