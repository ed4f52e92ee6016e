// SPDX-License-Identifier: GPL-2.0-only
#include "cli.h"
#include "refs.h"

static enum ckpt_result apply(struct cli *cli, struct ckpt_store *s, const struct refs *refs)
{
	const char *save = cli->option[OPT_SAVE_CURRENT];
	enum ckpt_result result;
	char names[700];

	result = ckpt_group_may_apply(s, refs->ref, refs->count, save);
	if (result)
		return result;

	refs_names(refs, names, sizeof(names));
	if (!save)
		result = cli_confirm(cli,
				     "This goes back to %s; what is in no checkpoint is lost (--save-current NAME keeps it). Go on?",
				     names);
	if (!result)
		result = ckpt_group_apply(s, refs->ref, refs->count, save);
	if (!result) {
		cli_say(cli, "gone back to %s", names);
		cli_done(cli, "store", s->dev->name, "applied", names, "saved", save, NULL);
	}
	return result;
}

enum ckpt_result run_checkpoint_apply(struct cli *cli, char **arg, int count)
{
	struct refs refs = { 0 };
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	if (!result)
		result = refs_parse(&s, arg, count, &refs);
	if (!result)
		result = apply(cli, &s, &refs);
	refs_free(&refs);
	ckpt_store_free(&s);
	return result;
}
