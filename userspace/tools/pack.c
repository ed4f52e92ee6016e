// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libckpt/pack.h"
#include "tool.h"

/* ---- ckpt_pack ---- */

static enum ckpt_result pack_to(struct tool_call *call, struct ckpt_image *image,
				const struct ckpt_source *source)
{
	const char *path = call->arg[1];
	bool is_pipe = !strcmp(path, "-");
	FILE *to = is_pipe ? stdout : fopen(path, "wxe");
	enum ckpt_result result;

	if (is_pipe && isatty(STDOUT_FILENO))
		return ckpt_fail(&call->error, CKPT_USAGE, "this is nothing for a terminal; name a file");
	if (!to)
		return ckpt_fail_errno(&call->error, errno, "%s cannot be made", path);
	result = ckpt_pack(image, source, to, &call->error);
	if (!is_pipe && fclose(to) && !result)
		result = ckpt_fail_errno(&call->error, errno, "%s cannot be written", path);
	return result;
}

static enum ckpt_result run_pack(struct tool_call *call)
{
	struct ckpt_image_options options = { .salvage = true, .without_journal = true };
	struct ckpt_image *image = NULL;
	struct ckpt_source source;
	struct ckpt_file file;
	enum ckpt_result result = ckpt_file_open(call->arg[0], &file, &call->error);

	if (result)
		return result;
	source = ckpt_file_source(&file);
	result = ckpt_image_open(&source, &options, &image, &call->error);
	/* Without a superblock what remains may still say why. */
	if (result == CKPT_INTEGRITY) {
		tool_say(call, call->error.text);
		result = CKPT_DONE;
	}
	if (!result)
		result = pack_to(call, image, &source);
	ckpt_image_close(image);
	ckpt_file_close(&file);
	return result;
}

const struct tool tool_pack = {
	.name = "ckpt_pack", .args = "STORE FILE|-", .least = 2, .most = 2,
	.about = "Pack the metadata of a store, damaged or not, so that they can be sent to somebody.\n"
		 "Names and UUIDs are in it, the content of volumes is not.",
	.run = run_pack,
};

/* ---- ckpt_unpack ---- */

enum { FORCE };

static enum ckpt_result unpack_from(struct tool_call *call, FILE *from)
{
	struct ckpt_file file = { .fd = -1 };
	enum ckpt_result result;
	uint64_t sectors;

	result = ckpt_unpack_sectors(from, &sectors, &call->error);
	if (!result)
		result = tool_file_create(call, call->arg[1], sectors, call->option[FORCE],
					  &file);
	if (!result)
		result = ckpt_unpack(from, &file, &call->error);
	ckpt_file_close(&file);
	return result;
}

static enum ckpt_result run_unpack(struct tool_call *call)
{
	FILE *from = fopen(call->arg[0], "re");
	enum ckpt_result result;

	if (!from)
		return ckpt_fail_errno(&call->error, errno, "%s cannot be opened", call->arg[0]);
	result = unpack_from(call, from);
	fclose(from);
	return result;
}

const struct tool tool_unpack = {
	.name = "ckpt_unpack", .args = "FILE IMAGE", .least = 2, .most = 2,
	.about = "Make a sparse image of what ckpt_pack has packed: all that is looked at is there but data.",
	.options = {
		[FORCE] = TOOL_FORCE,
	},
	.run = run_unpack,
};
