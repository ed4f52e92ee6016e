// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, and the history of a sector.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "evlog.h"
#include "report.h"
#include "util.h"

#define HISTORY		24

volatile bool failed;

static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[HISTORY][200];
static unsigned int nr_lines;

void note(const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&report_lock);
	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
	fflush(stdout);
	pthread_mutex_unlock(&report_lock);
}

void history(const char *fmt, ...)
{
	char *line;
	va_list ap;
	int n;

	pthread_mutex_lock(&report_lock);
	line = lines[nr_lines++ % HISTORY];
	n = snprintf(line, sizeof(lines[0]), "@%llu ", (unsigned long long)ev_now());
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(lines[0]) - n, fmt, ap);
	va_end(ap);
	if (cfg.verbose) {
		printf("# %s\n", line);
		fflush(stdout);
	}
	pthread_mutex_unlock(&report_lock);
}

void failure(const char *fmt, ...)
{
	va_list ap;
	bool first;

	pthread_mutex_lock(&report_lock);
	first = !failed;
	failed = true;
	fputs("# FAILURE: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
	if (first) {
		printf("# repeat with: %s\n", command_line());
		puts("# the last commands:");
		for (unsigned int i = 0; i < HISTORY; i++) {
			const char *l = lines[(nr_lines + i) % HISTORY];

			if (*l)
				printf("#   %s\n", l);
		}
	}
	fflush(stdout);
	pthread_mutex_unlock(&report_lock);
}

void op_print(const char *prefix, const struct op *op)
{
	char durable[40] = "";

	if (op->durable)
		snprintf(durable, sizeof(durable), ", durable by @%llu",
			 (unsigned long long)op->durable);
	note("%s op %u: %s of v%u sector %llu +%u by thread %u, @%llu to @%llu%s%s", prefix,
	     op->id, op_names[op->type], op->vol, (unsigned long long)op->sector,
	     op->len, op->thread, (unsigned long long)op->start,
	     (unsigned long long)op->end, op->end ? "" : " (not completed)", durable);
}

void sector_history(uint64_t sector)
{
	unsigned int left = 10;

	note("  operations on sector %llu, newest first:", (unsigned long long)sector);
	for (uint32_t id = op_last(); id && left; id--) {
		const struct op *op = op_get(id);

		if (!op || sector < op->sector || sector >= op->sector + op->len)
			continue;
		op_print("   ", op);
		left--;
	}
}
