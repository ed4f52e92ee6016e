// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"
#include "libckpt/paths.h"
#include "libckpt/units.h"
#include "out.h"

static const struct out_field fields[] = {
	{ "name", OUT_TEXT, false },
	{ "size", OUT_BYTES, false },
	{ "used", OUT_BYTES, false },		/* by the head alone */
	{ "stored", OUT_BYTES, true },		/* by all its layers */
	{ "limit", OUT_BYTES, true },		/* of that */
	{ "checkpoints", OUT_COUNT, false },
	{ "active", OUT_FLAG, false },
	{ "mode", OUT_TEXT, true },		/* of its device */
	{ "device", OUT_TEXT, false },
	{ "base", OUT_TEXT, false },
	{ "origin", OUT_TEXT, true },
	{ "layers", OUT_COUNT, true },
	{ "passthrough", OUT_FLAG, true },
	{ "created", OUT_TIME, true },
	{ "uuid", OUT_TEXT, true },
	{ NULL, OUT_TEXT, false },
};

static uint64_t checkpoints_of(const struct ckpt_model *m, const struct ckpt_volume *v)
{
	uint64_t count = 0;

	for (size_t i = 0; i < m->checkpoint_count; i++)
		count += !strcmp(m->checkpoints[i].volume, v->uuid);
	return count;
}

static uint64_t layers_of(const struct ckpt_model *m, const struct ckpt_volume *v)
{
	const struct ckpt_layer *layer = ckpt_model_layer(m, v->top);
	uint64_t count = 0;

	/* The chain is as long as there are layers at most. */
	while (layer && count < m->layer_count) {
		count++;
		layer = ckpt_model_layer(m, layer->below);
	}
	return count;
}

/* A store may have become read-only under a device that was writable. */
static const char *mode_of(const struct ckpt_dm_device *d)
{
	struct ckpt_volume_status status;
	const char *mode = NULL;
	struct ckpt_error e;
	char *line;

	if (ckpt_dm_status(d->name, &line))
		return NULL;
	if (!ckpt_parse_volume_status(line, &status, &e))
		mode = status.is_writable ? "rw" : "ro";
	free(line);
	return mode;
}

static void add_row(struct out *out, const struct ckpt_store *s, const struct ckpt_volume *v)
{
	const struct ckpt_base *base = ckpt_model_bottom(&s->model, v->top);
	const struct ckpt_dm_device *d = ckpt_volume_device(s, v);
	const uint64_t unit = s->status.unit_sectors * CKPT_SECTOR;
	char device[PATH_MAX], origin[PATH_MAX] = "";
	struct ckpt_error e;

	if (d)
		ckpt_device_path(d->name, device);
	if (base && ckpt_paths_origin(s->status.uuid, base->uuid, origin, &e))
		*origin = '\0';

	out_text(out, v->name);
	out_number(out, v->sectors * CKPT_SECTOR);
	out_number(out, ckpt_model_used(&s->model, v->top) * unit);
	out_number(out, v->used_units * unit);
	if (v->limit_units)
		out_number(out, v->limit_units * unit);
	else
		out_none(out);
	out_number(out, checkpoints_of(&s->model, v));
	out_number(out, v->is_active);
	out_text(out, d ? mode_of(d) : NULL);
	out_text(out, d ? device : NULL);
	out_text(out, !base ? "zeros" : base->is_template ? base->name : "origin");
	out_text(out, origin);
	out_number(out, layers_of(&s->model, v));
	out_number(out, base && v->top == base->number);
	out_number(out, (uint64_t)v->created);
	out_text(out, v->uuid);
}

enum ckpt_result run_volume_list(struct cli *cli, char **arg, int count)
{
	struct out *out = out_new(cli, "dm-ckpt.volume-list.v1", "volumes", fields);
	enum ckpt_result result;
	struct ckpt_store s;

	(void)arg;
	(void)count;
	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, NULL, &s);
	for (size_t i = 0; !result && i < s.model.volume_count; i++)
		add_row(out, &s, &s.model.volumes[i]);
	if (result)
		out_drop(out);
	else
		out_end(out);
	ckpt_store_free(&s);
	return result;
}

/* A person who asks for one volume wants to see everything of it. */
static const char *const everything = "all";

enum ckpt_result run_volume_info(struct cli *cli, char **arg, int count)
{
	const struct ckpt_volume *v;
	enum ckpt_result result;
	struct ckpt_store s;
	struct out *out;

	(void)count;
	if (!cli_has(cli, OPT_FIELDS))
		cli->option[OPT_FIELDS] = everything;
	out = out_new(cli, "dm-ckpt.volume.v1", NULL, fields);
	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, NULL, &s);
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result) {
		add_row(out, &s, v);
		out_end(out);
	} else {
		out_drop(out);
	}
	ckpt_store_free(&s);
	return result;
}
