// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going back.  A volume that goes back must not be active, so its device is taken
 * away, which fails while anybody has it open, and made again with the same table:
 * with or without success, unless this very program is killed between.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"
#include "refs.h"

struct apply {
	struct cli *cli;
	struct ckpt_store *s;
	struct refs refs;
	const struct ckpt_dm_device **device;	/* one for each ref; NULL: not active */
	size_t removed;				/* how many of them are away */
};

static enum ckpt_result check(struct apply *a)
{
	const char *save = a->cli->option[OPT_SAVE_CURRENT];
	struct ckpt_error *e = &a->cli->c.error;
	enum ckpt_result result = CKPT_DONE;

	if (save)
		result = ckpt_check_name(save, "checkpoint", e);
	for (size_t i = 0; !result && i < a->refs.count; i++) {
		const struct ckpt_volume *v = a->refs.ref[i].volume;

		for (size_t j = 0; j < i; j++)
			if (a->refs.ref[j].volume == v)
				return ckpt_fail(e, CKPT_USAGE,
						 "volume %s can go back to one checkpoint only", v->name);
		if (save && ckpt_model_checkpoint(&a->s->model, v, save))
			return ckpt_fail(e, CKPT_BUSY,
					 "volume %s has a checkpoint '%s' already; choose another name for --save-current",
					 v->name, save);
		a->device[i] = ckpt_volume_device(a->s, v);
	}
	return result;
}

static enum ckpt_result remove_devices(struct apply *a)
{
	enum ckpt_result result = CKPT_DONE;

	for (; a->removed < a->refs.count; a->removed++) {
		if (a->device[a->removed])
			result = ckpt_device_remove(&a->cli->c, a->device[a->removed]);
		if (result)
			break;
	}
	return result;
}

/* The length that the device of a volume has when it has gone back. */
static uint64_t length_after(const struct apply *a, size_t i)
{
	const struct ref *ref = &a->refs.ref[i];
	uint64_t after = ckpt_model_sectors(&a->s->model, ref->checkpoint->layer);
	uint64_t length = a->device[i]->sectors;

	return length == ref->volume->sectors || length > after ? after : length;
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
		err = ckpt_dm_create(&a->cli->c, d->name, *d->uuid ? d->uuid : NULL, &table);
		snprintf(what, sizeof(what),
			 "make device %.120s again ('ckptctl volume open %s' may do it)", d->name,
			 a->refs.ref[a->removed].volume->name);
		if (err)
			result = ckpt_dm_sentence(&a->cli->c, err, what);
	}
	a->removed = 0;
	return result;
}

/* What the present state is saved as: one checkpoint of all volumes. */
static enum ckpt_result save_current(struct apply *a, char **uuid)
{
	char *volumes = calloc(a->refs.count, CKPT_UUID_LEN + 1);
	enum ckpt_result result;

	*uuid = NULL;
	if (!volumes)
		return ckpt_dm_sentence(&a->cli->c, ENOMEM, "save the present state");
	for (size_t i = 0; i < a->refs.count; i++)
		sprintf(volumes + strlen(volumes), " %s", a->refs.ref[i].volume->uuid);
	result = ckpt_store_tell(a->s, "save the present state", uuid, "checkpoint %s standard%s",
				 a->cli->option[OPT_SAVE_CURRENT], volumes);
	free(volumes);
	return result;
}

/* Nothing was applied, so nothing is to be left behind. */
static void forget_saved(struct apply *a, const char *uuid)
{
	char *message = NULL, *p;
	struct ckpt_error why = a->cli->c.error;

	if (ckpt_is_uuid(uuid))
		message = calloc(a->refs.count, 2 * CKPT_UUID_LEN + 1);
	if (!message)
		return;
	p = message;
	for (size_t i = 0; i < a->refs.count; i++)
		p += sprintf(p, " %s@%s", a->refs.ref[i].volume->uuid, uuid);
	if (ckpt_store_tell(a->s, "delete the saved state", NULL, "delete_checkpoint%s", message))
		a->cli->c.warn(a->cli->c.error.text);
	free(message);
	a->cli->c.error = why;
}

static enum ckpt_result send_apply(struct apply *a)
{
	enum ckpt_result result = CKPT_DONE;
	char *message, *saved = NULL;

	if (cli_has(a->cli, OPT_SAVE_CURRENT))
		result = save_current(a, &saved);
	if (result)
		return result;
	message = refs_message(&a->refs);
	if (message)
		result = ckpt_store_tell(a->s, "apply the checkpoint", NULL, "apply%s", message);
	else
		result = ckpt_dm_sentence(&a->cli->c, ENOMEM, "apply the checkpoint");
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
	why = a->cli->c.error;
	made = make_devices(a, applied);
	if (!applied && made)
		a->cli->c.warn(a->cli->c.error.text);
	if (!applied)
		a->cli->c.error = why;

	sigprocmask(SIG_SETMASK, &old, NULL);
	return applied ? made : result;
}

static enum ckpt_result apply(struct apply *a)
{
	struct cli *cli = a->cli;
	enum ckpt_result result;
	char names[700];

	a->device = calloc(a->refs.count, sizeof(*a->device));
	if (!a->device)
		return ckpt_dm_sentence(&cli->c, ENOMEM, "apply the checkpoint");
	result = check(a);
	if (result)
		return result;

	refs_names(&a->refs, names, sizeof(names));
	if (!cli_has(cli, OPT_SAVE_CURRENT))
		result = cli_confirm(cli,
				     "This goes back to %s; what is in no checkpoint is lost (--save-current NAME keeps it). Go on?",
				     names);
	if (!result)
		result = go_back(a);
	if (!result) {
		cli_say(cli, "gone back to %s", names);
		cli_done(cli, "store", a->s->dev->name, "applied", names, "saved",
			 cli->option[OPT_SAVE_CURRENT], NULL);
	}
	return result;
}

enum ckpt_result run_checkpoint_apply(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	struct apply a = { .cli = cli, .s = &s };
	enum ckpt_result result = cli_store(cli, NULL, &s);

	if (!result)
		result = refs_parse(&s, arg, count, &a.refs);
	if (!result)
		result = apply(&a);
	free(a.device);
	refs_free(&a.refs);
	ckpt_store_free(&s);
	return result;
}
