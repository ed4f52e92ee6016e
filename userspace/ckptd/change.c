// SPDX-License-Identifier: GPL-2.0-only
/* Deleting and renaming checkpoints; the machine may run. */
#include <stdlib.h>
#include <string.h>

#include "disks.h"
#include "durable.h"
#include "operations.h"
#include "params.h"
#include "points.h"
#include "recover.h"

struct change {
	struct job job;			/* first */
	const char *vm, *checkpoint, *name;
	bool subtree;
	struct disks disks;
	struct manifests list;
};

static void free_change(struct job *job)
{
	struct change *c = (struct change *)job;

	disks_close(&c->disks);
	manifest_list_free(&c->list);
	free(c);
}

/* What there is, after what a killed daemon may have left is out of the way. */
static enum ckpt_result look(struct change *c)
{
	struct ckpt_error *e = &c->job.error;
	enum ckpt_result result = recover_open(&c->disks, &c->job.vm, e);

	return result ? result : manifest_list(c->job.vm.directory, &c->list, e);
}

static enum ckpt_result find(struct change *c, const struct manifest **m)
{
	*m = manifest_find(&c->list, c->checkpoint);
	if (*m)
		return CKPT_DONE;
	return ckpt_fail(&c->job.error, CKPT_NOT_FOUND,
			 "machine %s has no checkpoint '%.112s'; 'ckptctl vm tree %s' shows those it has",
			 c->job.vm.name, c->checkpoint, c->job.vm.name);
}

/* From here on it is gone, even if this fails: at the next start the rest goes. */
static enum ckpt_result delete_one(struct change *c, const struct manifest *m)
{
	const char *directory = c->job.vm.directory;
	struct ckpt_error *e = &c->job.error;
	enum ckpt_result result = manifest_hide(directory, m->id, e);

	if (result)
		return result;
	if (disks_delete(&c->disks, m)) {
		*e = c->disks.c.error;
		return e->result;
	}
	point(POINT_UNTIED);
	return manifest_remove(directory, m->id, MANIFEST_GONE, e);
}

static bool is_below(const int *parent, int at, int top)
{
	while (at >= 0 && at != top)
		at = parent[at];
	return at == top;
}

/* A view would have the store refuse it when it is half done. */
static enum ckpt_result may_delete(struct change *c, const struct manifest *m)
{
	if (!disks_is_viewed(&c->disks, m))
		return CKPT_DONE;
	return ckpt_fail(&c->job.error, CKPT_BUSY,
			 "a disk of checkpoint %s is open as a view; 'ckptctl checkpoint unview' ends that",
			 m->name);
}

/* The youngest first: what is left when that fails is a tree. */
static enum ckpt_result delete_all(struct change *c, const struct manifest *m,
				   struct json_object *deleted)
{
	int *parent = calloc(c->list.count, sizeof(*parent)), now, top = (int)(m - c->list.m);
	bool *chosen = calloc(c->list.count, sizeof(*chosen));
	enum ckpt_result result = CKPT_DONE;

	if (!parent || !chosen)
		abort();
	disks_parents(&c->disks, &c->list, parent, &now);
	for (int i = 0; !result && i < (int)c->list.count; i++) {
		chosen[i] = i == top || (c->subtree && is_below(parent, i, top));
		if (chosen[i])
			result = may_delete(c, &c->list.m[i]);
	}
	for (int i = (int)c->list.count; !result && i-- > 0;) {
		if (!chosen[i])
			continue;
		result = delete_one(c, &c->list.m[i]);
		if (!result)
			json_object_array_add(deleted, json_object_new_string(c->list.m[i].name));
	}
	free(chosen);
	free(parent);
	return result;
}

static enum ckpt_result begin(struct change *c, const struct param *list, struct request *r,
			      struct daemon *daemon)
{
	struct ckpt_error e;

	if (params_get(r, list, &e) || job_begin(&c->job, daemon, c->vm, r, &e)) {
		request_failed(r, &e);
		free(c);
		return e.result;
	}
	return CKPT_DONE;
}

static struct change *new_change(const char *what)
{
	struct change *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->job.what = what;
	c->job.free = free_change;
	return c;
}

void operation_delete(struct request *r, struct daemon *daemon)
{
	struct json_object *answer, *deleted;
	struct change *c = new_change("delete");
	const struct param list[] = {
		{ .name = "vm", .text = &c->vm, .is_needed = true },
		{ .name = "checkpoint", .text = &c->checkpoint, .is_needed = true },
		{ .name = "subtree", .flag = &c->subtree }, { 0 },
	};
	const struct manifest *m;
	enum ckpt_result result;

	if (begin(c, list, r, daemon))
		return;
	answer = json_object_new_object();
	deleted = json_object_new_array();
	json_object_object_add(answer, "deleted", deleted);
	result = look(c);
	if (!result)
		result = find(c, &m);
	if (!result)
		result = delete_all(c, m, deleted);
	job_end(&c->job, result, answer);
}

static enum ckpt_result rename_one(struct change *c, const struct manifest *m)
{
	struct manifest renamed = *m;
	enum ckpt_result result;

	if (disks_may_name(&c->disks, c->name)) {
		c->job.error = c->disks.c.error;
		return c->job.error.result;
	}
	strcpy(renamed.name, c->name);
	result = manifest_write(c->job.vm.directory, &renamed, MANIFEST_WHOLE, &c->job.error);
	if (result)
		return result;
	point(POINT_RENAMED);
	/* The manifest counts; the store is told again at the next start if that fails. */
	if (disks_name(&c->disks, &renamed))
		c->disks.c.warn(c->disks.c.error.text);
	return CKPT_DONE;
}

void operation_rename(struct request *r, struct daemon *daemon)
{
	struct change *c = new_change("rename");
	const struct param list[] = {
		{ .name = "vm", .text = &c->vm, .is_needed = true },
		{ .name = "checkpoint", .text = &c->checkpoint, .is_needed = true },
		{ .name = "name", .text = &c->name, .is_needed = true }, { 0 },
	};
	const struct manifest *m;
	enum ckpt_result result;

	if (begin(c, list, r, daemon))
		return;
	result = look(c);
	if (!result)
		result = find(c, &m);
	if (!result && manifest_find(&c->list, c->name))
		result = ckpt_fail(&c->job.error, CKPT_BUSY,
				   "machine %s has a checkpoint '%.112s' already; choose another name",
				   c->job.vm.name, c->name);
	if (!result)
		result = rename_one(c, m);
	job_end(&c->job, result, NULL);
}
