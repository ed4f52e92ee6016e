// SPDX-License-Identifier: GPL-2.0-only
/* All of them as one group, so that there is one plan in the TAP output. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_tests.h"

static struct CMUnitTest tests[256];
static size_t count;

static void add(const struct CMUnitTest *more, size_t n)
{
	memcpy(tests + count, more, n * sizeof(*more));
	count += n;
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	setlocale(LC_ALL, "C.UTF-8");
	add(ctl_units_tests, ctl_units_count);
	add(ctl_model_tests, ctl_model_count);
	add(ctl_tree_tests, ctl_tree_count);
	add(ctl_host_tests, ctl_host_count);
	add(ctl_command_tests, ctl_command_count);
	add(ctl_merge_tests, ctl_merge_count);
	return _cmocka_run_group_tests("ctl", tests, count, NULL, NULL);
}
