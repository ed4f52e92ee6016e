// SPDX-License-Identifier: GPL-2.0-only
/* A machine's checkpoints, drawn as those of volumes are: as one disk with its layers. */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "tree.h"
#include "vm_client.h"

/* A volume, and so its UUID, that stands for the machine. */
#define MACHINE_UUID "00000000-0000-0000-0000-000000000001"

static int find(struct json_object *array, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(vm_text(json_object_array_get_idx(array, i), "id"), id))
			return (int)i;
	return -1;
}

/* Layer @i + 1 is that of checkpoint @i, on the one of its parent. */
static void add_checkpoint(struct ckpt_model *m, struct json_object *array, size_t count,
			   size_t i)
{
	struct json_object *from = json_object_array_get_idx(array, i);
	int parent = find(array, count, vm_text(from, "parent"));
	struct ckpt_checkpoint *cp = &m->checkpoints[i];
	struct ckpt_layer *l = &m->layers[i];

	l->number = (uint32_t)i + 1;
	l->below = parent < 0 ? 0 : (uint32_t)parent + 1;
	l->used_units = vm_number(from, "disks_bytes") + vm_number(from, "memory_bytes");
	l->created = (int64_t)vm_number(from, "created");
	l->tags = 1;
	cp->number = (uint32_t)(count + 3 + i);
	cp->layer = l->number;
	cp->group = 1;
	cp->created = l->created;
	snprintf(cp->uuid, sizeof(cp->uuid), "%s", vm_text(from, "id"));
	snprintf(cp->name, sizeof(cp->name), "%s", vm_text(from, "name"));
	snprintf(cp->kind, sizeof(cp->kind), "%s",
		 vm_flag(from, "lost") ? "lost" : vm_text(from, "kind"));
	strcpy(cp->volume, MACHINE_UUID);
}

static enum ckpt_result draw(struct cli *cli, struct json_object *answer)
{
	struct tree_style style = {
		.is_utf8 = out_is_utf8(),
		.has_colour = out_has_colour(),
		.in_bytes = cli_has(cli, OPT_BYTES),
		.has_headings = !cli_has(cli, OPT_NO_HEADINGS),
		.unit_bytes = 1,
	};
	struct json_object *array;
	size_t count = vm_array(answer, "checkpoints", &array);
	int now = find(array, count, vm_text(answer, "now"));
	struct ckpt_model m = {
		.layers = calloc(count + 1, sizeof(*m.layers)), .layer_count = count + 1,
		.checkpoints = calloc(count + 1, sizeof(*m.checkpoints)), .checkpoint_count = count,
		.volumes = calloc(1, sizeof(*m.volumes)), .volume_count = 1,
	};
	enum ckpt_result result;

	if (!m.layers || !m.checkpoints || !m.volumes)
		abort();
	for (size_t i = 0; i < count; i++)
		add_checkpoint(&m, array, count, i);
	m.layers[count] = (struct ckpt_layer){
		.number = (uint32_t)count + 1, .below = now < 0 ? 0 : (uint32_t)now + 1,
		.is_head = true,
	};
	m.volumes[0] = (struct ckpt_volume){
		.number = (uint32_t)count + 2, .uuid = MACHINE_UUID, .top = (uint32_t)count + 1,
		.is_active = !strcmp(vm_text(answer, "state"), "running"),
	};
	snprintf(m.volumes[0].name, sizeof(m.volumes[0].name), "%s", vm_text(answer, "vm"));
	ckpt_model_finish(&m);
	result = tree_draw(stdout, &m, NULL, &style, &cli->c.error);
	ckpt_model_free(&m);
	return result;
}

enum ckpt_result run_vm_tree(struct cli *cli, char **arg, int count)
{
	struct json_object *parameters = json_object_new_object(), *answer;
	enum ckpt_result result;

	(void)count;
	json_object_object_add(parameters, "vm", json_object_new_string(arg[0]));
	result = vm_call(cli, "Tree", parameters, NULL, NULL, &answer);
	if (!result && vm_number(answer, "damaged"))
		cli_say(cli, "%llu more cannot be read: their manifests are damaged",
			(unsigned long long)vm_number(answer, "damaged"));
	if (!result && cli_has(cli, OPT_JSON)) {
		json_object_object_add(answer, "schema",
				       json_object_new_string("dm-ckpt.vm-tree.v1"));
		puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	} else if (!result) {
		result = draw(cli, answer);
	}
	json_object_put(answer);
	return result;
}
