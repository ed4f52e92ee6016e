// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cli.h"

static void put_option_usage(FILE *to, const struct cli_option *o)
{
	fprintf(to, "[--%s", o->name);
	cli_option_arg(to, o);
	fputc(']', to);
}

int cli_option_arg(FILE *to, const struct cli_option *o)
{
	return o->arg ? fprintf(to, o->may_lack_arg ? "[=%s]" : " %s", o->arg) : 0;
}

void cli_usage(FILE *to, const struct cli_command *command)
{
	for (int id = 0; id < OPT_COUNT; id++)
		if (command->options & CLI_BIT(id)) {
			fputc(' ', to);
			put_option_usage(to, &cli_options[id]);
		}
	for (int i = 0; i < CLI_ARGS_MAX && command->args[i].name; i++) {
		const struct cli_arg *arg = &command->args[i];

		fprintf(to, " %s%s%s%s", arg->is_optional ? "[" : "", arg->name,
			arg->repeats ? "..." : "", arg->is_optional ? "]" : "");
	}
}

static void put_option(FILE *to, const struct cli_option *o)
{
	char letter[5] = "    ";
	int width;

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	width = fprintf(to, "  %s--%s", letter, o->name);
	width += cli_option_arg(to, o);
	fprintf(to, "%*s%s\n", width < 28 ? 28 - width : 2, "", o->help);
}

static void put_options(FILE *to, uint64_t options)
{
	for (int id = 0; id < OPT_COUNT; id++)
		if (options & CLI_BIT(id))
			put_option(to, &cli_options[id]);
}

static const char *verb_of(const struct cli_command *command)
{
	return command->verb ? command->verb : "";
}

static void help_command(FILE *to, const struct cli_command *command)
{
	fprintf(to, "usage: ckptctl %s%s%s", command->noun, command->verb ? " " : "",
		verb_of(command));
	cli_usage(to, command);
	fprintf(to, "\n\n%s", command->help);
	if (command->alias)
		fprintf(to, "; also: %s %s", command->noun, command->alias);
	fputc('\n', to);
	if (command->options) {
		fprintf(to, "\nOptions:\n");
		put_options(to, command->options);
	}
	fprintf(to, "\nOptions of all commands:\n");
	put_options(to, CLI_ALWAYS);
}

/* All commands, or those of one noun. */
static void help_commands(FILE *to, const char *noun)
{
	const char *last = "";

	fprintf(to, "usage: ckptctl %s VERB [OPTION...] [ARGUMENT...]\n", noun ? noun : "NOUN");
	for (unsigned int i = 0; i < cli_command_count; i++) {
		const struct cli_command *command = &cli_commands[i];
		int width;

		if (noun && strcmp(command->noun, noun))
			continue;
		if (strcmp(command->noun, last) && command->verb)
			fputc('\n', to);
		last = command->noun;
		width = fprintf(to, "  %s %s", command->noun, verb_of(command));
		for (int j = 0; j < CLI_ARGS_MAX && command->args[j].name; j++)
			width += fprintf(to, "%s%s%s%s%s", j || command->verb ? " " : "",
					 command->args[j].is_optional ? "[" : "",
					 command->args[j].name,
					 command->args[j].repeats ? "..." : "",
					 command->args[j].is_optional ? "]" : "");
		fprintf(to, "%*s%s\n", width < 44 ? 44 - width : 2, "", command->help);
	}
	fprintf(to, "\nOptions of all commands:\n");
	put_options(to, CLI_ALWAYS);
	fprintf(to, "\n'ckptctl NOUN VERB --help' says more about one; see also ckptctl(8).\n");
}

bool cli_help(FILE *to, const char *noun, const char *verb)
{
	for (unsigned int i = 0; noun && i < cli_command_count; i++) {
		const struct cli_command *command = &cli_commands[i];

		if (strcmp(command->noun, noun))
			continue;
		if (!command->verb) {
			help_command(to, command);
			return true;
		}
		if (!verb) {
			help_commands(to, noun);
			return true;
		}
		if (!strcmp(command->verb, verb) ||
		    (command->alias && !strcmp(command->alias, verb))) {
			help_command(to, command);
			return true;
		}
	}
	if (noun)
		return false;
	help_commands(to, NULL);
	return true;
}

enum ckpt_result run_help(struct cli *cli, char **arg, int count)
{
	if (cli_help(stdout, count > 0 ? arg[0] : NULL, count > 1 ? arg[1] : NULL))
		return CKPT_DONE;
	return ckpt_fail(&cli->c.error, CKPT_USAGE,
			 "there is no command '%s%s%s'; 'ckptctl help' lists them", arg[0],
			 count > 1 ? " " : "", count > 1 ? arg[1] : "");
}
