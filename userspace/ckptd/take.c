// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "operations.h"
#include "params.h"
#include "points.h"
#include "recover.h"
#include "take.h"

static enum ckpt_result disks_failed(struct taking *t)
{
	t->job->error = t->disks->c.error;
	return t->job->error.result;
}

enum ckpt_result take_may(struct taking *t)
{
	struct manifests list;
	enum ckpt_result result;

	if (disks_may_name(t->disks, t->name))
		return disks_failed(t);
	result = manifest_list(t->job->vm.directory, &list, &t->job->error);
	if (!result && manifest_find(&list, t->name))
		result = ckpt_fail(&t->job->error, CKPT_BUSY,
				   "machine %s has a checkpoint '%.112s' already; choose another name",
				   t->job->vm.name, t->name);
	manifest_list_free(&list);
	return result;
}

enum ckpt_result take_reopen(struct taking *t)
{
	disks_close(t->disks);
	return disks_open(t->disks, &t->job->vm) ? disks_failed(t) : CKPT_DONE;
}

void take_back(struct taking *t)
{
	struct ckpt_error why = t->job->error;

	if (disks_delete(t->disks, &t->m))
		t->disks->c.warn(t->disks->c.error.text);
	else
		manifest_remove(t->job->vm.directory, t->m.id, MANIFEST_NEW, &t->job->error);
	t->job->error = why;
}

/* Everything is durable: make a checkpoint of it. */
void take_finish(struct taking *t, enum ckpt_result result)
{
	const char *directory = t->job->vm.directory;
	struct ckpt_error *e = &t->job->error;

	if (!result)
		result = manifest_write(directory, &t->m, MANIFEST_NEW, e);
	if (!result)
		result = manifest_publish(directory, &t->m, e);
	if (result && t->has_begun && !t->is_left)
		take_back(t);
	/* It is one, whatever the store calls it. */
	if (!result && disks_name(t->disks, &t->m))
		t->disks->c.warn(t->disks->c.error.text);
	if (!result)
		point(POINT_NAMED);
	t->done(t, result);
}

enum ckpt_result take_begin(struct taking *t, const char *kind)
{
	enum ckpt_result result;

	strcpy(t->m.kind, kind);
	strcpy(t->m.name, t->name);
	disks_describe(t->disks, &t->m);
	result = manifest_begin(t->job->vm.directory, &t->m, &t->job->error);
	t->has_begun = !result;
	return result;
}

enum ckpt_result take_state(struct taking *t)
{
	if (disks_take(t->disks, &t->m))
		return disks_failed(t);
	return manifest_copy_configs(t->job->vm.directory, &t->m, &t->job->vm.config,
				     &t->job->error);
}

static enum ckpt_result take_offline(struct taking *t)
{
	enum ckpt_result result;

	if (machine_is_off(t->disks, &t->job->vm))
		return disks_failed(t);
	result = take_begin(t, "offline");
	return result ? result : take_state(t);
}

void take_start(struct taking *t)
{
	enum ckpt_result result = take_may(t);

	if (!result && machine_runs(&t->job->vm)) {
		if (t->policy == VM_STANDARD)
			take_guest(t);
		else
			take_frozen(t);
		return;
	}
	if (!result)
		result = take_offline(t);
	take_finish(t, result);
}

/* ---- as a request ---- */

struct take {
	struct job job;			/* first */
	struct disks disks;
	struct taking taking;
};

static void free_take(struct job *job)
{
	struct take *t = (struct take *)job;

	disks_close(&t->disks);
	free(t);
}

static enum ckpt_result check_policy(struct job *job, const char *kind, enum vm_policy *policy)
{
	struct ckpt_error *e = &job->error;

	*policy = job->vm.policy;
	if (*policy == VM_DISABLED)
		return ckpt_fail(e, CKPT_FAILED,
				 "machine %s is to have no checkpoints: its policy is 'disabled'",
				 job->vm.name);
	if (kind && vm_policy_parse(kind, policy, e))
		return e->result;
	if (*policy == VM_DISABLED)
		return ckpt_fail(e, CKPT_USAGE,
				 "a checkpoint is standard, production or production-only");
	return CKPT_DONE;
}

static struct json_object *answer(const struct manifest *m)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "id", json_object_new_string(m->id));
	json_object_object_add(object, "name", json_object_new_string(m->name));
	json_object_object_add(object, "kind", json_object_new_string(m->kind));
	json_object_object_add(object, "way", *m->way ? json_object_new_string(m->way) : NULL);
	json_object_object_add(object, "note", *m->note ? json_object_new_string(m->note) : NULL);
	json_object_object_add(object, "memory_bytes", json_object_new_uint64(m->memory_bytes));
	json_object_object_add(object, "standstill_us",
			       json_object_new_uint64(m->standstill_us));
	json_object_object_add(object, "own_us", json_object_new_uint64(m->own_us));
	return object;
}

static void take_done(struct taking *t, enum ckpt_result result)
{
	job_end(t->job, result, result ? NULL : answer(&t->m));
}

void operation_take(struct request *r, struct daemon *daemon)
{
	const char *vm, *kind = NULL;
	struct take *t = calloc(1, sizeof(*t));
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true },
		{ .name = "name", .text = &t->taking.name, .is_needed = true },
		{ .name = "kind", .text = &kind }, { 0 },
	};
	enum ckpt_result result;
	struct ckpt_error e;

	if (!t)
		abort();
	t->job.what = "checkpoint";
	t->job.free = free_take;
	t->taking.job = &t->job;
	t->taking.disks = &t->disks;
	t->taking.done = take_done;
	if (params_get(r, list, &e) || job_begin(&t->job, daemon, vm, r, &e)) {
		request_failed(r, &e);
		free(t);
		return;
	}
	result = check_policy(&t->job, kind, &t->taking.policy);
	if (!result)
		result = recover_open(&t->disks, &t->job.vm, &t->job.error);
	if (result)
		take_done(&t->taking, result);
	else
		take_start(&t->taking);
}
