// SPDX-License-Identifier: GPL-2.0-only
/*
 * ckpt-model: random I/O and commands on dm-ckpt's targets, held against a model
 * in memory.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "check.h"
#include "crash.h"
#include "dmdev.h"
#include "evlog.h"
#include "io.h"
#include "pattern.h"
#include "random.h"
#include "report.h"
#include "stack.h"
#include "util.h"
#include "verify.h"

static char line[2000];
static unsigned int test_nr;

const char *command_line(void)
{
	return line;
}

enum {
	OPT_SEED = 256, OPT_OPS, OPT_SECONDS, OPT_BLOCK, OPT_VOLUMES, OPT_CKPTS,
	OPT_THREADS, OPT_CHAIN, OPT_SIZE, OPT_HUGE, OPT_FULL, OPT_LOW, OPT_STORE, OPT_ORIGIN, OPT_PREFIX,
	OPT_FAKE, OPT_INJECT, OPT_DIE, OPT_LOG, OPT_RESUME, OPT_VERIFY, OPT_DISK,
	OPT_COPY, OPT_MARKS, OPT_CUT, OPT_CONTENTS, OPT_ORIGINS, OPT_KEEP, OPT_VERBOSE,
	OPT_HELP,
};

static const struct option options[] = {
	{ "seed", 1, NULL, OPT_SEED },		{ "ops", 1, NULL, OPT_OPS },
	{ "seconds", 1, NULL, OPT_SECONDS },	{ "block-size", 1, NULL, OPT_BLOCK },
	{ "volumes", 1, NULL, OPT_VOLUMES },	{ "checkpoints", 1, NULL, OPT_CKPTS },
	{ "threads", 1, NULL, OPT_THREADS },	{ "chain", 1, NULL, OPT_CHAIN },
	{ "size", 1, NULL, OPT_SIZE },		{ "huge", 0, NULL, OPT_HUGE },
	{ "full", 0, NULL, OPT_FULL },		{ "low", 0, NULL, OPT_LOW },
	{ "store", 1, NULL, OPT_STORE },	{ "origin", 1, NULL, OPT_ORIGIN },
	{ "prefix", 1, NULL, OPT_PREFIX },	{ "fake", 1, NULL, OPT_FAKE },
	{ "inject", 1, NULL, OPT_INJECT },	{ "die", 0, NULL, OPT_DIE },
	{ "log", 1, NULL, OPT_LOG },		{ "resume", 0, NULL, OPT_RESUME },
	{ "verify-only", 0, NULL, OPT_VERIFY },	{ "disk", 1, NULL, OPT_DISK },
	{ "copy-to", 1, NULL, OPT_COPY },	{ "origins", 1, NULL, OPT_ORIGINS },
	{ "marks", 1, NULL, OPT_MARKS },	{ "cut", 1, NULL, OPT_CUT },
	{ "contents", 1, NULL, OPT_CONTENTS },	{ "keep", 0, NULL, OPT_KEEP },
	{ "verbose", 0, NULL, OPT_VERBOSE },	{ "help", 0, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *f)
{
	fputs("usage: ckpt-model [option]... with --store and --origin, --disk, or --fake\n"
	      "  --store DEV          the store; erased, unless --resume is given\n"
	      "  --origin DEV         a base, erased likewise; may be repeated\n"
	      "  --disk DEV           store and origins are parts of it, over one linear device\n"
	      "  --origins N          how many (with --disk, --fake)\n"
	      "  --fake DIR           no kernel: emulate the targets on files in DIR\n"
	      "  --seed N             same numbers, same run (but for the threads' timing)\n"
	      "  --ops N              I/O operations (20000)\n"
	      "  --seconds N          bound of the random phase\n"
	      "  --threads N          I/O threads; 0: one thread does it all, by turns (3)\n"
	      "  --block-size BYTES   of the store (4096)\n"
	      "  --volumes N          about so many at a time (5)\n"
	      "  --checkpoints N      at most so many (20)\n"
	      "  --size MIB           of a small volume (12)\n"
	      "  --huge               volumes of up to 16 TiB as well\n"
	      "  --full               the store is too small: writes may find no space\n"
	      "  --low                the store counts as short of space\n"
	      "  --chain N            instead: a chain of so many checkpoints\n"
	      "  --log FILE           keep events there, for a crash\n"
	      "  --resume             there was a crash: verify, then go on\n"
	      "  --verify-only        ... and do not go on\n"
	      "  --copy-to DEV        copy --disk there under load, then end: a crash for DEV\n"
	      "  --marks NAME         put marks into this recorder's log\n"
	      "  --cut ACK,START      with --resume: the crash was when these events had ended\n"
	      "                       and begun\n"
	      "  --contents FILE      with --resume: write there what volumes and checkpoints hold\n"
	      "  --inject FAULT       with --fake: lost-write, wrong-sector, torn-write, leak,\n"
	      "                       lost-zero, group-order, half-checkpoint, stale-apply,\n"
	      "                       lost-at-crash\n"
	      "  --die                with --fake: end in the middle of it\n"
	      "  --prefix NAME        of the devices' names (cm)\n"
	      "  --keep               leave the devices after a failure\n"
	      "  --verbose            every command\n", f);
}

static void parse(int argc, char **argv)
{
	bool seeded = false;
	int opt;

	for (int i = 0; i < argc; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s ", argv[i]);
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (opt) {
		case OPT_SEED:		cfg.seed = n; seeded = true; break;
		case OPT_OPS:		cfg.ops = n; break;
		case OPT_SECONDS:	cfg.seconds = n; break;
		case OPT_BLOCK:		cfg.block = n / SECTOR_SIZE; break;
		case OPT_VOLUMES:	cfg.volumes = n; break;
		case OPT_CKPTS:		cfg.checkpoints = n; break;
		case OPT_THREADS:	cfg.threads = min(n, (uint64_t)MAX_THREADS); break;
		case OPT_CHAIN:		cfg.chain = n; break;
		case OPT_SIZE:		cfg.size_mib = n; break;
		case OPT_HUGE:		cfg.huge = true; break;
		case OPT_FULL:		cfg.full = true; break;
		case OPT_LOW:		cfg.low = true; break;
		case OPT_STORE:		config_slice(&cfg.store, optarg); break;
		case OPT_ORIGIN:
			if (cfg.origins == MAX_ORIGINS)
				exit(2);
			config_slice(&cfg.origin[cfg.origins++], optarg);
			break;
		case OPT_PREFIX:	cfg.prefix = optarg; break;
		case OPT_FAKE:		cfg.fake = optarg; break;
		case OPT_INJECT:	cfg.inject = optarg; break;
		case OPT_DIE:		cfg.die = true; break;
		case OPT_LOG:		cfg.log = optarg; break;
		case OPT_RESUME:	cfg.resume = true; break;
		case OPT_VERIFY:	cfg.resume = cfg.verify_only = true; break;
		case OPT_DISK:		cfg.disk = optarg; break;
		case OPT_COPY:		cfg.copy_to = optarg; break;
		case OPT_MARKS:		cfg.marks = optarg; break;
		case OPT_CUT:
			if (sscanf(optarg, "%" SCNu64 ",%" SCNu64, &cfg.cut_ack,
				   &cfg.cut_start) != 2)
				exit(2);
			break;
		case OPT_CONTENTS:	cfg.contents = optarg; break;
		case OPT_ORIGINS:	cfg.origins = min(n, (uint64_t)MAX_ORIGINS); break;
		case OPT_KEEP:		cfg.keep = true; break;
		case OPT_VERBOSE:	cfg.verbose = true; break;
		case OPT_HELP:		usage(stdout); exit(0);
		default:		usage(stderr); exit(2);
		}
	}
	if (!cfg.fake && !cfg.disk && !*cfg.store.dev) {
		usage(stderr);
		exit(2);
	}
	if (!seeded) {
		cfg.seed = now_ms() * 2654435761u ^ getpid();
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "--seed %u",
			 cfg.seed);
	}
}

/* What is on the origins before the store sees them; the end stays zeros. */
static bool write_bases(void)
{
	void *buf = xbuffer(PIECE * SECTOR_SIZE);
	bool ok = true;

	if (!origins_up())
		return false;
	for (unsigned int i = 0; i < cfg.origins && ok; i++) {
		const struct slice *s = &cfg.origin[i];
		uint64_t size = min((uint64_t)cfg.size_mib * MIB_SECTORS, s->len);
		struct base *b = base_new(i, size - size % 128);
		int fd = dm->open(BASE_NAME(b), false);

		b->template = i & 1;
		ev_add(EV_BASE, i, b->size, b->template, 0);
		ok = fd >= 0;
		for (uint64_t at = 0; ok && at < s->len; at += PIECE) {
			uint32_t len = min((uint64_t)PIECE, s->len - at);

			memset(buf, 0, PIECE * SECTOR_SIZE);
			if (at < b->size && at / PIECE % 3) {
				struct op *op;

				len = min((uint64_t)len, b->size - at);
				op = op_define(0, OP_WRITE, ~0u - i, at, len, 0);
				pattern_fill(buf, len, at, ~0u - i, op->id, cfg.seed);
				for (uint32_t k = 0; k < len; k++)
					map_set(&b->map, at + k, op->id);
				ev_add(EV_SET_BASE, i, at, len, op->id);
			}
			ok = dm->write(fd, buf, (size_t)len * SECTOR_SIZE,
				       at * SECTOR_SIZE, false) == len * SECTOR_SIZE;
		}
		ok = ok && !dm->flush(fd);
		if (!ok)
			failure("cannot write origin %u", i);
		if (fd >= 0)
			close(fd);
	}
	free(buf);
	return origins_down() && ok;
}

static bool phase(bool (*fn)(void), const char *name)
{
	uint64_t start = now_ms();
	bool ok = !failed && fn() && !failed;

	printf("%sok %u - %s\n", ok ? "" : "not ", ++test_nr, name);
	printf("# %s took %llu ms\n", name, (unsigned long long)(now_ms() - start));
	fflush(stdout);
	return ok;
}

static bool new_run(void)
{
	return phase(write_bases, "origins") && phase(phase_format, "format");
}

static bool write_contents(void)
{
	FILE *f = fopen(cfg.contents, "w");
	bool ok = f && verify_print(f);

	if (!f || fclose(f))
		failure("cannot write %s", cfg.contents);
	return ok && !failed;
}

static bool after_crash(void)
{
	return phase(crash_replay, "what was done before the crash") &&
	       stack_up(false) &&
	       phase(crash_verify, "all of it is there") &&
	       (!cfg.contents || phase(write_contents, "what that is")) &&
	       (!cfg.verify_only || phase(phase_finish, "merges go on and end")) &&
	       phase(crash_new_log, "new log");
}

static bool run_model(void)
{
	return phase(phase_setup, "setup") &&
	       phase(phase_random, "random operations") &&
	       phase(phase_verify, "everything is as it should be") &&
	       phase(phase_settle, "merges end") &&
	       phase(phase_cycle, "... after an activation too") &&
	       phase(phase_drop, "delete all checkpoints") &&
	       phase(phase_delete, "delete the rest");
}

static bool run_chain(void)
{
	return phase(phase_chain, "a chain of checkpoints") &&
	       phase(phase_cycle, "... after an activation") &&
	       phase(phase_thin_out, "delete half of it under load") &&
	       phase(phase_settle, "merges end") &&
	       phase(phase_cycle, "... after an activation too") &&
	       phase(phase_drop, "delete all checkpoints") &&
	       phase(phase_delete, "delete the rest");
}

static bool run_load(void)
{
	struct rng r;

	if (!cfg.resume && !phase(phase_setup, "setup"))
		return false;
	/* A script that wants to kill us waits for this. */
	puts("# LOADING");
	crash_mark("loading");
	fflush(stdout);
	if (cfg.copy_to) {
		rng_init(&r, cfg.seed + op_last());
		crash_copy_start(500 + rng_below(&r, cfg.seconds * 800));
	}
	return phase(phase_random, "random operations") &&
	       (!cfg.copy_to || phase(crash_copy_end, "copy under load"));
}

int main(int argc, char **argv)
{
	bool ok = true;

	parse(argc, argv);
	if (cfg.fake)
		dm = &dm_fake;
	crc32c(0, "", 0);
	if (cfg.log) {
		int err = evlog_open(cfg.log, !cfg.resume, &cfg.seed);

		if (err) {
			fprintf(stderr, "%s: %s\n", cfg.log, strerror(-err));
			return 2;
		}
		if (cfg.cut_ack)
			evlog_set_cut(cfg.cut_ack, cfg.cut_start);
	}
	printf("# seed %u: %s\n", cfg.seed, line);
	config_lay_out();
	if (cfg.disk)
		ok = lower_up();
	ok = ok && (cfg.resume ? after_crash() : new_run());
	random_init(cfg.seed + op_last());
	if (ok && !cfg.verify_only)
		ok = cfg.chain ? run_chain() : cfg.log ? run_load() : run_model();
	if (failed)
		admin_autopsy();
	printf("1..%u\n", test_nr);
	fflush(stdout);
	if (ok || !cfg.keep) {
		close_views();
		stack_down();
		if (cfg.disk)
			dm->remove(lower_dev());
	}
	if (failed)
		printf("# failed; repeat with: %s\n", line);
	return ok && !failed ? 0 : 1;
}
