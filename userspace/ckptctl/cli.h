/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line: one static table of commands and one of options drive
 * parsing, --help, the man page's list of commands and bash's completion.
 */
#ifndef CKPTCTL_CLI_H
#define CKPTCTL_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "libckpt/dm.h"
#include "libckpt/store.h"

/* What a word of the command line stands for; completion wants to know. */
enum cli_word {
	WORD_NONE,
	WORD_NEW,		/* a name that is not there yet, or a number */
	WORD_SIZE,
	WORD_DEVICE,		/* a path */
	WORD_STORE,
	WORD_VOLUME,
	WORD_CHECKPOINT,	/* volume@checkpoint */
	WORD_TEMPLATE,
	WORD_SOURCE,		/* volume@checkpoint or a template */
	WORD_KIND,
	WORD_GENERATED,		/* what "generate" can make */
	WORD_MERGE,		/* what can be done with the merge */
	WORD_NO_SPACE,		/* what writes do where there is no space */
	WORD_VM,
	WORD_VM_CHECKPOINT,	/* of the machine that is the word before */
	WORD_POLICY,
};

enum cli_option_id {
	OPT_HELP, OPT_VERSION, OPT_STORE, OPT_JSON, OPT_QUIET, OPT_VERBOSE,
	OPT_FIELDS, OPT_NO_HEADINGS, OPT_BYTES,
	OPT_YES, OPT_DRY_RUN,
	OPT_FORCE, OPT_NAME, OPT_BLOCK_SIZE, OPT_JOURNAL_SIZE, OPT_CACHE_MB,
	OPT_COMMIT_MS, OPT_NO_GUARD, OPT_GUARD_INTERVAL, OPT_READ_ONLY, OPT_ALL, OPT_TIMEOUT,
	OPT_ORIGIN, OPT_OPEN, OPT_WITH_CHECKPOINTS,
	OPT_KIND, OPT_FREEZE, OPT_SAVE_CURRENT, OPT_SUBTREE,
	OPT_LOW_WATER, OPT_ERROR_IF_NO_SPACE, OPT_NO_SPACE_TIMEOUT,
	OPT_MERGE_RATE, OPT_MERGE_SHARE, OPT_MERGE_PAUSED, OPT_DISCARD_PASSDOWN,
	OPT_WAIT, OPT_WATCH,
	OPT_POLICY, OPT_QMP, OPT_AGENT, OPT_DIRECTORY, OPT_CONFIG, OPT_QEMU, OPT_ARGS, OPT_NOW,
	OPT_DISKS_ONLY, OPT_PAUSED,
	OPT_COUNT
};

struct cli_option {
	char letter;		/* 0: none */
	const char *name;
	const char *arg;	/* NULL: takes none */
	enum cli_word word;
	const char *help;
	bool may_lack_arg;	/* then it is written --name=ARG, if at all */
};

struct cli_arg {
	const char *name;
	enum cli_word word;
	bool is_optional;
	bool repeats;		/* once or more; only the last */
};

struct cli;

#define CLI_ARGS_MAX 3

struct cli_command {
	const char *noun;
	const char *verb;	/* NULL: the noun is all */
	const char *alias;	/* another verb, or NULL */
	struct cli_arg args[CLI_ARGS_MAX];
	uint64_t options;	/* bits of enum cli_option_id, CLI_ALWAYS besides */
	const char *help;	/* one line */
	enum ckpt_result (*run)(struct cli *cli, char **arg, int count);
};

#define CLI_BIT(id)	(UINT64_C(1) << (id))
#define CLI_ALWAYS	(CLI_BIT(OPT_HELP) | CLI_BIT(OPT_VERSION) | CLI_BIT(OPT_STORE) | \
			 CLI_BIT(OPT_JSON) | CLI_BIT(OPT_QUIET) | CLI_BIT(OPT_VERBOSE))

/* How long writes wait for space unless somebody says otherwise, and at most. */
#define CLI_NO_SPACE_SECONDS		60u
#define CLI_NO_SPACE_SECONDS_MAX	(1u << 30)

/* From one sign of life to the next. */
#define CLI_GUARD_SECONDS		2u

/* Indexed by enum cli_option_id. */
extern const struct cli_option cli_options[OPT_COUNT];

extern const struct cli_command cli_commands[];
extern const unsigned int cli_command_count;

struct cli {
	struct ckpt c;
	const struct cli_command *command;
	/* NULL: not given; "" for options without an argument. */
	const char *option[OPT_COUNT];
};

static inline bool cli_has(const struct cli *cli, enum cli_option_id id)
{
	return cli->option[id];
}

/* Do what the words say. */
enum ckpt_result cli_run(struct cli *cli, int argc, char **argv);

/* Help for a noun and verb, either NULL; false if there is no such command. */
bool cli_help(FILE *to, const char *noun, const char *verb);

/* " NAME", "[=NAME]" or nothing; returns its length. */
int cli_option_arg(FILE *to, const struct cli_option *o);

/* "[--force] [--name NAME] DEVICE" */
void cli_usage(FILE *to, const struct cli_command *command);

/* Talk, on stderr, unless --quiet. */
void cli_say(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Ask before something is lost.  --yes and --dry-run answer for themselves; with no
 * terminal to ask on it is CKPT_USAGE, and CKPT_FAILED if the answer is no.
 */
enum ckpt_result cli_confirm(struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * With --json, tell what was done as an object on stdout: pairs of key and text,
 * ended by NULL.  Otherwise nothing.
 */
void cli_done(const struct cli *cli, ...) __attribute__((sentinel));

/*
 * Find the store (@name, or --store, or CKPT_STORE, or the only one) and load what
 * it holds.  ckpt_store_free() it, also after a failure.
 */
enum ckpt_result cli_store(struct cli *cli, const char *name, struct ckpt_store *s);

/* Look something up, with a sentence if it is not there. */
enum ckpt_result cli_volume(struct ckpt_store *s, const char *id,
			    const struct ckpt_volume **v);
enum ckpt_result cli_template(struct ckpt_store *s, const char *id,
			      const struct ckpt_base **base);
enum ckpt_result cli_checkpoint(struct ckpt_store *s, const char *ref,
				const struct ckpt_volume **v,
				const struct ckpt_checkpoint **cp);

/* Refuse a name that is malformed, or that a volume or template has. */
enum ckpt_result cli_new_name(struct ckpt_store *s, const char *name, const char *what);

/* The commands, by file. */
enum ckpt_result run_store_create(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_open(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_close(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_grow(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_list(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_info(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_commit(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_wait(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_status(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_merge(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_no_space(struct cli *cli, char **arg, int count);
enum ckpt_result run_store_low_water(struct cli *cli, char **arg, int count);

enum ckpt_result run_volume_create(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_adopt(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_open(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_close(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_list(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_info(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_resize(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_rename(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_clone(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_limit(struct cli *cli, char **arg, int count);
enum ckpt_result run_volume_delete(struct cli *cli, char **arg, int count);

enum ckpt_result run_template_create(struct cli *cli, char **arg, int count);
enum ckpt_result run_template_list(struct cli *cli, char **arg, int count);
enum ckpt_result run_template_rename(struct cli *cli, char **arg, int count);
enum ckpt_result run_template_delete(struct cli *cli, char **arg, int count);

enum ckpt_result run_checkpoint_create(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_list(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_info(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_tree(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_view(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_unview(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_apply(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_rename(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_delete(struct cli *cli, char **arg, int count);
enum ckpt_result run_checkpoint_diff(struct cli *cli, char **arg, int count);

enum ckpt_result run_vm_add(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_remove(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_list(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_show(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_start(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_stop(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_progress(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_cancel(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_checkpoint(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_tree(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_apply(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_delete(struct cli *cli, char **arg, int count);
enum ckpt_result run_vm_rename(struct cli *cli, char **arg, int count);

enum ckpt_result run_generate(struct cli *cli, char **arg, int count);
enum ckpt_result run_help(struct cli *cli, char **arg, int count);

#endif
