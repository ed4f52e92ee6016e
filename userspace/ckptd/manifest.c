// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "durable.h"
#include "manifest.h"
#include "points.h"

#define SCHEMA		"dm-ckpt.vm-checkpoint.v1"
#define TEXT_MAX	(1u << 20)
#define CONFIG_MAX	(16u << 20)

static const char *const suffixes[] = {
	[MANIFEST_NEW] = ".new", [MANIFEST_WHOLE] = "", [MANIFEST_GONE] = ".gone",
};

void manifest_path(const char *directory, const char *id, enum manifest_state state,
		   const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s%s", directory, id, suffixes[state], file ? "/" : "",
		 file ? file : "");
}

bool manifest_is_noted(const char *directory, const char *id, const char *note)
{
	char path[PATH_MAX];

	manifest_path(directory, id, MANIFEST_NEW, note, path);
	return !access(path, F_OK);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, *text ? json_object_new_string(text) : NULL);
}

static struct json_object *to_json(const struct manifest *m)
{
	struct json_object *root = json_object_new_object(), *array = json_object_new_array();

	add_text(root, "schema", SCHEMA);
	add_text(root, "id", m->id);
	add_text(root, "name", m->name);
	add_text(root, "kind", m->kind);
	json_object_object_add(root, "created", json_object_new_int64(m->created));
	add_text(root, "store", m->store);
	add_text(root, "group", m->group);
	for (size_t i = 0; i < m->volumes; i++)
		json_object_array_add(array, json_object_new_string(m->volume[i]));
	json_object_object_add(root, "volumes", array);
	json_object_object_add(root, "configs", json_object_new_int64((int64_t)m->configs));
	json_object_object_add(root, "memory", json_object_new_boolean(m->has_memory));
	json_object_object_add(root, "paused", json_object_new_boolean(m->is_paused));
	json_object_object_add(root, "memory_bytes", json_object_new_uint64(m->memory_bytes));
	json_object_object_add(root, "standstill_us", json_object_new_uint64(m->standstill_us));
	json_object_object_add(root, "own_us", json_object_new_uint64(m->own_us));
	add_text(root, "way", m->way);
	add_text(root, "note", m->note);
	return root;
}

enum ckpt_result manifest_write(const char *directory, const struct manifest *m,
				enum manifest_state state, struct ckpt_error *e)
{
	struct json_object *root = to_json(m);
	enum ckpt_result result;
	char path[PATH_MAX];
	const char *text;

	manifest_path(directory, m->id, state, "manifest.json", path);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	result = durable_write(path, text, strlen(text), 0600, false, e);
	json_object_put(root);
	return result;
}

enum ckpt_result manifest_begin(const char *directory, struct manifest *m,
				struct ckpt_error *e)
{
	enum ckpt_result result;
	char path[PATH_MAX];
	uuid_t uuid;

	uuid_generate(uuid);
	uuid_unparse_lower(uuid, m->id);
	m->created = time(NULL);
	manifest_path(directory, m->id, MANIFEST_NEW, NULL, path);
	result = durable_folder(path, 0700, e);
	if (!result)
		result = manifest_write(directory, m, MANIFEST_NEW, e);
	if (!result)
		point(POINT_BEGUN);
	return result;
}

enum ckpt_result manifest_copy_configs(const char *directory, struct manifest *m,
				       const struct vm_words *config, struct ckpt_error *e)
{
	enum ckpt_result result = CKPT_DONE;
	char path[PATH_MAX], file[32];

	for (m->configs = 0; !result && m->configs < config->count; m->configs += !result) {
		snprintf(file, sizeof(file), "config-%zu", m->configs);
		manifest_path(directory, m->id, MANIFEST_NEW, file, path);
		result = durable_copy(config->word[m->configs], path, CONFIG_MAX, e);
	}
	if (!result)
		point(POINT_COPIED);
	return result;
}

enum ckpt_result manifest_publish(const char *directory, const struct manifest *m,
				  struct ckpt_error *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	enum ckpt_result result;

	manifest_path(directory, m->id, MANIFEST_NEW, NULL, from);
	manifest_path(directory, m->id, MANIFEST_WHOLE, NULL, to);
	result = durable_sync(from, e);
	if (!result)
		point(POINT_WRITTEN);
	if (!result)
		result = durable_rename(from, to, e);
	if (!result)
		point(POINT_PUBLISHED);
	return result;
}

enum ckpt_result manifest_hide(const char *directory, const char *id, struct ckpt_error *e)
{
	char from[PATH_MAX], to[PATH_MAX];
	enum ckpt_result result;

	manifest_path(directory, id, MANIFEST_WHOLE, NULL, from);
	manifest_path(directory, id, MANIFEST_GONE, NULL, to);
	result = durable_rename(from, to, e);
	if (!result)
		point(POINT_HIDDEN);
	return result;
}

enum ckpt_result manifest_remove(const char *directory, const char *id,
				 enum manifest_state state, struct ckpt_error *e)
{
	char path[PATH_MAX];

	manifest_path(directory, id, state, NULL, path);
	return durable_remove(path, e);
}

/* ---- reading: whoever wrote it ---- */

static bool get_text(struct json_object *root, const char *key, bool may_lack, char *to,
		     size_t size)
{
	struct json_object *found;

	*to = '\0';
	if (!json_object_object_get_ex(root, key, &found))
		return may_lack;
	if (!found)
		return may_lack;
	if (!json_object_is_type(found, json_type_string) ||
	    (size_t)json_object_get_string_len(found) >= size)
		return false;
	strcpy(to, json_object_get_string(found));
	return true;
}

static bool get_number(struct json_object *root, const char *key, uint64_t *number)
{
	struct json_object *found;

	*number = 0;
	if (!json_object_object_get_ex(root, key, &found))
		return true;
	if (!json_object_is_type(found, json_type_int) || json_object_get_int64(found) < 0)
		return false;
	*number = json_object_get_uint64(found);
	return true;
}

static bool get_flag(struct json_object *root, const char *key)
{
	struct json_object *found;

	return json_object_object_get_ex(root, key, &found) && json_object_get_boolean(found);
}

static bool get_volumes(struct json_object *root, struct manifest *m)
{
	struct json_object *array;
	size_t count;

	if (!json_object_object_get_ex(root, "volumes", &array) ||
	    !json_object_is_type(array, json_type_array))
		return false;
	count = json_object_array_length(array);
	if (!count || count > VM_DISKS_MAX)
		return false;
	for (m->volumes = 0; m->volumes < count; m->volumes++) {
		struct json_object *one = json_object_array_get_idx(array, m->volumes);

		if (!json_object_is_type(one, json_type_string) ||
		    !ckpt_is_uuid(json_object_get_string(one)))
			return false;
		strcpy(m->volume[m->volumes], json_object_get_string(one));
	}
	return true;
}

static bool is_kind(const char *kind)
{
	return !strcmp(kind, "standard") || !strcmp(kind, "production") ||
	       !strcmp(kind, "offline");
}

static bool from_json(struct json_object *root, const char *id, struct manifest *m)
{
	char schema[64];
	struct ckpt_error e;
	uint64_t created, configs;

	memset(m, 0, sizeof(*m));
	if (!json_object_is_type(root, json_type_object) ||
	    !get_text(root, "schema", false, schema, sizeof(schema)) || strcmp(schema, SCHEMA) ||
	    !get_text(root, "id", false, m->id, sizeof(m->id)) || strcmp(m->id, id) ||
	    !get_text(root, "name", false, m->name, sizeof(m->name)) ||
	    ckpt_check_name(m->name, "checkpoint", &e) ||
	    !get_text(root, "kind", false, m->kind, sizeof(m->kind)) || !is_kind(m->kind) ||
	    !get_text(root, "store", false, m->store, sizeof(m->store)) ||
	    !get_text(root, "group", true, m->group, sizeof(m->group)) ||
	    (*m->group && !ckpt_is_uuid(m->group)) ||
	    !get_text(root, "way", true, m->way, sizeof(m->way)) ||
	    !get_text(root, "note", true, m->note, sizeof(m->note)) ||
	    !get_number(root, "created", &created) || !get_number(root, "configs", &configs) ||
	    configs > VM_DISKS_MAX || !get_number(root, "memory_bytes", &m->memory_bytes) ||
	    !get_number(root, "standstill_us", &m->standstill_us) ||
	    !get_number(root, "own_us", &m->own_us) || !get_volumes(root, m))
		return false;
	m->created = (int64_t)created;
	m->configs = (size_t)configs;
	m->has_memory = get_flag(root, "memory");
	m->is_paused = get_flag(root, "paused");
	return true;
}

enum ckpt_result manifest_read(const char *directory, const char *id,
			       enum manifest_state state, struct manifest *m,
			       struct ckpt_error *e)
{
	struct json_tokener *tokener;
	struct json_object *root;
	enum ckpt_result result;
	char path[PATH_MAX];
	size_t length;
	char *text;

	manifest_path(directory, id, state, "manifest.json", path);
	result = durable_read(path, TEXT_MAX, &text, &length, e);
	if (result)
		return result;
	tokener = json_tokener_new_ex(8);
	root = tokener ? json_tokener_parse_ex(tokener, text, (int)length + 1) : NULL;
	if (!from_json(root, id, m))
		result = ckpt_fail(e, CKPT_INTEGRITY,
				   "%s is damaged, or of another release: it is no manifest of a checkpoint",
				   path);
	json_object_put(root);
	if (tokener)
		json_tokener_free(tokener);
	free(text);
	return result;
}

/* "ID<suffix>" taken apart. */
static bool is_folder(const char *entry, enum manifest_state state, char id[CKPT_UUID_LEN])
{
	if (strlen(entry) < CKPT_UUID_LEN - 1 || strcmp(entry + CKPT_UUID_LEN - 1, suffixes[state]))
		return false;
	memcpy(id, entry, CKPT_UUID_LEN - 1);
	id[CKPT_UUID_LEN - 1] = '\0';
	return ckpt_is_uuid(id);
}

bool manifest_next(const char *directory, enum manifest_state state, void **at,
		   char id[CKPT_UUID_LEN])
{
	DIR *dir = *at ? *at : opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_folder(entry->d_name, state, id)) {
			*at = dir;
			return true;
		}
	if (dir)
		closedir(dir);
	*at = NULL;
	return false;
}

bool manifest_any(const char *directory, enum manifest_state state)
{
	char id[CKPT_UUID_LEN];
	void *at = NULL;
	bool any = manifest_next(directory, state, &at, id);

	if (at)
		closedir(at);
	return any;
}

static int by_age(const void *a, const void *b)
{
	const struct manifest *m = a, *n = b;

	return m->created < n->created ? -1 : m->created > n->created ? 1 : strcmp(m->id, n->id);
}

enum ckpt_result manifest_list(const char *directory, struct manifests *list,
			       struct ckpt_error *e)
{
	char id[CKPT_UUID_LEN];
	struct manifest *grown;
	void *at = NULL;

	memset(list, 0, sizeof(*list));
	while (manifest_next(directory, MANIFEST_WHOLE, &at, id)) {
		grown = reallocarray(list->m, list->count + 1, sizeof(*grown));
		if (!grown) {
			closedir(at);
			manifest_list_free(list);
			return ckpt_fail_errno(e, ENOMEM, "the checkpoints cannot be listed");
		}
		list->m = grown;
		if (manifest_read(directory, id, MANIFEST_WHOLE, &grown[list->count], e))
			list->damaged++;
		else
			list->count++;
	}
	if (list->count)
		qsort(list->m, list->count, sizeof(*list->m), by_age);
	return CKPT_DONE;
}

void manifest_list_free(struct manifests *list)
{
	free(list->m);
	memset(list, 0, sizeof(*list));
}

const struct manifest *manifest_find(const struct manifests *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->m[i].name, name) || !strcmp(list->m[i].id, name))
			return &list->m[i];
	return NULL;
}
