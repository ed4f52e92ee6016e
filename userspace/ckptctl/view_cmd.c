// SPDX-License-Identifier: GPL-2.0-only
/* Checkpoints as read-only devices. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/device.h"

enum ckpt_result run_checkpoint_view(struct cli *cli, char **arg, int count)
{
	const struct ckpt_open how = {
		.origin = cli->option[OPT_ORIGIN],
		.name = cli->option[OPT_NAME],
	};
	char name[CKPT_DM_NAME_LEN], path[PATH_MAX];
	const struct ckpt_checkpoint *cp;
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_checkpoint(&s, arg[0], &v, &cp);
	if (!result)
		result = ckpt_view_open(&s, v, cp, &how, name);
	if (!result) {
		ckpt_device_path(name, path);
		if (cli_has(cli, OPT_JSON))
			cli_done(cli, "store", s.dev->name, "volume", v->name, "checkpoint",
				 cp->name, "device", path, NULL);
		else if (!cli->c.is_dry)
			puts(path);
	}
	ckpt_store_free(&s);
	return result;
}

static enum ckpt_result unview(struct cli *cli, struct ckpt_store *s, const char *ref)
{
	const char *name = cli->option[OPT_NAME];
	const struct ckpt_checkpoint *cp;
	const struct ckpt_dm_device *d;
	const struct ckpt_volume *v;
	enum ckpt_result result = cli_checkpoint(s, ref, &v, &cp);
	size_t i = 0, removed = 0;

	while (!result && (d = ckpt_view_device(s, v, cp, &i))) {
		if (name && strcmp(name, d->name))
			continue;
		result = ckpt_device_remove(&cli->c, d);
		if (!result) {
			removed++;
			cli_done(cli, "store", s->dev->name, "volume", v->name, "checkpoint",
				 cp->name, "removed", d->name, NULL);
		}
	}
	if (!result && !removed)
		result = ckpt_fail(&cli->c.error, CKPT_NOT_FOUND, "%s@%s has no view%s%s",
				   v->name, cp->name, name ? " called " : "", name ? name : "");
	return result;
}

enum ckpt_result run_checkpoint_unview(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	for (int i = 0; !result && i < count; i++)
		result = unview(cli, &s, arg[i]);
	ckpt_store_free(&s);
	return result;
}
