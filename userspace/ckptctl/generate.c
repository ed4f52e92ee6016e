// SPDX-License-Identifier: GPL-2.0-only
/* Texts for other programs out of the table of commands. */
#include <string.h>

#include "cli.h"

/* What the script's function _ckptctl_words calls each kind of word. */
static const char *const word_names[] = {
	[WORD_NONE] = "none", [WORD_NEW] = "none", [WORD_SIZE] = "none",
	[WORD_DEVICE] = "device", [WORD_STORE] = "store", [WORD_VOLUME] = "volume",
	[WORD_CHECKPOINT] = "checkpoint", [WORD_TEMPLATE] = "template",
	[WORD_SOURCE] = "source", [WORD_KIND] = "kind", [WORD_GENERATED] = "generated",
	[WORD_MERGE] = "merge", [WORD_NO_SPACE] = "no_space",
	[WORD_VM] = "vm", [WORD_VM_CHECKPOINT] = "vm_checkpoint", [WORD_POLICY] = "policy",
};

static const char bash_words[] =
"# bash completion for ckptctl, made by 'ckptctl generate bash-completion'\n"
"\n"
"# The words of one kind that there are now.\n"
"_ckptctl_words()\n"
"{\n"
"\tcase $1 in\n"
"\tdevice) compgen -f -- \"$2\" ;;\n"
"\tstore) ckptctl store list -o name --no-headings ;;\n"
"\tvolume) ckptctl $3 volume list -o name --no-headings ;;\n"
"\ttemplate) ckptctl $3 template list -o name --no-headings ;;\n"
"\tcheckpoint)\n"
"\t\tckptctl $3 checkpoint list -o volume,name --no-headings |\n"
"\t\twhile read -r volume name; do echo \"$volume@$name\"; done ;;\n"
"\tsource) _ckptctl_words checkpoint \"$2\" \"$3\"; _ckptctl_words template \"$2\" \"$3\" ;;\n"
"\tkind) printf '%s\\n' standard production offline recovery production-only ;;\n"
"\tpolicy) printf '%s\\n' standard production production-only disabled ;;\n"
"\tvm) ckptctl vm list -o name --no-headings ;;\n"
"\tvm_checkpoint)\n"
"\t\tckptctl vm tree \"${plain[2]}\" --json |\n"
"\t\tsed -n 's/^ *\"name\": *\"\\(.*\\)\",\\?$/\\1/p' ;;\n"
"\tmerge) printf '%s\\n' pause resume rate share ;;\n"
"\tno_space) printf '%s\\n' queue error ;;\n"
"\tgenerated) printf '%s\\n' bash-completion man-commands ;;\n"
"\tesac 2>/dev/null\n"
"}\n";

static const char bash_scan[] =
"# Words to choose from, for what stands before the cursor.  Words are cut at\n"
"# blanks only: bash's own words end at '@' too.\n"
"_ckptctl()\n"
"{\n"
"\tlocal line=${COMP_LINE:0:COMP_POINT} cur prev='' word choice store=''\n"
"\tlocal -a words=() plain=() choices=()\n"
"\n"
"\tcur=${line##*[[:blank:]]}\n"
"\tread -ra words <<< \"${line%\"$cur\"}\"\n"
"\tfor word in \"${words[@]:1}\"; do\n"
"\t\tcase $prev in\n"
"\t\t-s|--store) store=\"--store $word\"; prev=''; continue ;;\n"
"\t\tesac\n"
"\t\tif [[ -n $prev ]]; then prev=''; continue; fi\n"
"\t\tcase $word in\n";

static const char bash_reply[] =
"\t\t-*) ;;\n"
"\t\t*) plain+=(\"$word\") ;;\n"
"\t\tesac\n"
"\tdone\n"
"\n"
"\twhile IFS= read -r choice; do\n"
"\t\t[[ $choice == \"$cur\"* ]] && choices+=(\"$choice\")\n"
"\tdone < <(_ckptctl_choices)\n"
"\tif [[ $cur == *@* && $COMP_WORDBREAKS == *@* ]]; then\n"
"\t\tchoices=(\"${choices[@]#\"${cur%\"${cur##*@}\"}\"}\")\n"
"\tfi\n"
"\tCOMPREPLY=(\"${choices[@]}\")\n"
"}\n"
"complete -o filenames -F _ckptctl ckptctl\n";

/* A case label "a|b" for an option's forms. */
static void put_forms(const struct cli_option *o, const char *between)
{
	if (o->letter)
		printf("-%c%s", o->letter, between);
	printf("--%s", o->name);
}

static void put_option_words(uint64_t options)
{
	for (int id = 0; id < OPT_COUNT; id++)
		if (options & CLI_BIT(id))
			printf(" --%s", cli_options[id].name);
}

/* Is the next word its value? */
static bool takes_word(const struct cli_option *o)
{
	return o->arg && !o->may_lack_arg;
}

/* The options after which a value follows. */
static void put_valued(void)
{
	bool any = false;

	printf("\t\t");
	for (int id = 0; id < OPT_COUNT; id++) {
		if (!takes_word(&cli_options[id]))
			continue;
		printf("%s", any ? "|" : "");
		put_forms(&cli_options[id], "|");
		any = true;
	}
	puts(") prev=$word ;;");
}

static bool is_new_noun(unsigned int i)
{
	return !i || strcmp(cli_commands[i].noun, cli_commands[i - 1].noun);
}

/* A function's case for a command: which words come where. */
static void put_command(const struct cli_command *command)
{
	printf("\t'%s%s%s')\n", command->noun, command->verb ? " " : "",
	       command->verb ? command->verb : "");
	printf("\t\toptions='");
	put_option_words(command->options | CLI_ALWAYS);
	printf("'\n\t\tkinds=(");
	for (int i = 0; i < CLI_ARGS_MAX && command->args[i].name; i++)
		printf("%s%s%s", i ? " " : "", word_names[command->args[i].word],
		       command->args[i].repeats ? " more" : "");
	puts(") ;;");
}

/* The function that prints all words that could stand at the cursor. */
static void put_choices(void)
{
	puts("\n# All words that could stand there; uses the variables of _ckptctl.\n"
	     "_ckptctl_choices()\n{\n\tlocal options='' at=$((${#plain[@]} - 2)) last\n"
	     "\tlocal -a kinds=()\n\n\tcase $prev in\n\t'') ;;");
	for (int id = 0; id < OPT_COUNT; id++) {
		if (!takes_word(&cli_options[id]))
			continue;
		printf("\t");
		put_forms(&cli_options[id], "|");
		printf(") _ckptctl_words %s \"$cur\" \"$store\"; return ;;\n",
		       word_names[cli_options[id].word]);
	}
	printf("\tesac\n\n\tcase ${#plain[@]} in\n\t0) printf '%%s\\n'");
	for (unsigned int i = 0; i < cli_command_count; i++)
		if (is_new_noun(i))
			printf(" %s", cli_commands[i].noun);
	printf("; [[ $cur == -* ]] && printf '%%s\\n'");
	put_option_words(CLI_ALWAYS);
	puts("; return ;;\n\tesac\n\tcase ${plain[*]} in");
	for (unsigned int i = 0; i < cli_command_count; i++) {
		if (!is_new_noun(i) || !cli_commands[i].verb)
			continue;
		printf("\t%s) printf '%%s\\n'", cli_commands[i].noun);
		for (unsigned int j = i; j < cli_command_count; j++)
			if (!strcmp(cli_commands[j].noun, cli_commands[i].noun))
				printf(" %s", cli_commands[j].verb);
		puts("; return ;;");
	}
	puts("\tesac\n\tcase \"${plain[0]} ${plain[1]}\" in");
	for (unsigned int i = 0; i < cli_command_count; i++)
		if (cli_commands[i].verb)
			put_command(&cli_commands[i]);
	puts("\tgenerate*) at=$((at + 1)) kinds=(generated) ;;\n\tesac\n"
	     "\tif [[ $cur == -* ]]; then printf '%s\\n' $options; return; fi\n"
	     "\tlast=$((${#kinds[@]} - 1))\n"
	     "\t((last < 0)) && return\n"
	     "\tif [[ ${kinds[last]} == more ]]; then\n"
	     "\t\t((at < last)) || at=$((last - 1))\n"
	     "\telif ((at > last)); then\n\t\treturn\n\tfi\n"
	     "\t_ckptctl_words \"${kinds[at]}\" \"$cur\" \"$store\"\n}\n");
}

static void generate_bash(void)
{
	fputs(bash_words, stdout);
	put_choices();
	fputs(bash_scan, stdout);
	put_valued();
	fputs(bash_reply, stdout);
}

/* reStructuredText takes these for markup. */
static void put_rst(const char *text)
{
	for (; *text; text++) {
		if (strchr("*`|\\_", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void generate_man(void)
{
	for (unsigned int i = 0; i < cli_command_count; i++) {
		const struct cli_command *command = &cli_commands[i];

		printf("``ckptctl %s%s%s", command->noun, command->verb ? " " : "",
		       command->verb ? command->verb : "");
		cli_usage(stdout, command);
		printf("``\n    ");
		put_rst(command->help);
		puts(".\n");
	}
	puts("OPTIONS\n=======\n");
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct cli_option *o = &cli_options[id];

		printf("``");
		put_forms(o, ", ");
		cli_option_arg(stdout, o);
		printf("``\n    ");
		put_rst(o->help);
		puts(".\n");
	}
}

enum ckpt_result run_generate(struct cli *cli, char **arg, int count)
{
	(void)count;
	if (!strcmp(arg[0], "bash-completion"))
		generate_bash();
	else if (!strcmp(arg[0], "man-commands"))
		generate_man();
	else
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "'%s' cannot be generated; bash-completion and man-commands can",
				 arg[0]);
	return CKPT_DONE;
}
