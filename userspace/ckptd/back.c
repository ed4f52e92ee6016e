// SPDX-License-Identifier: GPL-2.0-only
/* Going back to a checkpoint. */
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "operations.h"
#include "params.h"
#include "points.h"
#include "recover.h"
#include "take.h"

struct back {
	struct job job;			/* first */
	struct disks disks;
	struct taking saving;		/* the present state; name NULL: that is lost */
	struct manifest m;		/* where to */
};

static void free_back(struct job *job)
{
	struct back *b = (struct back *)job;

	disks_close(&b->disks);
	free(b);
}

static enum ckpt_result disks_failed(struct back *b)
{
	b->job.error = b->disks.c.error;
	return b->job.error.result;
}

static enum ckpt_result find(struct back *b, const char *name)
{
	struct ckpt_error *e = &b->job.error;
	const struct manifest *m;
	struct manifests list;
	enum ckpt_result result = manifest_list(b->job.vm.directory, &list, e);

	if (result)
		return result;
	m = manifest_find(&list, name);
	if (m)
		b->m = *m;
	else
		result = ckpt_fail(e, CKPT_NOT_FOUND,
				   "machine %s has no checkpoint '%.112s'; 'ckptctl vm tree %s' shows those it has",
				   b->job.vm.name, name, b->job.vm.name);
	manifest_list_free(&list);
	if (!result && !disks_has(&b->disks, &b->m))
		result = ckpt_fail(e, CKPT_NOT_FOUND,
				   "checkpoint %s has lost disks in the store; it cannot be gone back to",
				   b->m.name);
	return result;
}

static struct json_object *answer(const struct back *b)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(b->m.name));
	json_object_object_add(object, "kind", json_object_new_string(b->m.kind));
	json_object_object_add(object, "state", json_object_new_string("off"));
	return object;
}

/* It is off, whether it ran before or not. */
static void on_off(struct job *job, enum ckpt_result result)
{
	struct back *b = (struct back *)job;

	if (!result)
		point(POINT_OFF);
	/* Who has the disks open has changed. */
	disks_close(&b->disks);
	if (!result && (disks_open(&b->disks, &job->vm) || machine_is_off(&b->disks, &job->vm)))
		result = disks_failed(b);
	if (!result && disks_apply(&b->disks, &b->m))
		result = disks_failed(b);
	if (!result)
		point(POINT_BACK);
	job_end(job, result, result ? NULL : answer(b));
}

/* What it holds is kept, or nobody wants it: it is turned off, as is what goes back. */
static void saved(struct taking *t, enum ckpt_result result)
{
	if (result)
		job_end(t->job, result, NULL);
	else
		machine_end(t->job, false, on_off);
}

void operation_apply(struct request *r, struct daemon *daemon)
{
	const char *vm, *checkpoint;
	struct back *b = calloc(1, sizeof(*b));
	const struct param list[] = {
		{ .name = "vm", .text = &vm, .is_needed = true },
		{ .name = "checkpoint", .text = &checkpoint, .is_needed = true },
		{ .name = "save_current", .text = &b->saving.name }, { 0 },
	};
	enum ckpt_result result;
	struct ckpt_error e;

	if (!b)
		abort();
	b->job.what = "apply";
	b->job.free = free_back;
	b->saving.job = &b->job;
	b->saving.disks = &b->disks;
	b->saving.done = saved;
	if (params_get(r, list, &e) || job_begin(&b->job, daemon, vm, r, &e)) {
		request_failed(r, &e);
		free(b);
		return;
	}
	result = recover_open(&b->disks, &b->job.vm, &b->job.error);
	if (!result)
		result = find(b, checkpoint);
	if (!result && b->saving.name)
		take_start(&b->saving);
	else
		saved(&b->saving, result);
}
