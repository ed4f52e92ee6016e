// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libckpt/units.h"
#include "tool.h"

enum { LIST, ORIGIN, SKIP, FORCE, JSON };

#define CHUNK (UINT64_C(1) << 20)

/* ---- the list ---- */

static const char *const types[] = { "", "base", "layer", "volume", "checkpoint" };

static void name_of(const struct ckpt_image *image, const struct ckpt_item *item, char *text,
		    size_t bytes)
{
	const struct ckpt_item *volume = ckpt_image_item(image, item->volume);

	if (item->type == CKPT_RECORD_CHECKPOINT)
		snprintf(text, bytes, "%s@%s", volume ? volume->name : "?", item->name);
	else if (item->type == CKPT_RECORD_BASE && item->flags & CKPT_BASE_TEMPLATE)
		snprintf(text, bytes, "template:%s", item->name);
	else if (item->type == CKPT_RECORD_BASE)
		snprintf(text, bytes, "base of %s", volume ? volume->name : "-");
	else
		snprintf(text, bytes, "%s", item->name);
}

static void list_json(struct json_object *list, const char *name, const struct ckpt_item *item,
		      const char *uuid, const char *base)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(types[item->type]));
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "uuid", json_object_new_string(uuid));
	json_object_object_add(o, "bytes", json_object_new_uint64(item->sectors * CKPT_SECTOR));
	json_object_object_add(o, "created", json_object_new_uint64(item->created));
	json_object_object_add(o, "base_uuid", *base ? json_object_new_string(base) : NULL);
	json_object_array_add(list, o);
}

static void list(const struct tool_call *call, const struct ckpt_image *image)
{
	struct json_object *all = call->option[JSON] ? json_object_new_array() : NULL;
	const struct ckpt_item *item;

	ckpt_image_for_each(image, item) {
		const struct ckpt_item *base = ckpt_image_base(image, item);
		char uuid[CKPT_UUID_CHARS + 1], of[CKPT_UUID_CHARS + 1] = "";
		char name[2 * CKPT_NAME_BYTES + 16], when[CKPT_TEXT_LEN], size[CKPT_TEXT_LEN];

		if (item->type == CKPT_RECORD_LAYER)
			continue;
		name_of(image, item, name, sizeof(name));
		ckpt_uuid_format(item->uuid, uuid);
		if (base)
			ckpt_uuid_format(base->uuid, of);
		if (all)
			list_json(all, name, item, uuid, of);
		else
			printf("%-10s  %-32s  %10s  %s  %s\n", types[item->type], name,
			       ckpt_human(item->sectors * CKPT_SECTOR, size),
			       ckpt_time_utc((int64_t)item->created, when), uuid);
	}
	if (all) {
		printf("%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
		json_object_put(all);
	}
}

/* ---- the content ---- */

struct out {
	struct tool_call *call;
	struct tool_store *store;
	const struct ckpt_item *item;
	struct ckpt_file file;
	bool is_pipe;
	uint8_t *buffer;
	uint64_t lost;		/* sectors */
};

static enum ckpt_result put(struct out *o, uint64_t sector, uint64_t sectors)
{
	size_t bytes = (size_t)sectors * CKPT_SECTOR;
	int err = 0;

	if (o->is_pipe)
		err = fwrite(o->buffer, 1, bytes, stdout) == bytes ? 0 : errno;
	else
		err = ckpt_file_write(&o->file, o->buffer, sector * CKPT_SECTOR, bytes);
	return err ? ckpt_fail_errno(&o->call->error, err, "the output cannot be written") : CKPT_DONE;
}

static enum ckpt_result put_zeros(struct out *o, uint64_t sector, uint64_t sectors)
{
	enum ckpt_result result = CKPT_DONE;

	if (!o->is_pipe) {
		int err = ckpt_file_zero(&o->file, sector * CKPT_SECTOR, sectors * CKPT_SECTOR);

		return err ? ckpt_fail_errno(&o->call->error, err, "the output cannot be written") :
			     CKPT_DONE;
	}
	memset(o->buffer, 0, CHUNK);
	while (sectors && !result) {
		uint64_t part = sectors < CHUNK / CKPT_SECTOR ? sectors : CHUNK / CKPT_SECTOR;

		result = put(o, sector, part);
		sectors -= part;
	}
	return result;
}

/* What cannot be read ends it, or is zeros in the output, as it was asked for. */
static enum ckpt_result put_lost(struct out *o, uint64_t sector, uint64_t sectors)
{
	char text[1280];

	if (o->call->error.result != CKPT_INTEGRITY || !o->call->option[SKIP])
		return o->call->error.result;
	snprintf(text, sizeof(text), "sectors %" PRIu64 " to %" PRIu64 " are lost: %s", sector,
		 sector + sectors - 1, o->call->error.text);
	tool_say(o->call, text);
	o->lost += sectors;
	return put_zeros(o, sector, sectors);
}

/* An extent is read in pieces, and where that fails, sector by sector. */
static enum ckpt_result copy_data(struct out *o, uint64_t sector, uint64_t sectors)
{
	enum ckpt_result result = ckpt_image_read(o->store->image, o->item, sector * CKPT_SECTOR,
						  o->buffer, (size_t)sectors * CKPT_SECTOR,
						  &o->call->error);

	if (!result)
		return put(o, sector, sectors);
	if (result != CKPT_INTEGRITY || sectors == 1 || !o->call->option[SKIP])
		return put_lost(o, sector, sectors);
	result = CKPT_DONE;
	for (uint64_t i = 0; i < sectors && !result; i++)
		result = copy_data(o, sector + i, 1);
	return result;
}

static enum ckpt_result copy(struct out *o)
{
	enum ckpt_result result = CKPT_DONE;
	uint64_t sector = 0;

	while (sector < o->item->sectors && !result) {
		struct ckpt_extent_at x;

		result = ckpt_image_extent(o->store->image, o->item, sector, &x, &o->call->error);
		if (result) {
			result = result == CKPT_INTEGRITY ? put_lost(o, sector, x.sectors) : result;
		} else if (x.place == CKPT_PLACE_ZEROS) {
			result = put_zeros(o, sector, x.sectors);
		} else {
			if (x.sectors > CHUNK / CKPT_SECTOR)
				x.sectors = CHUNK / CKPT_SECTOR;
			result = copy_data(o, sector, x.sectors);
		}
		sector += x.sectors;
	}
	return result;
}

static enum ckpt_result open_out(struct out *o, const char *path)
{
	o->is_pipe = !strcmp(path, "-");
	o->file.fd = -1;
	o->buffer = malloc(CHUNK);
	if (!o->buffer)
		return ckpt_fail(&o->call->error, CKPT_FAILED, "there is not enough memory");
	if (o->is_pipe && isatty(STDOUT_FILENO))
		return ckpt_fail(&o->call->error, CKPT_USAGE, "a disk is nothing for a terminal; name a file");
	if (o->is_pipe)
		return CKPT_DONE;
	return tool_create(o->call, path, o->item->sectors, o->call->option[FORCE], o->store,
			   &o->file);
}

static enum ckpt_result read_item(struct tool_call *call, struct tool_store *store,
				  const char *name, const char *path)
{
	struct out o = { .call = call, .store = store };
	enum ckpt_result result = ckpt_image_find(store->image, name, &o.item, &call->error);

	if (!result)
		result = tool_origins(call, store);
	if (!result)
		result = open_out(&o, path);
	if (!result)
		result = copy(&o);
	if (!result && !o.is_pipe && fsync(o.file.fd))
		result = ckpt_fail_errno(&call->error, errno, "the output cannot be written");
	if (!result && o.lost)
		result = ckpt_fail(&call->error, CKPT_INTEGRITY,
				   "%" PRIu64 " sectors of %s could not be read and are zeros in the output",
				   o.lost, name);
	ckpt_file_close(&o.file);
	free(o.buffer);
	return result;
}

static enum ckpt_result run(struct tool_call *call)
{
	struct tool_store store;
	enum ckpt_result result;

	if (!call->option[LIST] && !call->arg[2])
		return ckpt_fail(&call->error, CKPT_USAGE,
				 "write ckpt_read STORE VOLUME[@CHECKPOINT] FILE, or --list STORE");
	result = tool_open(call, call->arg[0], call->option[SKIP], &store);
	if (!result && call->option[LIST])
		list(call, store.image);
	else if (!result)
		result = read_item(call, &store, call->arg[1], call->arg[2]);
	tool_close(&store);
	return result;
}

const struct tool tool_read = {
	.name = "ckpt_read", .args = "STORE VOLUME[@CHECKPOINT] FILE|-", .least = 1, .most = 3,
	.about = "Get a volume or a checkpoint out of a store that is not active, without the kernel.\n"
		 "The file is sparse where it reads as zeros; a template is template:NAME.",
	.options = {
		[LIST] = { "list", NULL, "show what is in the store", false },
		[ORIGIN] = TOOL_ORIGIN,
		[SKIP] = { "skip-damage", NULL, "also of a damaged store; what is lost becomes zeros", false },
		[FORCE] = TOOL_FORCE,
		[JSON] = { "json", NULL, "the list for programs", false },
	},
	.run = run,
};
