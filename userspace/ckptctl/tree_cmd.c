// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <string.h>

#include "cli.h"
#include "libckpt/paths.h"
#include "libckpt/units.h"
#include "out.h"
#include "tree.h"

struct origins {
	const struct ckpt_store *s;
	char path[PATH_MAX];
};

static const char *origin(void *arg, const struct ckpt_base *base)
{
	struct origins *o = arg;
	struct ckpt_error e;

	return ckpt_paths_origin(o->s->status.uuid, base->uuid, o->path, &e) ? NULL : o->path;
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key,
			       text && *text ? json_object_new_string(text) : NULL);
}

/* Numbers of layers and bases; 0 is none. */
static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

static void add_time(struct json_object *object, const char *key, int64_t time)
{
	char text[CKPT_TEXT_LEN];

	add_text(object, key, ckpt_time_utc(time, text));
}

static struct json_object *new_entry(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static struct json_object *bases(const struct ckpt_model *m, struct origins *o)
{
	struct json_object *array = json_object_new_array(), *entry;

	for (size_t i = 0; i < m->base_count; i++) {
		const struct ckpt_base *b = &m->bases[i];

		entry = new_entry(array);
		add_number(entry, "number", b->number);
		add_text(entry, "uuid", b->uuid);
		add_text(entry, "name", b->name);
		add_number(entry, "size", b->sectors * CKPT_SECTOR);
		json_object_object_add(entry, "template", json_object_new_boolean(b->is_template));
		add_text(entry, "owner", b->owner);
		add_text(entry, "origin", origin(o, b));
	}
	return array;
}

static const char *const states[] = {
	[CKPT_LAYER_KEPT] = "frozen", [CKPT_LAYER_HIDDEN] = "hidden",
	[CKPT_LAYER_MERGING] = "merging", [CKPT_LAYER_FREEING] = "freeing",
};

static struct json_object *layers(const struct ckpt_model *m, uint64_t unit_bytes)
{
	struct json_object *array = json_object_new_array(), *entry;

	for (size_t i = 0; i < m->layer_count; i++) {
		const struct ckpt_layer *l = &m->layers[i];

		entry = new_entry(array);
		add_number(entry, "number", l->number);
		json_object_object_add(entry, "below",
				       l->below ? json_object_new_uint64(l->below) : NULL);
		add_number(entry, "size", l->sectors * CKPT_SECTOR);
		add_number(entry, "used", l->used_units * unit_bytes);
		add_text(entry, "state", l->is_head ? "head" : states[l->state]);
		add_time(entry, "created", l->created);
	}
	return array;
}

static struct json_object *volumes(const struct ckpt_model *m)
{
	struct json_object *array = json_object_new_array(), *entry;

	for (size_t i = 0; i < m->volume_count; i++) {
		const struct ckpt_volume *v = &m->volumes[i];

		entry = new_entry(array);
		add_text(entry, "uuid", v->uuid);
		add_text(entry, "name", v->name);
		add_number(entry, "size", v->sectors * CKPT_SECTOR);
		add_number(entry, "top", v->top);
		json_object_object_add(entry, "active", json_object_new_boolean(v->is_active));
		add_time(entry, "created", v->created);
	}
	return array;
}

static struct json_object *checkpoints(const struct ckpt_model *m)
{
	struct json_object *array = json_object_new_array(), *entry;

	for (size_t i = 0; i < m->checkpoint_count; i++) {
		const struct ckpt_checkpoint *cp = &m->checkpoints[i];

		entry = new_entry(array);
		add_text(entry, "uuid", cp->uuid);
		add_text(entry, "name", cp->name);
		add_text(entry, "volume", cp->volume);
		add_number(entry, "layer", cp->layer);
		add_text(entry, "kind", cp->kind);
		add_number(entry, "group", cp->group);
		json_object_object_add(entry, "viewed", json_object_new_boolean(cp->is_viewed));
		add_time(entry, "created", cp->created);
	}
	return array;
}

/* Flat, with numbers that say what sits on what: chains may be very long. */
static void print_json(const struct ckpt_store *s, struct origins *o)
{
	struct json_object *root = json_object_new_object();

	add_text(root, "schema", "dm-ckpt.tree.v1");
	add_text(root, "store", s->dev->name);
	add_text(root, "uuid", s->status.uuid);
	json_object_object_add(root, "bases", bases(&s->model, o));
	json_object_object_add(root, "layers",
			       layers(&s->model, s->status.unit_sectors * CKPT_SECTOR));
	json_object_object_add(root, "volumes", volumes(&s->model));
	json_object_object_add(root, "checkpoints", checkpoints(&s->model));
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

enum ckpt_result run_checkpoint_tree(struct cli *cli, char **arg, int count)
{
	const struct ckpt_volume *only = NULL;
	struct ckpt_store s;
	struct origins o = { .s = &s };
	enum ckpt_result result = cli_store(cli, NULL, &s);
	struct tree_style style = {
		.is_utf8 = out_is_utf8(),
		.has_colour = out_has_colour(),
		.in_bytes = cli_has(cli, OPT_BYTES),
		.has_headings = !cli_has(cli, OPT_NO_HEADINGS),
		.unit_bytes = s.status.unit_sectors * CKPT_SECTOR,
		.origin = origin,
		.arg = &o,
	};

	if (!result && count)
		result = cli_volume(&s, arg[0], &only);
	if (!result && cli_has(cli, OPT_JSON))
		print_json(&s, &o);
	else if (!result)
		result = tree_draw(stdout, &s.model, only, &style, &cli->c.error);
	ckpt_store_free(&s);
	return result;
}
