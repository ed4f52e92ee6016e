// SPDX-License-Identifier: GPL-2.0-only
/* What changes how a store merges, and what it does with its space. */
#include <string.h>

#include "cli.h"
#include "libckpt/units.h"

static enum ckpt_result merge_rate(struct cli *cli, struct ckpt_store *s, const char *value)
{
	char text[CKPT_TEXT_LEN];
	uint64_t kib;
	enum ckpt_result result = ckpt_parse_rate(value, &kib, &cli->c.error);

	if (!result)
		result = ckpt_store_tell(s, "limit the merge's rate", NULL, "merge rate %llu",
					 (unsigned long long)kib);
	if (!result && kib)
		cli_say(cli, "store %s merges at most %s in a second", s->dev->name,
			ckpt_human(kib * 1024, text));
	else if (!result)
		cli_say(cli, "store %s merges at any rate", s->dev->name);
	return result;
}

static enum ckpt_result merge_share(struct cli *cli, struct ckpt_store *s, const char *value)
{
	uint64_t percent;
	enum ckpt_result result = ckpt_parse_percent(value, "the merge's share", &percent,
						     &cli->c.error);

	if (!result)
		result = ckpt_store_tell(s, "set the merge's share", NULL, "merge share %llu",
					 (unsigned long long)percent);
	if (!result)
		cli_say(cli, "store %s merges in %llu %% of the time while there is other I/O",
			s->dev->name, (unsigned long long)percent);
	return result;
}

static enum ckpt_result merge_pause(struct cli *cli, struct ckpt_store *s, const char *value)
{
	enum ckpt_result result = ckpt_store_tell(s, "pause the merge", NULL, "merge pause");

	(void)value;
	if (!result)
		cli_say(cli, "store %s merges nothing until 'ckptctl store merge resume'",
			s->dev->name);
	return result;
}

static enum ckpt_result merge_resume(struct cli *cli, struct ckpt_store *s, const char *value)
{
	enum ckpt_result result = ckpt_store_tell(s, "let the merge go on", NULL, "merge resume");

	(void)value;
	if (!result)
		cli_say(cli, "store %s merges what there is", s->dev->name);
	return result;
}

static const struct {
	const char *name;
	const char *wants;	/* NULL: no value */
	enum ckpt_result (*run)(struct cli *cli, struct ckpt_store *s, const char *value);
} merges[] = {
	{ "pause", NULL, merge_pause },
	{ "resume", NULL, merge_resume },
	{ "rate", "an amount for each second, like 20M, or none", merge_rate },
	{ "share", "a percentage, like 50%", merge_share },
};

enum ckpt_result run_store_merge(struct cli *cli, char **arg, int count)
{
	const size_t last = sizeof(merges) / sizeof(merges[0]);
	const char *value = count > 1 ? arg[1] : NULL;
	struct ckpt_store s;
	enum ckpt_result result;
	size_t i = 0;

	while (i < last && strcmp(arg[0], merges[i].name))
		i++;
	if (i == last)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "'store merge %s' is unknown; there are pause, resume, rate and share (the store is named with --store)",
				 arg[0]);
	if (!merges[i].wants != !value)
		return ckpt_fail(&cli->c.error, CKPT_USAGE, "'store merge %s' wants %s", arg[0],
				 merges[i].wants ? merges[i].wants :
				 "nothing more; the store is named with --store");
	result = cli_store(cli, NULL, &s);
	if (!result)
		result = merges[i].run(cli, &s, value);
	if (!result)
		cli_done(cli, "store", s.dev->name, "merge", arg[0], "value", value, NULL);
	ckpt_store_free(&s);
	return result;
}

static enum ckpt_result no_space_queue(struct cli *cli, struct ckpt_store *s, uint64_t seconds)
{
	enum ckpt_result result;
	char text[CKPT_TEXT_LEN];

	result = ckpt_store_tell(s, "have writes wait for space", NULL, "no_space queue %llu",
				 (unsigned long long)seconds);
	if (!result && seconds)
		cli_say(cli, "when store %s is full, writes wait %s for space and then fail",
			s->dev->name, ckpt_duration(seconds, text));
	else if (!result)
		cli_say(cli, "when store %s is full, writes wait until there is space",
			s->dev->name);
	return result;
}

enum ckpt_result run_store_no_space(struct cli *cli, char **arg, int count)
{
	bool queues = !strcmp(arg[0], "queue");
	uint64_t seconds = CLI_NO_SPACE_SECONDS;
	enum ckpt_result result = CKPT_DONE;
	struct ckpt_store s;

	if ((!queues && strcmp(arg[0], "error")) || (!queues && count > 1))
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "write 'store no-space queue', 'store no-space queue SECONDS' or 'store no-space error' (the store is named with --store)");
	if (count > 1)
		result = ckpt_parse_number(arg[1], "the time to wait for space", 0,
					   CLI_NO_SPACE_SECONDS_MAX, &seconds, &cli->c.error);
	if (result)
		return result;

	result = cli_store(cli, NULL, &s);
	if (!result && queues) {
		result = no_space_queue(cli, &s, seconds);
	} else if (!result) {
		result = ckpt_store_tell(&s, "have writes fail", NULL, "no_space error");
		if (!result)
			cli_say(cli, "when store %s is full, writes fail", s.dev->name);
	}
	if (!result)
		cli_done(cli, "store", s.dev->name, "no_space", arg[0], NULL);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_store_low_water(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	char text[CKPT_TEXT_LEN];
	uint64_t unit, units;

	(void)count;
	unit = s.status.unit_sectors * CKPT_SECTOR;
	if (!result)
		result = ckpt_parse_units(arg[0], unit, &units, &cli->c.error);
	if (!result && units > s.status.total_units)
		result = ckpt_fail(&cli->c.error, CKPT_USAGE,
				   "store %s has only %s, so its space would always be low",
				   s.dev->name, ckpt_human(s.status.total_units * unit, text));
	if (!result)
		result = ckpt_store_tell(&s, "set the low-water mark", NULL, "low_water %llu",
					 (unsigned long long)units);
	if (!result && units)
		cli_say(cli, "space of store %s is low when less than %s are free", s.dev->name,
			ckpt_human(units * unit, text));
	else if (!result)
		cli_say(cli, "space of store %s is never called low", s.dev->name);
	if (!result)
		cli_done(cli, "store", s.dev->name, "low_water", arg[0], NULL);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_volume_limit(struct cli *cli, char **arg, int count)
{
	char limit[CKPT_TEXT_LEN], used[CKPT_TEXT_LEN];
	const struct ckpt_volume *v;
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, NULL, &s);
	uint64_t unit, units;

	(void)count;
	unit = s.status.unit_sectors * CKPT_SECTOR;
	if (!result)
		result = cli_volume(&s, arg[0], &v);
	if (!result)
		result = ckpt_parse_units(arg[1], unit, &units, &cli->c.error);
	if (!result)
		result = ckpt_store_tell(&s, "limit the volume", NULL, "limit_volume %s %llu",
					 v->uuid, (unsigned long long)units);
	if (!result && units)
		cli_say(cli, "volume %s may use %s of the store; it uses %s%s", v->name,
			ckpt_human(units * unit, limit), ckpt_human(v->used_units * unit, used),
			v->used_units > units ? ", so that writes which need space do not get any" : "");
	else if (!result)
		cli_say(cli, "volume %s has no limit", v->name);
	if (!result)
		cli_done(cli, "store", s.dev->name, "volume", v->name, "uuid", v->uuid,
			 "limit", arg[1], NULL);
	ckpt_store_free(&s);
	return result;
}
