// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct tool *const tools[] = {
	&tool_check, &tool_delta, &tool_dump, &tool_pack, &tool_read, &tool_repair, &tool_restore,
	&tool_unpack,
};

#define TOOLS ((int)(sizeof(tools) / sizeof(tools[0])))

void tool_say(void *arg, const char *sentence)
{
	const struct tool_call *call = arg;

	fprintf(stderr, "%s: %s\n", call->tool->name, sentence);
}

static void put_help(const struct tool *tool)
{
	printf("usage: %s [OPTION...] %s\n\n%s\n\nOptions:\n", tool->name, tool->args, tool->about);
	for (int i = 0; i < TOOL_OPTIONS_MAX && tool->options[i].name; i++) {
		const struct tool_option *o = &tool->options[i];
		int width = printf("  -%c, --%s", *o->name, o->name);

		if (o->arg)
			width += printf(" %s", o->arg);
		printf("%*s%s\n", width < 34 ? 34 - width : 2, "", o->help);
	}
	printf("  -h, --help                      this text\n");
	printf("  -V, --version                   which one it is\n\n");
	printf("The exit status is 0 if all is well, 8 if what stands on the disk is wrong; see ckpt_tools(8).\n");
}

/* The tool's options for getopt. */
static void fill_options(const struct tool *tool, struct option *longs, char *shorts)
{
	int i;

	for (i = 0; i < TOOL_OPTIONS_MAX && tool->options[i].name; i++) {
		longs[i] = (struct option){ tool->options[i].name,
					    tool->options[i].arg ? required_argument : no_argument,
					    NULL, 256 + i };
		*shorts++ = *tool->options[i].name;
		if (tool->options[i].arg)
			*shorts++ = ':';
	}
	longs[i++] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[i++] = (struct option){ "version", no_argument, NULL, 'V' };
	longs[i] = (struct option){ NULL, 0, NULL, 0 };
	strcpy(shorts, "hV");
}

static int option_of(const struct tool *tool, int c)
{
	if (c >= 256)
		return c - 256;
	for (int i = 0; i < TOOL_OPTIONS_MAX && tool->options[i].name; i++)
		if (*tool->options[i].name == c)
			return i;
	return -1;
}

static void take_option(struct tool_call *call, int i)
{
	call->option[i] = optarg ? optarg : "";
	if (!call->tool->options[i].repeats)
		return;
	call->repeated = reallocarray(call->repeated, (size_t)call->repeated_count + 1,
				      sizeof(*call->repeated));
	if (!call->repeated)
		abort();
	call->repeated[call->repeated_count++] = optarg;
}

/* True: it is to be run; else *@status is how it ended. */
static bool parse(struct tool_call *call, int argc, char **argv, int *status)
{
	struct option longs[TOOL_OPTIONS_MAX + 3];
	char shorts[2 * TOOL_OPTIONS_MAX + 3];
	int c;

	*status = CKPT_DONE;
	fill_options(call->tool, longs, shorts);
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h') {
			put_help(call->tool);
			return false;
		}
		if (c == 'V') {
			printf("%s %s\n", call->tool->name, CKPT_RELEASE);
			return false;
		}
		*status = CKPT_USAGE;
		if (c == '?')
			return false;
		*status = CKPT_DONE;
		take_option(call, option_of(call->tool, c));
	}
	argc -= optind;
	if (argc < call->tool->least || argc > call->tool->most) {
		fprintf(stderr, "%s: usage: %s [OPTION...] %s; --help says more\n",
			call->tool->name, call->tool->name, call->tool->args);
		*status = CKPT_USAGE;
		return false;
	}
	for (int i = 0; i < argc; i++)
		call->arg[i] = argv[optind + i];
	return true;
}

static int run(struct tool_call *call, int argc, char **argv)
{
	enum ckpt_result result;
	int status;

	if (!parse(call, argc, argv, &status))
		return status;
	result = call->tool->run(call);
	if (fflush(stdout) || ferror(stdout))
		result = ckpt_fail_errno(&call->error, errno, "the output cannot be written");
	if (result)
		tool_say(call, call->error.text);
	return result;
}

/* By the name that it was called by, or "ckpt_tools check ..." as "ckpt_check ...". */
static const struct tool *find_tool(const char *name)
{
	static const char prefix[] = "ckpt_";

	for (int i = 0; i < TOOLS; i++)
		if (!strcmp(tools[i]->name, name) ||
		    !strcmp(tools[i]->name + strlen(prefix), name))
			return tools[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	struct tool_call call = { .tool = find_tool(name ? name + 1 : argv[0]) };
	int status;

	if (!call.tool && argc > 1) {
		argc--;
		argv++;
		call.tool = find_tool(argv[0]);
	}
	if (!call.tool) {
		fprintf(stderr, "usage: ckpt_tools TOOL [OPTION...] [ARGUMENT...], with one of these:");
		for (int i = 0; i < TOOLS; i++)
			fprintf(stderr, " %s", strchr(tools[i]->name, '_') + 1);
		fprintf(stderr, "\n");
		return CKPT_USAGE;
	}
	argv[0] = (char *)call.tool->name;
	status = run(&call, argc, argv);
	free(call.repeated);
	return status;
}
