// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "group.h"

enum ckpt_result ckpt_group_may_take(struct ckpt_store *s, const char *name,
				     const struct ckpt_volume *const *volume, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			if (volume[j] == volume[i])
				return ckpt_fail(&s->c->error, CKPT_USAGE,
						 "volume %s is there twice; name it once",
						 volume[i]->name);
		if (ckpt_model_checkpoint(&s->model, volume[i], name))
			return ckpt_fail(&s->c->error, CKPT_BUSY,
					 "volume %s has a checkpoint '%s' already; choose another name",
					 volume[i]->name, name);
	}
	return CKPT_DONE;
}

/* @what completes "cannot ...". */
static enum ckpt_result take(struct ckpt_store *s, const char *what, const char *name,
			     const char *kind, const struct ckpt_volume *const *volume,
			     size_t count, char **uuid)
{
	char *text = calloc(count + 1, CKPT_UUID_LEN + 1), *p = text;
	enum ckpt_result result;

	if (!text)
		return ckpt_dm_sentence(s->c, ENOMEM, what);
	for (size_t i = 0; i < count; i++)
		p += sprintf(p, " %s", volume[i]->uuid);
	result = ckpt_store_tell(s, what, uuid, "checkpoint %s %s%s", name, kind, text);
	free(text);
	return result;
}

enum ckpt_result ckpt_group_take(struct ckpt_store *s, const char *name, const char *kind,
				 const struct ckpt_volume *const *volume, size_t count,
				 char **uuid)
{
	enum ckpt_result result = ckpt_group_may_take(s, name, volume, count);

	*uuid = NULL;
	return result ? result :
	       take(s, "take the checkpoint", name, kind, volume, count, uuid);
}

/* " <volume>@<checkpoint>..." in UUIDs, as messages want it, allocated; or NULL. */
static char *parts_text(const struct ckpt_part *part, size_t count)
{
	char *text = calloc(count + 1, 2 * (CKPT_UUID_LEN + 1)), *p = text;

	for (size_t i = 0; text && i < count; i++)
		p += sprintf(p, " %s@%s", part[i].volume->uuid, part[i].checkpoint->uuid);
	return text;
}

enum ckpt_result ckpt_group_delete(struct ckpt_store *s, const struct ckpt_part *part,
				   size_t count)
{
	enum ckpt_result result;
	char *text;

	for (size_t i = 0; i < count; i++)
		if (part[i].checkpoint->is_viewed)
			return ckpt_fail(&s->c->error, CKPT_BUSY,
					 "%s@%s is open as a view; 'ckptctl checkpoint unview' ends that",
					 part[i].volume->name, part[i].checkpoint->name);
	text = parts_text(part, count);
	if (!text)
		return ckpt_dm_sentence(s->c, ENOMEM, "delete the checkpoints");
	result = ckpt_store_tell(s, "delete the checkpoints", NULL, "delete_checkpoint%s", text);
	free(text);
	return result;
}

struct apply {
	struct ckpt_store *s;
	const struct ckpt_part *part;
	size_t count;
	const char *save;
	const struct ckpt_dm_device **device;	/* one for each part; NULL: not active */
	size_t removed;				/* how many of them are away */
};

enum ckpt_result ckpt_group_may_apply(struct ckpt_store *s, const struct ckpt_part *part,
				      size_t count, const char *save)
{
	struct ckpt_error *e = &s->c->error;
	enum ckpt_result result = CKPT_DONE;

	if (save)
		result = ckpt_check_name(save, "checkpoint", e);
	for (size_t i = 0; !result && i < count; i++) {
		const struct ckpt_volume *v = part[i].volume;

		for (size_t j = 0; j < i; j++)
			if (part[j].volume == v)
				return ckpt_fail(e, CKPT_USAGE,
						 "volume %s can go back to one checkpoint only", v->name);
		if (save && ckpt_model_checkpoint(&s->model, v, save))
			return ckpt_fail(e, CKPT_BUSY,
					 "volume %s has a checkpoint '%s' already; choose another name for --save-current",
					 v->name, save);
	}
	return result;
}

static enum ckpt_result remove_devices(struct apply *a)
{
	enum ckpt_result result = CKPT_DONE;

	for (; a->removed < a->count; a->removed++) {
		if (a->device[a->removed])
			result = ckpt_device_remove(a->s->c, a->device[a->removed]);
		if (result)
			break;
	}
	return result;
}

/* The length that the device of a volume has when it has gone back. */
static uint64_t length_after(const struct apply *a, size_t i)
{
	const struct ckpt_part *part = &a->part[i];
	uint64_t after = ckpt_model_sectors(&a->s->model, part->checkpoint->layer);
	uint64_t length = a->device[i]->sectors;

	return length == part->volume->sectors || length > after ? after : length;
}

/* Sizes belong to layers: the volume may have grown since the checkpoint. */
static enum ckpt_result make_devices(struct apply *a, bool applied)
{
	enum ckpt_result result = CKPT_DONE;
	char what[300];

	while (a->removed--) {
		const struct ckpt_dm_device *d = a->device[a->removed];
		struct ckpt_dm_table table;
		int err;

		if (!d)
			continue;
		table = (struct ckpt_dm_table){
			.target = d->target,
			.params = d->params,
			.sectors = applied ? length_after(a, a->removed) : d->sectors,
			.is_readonly = d->is_readonly,
		};
		err = ckpt_dm_create(a->s->c, d->name, *d->uuid ? d->uuid : NULL, &table);
		snprintf(what, sizeof(what),
			 "make device %.120s again ('ckptctl volume open %s' may do it)", d->name,
			 a->part[a->removed].volume->name);
		if (err)
			result = ckpt_dm_sentence(a->s->c, err, what);
	}
	a->removed = 0;
	return result;
}

/* What the present state is saved as: one checkpoint of all volumes. */
static enum ckpt_result save_current(struct apply *a, char **uuid)
{
	const struct ckpt_volume **volume = calloc(a->count + 1, sizeof(*volume));
	enum ckpt_result result;

	*uuid = NULL;
	if (!volume)
		return ckpt_dm_sentence(a->s->c, ENOMEM, "save the present state");
	for (size_t i = 0; i < a->count; i++)
		volume[i] = a->part[i].volume;
	result = take(a->s, "save the present state", a->save, "standard", volume, a->count,
		      uuid);
	free(volume);
	return result;
}

/* Nothing was applied, so nothing is to be left behind. */
static void forget_saved(struct apply *a, const char *uuid)
{
	char *message = NULL, *p;
	struct ckpt_error why = a->s->c->error;

	if (ckpt_is_uuid(uuid))
		message = calloc(a->count, 2 * CKPT_UUID_LEN + 1);
	if (!message)
		return;
	p = message;
	for (size_t i = 0; i < a->count; i++)
		p += sprintf(p, " %s@%s", a->part[i].volume->uuid, uuid);
	if (ckpt_store_tell(a->s, "delete the saved state", NULL, "delete_checkpoint%s", message))
		a->s->c->warn(a->s->c->error.text);
	free(message);
	a->s->c->error = why;
}

static enum ckpt_result send_apply(struct apply *a)
{
	enum ckpt_result result = CKPT_DONE;
	char *message, *saved = NULL;

	if (a->save)
		result = save_current(a, &saved);
	if (result)
		return result;
	message = parts_text(a->part, a->count);
	if (message)
		result = ckpt_store_tell(a->s, "apply the checkpoint", NULL, "apply%s", message);
	else
		result = ckpt_dm_sentence(a->s->c, ENOMEM, "apply the checkpoint");
	free(message);
	if (result && saved)
		forget_saved(a, saved);
	free(saved);
	return result;
}

static enum ckpt_result go_back(struct apply *a)
{
	enum ckpt_result result, made;
	struct ckpt_error why;
	sigset_t set, old;
	bool applied;

	/* Devices that are away come back first, whatever is typed. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);

	result = remove_devices(a);
	if (!result)
		result = send_apply(a);
	applied = !result;
	why = a->s->c->error;
	made = make_devices(a, applied);
	if (!applied && made)
		a->s->c->warn(a->s->c->error.text);
	if (!applied)
		a->s->c->error = why;

	sigprocmask(SIG_SETMASK, &old, NULL);
	return applied ? made : result;
}

enum ckpt_result ckpt_group_apply(struct ckpt_store *s, const struct ckpt_part *part,
				  size_t count, const char *save)
{
	struct apply a = {
		.s = s, .part = part, .count = count, .save = save,
		.device = calloc(count + 1, sizeof(*a.device)),
	};
	enum ckpt_result result;

	if (!a.device)
		return ckpt_dm_sentence(s->c, ENOMEM, "apply the checkpoint");
	result = ckpt_group_may_apply(s, part, count, save);
	for (size_t i = 0; i < count; i++)
		a.device[i] = ckpt_volume_device(s, part[i].volume);
	if (!result)
		result = go_back(&a);
	free(a.device);
	return result;
}
