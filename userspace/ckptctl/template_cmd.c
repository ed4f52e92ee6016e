// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"
#include "libckpt/paths.h"
#include "libckpt/units.h"
#include "origin.h"
#include "out.h"

enum ckpt_result run_template_create(struct cli *cli, char **arg, int count)
{
	const struct ckpt_base *base;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	uint64_t sectors;

	(void)count;
	if (!result)
		result = cli_new_name(&s, arg[0], "template");
	if (!result)
		result = origin_check(&s, arg[1], &sectors);
	if (!result)
		result = ckpt_store_tell(&s, "make the template", NULL, "create_template %s %llu",
					 arg[0], (unsigned long long)sectors);
	if (!result && !cli->c.is_dry) {
		result = ckpt_store_load(&s);
		if (!result)
			result = cli_template(&s, arg[0], &base);
		if (!result) {
			ckpt_remember_origin(&s, base, arg[1]);
			cli_say(cli, "template %s is made; 'ckptctl volume clone %s NAME' makes volumes of it",
				arg[0], arg[0]);
			cli_done(cli, "store", s.dev->name, "template", base->name, "uuid",
				 base->uuid, NULL);
		}
	}
	ckpt_store_free(&s);
	return result;
}

static const struct out_field fields[] = {
	{ "name", OUT_TEXT, false },
	{ "size", OUT_BYTES, false },
	{ "layers", OUT_COUNT, false },	/* that sit on it */
	{ "origin", OUT_TEXT, false },
	{ "uuid", OUT_TEXT, true },
	{ NULL, OUT_TEXT, false },
};

enum ckpt_result run_template_list(struct cli *cli, char **arg, int count)
{
	struct out *out = out_new(cli, "dm-ckpt.template-list.v1", "templates", fields);
	enum ckpt_result result;
	struct ckpt_error e;
	struct ckpt_store s;
	char path[PATH_MAX];

	(void)arg;
	(void)count;
	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, NULL, &s);
	for (size_t i = 0; !result && i < s.model.base_count; i++) {
		const struct ckpt_base *base = &s.model.bases[i];

		if (!base->is_template)
			continue;
		out_text(out, base->name);
		out_number(out, base->sectors * CKPT_SECTOR);
		out_number(out, base->children);
		out_text(out, ckpt_paths_origin(s.status.uuid, base->uuid, path, &e) ? NULL : path);
		out_text(out, base->uuid);
	}
	if (result)
		out_drop(out);
	else
		out_end(out);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_template_rename(struct cli *cli, char **arg, int count)
{
	const struct ckpt_base *base;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_template(&s, arg[0], &base);
	if (!result)
		result = cli_new_name(&s, arg[1], "template");
	if (!result)
		result = ckpt_store_tell(&s, "rename the template", NULL, "rename_template %s %s",
					 base->uuid, arg[1]);
	if (!result) {
		cli_say(cli, "template %s is called %s now", base->name, arg[1]);
		cli_done(cli, "store", s.dev->name, "template", arg[1], "uuid", base->uuid, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_template_delete(struct cli *cli, char **arg, int count)
{
	const struct ckpt_base *base;
	char name[CKPT_NAME_BYTES], uuid[CKPT_UUID_LEN];
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_template(&s, arg[0], &base);
	if (!result && (base->children || base->tags))
		result = ckpt_fail(&cli->c.error, CKPT_BUSY,
				   "something sits on template %s; delete the volumes and checkpoints first ('ckptctl checkpoint tree' shows them)",
				   base->name);
	if (!result)
		result = cli_confirm(cli, "This forgets template %s (its device stays as it is). Go on?",
				     base->name);
	if (!result) {
		snprintf(name, sizeof(name), "%s", base->name);
		snprintf(uuid, sizeof(uuid), "%s", base->uuid);
		result = ckpt_store_tell(&s, "delete the template", NULL, "delete_template %s",
					 uuid);
	}
	if (!result) {
		origin_forget_gone(&s);
		cli_say(cli, "template %s is forgotten", name);
		cli_done(cli, "store", s.dev->name, "template", name, "uuid", uuid, NULL);
	}
	ckpt_store_free(&s);
	return result;
}
