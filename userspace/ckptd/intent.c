// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "durable.h"
#include "intent.h"
#include "json_stream.h"

#define SCHEMA		"dm-ckpt.vm-going-back.v1"
#define TEXT_MAX	4096u

static const char *const stages[INTENT_STAGES] = {
	[INTENT_GOING] = "going", [INTENT_BACK] = "back", [INTENT_LOADED] = "loaded",
};

static void path_of(const char *directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/going-back.json", directory);
}

enum ckpt_result intent_write(const char *directory, const struct intent *i, struct ckpt_error *e)
{
	struct json_object *root = json_object_new_object();
	enum ckpt_result result;
	char path[PATH_MAX];
	const char *text;

	json_object_object_add(root, "schema", json_object_new_string(SCHEMA));
	json_object_object_add(root, "checkpoint", json_object_new_string(i->checkpoint));
	json_object_object_add(root, "stage", json_object_new_string(stages[i->stage]));
	json_object_object_add(root, "disks_only", json_object_new_boolean(i->disks_only));
	json_object_object_add(root, "paused", json_object_new_boolean(i->paused));
	path_of(directory, path);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY);
	result = durable_write(path, text, strlen(text), 0600, false, e);
	json_object_put(root);
	return result;
}

static bool get_flag(struct json_object *root, const char *key, bool *flag)
{
	struct json_object *found;

	if (!json_object_object_get_ex(root, key, &found) ||
	    !json_object_is_type(found, json_type_boolean))
		return false;
	*flag = json_object_get_boolean(found);
	return true;
}

static bool from_json(struct json_object *root, struct intent *i)
{
	const char *schema, *checkpoint, *stage;

	memset(i, 0, sizeof(*i));
	if (!json_object_is_type(root, json_type_object))
		return false;
	schema = json_stream_text(root, "schema");
	checkpoint = json_stream_text(root, "checkpoint");
	stage = json_stream_text(root, "stage");
	if (!schema || strcmp(schema, SCHEMA) || !checkpoint || !ckpt_is_uuid(checkpoint) || !stage)
		return false;
	strcpy(i->checkpoint, checkpoint);
	while (i->stage < INTENT_STAGES && strcmp(stage, stages[i->stage]))
		i->stage++;
	return i->stage < INTENT_STAGES && get_flag(root, "disks_only", &i->disks_only) &&
	       get_flag(root, "paused", &i->paused);
}

enum ckpt_result intent_read(const char *directory, struct intent *i, struct ckpt_error *e)
{
	struct json_object *root;
	enum ckpt_result result;
	char path[PATH_MAX];
	size_t length;
	char *text;

	path_of(directory, path);
	result = durable_read(path, TEXT_MAX, &text, &length, e);
	if (result)
		return result;
	root = json_tokener_parse(text);
	if (!from_json(root, i))
		result = ckpt_fail(e, CKPT_INTEGRITY,
				   "%s is damaged, or of another release: which checkpoint the machine was going back to is not known; go back to one, or remove that file",
				   path);
	json_object_put(root);
	free(text);
	return result;
}

enum ckpt_result intent_clear(const char *directory, struct ckpt_error *e)
{
	char path[PATH_MAX];

	path_of(directory, path);
	if (access(path, F_OK) && errno == ENOENT)
		return CKPT_DONE;
	return durable_unlink(path, e);
}
