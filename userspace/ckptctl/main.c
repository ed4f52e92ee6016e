// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <locale.h>

#include "cli.h"

static void warn(const char *sentence)
{
	fprintf(stderr, "ckptctl: %s\n", sentence);
}

int main(int argc, char **argv)
{
	struct cli cli = { .c.warn = warn };
	enum ckpt_result result;

	setlocale(LC_ALL, "");
	result = cli_run(&cli, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		if (!result)
			result = ckpt_fail_errno(&cli.c.error, errno, "the output cannot be written");
	if (result)
		warn(cli.c.error.text);
	return (int)result;
}
