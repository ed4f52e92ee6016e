// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "intent.h"
#include "recover.h"

/* Its part in the store first: what names that must be there until it is gone. */
static enum ckpt_result remove_one(struct disks *d, const char *directory, const char *id,
				   enum manifest_state state, struct ckpt_error *e)
{
	struct manifest m;
	enum ckpt_result result = manifest_read(directory, id, state, &m, e);

	/* It was being made or removed: without a manifest there is nothing in the store. */
	if (result == CKPT_NOT_FOUND)
		return manifest_remove(directory, id, state, e);
	if (!result && disks_delete(d, &m)) {
		*e = d->c.error;
		result = e->result;
	}
	return result ? result : manifest_remove(directory, id, state, e);
}

static enum ckpt_result remove_all(struct disks *d, const struct vm_file *f,
				   enum manifest_state state, struct ckpt_error *e)
{
	enum ckpt_result result = CKPT_DONE, one;
	char id[CKPT_UUID_LEN];
	void *at = NULL;

	while (manifest_next(f->directory, state, &at, id)) {
		/* The guest first, so this is what is left of a rescue that has failed. */
		if (state == MANIFEST_NEW && manifest_is_noted(f->directory, id, MANIFEST_STOPPED))
			one = ckpt_fail(e, CKPT_BUSY,
					"the guest of machine %s may stand still, and could not be told to run",
					f->name);
		else
			one = remove_one(d, f->directory, id, state, e);
		result = one ? one : result;
	}
	return result;
}

/* One whose name somebody else has in the store meanwhile is a checkpoint all the same. */
static enum ckpt_result name_all(struct disks *d, const struct vm_file *f, struct ckpt_error *e)
{
	struct manifests list;
	enum ckpt_result result = manifest_list(f->directory, &list, e);

	for (size_t i = 0; i < list.count; i++)
		if (!disks_is_named(d, &list.m[i]) && disks_name(d, &list.m[i]))
			d->c.warn(d->c.error.text);
	manifest_list_free(&list);
	return result;
}

enum ckpt_result recover_checkpoints(struct disks *d, const struct vm_file *f,
				     struct ckpt_error *e)
{
	enum ckpt_result made = remove_all(d, f, MANIFEST_NEW, e);
	enum ckpt_result gone = remove_all(d, f, MANIFEST_GONE, e);
	enum ckpt_result named = name_all(d, f, e);

	return made ? made : gone ? gone : named;
}

static enum ckpt_result open_all(struct disks *d, const struct vm_file *f, struct ckpt_error *e)
{
	if (!disks_open(d, f))
		return recover_checkpoints(d, f, e);
	*e = d->c.error;
	return e->result;
}

/* Where it was going is a checkpoint still, or there is nothing to be finished. */
static enum ckpt_result check_intent(const struct vm_file *f, struct ckpt_error *e)
{
	enum ckpt_result result;
	struct manifest m;
	struct intent i;

	result = intent_read(f->directory, &i, e);
	if (result)
		return result == CKPT_NOT_FOUND ? CKPT_DONE : result;
	result = manifest_read(f->directory, i.checkpoint, MANIFEST_WHOLE, &m, e);
	if (result == CKPT_NOT_FOUND)
		return intent_clear(f->directory, e);
	return ckpt_fail(e, CKPT_BUSY,
			 "ckptd was killed while machine %s went back to %s, and could not finish that yet; 'ckptctl vm apply %s %s' does",
			 f->name, result ? i.checkpoint : m.name, f->name,
			 result ? i.checkpoint : m.name);
}

enum ckpt_result recover_open(struct disks *d, const struct vm_file *f, struct ckpt_error *e)
{
	enum ckpt_result result = open_all(d, f, e);

	return result ? result : check_intent(f, e);
}

/* Is there anything that the store has to be asked for? */
static bool has_any(const struct vm_file *f)
{
	return manifest_any(f->directory, MANIFEST_NEW) ||
	       manifest_any(f->directory, MANIFEST_WHOLE) ||
	       manifest_any(f->directory, MANIFEST_GONE);
}

void recover_machine(const char *name)
{
	struct ckpt_error e = { 0 };
	struct vm_file f;
	struct disks d;

	if (vm_file_read(&f, name, &e)) {
		fprintf(stderr, SD_WARNING "%s\n", e.text);
		vm_file_free(&f);
		return;
	}
	if (has_any(&f)) {
		/* Many machines, and a store that is slow. */
		sd_notify(0, "EXTEND_TIMEOUT_USEC=60000000");
		open_all(&d, &f, &e);
		disks_close(&d);
	}
	if (e.result)
		fprintf(stderr, SD_WARNING "machine %s: what was half-made is left for the next time: %s\n",
			name, e.text);
	vm_file_free(&f);
}
