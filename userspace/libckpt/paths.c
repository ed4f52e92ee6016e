// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

#define SCHEMA "dm-ckpt.paths.v1"

static const char *folder(void)
{
	const char *dir = getenv("CKPT_CONFDIR");

	return dir && *dir ? dir : "/etc/dm-ckpt";
}

static void file_name(const char *store, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.json%s", folder(), store, suffix);
}

/* *@root is NULL if there is no file. */
static enum ckpt_result read_file(const char *store, struct json_object **root,
				  struct ckpt_error *e)
{
	char path[PATH_MAX];

	*root = NULL;
	file_name(store, "", path);
	if (access(path, F_OK) && errno == ENOENT)
		return CKPT_DONE;
	*root = json_object_from_file(path);
	if (!json_object_is_type(*root, json_type_object)) {
		json_object_put(*root);
		*root = NULL;
		return ckpt_fail(e, CKPT_FAILED,
				 "%s cannot be read as JSON; mend it, or remove it and give the paths again with --origin",
				 path);
	}
	return CKPT_DONE;
}

static enum ckpt_result write_text(const char *path, const char *text, struct ckpt_error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t length = strlen(text);
	int err = 0;

	if (fd < 0)
		return ckpt_fail_errno(e, errno, "%s cannot be written", path);
	if (write(fd, text, length) != (ssize_t)length || fsync(fd))
		err = errno ? errno : ENOSPC;
	if (close(fd) && !err)
		err = errno;
	if (!err)
		return CKPT_DONE;
	unlink(path);
	return ckpt_fail_errno(e, err, "%s cannot be written", path);
}

static enum ckpt_result write_file(const char *store, struct json_object *root, int dir,
				   struct ckpt_error *e)
{
	char path[PATH_MAX], temp[PATH_MAX];
	enum ckpt_result result;
	char *text;

	file_name(store, "", path);
	file_name(store, ".new", temp);
	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		return ckpt_fail_errno(e, ENOMEM, "%s cannot be written", path);
	result = write_text(temp, text, e);
	free(text);
	if (!result && rename(temp, path))
		result = ckpt_fail_errno(e, errno, "%s cannot be written", path);
	/* The new name must be durable too. */
	if (!result)
		fsync(dir);
	return result;
}

/* The object below @root called @key, made if it is not there. */
static struct json_object *member(struct json_object *root, const char *key)
{
	struct json_object *object;

	if (json_object_object_get_ex(root, key, &object) &&
	    json_object_is_type(object, json_type_object))
		return object;
	object = json_object_new_object();
	json_object_object_add(root, key, object);
	return object;
}

/* Read, change and write under a lock, so that two at once both count. */
static enum ckpt_result change(const char *store,
			       void (*edit)(struct json_object *root, void *arg), void *arg,
			       struct ckpt_error *e)
{
	struct json_object *root;
	enum ckpt_result result;
	int dir;

	if (mkdir(folder(), 0755) && errno != EEXIST)
		return ckpt_fail_errno(e, errno, "the folder %s cannot be made", folder());
	dir = open(folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX)) {
		ckpt_fail_errno(e, errno, "the folder %s cannot be used", folder());
		if (dir >= 0)
			close(dir);
		return e->result;
	}

	result = read_file(store, &root, e);
	if (!result) {
		if (!root)
			root = json_object_new_object();
		json_object_object_add(root, "schema", json_object_new_string(SCHEMA));
		json_object_object_add(root, "store", json_object_new_string(store));
		edit(root, arg);
		result = write_file(store, root, dir, e);
		json_object_put(root);
	}
	close(dir);
	return result;
}

static enum ckpt_result get_text(struct json_object *object, const char *key,
				 char *text, size_t size, struct ckpt_error *e)
{
	struct json_object *found;

	if (!json_object_object_get_ex(object, key, &found) ||
	    !json_object_is_type(found, json_type_string) ||
	    (size_t)json_object_get_string_len(found) >= size)
		return ckpt_fail(e, CKPT_NOT_FOUND, "nothing is known of %s here", key);
	strcpy(text, json_object_get_string(found));
	return CKPT_DONE;
}

enum ckpt_result ckpt_paths_origin(const char *store, const char *base,
				   char path[PATH_MAX], struct ckpt_error *e)
{
	struct json_object *root, *origins = NULL;
	enum ckpt_result result = read_file(store, &root, e);

	if (result)
		return result;
	json_object_object_get_ex(root, "origins", &origins);
	result = get_text(origins, base, path, PATH_MAX, e);
	json_object_put(root);
	return result;
}

enum ckpt_result ckpt_paths_name(const char *store, char *name, size_t size,
				 struct ckpt_error *e)
{
	struct json_object *root;
	enum ckpt_result result = read_file(store, &root, e);

	if (result)
		return result;
	result = get_text(root, "name", name, size, e);
	json_object_put(root);
	return result;
}

struct pair {
	const char *key, *value;
};

static void edit_origin(struct json_object *root, void *arg)
{
	struct pair *pair = arg;

	json_object_object_add(member(root, "origins"), pair->key,
			       json_object_new_string(pair->value));
}

enum ckpt_result ckpt_paths_set_origin(const char *store, const char *base,
				       const char *path, struct ckpt_error *e)
{
	struct pair pair = { base, path };

	return change(store, edit_origin, &pair, e);
}

static void edit_name(struct json_object *root, void *arg)
{
	json_object_object_add(root, "name", json_object_new_string(arg));
}

enum ckpt_result ckpt_paths_set_name(const char *store, const char *name,
				     struct ckpt_error *e)
{
	return change(store, edit_name, (void *)name, e);
}

struct prune {
	int (*exists)(void *arg, const char *base);
	void *arg;
};

static void edit_prune(struct json_object *root, void *arg)
{
	struct json_object *kept = json_object_new_object();
	struct prune *prune = arg;

	json_object_object_foreach(member(root, "origins"), base, path)
		if (prune->exists(prune->arg, base))
			json_object_object_add(kept, base, json_object_get(path));
	json_object_object_add(root, "origins", kept);
}

enum ckpt_result ckpt_paths_prune(const char *store,
				  int (*exists)(void *arg, const char *base), void *arg,
				  struct ckpt_error *e)
{
	struct prune prune = { exists, arg };
	struct json_object *root;
	enum ckpt_result result = read_file(store, &root, e);

	if (result || !root)
		return result;
	json_object_put(root);
	return change(store, edit_prune, &prune, e);
}
