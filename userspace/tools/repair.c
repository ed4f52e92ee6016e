// SPDX-License-Identifier: GPL-2.0-only
#include "libckpt/repair.h"
#include "tool.h"

enum { PARTIAL, FORCE };

static void tell(void *arg, const char *sentence)
{
	(void)arg;
	printf("%s\n", sentence);
}

static enum ckpt_result run(struct tool_call *call)
{
	struct ckpt_repair repair = { .partial = call->option[PARTIAL], .report = tell };
	struct ckpt_file file = { .fd = -1 };
	struct tool_store store;
	enum ckpt_result result = tool_open(call, call->arg[0], true, &store);

	if (!result)
		result = tool_create(call, call->arg[1],
				     ckpt_image_geometry(store.image)->sectors,
				     call->option[FORCE], &store, &file);
	if (!result)
		result = ckpt_repair(store.image, &file, &repair, &call->error);
	ckpt_file_close(&file);
	tool_close(&store);
	return result;
}

const struct tool tool_repair = {
	.name = "ckpt_repair", .args = "STORE NEW", .least = 2, .most = 2,
	.about = "Save every volume and checkpoint of a damaged store that can be read, in a new place,\n"
		 "with metadata and data.  The damaged one is not changed.",
	.options = {
		[PARTIAL] = { "partial", NULL, "save what is damaged, too; what is lost of it becomes zeros", false },
		[FORCE] = TOOL_FORCE,
	},
	.run = run,
};
