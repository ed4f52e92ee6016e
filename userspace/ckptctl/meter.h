/* SPDX-License-Identifier: GPL-2.0-only */
/* How fast a number changes, from what it was when somebody looked. */
#ifndef CKPTCTL_METER_H
#define CKPTCTL_METER_H

#include <stdint.h>

#define METER_LOOKS 32

struct meter {
	double window;			/* seconds that count as now */
	unsigned int count;
	struct {
		double when;
		uint64_t value;
	} look[METER_LOOKS];		/* oldest first */
};

/* Seconds, on a clock that nobody sets. */
double meter_now(void);

void meter_sleep(double seconds);

void meter_look(struct meter *m, double when, uint64_t value);

/* Change in a second over the window; 0 before there are two looks. */
double meter_speed(const struct meter *m);

/* Seconds that @amount takes at @speed, or -1 if that cannot be told. */
int64_t meter_time(uint64_t amount, double speed);

#endif
