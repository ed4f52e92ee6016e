// SPDX-License-Identifier: GPL-2.0-only
/* Making, changing and deleting volumes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"
#include "libckpt/units.h"
#include "origin.h"
#include "progress.h"

/* Open a volume and print the path of its device. */
static enum ckpt_result open_volume(struct cli *cli, struct ckpt_store *s,
				    const struct ckpt_volume *v, const struct ckpt_open *how)
{
	char name[CKPT_DM_NAME_LEN], path[PATH_MAX];
	enum ckpt_result result = ckpt_volume_open(s, v, how, name);

	if (result)
		return result;
	ckpt_device_path(name, path);
	if (cli_has(cli, OPT_JSON))
		cli_done(cli, "store", s->dev->name, "volume", v->name, "uuid", v->uuid,
			 "device", path, NULL);
	else if (!cli->c.is_dry)
		puts(path);
	return CKPT_DONE;
}

/*
 * What follows on each message that makes a volume: find it, keep where its
 * origin is, and open it if that was asked for.
 */
static enum ckpt_result made_volume(struct cli *cli, struct ckpt_store *s, const char *name,
				    const char *origin)
{
	const struct ckpt_open how = { 0 };
	const struct ckpt_volume *v;
	const struct ckpt_base *base;
	enum ckpt_result result;

	if (cli->c.is_dry) {
		if (cli_has(cli, OPT_OPEN))
			cli_say(cli, "volume %s would then be opened", name);
		return CKPT_DONE;
	}
	result = ckpt_store_load(s);
	if (!result)
		result = cli_volume(s, name, &v);
	if (result)
		return result;

	base = ckpt_model_bottom(&s->model, v->top);
	if (origin && base)
		ckpt_remember_origin(s, base, origin);
	if (cli_has(cli, OPT_OPEN)) {
		cli_say(cli, "volume %s is made", name);
		return open_volume(cli, s, v, &how);
	}
	cli_say(cli, "volume %s is made; 'ckptctl volume open %s' makes its device", name, name);
	cli_done(cli, "store", s->dev->name, "volume", v->name, "uuid", v->uuid, NULL);
	return CKPT_DONE;
}

enum ckpt_result run_volume_create(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	uint64_t sectors;
	char *uuid = NULL;

	(void)count;
	if (!result)
		result = cli_new_name(&s, arg[0], "volume");
	if (!result)
		result = ckpt_parse_volume_size(arg[1], s.status.block_sectors * CKPT_SECTOR, 0,
						&sectors, &cli->c.error);
	if (!result && *arg[1] == '+')
		result = ckpt_fail(&cli->c.error, CKPT_USAGE,
				   "a new volume has no size to add to; leave the '+' away");
	if (!result)
		result = ckpt_store_tell(&s, "make the volume", &uuid, "create_volume %s %llu",
					 arg[0], (unsigned long long)sectors);
	if (!result)
		result = made_volume(cli, &s, arg[0], NULL);
	free(uuid);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_volume_adopt(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	uint64_t sectors;
	char *uuid = NULL;

	(void)count;
	if (!result)
		result = cli_new_name(&s, arg[0], "volume");
	if (!result)
		result = origin_check(&s, arg[1], &sectors);
	if (!result)
		result = ckpt_store_tell(&s, "adopt the device", &uuid, "adopt_volume %s %llu",
					 arg[0], (unsigned long long)sectors);
	if (!result)
		result = made_volume(cli, &s, arg[0], arg[1]);
	free(uuid);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_volume_clone(struct cli *cli, char **arg, int count)
{
	const struct ckpt_checkpoint *cp;
	const struct ckpt_volume *v;
	const struct ckpt_base *base;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	char *uuid = NULL;

	(void)count;
	if (!result)
		result = cli_new_name(&s, arg[1], "volume");
	if (result)
		goto out;
	if (strchr(arg[0], '@')) {
		result = cli_checkpoint(&s, arg[0], &v, &cp);
		if (!result)
			result = ckpt_store_tell(&s, "clone the checkpoint", &uuid,
						 "clone %s@%s %s", v->uuid, cp->uuid, arg[1]);
	} else if (ckpt_model_volume(&s.model, arg[0])) {
		result = ckpt_fail(&cli->c.error, CKPT_USAGE,
				   "'%s' is a volume, which changes; take a checkpoint of it and clone %s@CHECKPOINT",
				   arg[0], arg[0]);
	} else {
		result = cli_template(&s, arg[0], &base);
		if (!result)
			result = ckpt_store_tell(&s, "clone the template", &uuid, "clone %s %s",
						 base->uuid, arg[1]);
	}
	if (!result)
		result = made_volume(cli, &s, arg[1], NULL);
out:
	free(uuid);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_volume_open(struct cli *cli, char **arg, int count)
{
	const struct ckpt_open how = {
		.origin = cli->option[OPT_ORIGIN],
		.name = cli->option[OPT_NAME],
		.is_readonly = cli_has(cli, OPT_READ_ONLY),
	};
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result)
		result = open_volume(cli, &s, v, &how);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_volume_close(struct cli *cli, char **arg, int count)
{
	const struct ckpt_dm_device *d;
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	for (int i = 0; !result && i < count; i++) {
		result = cli_volume(&s, arg[i], &v);
		if (result)
			break;
		d = ckpt_volume_device(&s, v);
		if (!d) {
			cli_say(cli, "volume %s is not open", v->name);
			continue;
		}
		result = ckpt_device_remove(&cli->c, d);
		if (!result)
			cli_done(cli, "store", s.dev->name, "volume", v->name, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

/* Let an active volume's device have the volume's new length. */
static enum ckpt_result follow_size(struct ckpt_store *s, const struct ckpt_volume *v,
				    uint64_t sectors)
{
	const struct ckpt_dm_device *d = ckpt_volume_device(s, v);
	struct ckpt_dm_table table, old;
	char what[200];
	int err;

	if (!d)
		return CKPT_DONE;
	old = (struct ckpt_dm_table){
		.target = d->target, .params = d->params, .sectors = d->sectors,
		.is_readonly = d->is_readonly,
	};
	table = old;
	table.sectors = sectors;
	err = ckpt_dm_replace(s->c, d->name, &table, &old);
	snprintf(what, sizeof(what), "let device %.120s follow the volume's size", d->name);
	return err ? ckpt_dm_sentence(s->c, err, what) : CKPT_DONE;
}

enum ckpt_result run_volume_resize(struct cli *cli, char **arg, int count)
{
	char now[CKPT_TEXT_LEN], text[CKPT_TEXT_LEN];
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	uint64_t sectors;

	(void)count;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result)
		result = ckpt_parse_volume_size(arg[1], s.status.block_sectors * CKPT_SECTOR,
						v->sectors, &sectors, &cli->c.error);
	if (!result && sectors < v->sectors)
		result = ckpt_fail(&cli->c.error, CKPT_USAGE,
				   "volume %s has %s and cannot become smaller; give a size above that",
				   v->name, ckpt_human(v->sectors * CKPT_SECTOR, now));
	if (!result && sectors > v->sectors)
		result = ckpt_store_tell(&s, "resize the volume (one with an origin grows after its origin did)",
					 NULL, "resize_volume %s %llu", v->uuid,
					 (unsigned long long)sectors);
	/* Also when only the device lags behind, after an interruption. */
	if (!result)
		result = follow_size(&s, v, sectors);
	if (!result) {
		cli_say(cli, "volume %s has %s now", v->name,
			ckpt_human(sectors * CKPT_SECTOR, text));
		cli_done(cli, "store", s.dev->name, "volume", v->name, "uuid", v->uuid, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

/* A device that has its usual name gets the new usual name. */
static enum ckpt_result follow_name(struct ckpt_store *s, const struct ckpt_volume *v,
				    const char *name)
{
	const struct ckpt_dm_device *d = ckpt_volume_device(s, v);
	char usual[CKPT_DM_NAME_LEN], next[CKPT_DM_NAME_LEN];
	enum ckpt_result result;
	int err;

	if (!d)
		return CKPT_DONE;
	result = ckpt_volume_device_name(s, v->name, usual);
	if (result || strcmp(usual, d->name))
		return CKPT_DONE;
	result = ckpt_volume_device_name(s, name, next);
	if (result)
		return result;
	err = ckpt_dm_rename(s->c, d->name, next);
	return err ? ckpt_dm_sentence(s->c, err, "rename the volume's device") : CKPT_DONE;
}

enum ckpt_result run_volume_rename(struct cli *cli, char **arg, int count)
{
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result)
		result = cli_new_name(&s, arg[1], "volume");
	if (!result)
		result = ckpt_store_tell(&s, "rename the volume", NULL, "rename_volume %s %s",
					 v->uuid, arg[1]);
	if (!result)
		result = follow_name(&s, v, arg[1]);
	if (!result) {
		cli_say(cli, "volume %s is called %s now", v->name, arg[1]);
		cli_done(cli, "store", s.dev->name, "volume", arg[1], "uuid", v->uuid, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

/* Delete a volume's checkpoints in one message, or refuse as it has some. */
static enum ckpt_result without_checkpoints(struct cli *cli, struct ckpt_store *s,
					    const struct ckpt_volume *v)
{
	enum ckpt_result result = CKPT_DONE;
	char *refs = strdup(""), *more;
	size_t count = 0;

	for (size_t i = 0; refs && i < s->model.checkpoint_count; i++) {
		const struct ckpt_checkpoint *cp = &s->model.checkpoints[i];

		if (strcmp(cp->volume, v->uuid))
			continue;
		count++;
		if (asprintf(&more, "%s %s@%s", refs, v->uuid, cp->uuid) < 0)
			more = NULL;
		free(refs);
		refs = more;
	}
	if (!refs)
		return ckpt_dm_sentence(s->c, ENOMEM, "delete the checkpoints");
	if (count && !cli_has(cli, OPT_WITH_CHECKPOINTS))
		result = ckpt_fail(&cli->c.error, CKPT_BUSY,
				   "volume %s has %zu checkpoint%s; delete them first, or with --with-checkpoints",
				   v->name, count, count == 1 ? "" : "s");
	else if (count)
		result = ckpt_store_tell(s, "delete the volume's checkpoints", NULL,
					 "delete_checkpoint%s", refs);
	free(refs);
	return result;
}

enum ckpt_result run_volume_delete(struct cli *cli, char **arg, int count)
{
	const struct ckpt_dm_device *d;
	const struct ckpt_volume *v;
	char name[CKPT_NAME_BYTES], uuid[CKPT_UUID_LEN];
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (result)
		goto out;
	d = ckpt_volume_device(&s, v);
	if (d || v->is_active) {
		result = ckpt_fail(&cli->c.error, CKPT_BUSY,
				   "volume %s is open%s%s; 'ckptctl volume close %s' closes it",
				   v->name, d ? " as device " : "", d ? d->name : "", v->name);
		goto out;
	}
	snprintf(name, sizeof(name), "%s", v->name);
	snprintf(uuid, sizeof(uuid), "%s", v->uuid);
	result = cli_confirm(cli, "This deletes volume %s%s. Go on?", name,
			     cli_has(cli, OPT_WITH_CHECKPOINTS) ? " and its checkpoints" : "");
	if (!result)
		result = without_checkpoints(cli, &s, v);
	if (!result)
		result = ckpt_store_tell(&s, "delete the volume", NULL, "delete_volume %s", uuid);
	if (!result) {
		origin_forget_gone(&s);
		cli_say(cli, "volume %s is deleted", name);
		cli_done(cli, "store", s.dev->name, "volume", name, "uuid", uuid, NULL);
	}
	if (!result && cli_has(cli, OPT_WAIT) && !cli->c.is_dry)
		result = progress_wait(cli, &s, UINT64_MAX);
out:
	ckpt_store_free(&s);
	return result;
}
