// SPDX-License-Identifier: GPL-2.0-only
/* Ranges are printed as they come: there may be more than memory wants to hold. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "libckpt/units.h"
#include "look.h"

struct diff {
	struct cli *cli;
	uint64_t ranges;
	uint64_t bytes;
	struct look look;
};

static void put_at(void *arg, uint64_t sector)
{
	struct diff *d = arg;

	look_at(&d->look, sector);
}

static enum ckpt_result put_range(void *arg, uint64_t sector, uint64_t sectors)
{
	char start[CKPT_TEXT_LEN], length[CKPT_TEXT_LEN];
	struct diff *d = arg;

	look_hide(&d->look);
	if (cli_has(d->cli, OPT_JSON))
		printf("%s\n    { \"offset\": %" PRIu64 ", \"length\": %" PRIu64 " }",
		       d->ranges ? "," : "", sector * CKPT_SECTOR, sectors * CKPT_SECTOR);
	else if (cli_has(d->cli, OPT_BYTES))
		printf("%20" PRIu64 "  %20" PRIu64 "\n", sector * CKPT_SECTOR,
		       sectors * CKPT_SECTOR);
	else
		printf("%20s  %20s\n", ckpt_exact(sector * CKPT_SECTOR, start),
		       ckpt_exact(sectors * CKPT_SECTOR, length));
	d->ranges++;
	d->bytes += sectors * CKPT_SECTOR;
	return CKPT_DONE;
}

/* A checkpoint's UUID, or "-" as it is. */
static enum ckpt_result side(struct ckpt_store *s, const struct ckpt_volume *v,
			     const char *name, const char **id)
{
	const struct ckpt_checkpoint *cp;
	const char *at = strchr(name, '@');
	size_t length = strlen(v->name);

	*id = "-";
	if (!strcmp(name, "-"))
		return CKPT_DONE;
	/* VOLUME@CHECKPOINT says the same as CHECKPOINT here. */
	if (at && (size_t)(at - name) == length && !strncmp(name, v->name, length))
		name = at + 1;
	cp = ckpt_model_checkpoint(&s->model, v, name);
	if (!cp)
		return ckpt_fail(&s->c->error, CKPT_NOT_FOUND,
				 "volume %s has no checkpoint '%s'; 'ckptctl checkpoint list %s' shows those it has, '-' is the base or now",
				 v->name, name, v->name);
	*id = cp->uuid;
	return CKPT_DONE;
}

static void put_head(const struct cli *cli, const struct ckpt_volume *v, char **arg)
{
	if (cli_has(cli, OPT_JSON))
		/* Names have no character that JSON would have to escape. */
		printf("{\n  \"schema\": \"dm-ckpt.diff.v1\",\n  \"volume\": \"%s\",\n"
		       "  \"from\": \"%s\",\n  \"to\": \"%s\",\n  \"ranges\": [", v->name,
		       arg[1], arg[2]);
	else if (!cli_has(cli, OPT_NO_HEADINGS))
		printf("%20s  %20s\n", "OFFSET", "LENGTH");
}

static void put_foot(const struct diff *d, bool complete)
{
	char total[CKPT_TEXT_LEN];

	if (cli_has(d->cli, OPT_JSON))
		printf("\n  ],\n  \"total\": %" PRIu64 ",\n  \"complete\": %s\n}\n", d->bytes,
		       complete ? "true" : "false");
	else {
		/* Should both go to one pipe, this comes last. */
		fflush(stdout);
		cli_say(d->cli, "%" PRIu64 " ranges, %s in total", d->ranges,
			ckpt_human(d->bytes, total));
	}
}

enum ckpt_result run_checkpoint_diff(struct cli *cli, char **arg, int count)
{
	struct diff d = { .cli = cli };
	const struct ckpt_volume *v;
	const char *from, *to;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);

	(void)count;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result)
		result = side(&s, v, arg[1], &from);
	if (!result)
		result = side(&s, v, arg[2], &to);
	if (!result) {
		put_head(cli, v, arg);
		look_begin(&d.look, cli, v->sectors);
		result = ckpt_store_diff(&s, v->uuid, from, to, put_range, put_at, &d);
		look_hide(&d.look);
		put_foot(&d, !result);
	}
	ckpt_store_free(&s);
	return result;
}
