// SPDX-License-Identifier: GPL-2.0-only
/* Taking, listing, renaming and deleting checkpoints. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"
#include "libckpt/freeze.h"
#include "libckpt/group.h"
#include "libckpt/units.h"
#include "look.h"
#include "out.h"
#include "progress.h"
#include "refs.h"

#define FREEZE_SECONDS 30u

struct take {
	struct cli *cli;
	struct ckpt_store *s;
	const char *name, *kind;
	const struct ckpt_volume **volume;
	const char **device;		/* of those that have one */
	size_t count, device_count;
	char *uuid;			/* the answer */
};

static enum ckpt_result send_take(void *arg)
{
	struct take *t = arg;

	return ckpt_group_take(t->s, t->name, t->kind, t->volume, t->count, &t->uuid);
}

static enum ckpt_result check_kind(struct cli *cli, const char *kind)
{
	static const char *const kinds[] = { "standard", "production", "offline", "recovery" };

	for (unsigned int i = 0; i < CKPT_KINDS; i++)
		if (!strcmp(kinds[i], kind))
			return CKPT_DONE;
	return ckpt_fail(&cli->c.error, CKPT_USAGE,
			 "there is no kind '%s'; there are standard, production, offline and recovery",
			 kind);
}

static enum ckpt_result add_volume(struct take *t, const char *id)
{
	const struct ckpt_dm_device *d;
	const struct ckpt_volume *v;
	enum ckpt_result result = cli_volume(t->s, id, &v);

	if (result)
		return result;
	t->volume[t->count++] = v;
	d = ckpt_volume_device(t->s, v);
	if (d)
		t->device[t->device_count++] = d->name;
	return CKPT_DONE;
}

static enum ckpt_result take(struct take *t, char **arg, int count)
{
	struct cli *cli = t->cli;
	uint64_t seconds = FREEZE_SECONDS;
	enum ckpt_result result;

	result = ckpt_check_name(t->name, "checkpoint", &cli->c.error);
	if (!result)
		result = check_kind(cli, t->kind);
	if (!result && cli_has(cli, OPT_TIMEOUT))
		result = ckpt_parse_number(cli->option[OPT_TIMEOUT], "--timeout", 1, 3600,
					   &seconds, &cli->c.error);
	for (int i = 0; !result && i < count; i++)
		result = add_volume(t, arg[i]);
	/* Before anything is frozen. */
	if (!result)
		result = ckpt_group_may_take(t->s, t->name, t->volume, t->count);
	if (result)
		return result;

	if (cli_has(cli, OPT_FREEZE) && t->device_count)
		result = ckpt_frozen(&cli->c, t->device, t->device_count, (unsigned int)seconds,
				     send_take, t);
	else
		result = send_take(t);
	if (result)
		return result;
	cli_say(cli, "checkpoint %s of %zu volume%s is taken", t->name, t->count,
		t->count == 1 ? "" : "s");
	cli_done(cli, "store", t->s->dev->name, "checkpoint", t->name, "uuid", t->uuid, NULL);
	return CKPT_DONE;
}

enum ckpt_result run_checkpoint_create(struct cli *cli, char **arg, int count)
{
	size_t volumes = (size_t)count - 1;
	struct ckpt_store s;
	struct take t = {
		.cli = cli,
		.s = &s,
		.name = arg[0],
		.kind = cli_has(cli, OPT_KIND) ? cli->option[OPT_KIND] : "standard",
		.volume = calloc(volumes, sizeof(*t.volume)),
		.device = calloc(volumes, sizeof(*t.device)),
	};
	enum ckpt_result result = cli_store(cli, NULL, &s);

	if (!t.volume || !t.device)
		result = ckpt_dm_sentence(&cli->c, ENOMEM, "take the checkpoint");
	if (!result)
		result = take(&t, arg + 1, count - 1);
	free(t.volume);
	free(t.device);
	free(t.uuid);
	ckpt_store_free(&s);
	return result;
}

#define FIELDS \
	{ "volume", OUT_TEXT, false }, \
	{ "name", OUT_TEXT, false }, \
	{ "kind", OUT_TEXT, false }, \
	{ "created", OUT_TIME, false }, \
	{ "used", OUT_BYTES, false },		/* by its layer alone */ \
	{ "group", OUT_COUNT, false }, \
	{ "viewed", OUT_FLAG, false }, \
	{ "size", OUT_BYTES, true }, \
	{ "uuid", OUT_TEXT, true }, \
	{ "volume_uuid", OUT_TEXT, true }, \
	{ "layer", OUT_COUNT, true }

static const struct out_field fields[] = {
	FIELDS,
	{ NULL, OUT_TEXT, false },
};

/* What each of these would do costs a look at its map. */
static const struct out_field info_fields[] = {
	FIELDS,
	{ "delete_frees", OUT_BYTES, true },
	{ "delete_copies", OUT_BYTES, true },
	{ NULL, OUT_TEXT, false },
};

static void add_row(struct out *out, const struct ckpt_store *s,
		    const struct ckpt_checkpoint *cp)
{
	const struct ckpt_volume *v = ckpt_model_volume_of(&s->model, cp);

	out_text(out, v ? v->name : cp->volume);
	out_text(out, cp->name);
	out_text(out, cp->kind);
	out_number(out, (uint64_t)cp->created);
	out_number(out, ckpt_model_used(&s->model, cp->layer) * s->status.unit_sectors *
		   CKPT_SECTOR);
	out_number(out, cp->group);
	out_number(out, cp->is_viewed);
	out_number(out, ckpt_model_sectors(&s->model, cp->layer) * CKPT_SECTOR);
	out_text(out, cp->uuid);
	out_text(out, cp->volume);
	out_number(out, cp->layer);
}

enum ckpt_result run_checkpoint_list(struct cli *cli, char **arg, int count)
{
	struct out *out = out_new(cli, "dm-ckpt.checkpoint-list.v1", "checkpoints", fields);
	const struct ckpt_volume *v = NULL;
	enum ckpt_result result;
	struct ckpt_store s;

	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, NULL, &s);
	if (!result && count)
		result = cli_volume(&s, arg[0], &v);
	for (size_t i = 0; !result && i < s.model.checkpoint_count; i++)
		if (!v || !strcmp(s.model.checkpoints[i].volume, v->uuid))
			add_row(out, &s, &s.model.checkpoints[i]);
	if (result)
		out_drop(out);
	else
		out_end(out);
	ckpt_store_free(&s);
	return result;
}

static enum ckpt_result estimate_of(struct cli *cli, struct ckpt_store *s,
				    const struct ckpt_volume *v, const struct ckpt_checkpoint *cp,
				    struct ckpt_estimate *estimate)
{
	enum ckpt_result result;
	struct look look;

	look_begin(&look, cli, ckpt_model_sectors(&s->model, cp->layer));
	result = ckpt_store_estimate(s, v->uuid, cp->uuid, estimate, look_at, &look);
	look_hide(&look);
	return result;
}

enum ckpt_result run_checkpoint_info(struct cli *cli, char **arg, int count)
{
	const struct ckpt_checkpoint *cp;
	struct ckpt_estimate estimate;
	const struct ckpt_volume *v;
	enum ckpt_result result;
	struct ckpt_store s;
	struct out *out;
	uint64_t unit;

	(void)count;
	if (!cli_has(cli, OPT_FIELDS))
		cli->option[OPT_FIELDS] = "all";
	out = out_new(cli, "dm-ckpt.checkpoint.v1", NULL, info_fields);
	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, NULL, &s);
	if (!result)
		result = cli_checkpoint(&s, arg[0], &v, &cp);
	if (!result)
		result = estimate_of(cli, &s, v, cp, &estimate);
	if (!result) {
		unit = s.status.unit_sectors * CKPT_SECTOR;
		add_row(out, &s, cp);
		out_number(out, estimate.freed * unit);
		out_number(out, estimate.copied * unit);
		out_end(out);
	} else {
		out_drop(out);
	}
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_checkpoint_rename(struct cli *cli, char **arg, int count)
{
	const struct ckpt_checkpoint *cp;
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_checkpoint(&s, arg[0], &v, &cp);
	if (!result)
		result = ckpt_check_name(arg[1], "checkpoint", &cli->c.error);
	if (!result && ckpt_model_checkpoint(&s.model, v, arg[1]))
		result = ckpt_fail(&cli->c.error, CKPT_BUSY,
				   "volume %s has a checkpoint '%s' already; choose another name",
				   v->name, arg[1]);
	if (!result)
		result = ckpt_store_tell(&s, "rename the checkpoint", NULL,
					 "rename_checkpoint %s@%s %s", v->uuid, cp->uuid, arg[1]);
	if (!result) {
		cli_say(cli, "checkpoint %s@%s is called %s now", v->name, cp->name, arg[1]);
		cli_done(cli, "store", s.dev->name, "volume", v->name, "checkpoint", arg[1],
			 "uuid", cp->uuid, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

/* Of each by itself: what several free together may be more. */
static enum ckpt_result say_estimates(struct cli *cli, struct ckpt_store *s,
				      const struct refs *refs)
{
	const uint64_t unit = s->status.unit_sectors * CKPT_SECTOR;
	char freed[CKPT_TEXT_LEN], copied[CKPT_TEXT_LEN];
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_estimate estimate;

	for (size_t i = 0; !result && i < refs->count; i++) {
		const struct ckpt_part *ref = &refs->ref[i];

		result = estimate_of(cli, s, ref->volume, ref->checkpoint, &estimate);
		if (!result)
			cli_say(cli, "%s@%s%s: %s would become free, %s would be copied",
				ref->volume->name, ref->checkpoint->name,
				refs->count > 1 ? " by itself" : "",
				ckpt_human(estimate.freed * unit, freed),
				ckpt_human(estimate.copied * unit, copied));
	}
	return result;
}

static enum ckpt_result delete_refs(struct cli *cli, struct ckpt_store *s, struct refs *refs)
{
	enum ckpt_result result = CKPT_DONE;
	char names[700];

	if (cli_has(cli, OPT_SUBTREE))
		result = refs_add_subtrees(s, refs);
	for (size_t i = 0; !result && i < refs->count; i++)
		if (refs->ref[i].checkpoint->is_viewed)
			result = ckpt_fail(&cli->c.error, CKPT_BUSY,
					   "%s@%s is open as a view; 'ckptctl checkpoint unview' ends that",
					   refs->ref[i].volume->name, refs->ref[i].checkpoint->name);
	if (!result && cli->c.is_dry)
		result = say_estimates(cli, s, refs);
	if (result)
		return result;

	refs_names(refs, names, sizeof(names));
	result = cli_confirm(cli, "This deletes %zu checkpoint%s: %s. Go on?", refs->count,
			     refs->count == 1 ? "" : "s", names);
	if (result)
		return result;
	result = ckpt_group_delete(s, refs->ref, refs->count);
	if (!result) {
		cli_say(cli, "deleted: %s", names);
		cli_done(cli, "store", s->dev->name, "deleted", names, NULL);
	}
	if (!result && cli_has(cli, OPT_WAIT) && !cli->c.is_dry)
		result = progress_wait(cli, s, UINT64_MAX);
	return result;
}

enum ckpt_result run_checkpoint_delete(struct cli *cli, char **arg, int count)
{
	struct refs refs = { 0 };
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	if (!result)
		result = refs_parse(&s, arg, count, &refs);
	if (!result)
		result = delete_refs(cli, &s, &refs);
	refs_free(&refs);
	ckpt_store_free(&s);
	return result;
}
