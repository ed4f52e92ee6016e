// SPDX-License-Identifier: GPL-2.0-only
/* Making and opening stores: what works on a device and not on an open store. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "dm-ckpt/codec.h"
#include "libckpt/blockdev.h"
#include "libckpt/guard.h"
#include "libckpt/paths.h"
#include "libckpt/probe.h"
#include "libckpt/super.h"
#include "libckpt/units.h"

/* The features of a store's table, with their number in front. */
struct features {
	unsigned int count;
	char text[512];
};

static void add_feature(struct features *f, const char *name, uint64_t value)
{
	size_t used = strlen(f->text);

	snprintf(f->text + used, sizeof(f->text) - used, " %s %llu", name,
		 (unsigned long long)value);
	f->count += 2;
}

static void add_flag(struct features *f, const char *name)
{
	size_t used = strlen(f->text);

	snprintf(f->text + used, sizeof(f->text) - used, " %s", name);
	f->count++;
}

/* What the store does with its space and in the background. */
static enum ckpt_result work_features(struct cli *cli, struct features *f)
{
	struct ckpt_error *e = &cli->c.error;
	enum ckpt_result result = CKPT_DONE;
	uint64_t number;

	if (cli_has(cli, OPT_ERROR_IF_NO_SPACE) && cli_has(cli, OPT_NO_SPACE_TIMEOUT))
		return ckpt_fail(e, CKPT_USAGE,
				 "--error-if-no-space and --no-space-timeout exclude each other: writes fail at once, or they wait");
	if (cli_has(cli, OPT_LOW_WATER)) {
		result = ckpt_parse_units(cli->option[OPT_LOW_WATER],
					  CKPT_SECTOR << CKPT_UNIT_SHIFT, &number, e);
		add_feature(f, "low_water", number);
	}
	if (cli_has(cli, OPT_ERROR_IF_NO_SPACE))
		add_flag(f, "error_if_no_space");
	if (!result && cli_has(cli, OPT_NO_SPACE_TIMEOUT)) {
		result = ckpt_parse_number(cli->option[OPT_NO_SPACE_TIMEOUT], "--no-space-timeout",
					   0, CLI_NO_SPACE_SECONDS_MAX, &number, e);
		add_feature(f, "no_space_timeout", number);
	}
	if (!result && cli_has(cli, OPT_MERGE_RATE)) {
		result = ckpt_parse_rate(cli->option[OPT_MERGE_RATE], &number, e);
		add_feature(f, "merge_rate", number);
	}
	if (!result && cli_has(cli, OPT_MERGE_SHARE)) {
		result = ckpt_parse_percent(cli->option[OPT_MERGE_SHARE], "--merge-share",
					    &number, e);
		add_feature(f, "merge_share", number);
	}
	if (cli_has(cli, OPT_MERGE_PAUSED))
		add_flag(f, "merge_paused");
	if (cli_has(cli, OPT_DISCARD_PASSDOWN))
		add_flag(f, "discard_passdown");
	return result;
}

/* The options that create and open share. */
static enum ckpt_result common_features(struct cli *cli, struct features *f)
{
	enum ckpt_result result = CKPT_DONE;
	uint64_t number;

	if (cli_has(cli, OPT_CACHE_MB)) {
		result = ckpt_parse_number(cli->option[OPT_CACHE_MB], "--cache-mb", 8, 1 << 20,
					   &number, &cli->c.error);
		add_feature(f, "cache_mb", number);
	}
	if (!result && cli_has(cli, OPT_COMMIT_MS)) {
		result = ckpt_parse_number(cli->option[OPT_COMMIT_MS], "--commit-ms", 10, 60000,
					   &number, &cli->c.error);
		add_feature(f, "commit_ms", number);
	}
	if (cli_has(cli, OPT_NO_GUARD) && cli_has(cli, OPT_GUARD_INTERVAL))
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "--no-guard and --guard-interval exclude each other");
	if (cli_has(cli, OPT_NO_GUARD))
		add_flag(f, "no_guard");
	if (!result && cli_has(cli, OPT_GUARD_INTERVAL)) {
		result = ckpt_parse_number(cli->option[OPT_GUARD_INTERVAL], "--guard-interval",
					   CKPT_GUARD_INTERVAL_MIN, CKPT_GUARD_INTERVAL_MAX,
					   &number, &cli->c.error);
		add_feature(f, "guard_interval", number);
	}
	if (cli_has(cli, OPT_READ_ONLY))
		add_flag(f, "read_only");
	return result ? result : work_features(cli, f);
}

/* The store's device name when nobody says: from the path that was typed. */
static void default_name(const char *device, char name[CKPT_DM_NAME_LEN])
{
	const char *base = strrchr(device, '/');

	snprintf(name, CKPT_DM_NAME_LEN, "ckpt-%s", base ? base + 1 : device);
}

static enum ckpt_result check_name(struct cli *cli, const char *name)
{
	if (!*name || strchr(name, '/') || strlen(name) >= CKPT_DM_NAME_LEN ||
	    !ckpt_dm_name_fits(name))
		return ckpt_fail(&cli->c.error, CKPT_USAGE,
				 "'%s' cannot name a device; it must be short and without '/'", name);
	if (ckpt_dm_exists(name))
		return ckpt_fail(&cli->c.error, CKPT_BUSY,
				 "there is a device called %s already; choose another name with --name",
				 name);
	return CKPT_DONE;
}

/* Is a store open on that device? */
static enum ckpt_result check_not_open(struct cli *cli, const char *path,
				       struct ckpt_devno devno)
{
	enum ckpt_result result = CKPT_DONE;
	const struct ckpt_dm_device *d;
	struct ckpt_dm_devices devices;
	struct ckpt_devno below;
	size_t i = 0;
	int err = ckpt_dm_scan(&devices);

	if (err)
		return ckpt_dm_sentence(&cli->c, err, "list the devices");
	while (!result && (d = ckpt_store_next(&devices, &i)))
		if (ckpt_store_below(d, &below) && below.major == devno.major &&
		    below.minor == devno.minor)
			result = ckpt_fail(&cli->c.error, CKPT_BUSY,
					   "%s is open already, as store %s", path, d->name);
	ckpt_dm_devices_free(&devices);
	return result;
}

static enum ckpt_result make_target(struct cli *cli, const char *name, const char *uuid,
				    struct ckpt_devno below, uint64_t sectors,
				    const struct features *f)
{
	char params[sizeof(f->text) + 32], what[200];
	struct ckpt_dm_table table = {
		.target = CKPT_TARGET_STORE,
		.params = params,
		.sectors = sectors,
		.is_readonly = cli_has(cli, OPT_READ_ONLY),
		.is_hidden = true,
	};
	int err;

	snprintf(params, sizeof(params), "%u:%u", below.major, below.minor);
	if (f->count)
		snprintf(params + strlen(params), sizeof(params) - strlen(params), " %u%s",
			 f->count, f->text);
	snprintf(what, sizeof(what), "make store device %.120s", name);
	err = ckpt_dm_create(&cli->c, name, uuid, &table);
	return err ? ckpt_dm_sentence(&cli->c, err, what) : CKPT_DONE;
}

/* Asked before anything is erased for a store that could not be made. */
static enum ckpt_result check_target(struct cli *cli)
{
	enum ckpt_result result = ckpt_dm_check(&cli->c);

	if (!result && !cli->c.is_dry && !ckpt_dm_has_target(CKPT_TARGET_STORE))
		result = ckpt_fail(&cli->c.error, CKPT_FAILED,
				   "the kernel has no target %s; 'modprobe dm-ckpt' loads it",
				   CKPT_TARGET_STORE);
	return result;
}

static void remember_name(struct cli *cli, const char *uuid, const char *name)
{
	struct ckpt_error e;

	if (!cli->c.is_dry && ckpt_paths_set_name(uuid, name, &e))
		cli->c.warn(e.text);
}

/*
 * The features that only formatting has.  @room is the size of the device in
 * bytes.
 */
static enum ckpt_result format_features(struct cli *cli, const struct ckpt_blockdev *b,
					const char *path, struct features *f)
{
	const uint64_t least = (uint64_t)CKPT_BLOCK_SECTORS_MIN * CKPT_SECTOR;
	const uint64_t most = (uint64_t)CKPT_BLOCK_SECTORS_MAX * CKPT_SECTOR;
	uint64_t block = 4096, journal = CKPT_JOURNAL_BLOCKS_MIN * (uint64_t)CKPT_NODE_BYTES;
	struct ckpt_error *e = &cli->c.error;
	enum ckpt_result result;
	uint64_t needed;
	char text[CKPT_TEXT_LEN];

	add_flag(f, "format");
	if (cli_has(cli, OPT_BLOCK_SIZE)) {
		result = ckpt_parse_size(cli->option[OPT_BLOCK_SIZE], &block, e);
		if (result)
			return result;
		if (block < least || block > most || (block & (block - 1)))
			return ckpt_fail(e, CKPT_USAGE,
					 "a block cannot be %s; it is 512, 1k, 2k, 4k, 8k, 16k, 32k or 64k",
					 cli->option[OPT_BLOCK_SIZE]);
		add_feature(f, "block_size", block / CKPT_SECTOR);
	}
	if (block < b->logical_bytes)
		return ckpt_fail(e, CKPT_USAGE,
				 "blocks of %llu bytes are smaller than the sectors of %s; give --block-size %u or more",
				 (unsigned long long)block, path, b->logical_bytes);

	if (cli_has(cli, OPT_JOURNAL_SIZE)) {
		result = ckpt_parse_size(cli->option[OPT_JOURNAL_SIZE], &journal, e);
		if (result)
			return result;
		if (journal % CKPT_NODE_BYTES ||
		    journal / CKPT_NODE_BYTES < CKPT_JOURNAL_BLOCKS_MIN ||
		    journal / CKPT_NODE_BYTES > CKPT_JOURNAL_BLOCKS_MAX)
			return ckpt_fail(e, CKPT_USAGE,
					 "a journal cannot have %s; it is a multiple of 4k from 1M to 1G",
					 cli->option[OPT_JOURNAL_SIZE]);
		add_feature(f, "journal_blocks", journal / CKPT_NODE_BYTES);
	}

	needed = (uint64_t)CKPT_JOURNAL_START * CKPT_SECTOR + journal + (1 << 20);
	if (b->sectors * CKPT_SECTOR < needed)
		return ckpt_fail(e, CKPT_USAGE, "%s is too small for a store; %s is the least",
				 path, ckpt_human(needed, text));
	return CKPT_DONE;
}

/* "ext4 (filesystem) 'root' at byte 1080, ..." */
static void list_signatures(const struct ckpt_signatures *found, char *list, size_t size)
{
	*list = '\0';
	for (size_t i = 0; i < found->count; i++) {
		const struct ckpt_signature *s = &found->signature[i];
		char name[sizeof(s->name) + 3] = "";
		size_t used = strlen(list);

		if (*s->name)
			snprintf(name, sizeof(name), " '%s'", s->name);
		snprintf(list + used, size - used, "%s%s (%s)%s at byte %llu", i ? ", " : "",
			 s->type, s->usage, name, (unsigned long long)s->offset);
	}
}

/* Refuse what has something on it, or with --force say and erase it. */
static enum ckpt_result clear_device(struct cli *cli, const char *path, int fd)
{
	struct ckpt_signatures found;
	enum ckpt_result result = ckpt_probe(fd, &found, &cli->c.error);
	size_t count = found.count;
	char list[600];

	if (result)
		return result;
	list_signatures(&found, list, sizeof(list));
	ckpt_signatures_free(&found);
	if (!count)
		return CKPT_DONE;

	if (!cli_has(cli, OPT_FORCE))
		return ckpt_fail(&cli->c.error, CKPT_BUSY,
				 "%s is not empty: there is %s; --force erases that", path, list);
	result = cli_confirm(cli, "This erases %s on %s. Go on?", list, path);
	if (result)
		return result;
	cli_say(cli, "erasing on %s: %s", path, list);
	return cli->c.is_dry ? CKPT_DONE : ckpt_probe_wipe(fd, &cli->c.error);
}

/* A new store's UUID is known to the kernel first: put it on the device. */
static enum ckpt_result name_new_store(struct cli *cli, const char *name,
				       char uuid[CKPT_UUID_LEN])
{
	char dm_uuid[CKPT_DM_UUID_LEN];
	struct ckpt_store s;
	enum ckpt_result result;

	*uuid = '\0';
	if (cli->c.is_dry)
		return CKPT_DONE;
	result = ckpt_store_find(&cli->c, name, &s);
	if (!result)
		result = ckpt_store_load_status(&s);
	if (!result) {
		snprintf(uuid, CKPT_UUID_LEN, "%s", s.status.uuid);
		snprintf(dm_uuid, sizeof(dm_uuid), "CKPT-store-%s", uuid);
		if (ckpt_dm_set_uuid(&cli->c, name, dm_uuid))
			cli->c.warn("the store's device got no UUID; all works without it");
		remember_name(cli, uuid, name);
	}
	ckpt_store_free(&s);
	return result;
}

enum ckpt_result run_store_create(struct cli *cli, char **arg, int count)
{
	struct features features = { 0 };
	char name[CKPT_DM_NAME_LEN], uuid[CKPT_UUID_LEN], text[CKPT_TEXT_LEN];
	struct ckpt_blockdev b;
	enum ckpt_result result;

	(void)count;
	result = check_target(cli);
	if (!result)
		result = ckpt_blockdev_open(arg[0],
					    (cli->c.is_dry ? O_RDONLY : O_RDWR) | O_EXCL, &b,
					    &cli->c.error);
	if (result)
		return result;

	default_name(arg[0], name);
	if (cli_has(cli, OPT_NAME))
		snprintf(name, sizeof(name), "%s", cli->option[OPT_NAME]);
	result = check_name(cli, cli_has(cli, OPT_NAME) ? cli->option[OPT_NAME] : name);
	if (!result)
		result = format_features(cli, &b, arg[0], &features);
	if (!result)
		result = common_features(cli, &features);
	if (!result)
		result = clear_device(cli, arg[0], b.fd);
	/* The target wants the device for itself. */
	ckpt_blockdev_close(&b);

	if (!result)
		result = make_target(cli, name, NULL, b.devno, b.sectors, &features);
	if (!result)
		result = name_new_store(cli, name, uuid);
	if (result)
		return result;
	cli_say(cli, "store %s: %s on %s", name,
		ckpt_human(b.sectors * CKPT_SECTOR, text), arg[0]);
	cli_done(cli, "store", name, "uuid", uuid, "device", arg[0], NULL);
	return CKPT_DONE;
}

static bool read_guard(const char *device, const char *uuid, struct ckpt_guard_facts *guard)
{
	uint8_t bytes[CKPT_UUID_BYTES];
	struct ckpt_file file = { .fd = -1 };
	struct ckpt_source source;
	struct ckpt_blockdev b;
	struct ckpt_error e;

	if (!ckpt_uuid_parse(uuid, bytes) || ckpt_blockdev_open(device, O_RDONLY, &b, &e))
		return false;
	/* The kernel writes past the page cache. */
	posix_fadvise(b.fd, 0, 0, POSIX_FADV_DONTNEED);
	file.fd = b.fd;
	source = ckpt_file_source(&file);
	ckpt_guard_read(&source, bytes, guard);
	ckpt_blockdev_close(&b);
	return true;
}

/* Why nothing will happen for a while. */
static void tell_of_wait(struct cli *cli, const char *device, const char *uuid)
{
	struct ckpt_guard_facts guard;
	char text[256];

	if (cli_has(cli, OPT_NO_GUARD) || cli->c.is_dry || !read_guard(device, uuid, &guard) ||
	    !ckpt_guard_waits(&guard))
		return;
	if (guard.says == CKPT_GUARD_IS_DAMAGED)
		snprintf(text, sizeof(text), "the guard's block cannot be used (%s)", guard.why);
	else
		ckpt_guard_sentence(&guard, text, sizeof(text));
	cli_say(cli, "%s; whether that is so is watched for %u seconds", text, guard.watch_seconds);
}

/* The kernel's word is "busy", which says little when it is because of another host. */
static enum ckpt_result explain_guard(struct cli *cli, enum ckpt_result result,
				      const char *device, const char *uuid)
{
	struct ckpt_guard_facts guard;
	char text[256];

	if (result != CKPT_BUSY || cli_has(cli, OPT_NO_GUARD) ||
	    !read_guard(device, uuid, &guard) || guard.says != CKPT_GUARD_SAYS_OPEN)
		return result;
	ckpt_guard_sentence(&guard, text, sizeof(text));
	return ckpt_fail(&cli->c.error, CKPT_BUSY, "%s; close it there first", text);
}

/* By --name, by the name it had here last, or from the path. */
static void opened_name(struct cli *cli, const char *device, const char *uuid,
			char name[CKPT_DM_NAME_LEN])
{
	struct ckpt_error e;

	if (cli_has(cli, OPT_NAME))
		snprintf(name, CKPT_DM_NAME_LEN, "%s", cli->option[OPT_NAME]);
	else if (ckpt_paths_name(uuid, name, CKPT_DM_NAME_LEN, &e))
		default_name(device, name);
}

enum ckpt_result run_store_open(struct cli *cli, char **arg, int count)
{
	struct features features = { 0 };
	char name[CKPT_DM_NAME_LEN], dm_uuid[CKPT_DM_UUID_LEN], has[CKPT_TEXT_LEN],
	     wants[CKPT_TEXT_LEN];
	struct ckpt_super_facts facts;
	struct ckpt_blockdev b;
	enum ckpt_result result;

	(void)count;
	result = check_target(cli);
	if (!result)
		result = ckpt_blockdev_open(arg[0], O_RDONLY, &b, &cli->c.error);
	if (result)
		return result;

	result = check_not_open(cli, arg[0], b.devno);
	if (!result)
		result = ckpt_super_read(b.fd, &facts, &cli->c.error);
	if (result && result != CKPT_BUSY)
		ckpt_fail(&cli->c.error, result, "%s: %s", arg[0], cli->c.error.text);
	ckpt_blockdev_close(&b);
	if (result)
		return result;
	if (b.sectors < facts.sectors)
		return ckpt_fail(&cli->c.error, CKPT_INTEGRITY,
				 "%s has %s and the store on it %s: the device was cut off", arg[0],
				 ckpt_human(b.sectors * CKPT_SECTOR, has),
				 ckpt_human(facts.sectors * CKPT_SECTOR, wants));

	opened_name(cli, arg[0], facts.uuid, name);
	result = check_name(cli, name);
	if (!result)
		result = common_features(cli, &features);
	if (result)
		return result;
	snprintf(dm_uuid, sizeof(dm_uuid), "CKPT-store-%s", facts.uuid);
	tell_of_wait(cli, arg[0], facts.uuid);
	result = make_target(cli, name, dm_uuid, b.devno, facts.sectors, &features);
	if (result)
		return explain_guard(cli, result, arg[0], facts.uuid);
	remember_name(cli, facts.uuid, name);
	cli_say(cli, "store %s is open", name);
	if (b.sectors > facts.sectors)
		cli_say(cli, "%s has become larger; 'ckptctl store grow %s' uses that", arg[0], name);
	cli_done(cli, "store", name, "uuid", facts.uuid, "device", arg[0], NULL);
	return CKPT_DONE;
}
