// SPDX-License-Identifier: GPL-2.0-only
/* What is done with stores that are open. */
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libckpt/blockdev.h"
#include "libckpt/device.h"
#include "libckpt/units.h"
#include "out.h"
#include "progress.h"
#include "store_text.h"

void store_path(const struct ckpt_store *s, char path[PATH_MAX])
{
	char name[256];

	if (dm_device_get_name(s->below.major, s->below.minor, 0, name, sizeof(name)))
		snprintf(path, PATH_MAX, "%s/%s",
			 dm_is_dm_major(s->below.major) ? dm_dir() : "/dev", name);
	else
		snprintf(path, PATH_MAX, "%u:%u", s->below.major, s->below.minor);
}

static uint64_t units_bytes(const struct ckpt_store *s, uint64_t units)
{
	return units * s->status.unit_sectors * CKPT_SECTOR;
}

static const struct out_field fields[] = {
	{ "name", OUT_TEXT, false },
	{ "mode", OUT_TEXT, false },
	{ "used", OUT_BYTES, false },
	{ "total", OUT_BYTES, false },
	{ "volumes", OUT_COUNT, false },
	{ "checkpoints", OUT_COUNT, false },
	{ "device", OUT_TEXT, false },
	{ "uuid", OUT_TEXT, true },
	{ "block_size", OUT_BYTES, true },
	{ "unit_size", OUT_BYTES, true },
	{ "reserved", OUT_BYTES, true },
	{ "journal_used", OUT_BYTES, true },
	{ "journal_size", OUT_BYTES, true },
	{ "dirty_nodes", OUT_COUNT, true },
	{ "dirty_limit", OUT_COUNT, true },
	{ "cached", OUT_BYTES, true },
	{ "cache_limit", OUT_BYTES, true },
	{ "commits", OUT_COUNT, true },
	{ "write_backs", OUT_COUNT, true },
	{ "layers", OUT_COUNT, true },
	{ "hidden_layers", OUT_COUNT, true },
	{ "freeing_layers", OUT_COUNT, true },
	{ "moved", OUT_BYTES, true },
	{ "copied", OUT_BYTES, true },
	{ "freed", OUT_BYTES, true },
	{ NULL, OUT_TEXT, false },
};

static void add_row(struct out *out, const struct ckpt_store *s)
{
	const struct ckpt_store_status *t = &s->status;
	char path[PATH_MAX];

	store_path(s, path);
	out_text(out, s->dev->name);
	out_text(out, t->known ? t->mode : "inactive");
	out_number(out, units_bytes(s, t->used_units));
	out_number(out, units_bytes(s, t->total_units));
	out_number(out, t->volumes);
	out_number(out, t->checkpoints);
	out_text(out, path);
	out_text(out, t->uuid);
	out_number(out, t->block_sectors * CKPT_SECTOR);
	out_number(out, t->unit_sectors * CKPT_SECTOR);
	out_number(out, units_bytes(s, t->reserved_units));
	out_number(out, t->journal_used * CKPT_NODE_BYTES);
	out_number(out, t->journal_blocks * CKPT_NODE_BYTES);
	out_number(out, t->dirty_nodes);
	out_number(out, t->dirty_limit);
	out_number(out, t->cached_kib * 1024);
	out_number(out, t->cache_limit_kib * 1024);
	out_number(out, t->commits);
	out_number(out, t->writebacks);
	out_number(out, t->layers);
	out_number(out, t->hidden);
	out_number(out, t->freeing);
	out_number(out, units_bytes(s, t->moved));
	out_number(out, units_bytes(s, t->copied));
	out_number(out, units_bytes(s, t->freed));
}

enum ckpt_result run_store_list(struct cli *cli, char **arg, int count)
{
	const struct ckpt_dm_device *d;
	struct ckpt_dm_devices devices;
	enum ckpt_result result;
	struct ckpt_store s;
	struct out *out;
	size_t i = 0;
	int err;

	(void)arg;
	(void)count;
	out = out_new(cli, "dm-ckpt.store-list.v1", "stores", fields);
	if (!out)
		return cli->c.error.result;
	result = ckpt_dm_check(&cli->c);
	err = result ? 0 : ckpt_dm_scan(&devices);
	if (err)
		result = ckpt_dm_sentence(&cli->c, err, "list the devices");
	if (result) {
		out_drop(out);
		return result;
	}

	/* One that is broken is listed all the same. */
	while ((d = ckpt_store_next(&devices, &i))) {
		if (ckpt_store_find(&cli->c, d->name, &s))
			continue;
		if (ckpt_store_load_status(&s) && s.status.known)
			cli->c.warn(cli->c.error.text);
		add_row(out, &s);
		ckpt_store_free(&s);
	}
	ckpt_dm_devices_free(&devices);
	out_end(out);
	return CKPT_DONE;
}

static void put_share(const struct cli *cli, const char *what, uint64_t part, uint64_t total)
{
	char a[CKPT_TEXT_LEN], b[CKPT_TEXT_LEN];

	if (cli_has(cli, OPT_BYTES)) {
		snprintf(a, sizeof(a), "%llu", (unsigned long long)part);
		snprintf(b, sizeof(b), "%llu", (unsigned long long)total);
	} else {
		ckpt_human(part, a);
		ckpt_human(total, b);
	}
	printf("%-12s ", what);
	out_bar(stdout, part, total, 30);
	printf(" %5.1f %%  %s of %s\n",
	       total ? 100.0 * (double)part / (double)total : 0.0, a, b);
}

const char *store_mode_text(const char *mode)
{
	if (!strcmp(mode, "rw"))
		return "rw";
	if (!strcmp(mode, "ro"))
		return "ro: read-only, by option or after an error (see the kernel's log)";
	return "fail: not to be relied on (see the kernel's log)";
}

static void draw_info(const struct cli *cli, const struct ckpt_store *s)
{
	const struct ckpt_store_status *t = &s->status;
	char path[PATH_MAX], block[CKPT_TEXT_LEN], moved[CKPT_TEXT_LEN], copied[CKPT_TEXT_LEN],
	     freed[CKPT_TEXT_LEN];

	store_path(s, path);
	printf("%s on %s\n", s->dev->name, path);
	printf("%-12s %s\n", "uuid", t->uuid);
	printf("%-12s %s\n", "mode", store_mode_text(t->mode));
	printf("%-12s %s\n", "blocks", ckpt_human(t->block_sectors * CKPT_SECTOR, block));
	put_share(cli, "space used", units_bytes(s, t->used_units), units_bytes(s, t->total_units));
	put_share(cli, "reserved", units_bytes(s, t->reserved_units),
		  units_bytes(s, t->total_units));
	put_share(cli, "journal", t->journal_used * CKPT_NODE_BYTES,
		  t->journal_blocks * CKPT_NODE_BYTES);
	put_share(cli, "cache", t->cached_kib * 1024, t->cache_limit_kib * 1024);
	printf("%-12s volumes %llu, checkpoints %llu, layers %llu (hidden %llu, being freed %llu)\n",
	       "holds", (unsigned long long)t->volumes, (unsigned long long)t->checkpoints,
	       (unsigned long long)t->layers, (unsigned long long)t->hidden,
	       (unsigned long long)t->freeing);
	printf("%-12s commits %llu, write-backs %llu; data moved %s, copied %s, freed %s\n",
	       "done", (unsigned long long)t->commits, (unsigned long long)t->writebacks,
	       ckpt_human(units_bytes(s, t->moved), moved),
	       ckpt_human(units_bytes(s, t->copied), copied),
	       ckpt_human(units_bytes(s, t->freed), freed));
	printf("%-12s %s\n", "merge", !strcmp(t->merge, "idle") ? "nothing to do" :
	       ckpt_merge_works(t) ? "at work" : "waits; 'ckptctl store status' says for what");
}

enum ckpt_result run_store_info(struct cli *cli, char **arg, int count)
{
	bool raw = cli_has(cli, OPT_JSON) || cli_has(cli, OPT_FIELDS) ||
		   cli_has(cli, OPT_NO_HEADINGS);
	struct out *out = out_new(cli, "dm-ckpt.store.v1", NULL, fields);
	enum ckpt_result result;
	struct ckpt_store s;

	if (!out)
		return cli->c.error.result;
	result = cli_store(cli, count ? arg[0] : NULL, &s);
	if (!result && raw) {
		add_row(out, &s);
		out_end(out);
	} else {
		out_drop(out);
		if (!result)
			draw_info(cli, &s);
	}
	ckpt_store_free(&s);
	return result;
}

/* Remove all volumes and views of a store, or say which there are. */
static enum ckpt_result close_children(struct cli *cli, struct ckpt_store *s)
{
	enum ckpt_result result = CKPT_DONE;
	const struct ckpt_dm_device *d;
	char names[400] = "";
	size_t i = 0;

	while (!result && (d = ckpt_child_device(s, &i))) {
		if (cli_has(cli, OPT_ALL))
			result = ckpt_device_remove(s->c, d);
		else
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 *names ? ", " : "", d->name);
	}
	if (*names)
		result = ckpt_fail(&cli->c.error, CKPT_BUSY,
				   "store %s has devices: %s; close them first, or with --all",
				   s->dev->name, names);
	return result;
}

enum ckpt_result run_store_close(struct cli *cli, char **arg, int count)
{
	const char *name = count ? arg[0] : cli->option[OPT_STORE];
	enum ckpt_result result;
	struct ckpt_store s;

	/* Not cli_store(): one whose list cannot be read must be closed too. */
	if (!name && getenv("CKPT_STORE") && *getenv("CKPT_STORE"))
		name = getenv("CKPT_STORE");
	result = ckpt_dm_check(&cli->c);
	if (result)
		return result;
	result = ckpt_store_find(&cli->c, name, &s);
	if (result)
		return result;
	result = close_children(cli, &s);
	if (!result)
		result = ckpt_device_remove(&cli->c, s.dev);
	if (!result) {
		cli_say(cli, "store %s is closed", s.dev->name);
		cli_done(cli, "store", s.dev->name, NULL);
	}
	ckpt_store_free(&s);
	return result;
}

static enum ckpt_result grow(struct cli *cli, struct ckpt_store *s)
{
	char path[32], text[CKPT_TEXT_LEN], what[200];
	struct ckpt_dm_table table = {
		.target = CKPT_TARGET_STORE,
		.params = s->dev->params,
		.sectors = s->dev->sectors,
		.is_readonly = s->dev->is_readonly,
		.is_hidden = true,
	}, old = table;
	enum ckpt_result result;
	struct ckpt_blockdev b;
	char name[PATH_MAX];
	int err;

	store_path(s, name);
	result = ckpt_blockdev_open(name, O_RDONLY, &b, &cli->c.error);
	if (result)
		return result;
	ckpt_blockdev_close(&b);
	ckpt_human(b.sectors * CKPT_SECTOR, text);
	if (b.sectors == s->dev->sectors) {
		cli_say(cli, "store %s has all %s of %s already", s->dev->name, text, name);
		return CKPT_DONE;
	}
	if (b.sectors < s->dev->sectors)
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "%s has %s, which is less than store %s uses; a store only grows",
				 name, text, s->dev->name);

	table.sectors = b.sectors;
	err = ckpt_dm_replace(&cli->c, s->dev->name, &table, &old);
	snprintf(what, sizeof(what), "let store %.120s grow", s->dev->name);
	if (err)
		return ckpt_dm_sentence(&cli->c, err, what);
	cli_say(cli, "store %s has %s now", s->dev->name, text);
	snprintf(path, sizeof(path), "%llu", (unsigned long long)b.sectors * CKPT_SECTOR);
	cli_done(cli, "store", s->dev->name, "bytes", path, NULL);
	return CKPT_DONE;
}

enum ckpt_result run_store_grow(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, count ? arg[0] : NULL, &s);

	if (!result)
		result = grow(cli, &s);
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_store_commit(struct cli *cli, char **arg, int count)
{
	struct ckpt_store s;
	enum ckpt_result result = cli_store(cli, count ? arg[0] : NULL, &s);

	if (!result)
		result = ckpt_store_tell(&s, "commit", NULL, "commit");
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_store_wait(struct cli *cli, char **arg, int count)
{
	enum ckpt_result result = CKPT_DONE;
	uint64_t limit = UINT64_MAX;
	struct ckpt_store s;

	if (cli_has(cli, OPT_TIMEOUT))
		result = ckpt_parse_number(cli->option[OPT_TIMEOUT], "--timeout", 0, 1 << 30,
					   &limit, &cli->c.error);
	if (result)
		return result;
	result = cli_store(cli, count ? arg[0] : NULL, &s);
	if (!result)
		result = progress_wait(cli, &s, limit);
	ckpt_store_free(&s);
	return result;
}
