// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "libckpt/delta.h"
#include "libckpt/units.h"
#include "tool.h"

enum { JSON };

static const char *const places[] = { "zeros", "data", "origin" };

struct ranges {
	const struct tool_call *call;
	uint64_t count, bytes;
};

static enum ckpt_result put_range(void *arg, uint64_t sector, uint64_t sectors,
				  enum ckpt_place place)
{
	struct ranges *r = arg;
	uint64_t offset = sector * CKPT_SECTOR, bytes = sectors * CKPT_SECTOR;

	/* Printed as they come: there may be more than memory wants to hold. */
	if (r->call->option[JSON])
		printf("%s\n    { \"offset\": %" PRIu64 ", \"length\": %" PRIu64 ", \"content\": \"%s\" }",
		       r->count ? "," : "", offset, bytes, places[place]);
	else
		printf("%20" PRIu64 "  %20" PRIu64 "  %s\n", offset, bytes, places[place]);
	r->count++;
	r->bytes += bytes;
	return CKPT_DONE;
}

/* "-": the base, or zeros. */
static enum ckpt_result find(struct tool_call *call, const struct ckpt_image *image,
			     const char *name, const struct ckpt_item **item)
{
	*item = NULL;
	return strcmp(name, "-") ? ckpt_image_find(image, name, item, &call->error) : CKPT_DONE;
}

static enum ckpt_result put_delta(struct tool_call *call, struct ckpt_image *image,
				  const struct ckpt_item *from, const struct ckpt_item *to)
{
	struct ranges r = { .call = call };
	enum ckpt_result result;

	/* Names have no character that JSON would have to escape. */
	if (call->option[JSON])
		printf("{\n  \"schema\": \"ckpt_delta/1\",\n  \"from\": \"%s\",\n  \"to\": \"%s\",\n  \"ranges\": [",
		       from ? call->arg[1] : "-", call->arg[2]);
	else
		printf("%20s  %20s  CONTENT\n", "OFFSET", "LENGTH");
	result = ckpt_delta(image, from, to, put_range, &r, &call->error);
	/* What is cut off is no JSON, so nobody takes it for all. */
	if (call->option[JSON] && !result)
		printf("\n  ],\n  \"bytes\": %" PRIu64 "\n}\n", r.bytes);
	return result;
}

static enum ckpt_result run(struct tool_call *call)
{
	const struct ckpt_item *from, *to;
	struct tool_store store;
	enum ckpt_result result = tool_open(call, call->arg[0], false, &store);

	if (!result)
		result = find(call, store.image, call->arg[1], &from);
	if (!result)
		result = ckpt_image_find(store.image, call->arg[2], &to, &call->error);
	if (!result)
		result = put_delta(call, store.image, from, to);
	tool_close(&store);
	return result;
}

const struct tool tool_delta = {
	.name = "ckpt_delta", .args = "STORE VOLUME[@CHECKPOINT]|- VOLUME[@CHECKPOINT]",
	.least = 3, .most = 3,
	.about = "Ranges, in bytes, in which the second may differ from the first: between two checkpoints,\n"
		 "or a checkpoint and its volume, or, with -, from the base or zeros.",
	.options = {
		[JSON] = { "json", NULL, "for programs", false },
	},
	.run = run,
};
