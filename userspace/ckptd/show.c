// SPDX-License-Identifier: GPL-2.0-only
/* Telling: which machines there are, one of them, its checkpoints. */
#include <stdlib.h>
#include <string.h>

#include "disks.h"
#include "machine.h"
#include "operations.h"
#include "params.h"
#include "vms.h"

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, *text ? json_object_new_string(text) : NULL);
}

static void add_words(struct json_object *object, const char *key, const struct vm_words *words)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < words->count; i++)
		json_object_array_add(array, json_object_new_string(words->word[i]));
	json_object_object_add(object, key, array);
}

static size_t count_checkpoints(const struct vm_file *f)
{
	char id[CKPT_UUID_LEN];
	void *at = NULL;
	size_t count = 0;

	while (manifest_next(f->directory, MANIFEST_WHOLE, &at, id))
		count++;
	return count;
}

static struct json_object *describe(struct daemon *daemon, const struct vm_file *f)
{
	struct json_object *object = json_object_new_object();
	const struct job *job = job_find(daemon, f->name);

	add_text(object, "name", f->name);
	add_text(object, "state", machine_runs(f) ? "running" : "off");
	add_text(object, "policy", vm_policy_name(f->policy));
	add_text(object, "store", f->store);
	add_words(object, "volumes", &f->volumes);
	json_object_object_add(object, "checkpoints",
			       json_object_new_int64((int64_t)count_checkpoints(f)));
	add_text(object, "qmp", f->qmp);
	add_text(object, "agent", f->agent);
	json_object_object_add(object, "freeze_seconds",
			       json_object_new_int64(f->freeze_seconds));
	add_text(object, "directory", f->directory);
	add_words(object, "config", &f->config);
	add_text(object, "qemu", f->qemu);
	add_words(object, "args", &f->args);
	json_object_object_add(object, "job", job ? job_json(job) : NULL);
	return object;
}

struct listing {
	struct daemon *daemon;
	struct json_object *array;
};

/* A description that cannot be read is shown as well, with what is wrong with it. */
static void list_one(const char *name, void *arg)
{
	struct listing *l = arg;
	struct json_object *object;
	struct ckpt_error e;
	struct vm_file f;

	if (!vm_file_read(&f, name, &e)) {
		object = describe(l->daemon, &f);
	} else {
		object = json_object_new_object();
		add_text(object, "name", name);
		add_text(object, "state", "unreadable");
		add_text(object, "error", e.text);
	}
	vm_file_free(&f);
	json_object_array_add(l->array, object);
}

void operation_list(struct request *r, struct daemon *daemon)
{
	struct listing l = { daemon, json_object_new_array() };
	const struct param list[] = { { 0 } };
	struct json_object *answer;
	struct ckpt_error e;

	if (params_get(r, list, &e)) {
		json_object_put(l.array);
		request_failed(r, &e);
		return;
	}
	vms_each(list_one, &l);
	answer = json_object_new_object();
	json_object_object_add(answer, "vms", l.array);
	request_done(r, answer);
}

/* The machine that the request is about. */
static enum ckpt_result read_vm(struct request *r, struct vm_file *f, struct ckpt_error *e)
{
	const char *vm;
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true }, { 0 },
	};
	enum ckpt_result result;

	memset(f, 0, sizeof(*f));
	result = params_get(r, list, e);
	if (!result)
		result = vm_file_read(f, vm, e);
	if (result == CKPT_NOT_FOUND)
		ckpt_fail(e, result,
			  "there is no machine called %.80s; 'ckptctl vm list' shows those there are",
			  vm);
	return result;
}

void operation_show(struct request *r, struct daemon *daemon)
{
	struct ckpt_error e;
	struct vm_file f;

	if (read_vm(r, &f, &e))
		request_failed(r, &e);
	else
		request_done(r, describe(daemon, &f));
	vm_file_free(&f);
}

static struct json_object *checkpoint_json(const struct disks *d, const struct manifest *m,
					   const struct manifest *parent)
{
	struct json_object *object = json_object_new_object();
	uint64_t disks = disks_used(d, m);

	add_text(object, "id", m->id);
	add_text(object, "name", m->name);
	add_text(object, "kind", m->kind);
	json_object_object_add(object, "created", json_object_new_int64(m->created));
	add_text(object, "parent", parent ? parent->id : "");
	add_text(object, "group", m->group);
	json_object_object_add(object, "disks_bytes", json_object_new_uint64(disks));
	json_object_object_add(object, "memory_bytes", json_object_new_uint64(m->memory_bytes));
	json_object_object_add(object, "standstill_us", json_object_new_uint64(m->standstill_us));
	json_object_object_add(object, "own_us", json_object_new_uint64(m->own_us));
	add_text(object, "way", m->way);
	add_text(object, "note", m->note);
	json_object_object_add(object, "lost", json_object_new_boolean(!disks_has(d, m)));
	return object;
}

static struct json_object *tree_json(const struct disks *d, const struct manifests *list,
				     const struct vm_file *f)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *array = json_object_new_array();
	int *parent = calloc(list->count + 1, sizeof(*parent)), now;

	if (!parent)
		abort();
	disks_parents(d, list, parent, &now);
	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, checkpoint_json(d, &list->m[i], parent[i] < 0 ? NULL :
							     &list->m[parent[i]]));
	add_text(answer, "vm", f->name);
	add_text(answer, "state", machine_runs(f) ? "running" : "off");
	json_object_object_add(answer, "checkpoints", array);
	add_text(answer, "now", now < 0 ? "" : list->m[now].id);
	json_object_object_add(answer, "damaged", json_object_new_int64((int64_t)list->damaged));
	free(parent);
	return answer;
}

void operation_tree(struct request *r, struct daemon *daemon)
{
	struct manifests list = { 0 };
	struct disks d = { 0 };
	struct ckpt_error e;
	struct vm_file f;
	enum ckpt_result result;

	(void)daemon;
	result = read_vm(r, &f, &e);
	if (!result && disks_open(&d, &f)) {
		e = d.c.error;
		result = e.result;
	}
	if (!result)
		result = manifest_list(f.directory, &list, &e);
	if (result)
		request_failed(r, &e);
	else
		request_done(r, tree_json(&d, &list, &f));
	manifest_list_free(&list);
	disks_close(&d);
	vm_file_free(&f);
}
