// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libckpt/dump.h"
#include "tool.h"

/* ---- ckpt_dump ---- */

enum { OUTPUT, SALVAGE, NODES };

static enum ckpt_result dump_to(struct tool_call *call, struct ckpt_image *image)
{
	const char *path = call->option[OUTPUT];
	FILE *to = path ? fopen(path, "we") : stdout;
	enum ckpt_result result;

	if (!to)
		return ckpt_fail_errno(&call->error, errno, "%s cannot be written", path);
	result = ckpt_dump(image, to, &call->error);
	if (!result && call->option[NODES])
		result = ckpt_dump_nodes(image, to, &call->error);
	if (path && fclose(to) && !result)
		result = ckpt_fail_errno(&call->error, errno, "%s cannot be written", path);
	return result;
}

static enum ckpt_result run_dump(struct tool_call *call)
{
	struct tool_store store;
	enum ckpt_result result = tool_open(call, call->arg[0], call->option[SALVAGE], &store);

	if (!result)
		result = dump_to(call, store.image);
	tool_close(&store);
	return result;
}

const struct tool tool_dump = {
	.name = "ckpt_dump", .args = "STORE", .least = 1, .most = 1,
	.about = "The metadata of a store that is not active, as text; ckpt_restore makes them again.",
	.options = {
		[OUTPUT] = { "output", "FILE", "write there, not on stdout", false },
		[SALVAGE] = { "salvage", NULL, "what can be read of a damaged store, to look at it", false },
		[NODES] = { "nodes", NULL, "also where the nodes stand, as comments", false },
	},
	.run = run_dump,
};

/* ---- ckpt_restore ---- */

enum { FORCE };

/* The text is read twice, so a pipe's is kept. */
static FILE *open_text(const char *path, struct ckpt_error *e)
{
	FILE *from = strcmp(path, "-") ? fopen(path, "re") : stdin, *copy;
	char buffer[65536];
	size_t got;

	if (!from)
		ckpt_fail_errno(e, errno, "%s cannot be opened", path);
	if (!from || !fseek(from, 0, SEEK_SET))
		return from;
	copy = tmpfile();
	while (copy && (got = fread(buffer, 1, sizeof(buffer), from)))
		if (fwrite(buffer, 1, got, copy) != got)
			break;
	if (copy && !ferror(from) && !ferror(copy) && !fflush(copy))
		return copy;
	ckpt_fail_errno(e, errno, "the text cannot be kept");
	if (copy)
		fclose(copy);
	return NULL;
}

static enum ckpt_result run_restore(struct tool_call *call)
{
	FILE *from = open_text(call->arg[0], &call->error);
	struct ckpt_file file = { .fd = -1 };
	enum ckpt_result result;
	uint64_t sectors;

	if (!from)
		return call->error.result;
	result = ckpt_restore_sectors(from, &sectors, &call->error);
	if (!result)
		result = tool_file_create(call, call->arg[1], sectors, call->option[FORCE],
					  &file);
	if (!result)
		result = ckpt_restore(from, &file, &call->error);
	ckpt_file_close(&file);
	fclose(from);
	return result;
}

const struct tool tool_restore = {
	.name = "ckpt_restore", .args = "TEXT|- STORE", .least = 2, .most = 2,
	.about = "Make the metadata that ckpt_dump has written.  Where data stand is in the text, so on\n"
		 "a copy of the store this is the store again; in a new file it has no data.",
	.options = {
		[FORCE] = TOOL_FORCE,
	},
	.run = run_restore,
};
