/* SPDX-License-Identifier: GPL-2.0-only */
/* What the offline tools share: one program under several names. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "libckpt/image.h"

#define TOOL_OPTIONS_MAX	8
#define TOOL_ARGS_MAX		3

struct tool_option {
	const char *name;	/* the letter is the first of it */
	const char *arg;	/* NULL: it has none */
	const char *help;
	bool repeats;
};

struct tool;

/* A call of a tool: options by their place in its list, and what else was given. */
struct tool_call {
	const struct tool *tool;
	const char *option[TOOL_OPTIONS_MAX];	/* "": given, without an argument */
	const char **repeated;			/* of the option that repeats */
	int repeated_count;
	const char *arg[TOOL_ARGS_MAX];
	struct ckpt_error error;
};

struct tool {
	const char *name;
	const char *args;	/* as --help shows them; "[" before those that may lack */
	int least, most;	/* of them */
	const char *about;
	struct tool_option options[TOOL_OPTIONS_MAX];
	enum ckpt_result (*run)(struct tool_call *call);
};

extern const struct tool tool_check, tool_delta, tool_dump, tool_pack, tool_read, tool_repair,
			 tool_restore, tool_unpack;

/* A line on stderr, with the tool's name before it; also a ckpt_report_fn, @arg being the call. */
void tool_say(void *arg, const char *sentence);

/* A store in a file, and the origins that --origin has given. */
struct tool_store {
	struct ckpt_file file;
	struct ckpt_image *image;
	struct ckpt_file *origins;
	int origin_count;
};

/*
 * Open the store of argument @path.  Damage is told of; without @salvage it is an error if it
 * would be for the module.
 */
enum ckpt_result tool_open(struct tool_call *call, const char *path, bool salvage,
			   struct tool_store *store);
void tool_close(struct tool_store *store);

/* The options that several have. */
#define TOOL_ORIGIN	{ "origin", "[BASE=]DEVICE", \
			  "what a base is, by its UUID or its volume's name; may be repeated", true }

#define TOOL_FORCE	{ "force", NULL, "overwrite what is there, a device for example", false }

/* ckpt_file_create(), which says when what is there is a store that a host has open. */
enum ckpt_result tool_file_create(struct tool_call *call, const char *path, uint64_t sectors,
				  bool force, struct ckpt_file *file);

/* The same, but nothing that @store reads from. */
enum ckpt_result tool_create(struct tool_call *call, const char *path, uint64_t sectors,
			     bool force, const struct tool_store *store, struct ckpt_file *file);

/* Give the origins of --origin to the image. */
enum ckpt_result tool_origins(struct tool_call *call, struct tool_store *store);

#endif
