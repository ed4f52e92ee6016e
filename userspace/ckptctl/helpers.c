// SPDX-License-Identifier: GPL-2.0-only
/* What many commands need: talking, asking and looking things up. */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

void cli_say(const struct cli *cli, const char *format, ...)
{
	va_list args;

	if (cli_has(cli, OPT_QUIET))
		return;
	if (cli->c.is_dry)
		fputs("(dry run) ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

enum ckpt_result cli_confirm(struct cli *cli, const char *format, ...)
{
	char answer[16];
	va_list args;

	if (cli_has(cli, OPT_YES) || cli->c.is_dry)
		return CKPT_DONE;
	if (!isatty(STDIN_FILENO))
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "this loses something and there is no terminal to ask on; say --yes if it is meant");

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y'))
		return CKPT_DONE;
	return ckpt_fail(&cli->c.error, CKPT_FAILED, "not confirmed; nothing was changed");
}

void cli_done(const struct cli *cli, ...)
{
	const char *key, *text;
	struct json_object *root;
	va_list args;

	if (!cli_has(cli, OPT_JSON) || cli->c.is_dry)
		return;
	root = json_object_new_object();
	json_object_object_add(root, "schema", json_object_new_string("dm-ckpt.done.v1"));
	va_start(args, cli);
	while ((key = va_arg(args, const char *))) {
		text = va_arg(args, const char *);
		json_object_object_add(root, key,
				       text && *text ? json_object_new_string(text) : NULL);
	}
	va_end(args);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

enum ckpt_result cli_store(struct cli *cli, const char *name, struct ckpt_store *s)
{
	const char *named = getenv("CKPT_STORE");
	enum ckpt_result result;

	memset(s, 0, sizeof(*s));
	if (!name)
		name = cli->option[OPT_STORE];
	if (!name && named && *named)
		name = named;

	result = ckpt_dm_check(&cli->c);
	if (!result)
		result = ckpt_store_find(&cli->c, name, s);
	if (!result)
		result = ckpt_store_load(s);
	return result;
}

enum ckpt_result cli_volume(struct ckpt_store *s, const char *id,
			    const struct ckpt_volume **v)
{
	*v = ckpt_model_volume(&s->model, id);
	if (*v)
		return CKPT_DONE;
	if (strchr(id, '@'))
		return ckpt_fail(&s->c->error, CKPT_USAGE,
				 "'%s' is a checkpoint and a volume is wanted here", id);
	return ckpt_fail(&s->c->error, CKPT_NOT_FOUND,
			 "store %s has no volume '%s'; 'ckptctl volume list' shows those it has",
			 s->dev->name, id);
}

enum ckpt_result cli_template(struct ckpt_store *s, const char *id,
			      const struct ckpt_base **base)
{
	*base = ckpt_model_template(&s->model, id);
	if (*base)
		return CKPT_DONE;
	return ckpt_fail(&s->c->error, CKPT_NOT_FOUND,
			 "store %s has no template '%s'; 'ckptctl template list' shows those it has",
			 s->dev->name, id);
}

enum ckpt_result cli_checkpoint(struct ckpt_store *s, const char *ref,
				const struct ckpt_volume **v,
				const struct ckpt_checkpoint **cp)
{
	struct ckpt_ref_text text;
	enum ckpt_result result = ckpt_split_ref(ref, &text, &s->c->error);

	if (!result && !*text.volume)
		result = ckpt_fail(&s->c->error, CKPT_USAGE,
				   "'%s' does not name one checkpoint; write VOLUME%s", ref, ref);
	if (!result)
		result = cli_volume(s, text.volume, v);
	if (result)
		return result;
	*cp = ckpt_model_checkpoint(&s->model, *v, text.checkpoint);
	if (*cp)
		return CKPT_DONE;
	return ckpt_fail(&s->c->error, CKPT_NOT_FOUND,
			 "volume %s has no checkpoint '%s'; 'ckptctl checkpoint list %s' shows those it has",
			 (*v)->name, text.checkpoint, (*v)->name);
}

enum ckpt_result cli_new_name(struct ckpt_store *s, const char *name, const char *what)
{
	enum ckpt_result result = ckpt_check_name(name, what, &s->c->error);

	if (result)
		return result;
	if (ckpt_model_volume(&s->model, name))
		return ckpt_fail(&s->c->error, CKPT_BUSY,
				 "there is a volume called '%s' already; choose another name", name);
	if (ckpt_model_template(&s->model, name))
		return ckpt_fail(&s->c->error, CKPT_BUSY,
				 "there is a template called '%s' already; choose another name", name);
	return CKPT_DONE;
}
