// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "dm-ckpt/codec.h"
#include "libckpt/guard.h"
#include "libckpt/super.h"
#include "tool.h"

enum ckpt_result tool_open(struct tool_call *call, const char *path, bool salvage,
			   struct tool_store *store)
{
	struct ckpt_image_options options = { .salvage = salvage, .report = tool_say, .arg = call };
	enum ckpt_result result;
	struct ckpt_source source;

	memset(store, 0, sizeof(*store));
	result = ckpt_file_open(path, &store->file, &call->error);
	if (result)
		return result;
	source = ckpt_file_source(&store->file);
	result = ckpt_image_open(&source, &options, &store->image, &call->error);
	if (result == CKPT_INTEGRITY && !salvage)
		ckpt_fail(&call->error, result,
			  "%s is damaged: %s; 'ckpt_check' says what else is, 'ckpt_repair' saves what can be saved",
			  path, call->error.text);
	else if (result)
		ckpt_fail(&call->error, result, "%s: %s", path, call->error.text);
	return result;
}

void tool_close(struct tool_store *store)
{
	ckpt_image_close(store->image);
	for (int i = 0; i < store->origin_count; i++)
		ckpt_file_close(&store->origins[i]);
	free(store->origins);
	ckpt_file_close(&store->file);
}

/* The base that the user means: by its own UUID, or by a volume or template on it. */
static const struct ckpt_item *find_base(const struct ckpt_image *image, const char *name,
					 struct ckpt_error *e)
{
	uint8_t uuid[CKPT_UUID_BYTES];
	const struct ckpt_item *item;

	if (ckpt_uuid_parse(name, uuid))
		ckpt_image_for_each(image, item)
			if (item->type == CKPT_RECORD_BASE &&
			    !memcmp(item->uuid, uuid, sizeof(uuid)))
				return item;
	if (ckpt_image_find(image, name, &item, e))
		return NULL;
	item = ckpt_image_base(image, item);
	if (!item)
		ckpt_fail(e, CKPT_NOT_FOUND, "'%s' has no base that an origin could be for", name);
	return item;
}

/* The only base there is. */
static const struct ckpt_item *only_base(const struct ckpt_image *image, struct ckpt_error *e)
{
	const struct ckpt_item *item, *base = NULL;

	ckpt_image_for_each(image, item) {
		if (item->type != CKPT_RECORD_BASE)
			continue;
		if (base) {
			ckpt_fail(e, CKPT_USAGE, "the store has several bases; write --origin VOLUME=DEVICE for each");
			return NULL;
		}
		base = item;
	}
	if (!base)
		ckpt_fail(e, CKPT_NOT_FOUND, "the store has no base that an origin could be for");
	return base;
}

static enum ckpt_result add_origin(struct tool_call *call, struct tool_store *store,
				   const char *text)
{
	const char *equals = strchr(text, '=');
	struct ckpt_file *file = &store->origins[store->origin_count];
	const struct ckpt_item *base;
	enum ckpt_result result;
	struct ckpt_source source;
	char name[300];

	if (equals && (size_t)(equals - text) < sizeof(name)) {
		memcpy(name, text, (size_t)(equals - text));
		name[equals - text] = '\0';
		base = find_base(store->image, name, &call->error);
		text = equals + 1;
	} else {
		base = only_base(store->image, &call->error);
	}
	if (!base)
		return call->error.result;
	result = ckpt_file_open(text, file, &call->error);
	if (result)
		return result;
	store->origin_count++;
	source = ckpt_file_source(file);
	return ckpt_image_origin(store->image, base->uuid, &source, &call->error);
}

enum ckpt_result tool_origins(struct tool_call *call, struct tool_store *store)
{
	enum ckpt_result result = CKPT_DONE;

	store->origins = calloc((size_t)call->repeated_count + 1, sizeof(*store->origins));
	if (!store->origins)
		return ckpt_fail(&call->error, CKPT_FAILED, "there is not enough memory");
	for (int i = 0; !result && i < call->repeated_count; i++)
		result = add_origin(call, store, call->repeated[i]);
	return result;
}

/* What is there may be more than a file: a store, and one that a host has open. */
static void warn_of_guard(struct tool_call *call, const char *path)
{
	struct ckpt_super_facts super;
	struct ckpt_guard_facts guard;
	uint8_t uuid[CKPT_UUID_BYTES];
	struct ckpt_source source;
	struct ckpt_error ignored;
	struct ckpt_file file;
	char text[256];

	if (ckpt_file_open(path, &file, &ignored))
		return;
	source = ckpt_file_source(&file);
	if (!ckpt_super_read(file.fd, &super, &ignored) && ckpt_uuid_parse(super.uuid, uuid)) {
		ckpt_guard_read(&source, uuid, &guard);
		ckpt_guard_sentence(&guard, text, sizeof(text));
		if (guard.says == CKPT_GUARD_SAYS_OPEN)
			ckpt_fail(&call->error, CKPT_BUSY,
				  "%s is there already, and is a store: %s; --force overwrites it",
				  path, text);
	}
	ckpt_file_close(&file);
}

enum ckpt_result tool_file_create(struct tool_call *call, const char *path, uint64_t sectors,
				  bool force, struct ckpt_file *file)
{
	enum ckpt_result result = ckpt_file_create(path, sectors, force, file, &call->error);

	if (result == CKPT_BUSY && !force)
		warn_of_guard(call, path);
	return result;
}

enum ckpt_result tool_create(struct tool_call *call, const char *path, uint64_t sectors,
			     bool force, const struct tool_store *store, struct ckpt_file *file)
{
	enum ckpt_result result = tool_file_create(call, path, sectors, force, file);
	bool is_same = !result && ckpt_file_same(file, &store->file);

	for (int i = 0; !result && i < store->origin_count; i++)
		is_same |= ckpt_file_same(file, &store->origins[i]);
	if (!is_same)
		return result;
	ckpt_file_close(file);
	return ckpt_fail(&call->error, CKPT_USAGE, "%s is read from, and cannot be the output", path);
}
