// SPDX-License-Identifier: GPL-2.0-only
/* Adding machines and forgetting them. */
#include <string.h>

#include "disks.h"
#include "durable.h"
#include "operations.h"
#include "params.h"

/* A text, or several: "volumes" has as many as there are disks. */
static enum ckpt_result set(struct vm_file *f, const char *key, struct json_object *value,
			    struct ckpt_error *e)
{
	size_t count = 1;
	bool is_array = json_object_is_type(value, json_type_array);
	enum ckpt_result result = CKPT_DONE;

	if (is_array)
		count = json_object_array_length(value);
	for (size_t i = 0; !result && i < count; i++) {
		struct json_object *one = is_array ? json_object_array_get_idx(value, i) : value;
		const char *text = json_object_get_string(one);

		if (!json_object_is_type(one, json_type_string) ||
		    strlen(text) != (size_t)json_object_get_string_len(one))
			return ckpt_fail(e, CKPT_USAGE,
					 "parameter '%.80s' has to be a text, or a list of texts", key);
		result = vm_file_set(f, key, text, e);
	}
	return result;
}

static enum ckpt_result read_parameters(struct request *r, struct vm_file *f,
					struct ckpt_error *e)
{
	struct json_object *parameters = request_parameters(r), *name;
	enum ckpt_result result;

	if (!json_object_object_get_ex(parameters, "vm", &name) ||
	    !json_object_is_type(name, json_type_string))
		return ckpt_fail(e, CKPT_USAGE, "%.80s wants parameter 'vm', a text",
				 request_method(r));
	result = vm_check_name(json_object_get_string(name), e);
	if (result)
		return result;
	vm_file_default(f, json_object_get_string(name));
	json_object_object_foreach(parameters, key, value) {
		if (strcmp(key, "vm") && value)
			result = set(f, key, value, e);
		if (result)
			return result;
	}
	return vm_file_check(f, e);
}

void operation_add(struct request *r, struct daemon *daemon)
{
	struct vm_file f = { 0 };
	struct disks d = { 0 };
	struct ckpt_error e;
	enum ckpt_result result;

	(void)daemon;
	result = read_parameters(r, &f, &e);
	/* Its disks have to be there, or the first checkpoint would be the one to say so. */
	if (!result && disks_open(&d, &f)) {
		e = d.c.error;
		result = e.result;
	}
	if (!result)
		result = vm_file_write(&f, &e);
	disks_close(&d);
	if (result)
		request_failed(r, &e);
	else
		request_done(r, NULL);
	vm_file_free(&f);
}

/* Its checkpoints would be nobody's, as would be what is to be cleared up. */
static enum ckpt_result may_forget(const struct vm_file *f, struct ckpt_error *e)
{
	if (manifest_any(f->directory, MANIFEST_WHOLE))
		return ckpt_fail(e, CKPT_BUSY, "machine %s has checkpoints in %s; delete those first",
				 f->name, f->directory);
	if (manifest_any(f->directory, MANIFEST_NEW) || manifest_any(f->directory, MANIFEST_GONE))
		return ckpt_fail(e, CKPT_BUSY,
				 "a checkpoint of machine %s is half-made or half-removed in %s; when its store is open the next command clears that up",
				 f->name, f->directory);
	return CKPT_DONE;
}

void operation_remove(struct request *r, struct daemon *daemon)
{
	const char *vm;
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true }, { 0 },
	};
	struct vm_file f = { 0 };
	enum ckpt_result result;
	struct ckpt_error e;

	result = params_get(r, list, &e);
	if (!result && job_find(daemon, vm))
		result = ckpt_fail(&e, CKPT_BUSY, "something is being done to machine %s", vm);
	if (!result)
		result = vm_file_read(&f, vm, &e);
	if (!result)
		result = may_forget(&f, &e);
	if (!result)
		result = vm_file_remove(vm, &e);
	if (result)
		request_failed(r, &e);
	else
		request_done(r, NULL);
	vm_file_free(&f);
}
