// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "points.h"

#define POINT_NAME(id, name) [POINT_##id] = name,
const char *const point_names[POINT_COUNT] = {
	POINTS(POINT_NAME)
};

void point(enum point p)
{
	const char *wanted = getenv("CKPTD_KILL_AT");

	if (wanted && !strcmp(wanted, point_names[p]))
		raise(SIGKILL);
}

bool point_fault(const char *name)
{
	const char *wanted = getenv("CKPTD_FAULT");

	return wanted && !strcmp(wanted, name);
}
