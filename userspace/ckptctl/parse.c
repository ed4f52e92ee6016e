// SPDX-License-Identifier: GPL-2.0-only
/* From the words of a command line to the command that is meant. */
#include <getopt.h>
#include <string.h>

#include "cli.h"

#ifndef CKPT_RELEASE
#define CKPT_RELEASE "unknown"
#endif

/* getopt's tables out of ours; all options are known to it, wherever they stand. */
static void make_getopt(struct option longs[OPT_COUNT + 1], char shorts[2 * OPT_COUNT + 2])
{
	char *p = shorts;

	*p++ = ':';
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct cli_option *o = &cli_options[id];

		longs[id] = (struct option){
			.name = o->name,
			.has_arg = !o->arg ? no_argument : o->may_lack_arg ?
				   optional_argument : required_argument,
			.val = o->letter ? o->letter : 256 + id,
		};
		if (o->letter) {
			*p++ = o->letter;
			if (o->arg)
				*p++ = ':';
		}
	}
	*p = '\0';
	memset(&longs[OPT_COUNT], 0, sizeof(longs[0]));
}

static enum ckpt_result parse_options(struct cli *cli, int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1];
	char shorts[2 * OPT_COUNT + 2];
	int got;

	make_getopt(longs, shorts);
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (got == ':')
			return ckpt_fail(&cli->c.error, CKPT_USAGE, "option '%s' wants a value", word);
		if (got == '?' && optopt && optopt < 256)
			return ckpt_fail(&cli->c.error, CKPT_USAGE,
					 "there is no option '-%c'; 'ckptctl help' lists them", optopt);
		if (got == '?')
			return ckpt_fail(&cli->c.error, CKPT_USAGE,
					 "option '%s' is unknown, ambiguous or takes no value; 'ckptctl help' lists them",
					 word);
		for (int id = 0; id < OPT_COUNT; id++)
			if (got == longs[id].val)
				cli->option[id] = optarg ? optarg : "";
	}
	return CKPT_DONE;
}

static bool is_verb(const struct cli_command *command, const char *verb)
{
	return !strcmp(command->verb, verb) || (command->alias && !strcmp(command->alias, verb));
}

/* Find the command; *@used becomes the number of words that name it. */
static enum ckpt_result find_command(struct cli *cli, char **word, int count, int *used)
{
	bool noun_known = false;

	for (unsigned int i = 0; i < cli_command_count; i++) {
		const struct cli_command *command = &cli_commands[i];

		if (strcmp(command->noun, word[0]))
			continue;
		noun_known = true;
		if (command->verb && (count < 2 || !is_verb(command, word[1])))
			continue;
		cli->command = command;
		*used = command->verb ? 2 : 1;
		return CKPT_DONE;
	}
	if (!noun_known)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "there is no '%s'; there are store, volume, template, checkpoint, vm and help",
				 word[0]);
	if (count < 2)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "say what to do with a %s; 'ckptctl %s --help' lists what there is",
				 word[0], word[0]);
	return ckpt_fail(&cli->c.error, CKPT_USAGE,
			 "'%s' cannot be done with a %s; 'ckptctl %s --help' lists what can",
			 word[1], word[0], word[0]);
}

static enum ckpt_result check_words(struct cli *cli, int count)
{
	const struct cli_command *command = cli->command;
	const char *verb = command->verb ? command->verb : "";
	uint64_t allowed = command->options | CLI_ALWAYS;
	int least = 0, most = 0;

	for (int id = 0; id < OPT_COUNT; id++)
		if (cli_has(cli, (enum cli_option_id)id) && !(allowed & CLI_BIT(id)))
			return ckpt_fail(&cli->c.error, CKPT_USAGE,
					 "'%s %s' has no option --%s; 'ckptctl %s %s --help' lists those it has",
					 command->noun, verb, cli_options[id].name,
					 command->noun, verb);
	for (int i = 0; i < CLI_ARGS_MAX && command->args[i].name; i++) {
		least += !command->args[i].is_optional;
		most = command->args[i].repeats ? 1 << 30 : most + 1;
	}
	if (count < least)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "'%s %s' wants %s; 'ckptctl %s %s --help' says more", command->noun,
				 verb, command->args[count].name, command->noun, verb);
	if (count > most)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "'%s %s' takes %d arguments at most and got %d",
				 command->noun, verb, most, count);
	return CKPT_DONE;
}

enum ckpt_result cli_run(struct cli *cli, int argc, char **argv)
{
	enum ckpt_result result = parse_options(cli, argc, argv);
	char **word = argv + optind;
	int count = argc - optind, used = 0;

	if (result)
		return result;
	if (cli_has(cli, OPT_VERSION)) {
		puts("ckptctl " CKPT_RELEASE);
		return CKPT_DONE;
	}
	if (cli_has(cli, OPT_HELP))
		return run_help(cli, word, count > 2 ? 2 : count);
	if (!count) {
		cli_help(stderr, NULL, NULL);
		return ckpt_fail(&cli->c.error, CKPT_USAGE, "say what to do");
	}

	result = find_command(cli, word, count, &used);
	if (!result)
		result = check_words(cli, count - used);
	if (result)
		return result;

	cli->c.is_dry = cli_has(cli, OPT_DRY_RUN);
	cli->c.is_verbose = cli_has(cli, OPT_VERBOSE);
	return cli->command->run(cli, word + used, count - used);
}
