// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash-states: what a power cut may leave, at every moment of a recorded run, held against what
 * was promised by then.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../model/crash.h"
#include "../model/evlog.h"
#include "../model/report.h"
#include "dm-ckpt/fault.h"
#include "reader.h"
#include "reduce.h"
#include "try.h"

#define MAX_JOBS	64u

static struct {
	const char *trace, *events, *save;
	uint64_t states, seed, exports;
	unsigned int jobs;
	struct cut cut;			/* the only one, if its @at is set */
	enum fate fate;			/* of all but those in @but */
	struct {
		uint32_t nr;
		enum fate fate;
	} but[256];
	unsigned int nr_but;
} opt = { .states = 5000, .seed = 1, .jobs = 1 };

/* Of the reader, see dm-ckpt/fault.h. */
int ckpt_fault_active;
static const char *const fault_names[] = CKPT_FAULT_NAMES;

static struct trace trace;
static struct disks disks;
static uint32_t first_moment;		/* after the first mark */
static char line[2000];

const char *command_line(void)
{
	return line;
}

/* ---- walking through the log ---- */

/* Disks and model right before this entry. */
static void walk_to(uint32_t at)
{
	uint64_t ended, begun;

	disks_advance(&disks, at);
	if (trace_events(&trace, at, &ended, &begun))
		crash_replay_to(ended, true);
}

/* What the walker tells, who ends with its processes. */
struct result {
	struct counts counts;
	bool failed;
	uint64_t index;
	struct cut cut;
};

static struct result *result;

static void add_counts(const struct try *t)
{
	struct counts *c = &result->counts;

	c->states++;
	for (unsigned int i = 0; i < 2; i++)
		c->commands[i] += t->counts->commands[i];
	for (unsigned int i = 0; i < SPOIL_KINDS; i++)
		c->spoilt[i] += t->counts->spoilt[i];
	for (uint32_t i = 0; i < t->cut->nr; i++)
		c->fate[t->cut->fate[i]]++;
}

/* The first one that fails counts, whichever ends first. */
static void end_job(struct try *t)
{
	bool ok;

	if (!t->pid)
		return;
	ok = try_end(t);
	add_counts(t);
	if (!ok && (!result->failed || t->index < result->index)) {
		result->failed = true;
		result->index = t->index;
		memcpy(&result->cut, t->cut, sizeof(*t->cut));
	}
	try_forget(t);
}

/* Where to save state @i, or NULL: a few of them, at even distances. */
static const char *export(uint64_t i, char *buf, size_t size)
{
	uint64_t nr = opt.exports ? i * opt.exports / opt.states : 0;

	if (!opt.exports || (i && (i - 1) * opt.exports / opt.states == nr))
		return NULL;
	snprintf(buf, size, "%s/%" PRIu64, opt.save, nr + 1);
	return buf;
}

static void walk_all(void)
{
	static struct try job[MAX_JOBS];
	char folder[4096];

	for (unsigned int i = 0; i < opt.jobs; i++)
		try_init(&job[i]);
	for (uint64_t i = 0; i < opt.states && !result->failed; i++) {
		struct try *t = &job[i % opt.jobs];
		struct rng r;

		end_job(t);
		rng_init(&r, opt.seed * 0x100000001b3ull + i);
		walk_to(max(cut_moment(&trace, first_moment, opt.states, i, &r), disks.now));
		cut_choose(&disks, t->cut, &r);
		t->index = i;
		try_begin(t, &disks, export(i, folder, sizeof(folder)));
	}
	for (unsigned int i = 0; i < opt.jobs; i++)
		end_job(&job[i]);
}

static void walk_one(void)
{
	char folder[4096];

	walk_to(result->cut.at);
	if (opt.cut.at) {
		result->cut.nr = min(disks.nr, MAX_LOOSE);
		memset(result->cut.fate, opt.fate, result->cut.nr);
	}
	for (unsigned int k = 0; k < opt.nr_but; k++)
		for (uint32_t i = 0; i < result->cut.nr; i++)
			if (disks.loose[i].nr == opt.but[k].nr)
				result->cut.fate[i] = opt.but[k].fate;
	snprintf(folder, sizeof(folder), "%s/failed", opt.save ? opt.save : "");
	result->failed = reduce(&disks, &result->cut, opt.save ? folder : NULL);
}

/* In a process of its own, as there is no way back in time. */
static void walk(void (*how)(void))
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		how();
		fflush(NULL);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "crash-states: its process failed\n");
		exit(2);
	}
}

/* ---- the whole ---- */

static int try_only(void)
{
	result->cut.at = opt.cut.at;
	result->cut.seed = opt.cut.seed;
	result->cut.spoil = opt.cut.spoil;
	walk(walk_one);
	puts(result->failed ? "1 state, it failed" : "1 state, it did not fail");
	return result->failed;
}

static int try_all(void)
{
	uint64_t start = now_ms(), ms;
	const struct counts *c = &result->counts;

	walk(walk_all);
	ms = max(now_ms() - start, UINT64_C(1));
	if (result->failed) {
		printf("# state %" PRIu64 " of seed %" PRIu64 " is wrong, at entry %u\n",
		       result->index + 1, opt.seed, result->cut.at);
		walk(walk_one);
	}
	printf("%" PRIu64 " states at %u moments in %" PRIu64 ".%" PRIu64 " s (%" PRIu64
	       " a second); writes in flight: %" PRIu64 " lost, %" PRIu64 " kept, %" PRIu64
	       " torn; commands interrupted: %" PRIu64 " not done, %" PRIu64
	       " done; superblock rotten: %" PRIu64 ", and old: %" PRIu64
	       ", journal forged: %" PRIu64 "; %s\n",
	       c->states, trace.nr_moments - first_moment, ms / 1000, ms / 100 % 10,
	       c->states * 1000 / ms, c->fate[FATE_LOST], c->fate[FATE_KEPT], c->fate[FATE_TORN],
	       c->commands[0], c->commands[1], c->spoilt[SPOIL_SUPER],
	       c->spoilt[SPOIL_SUPER_OLD], c->spoilt[SPOIL_JOURNAL], result->failed ? "1 FAILED" : "0 failed");
	return result->failed;
}

static void usage(FILE *f)
{
	fputs("usage: crash-states [option]... TRACE EVENTS\n"
	      "  TRACE is what the recorder saw of a run of ckpt-model, EVENTS its log.\n"
	      "  --states N           how many, but one for each flush at least (5000)\n"
	      "  --seed N             other states (1)\n"
	      "  --jobs N             so many at a time (1)\n"
	      "  --size MIB, --block-size BYTES, --origins N\n"
	      "                       as ckpt-model had them (12, 4096, 3)\n"
	      "  --save FOLDER        there is to be a state that failed, in \"failed\"\n"
	      "  --export N           ... and N others, in \"1\" and so on\n"
	      "  --fault NAME         the reader has this fault, see dm-ckpt/fault.h\n"
	      "  --verbose            say more of each\n"
	      "One state only:\n"
	      "  --cut ENTRY          the power goes before this entry of TRACE\n"
	      "  --kept, --lost       all that no flush covers is there, or nothing of it, but\n"
	      "  --keep ENTRY, --lose ENTRY, --tear ENTRY\n"
	      "                       this; may be repeated\n"
	      "  --order N            what is torn, and the order, follow from this number\n"
	      "  --spoil KIND         super, super-old or journal\n", f);
}

enum {
	OPT_STATES = 256, OPT_SEED, OPT_JOBS, OPT_SIZE, OPT_BLOCK, OPT_ORIGINS, OPT_SAVE,
	OPT_EXPORT, OPT_CUT, OPT_KEPT, OPT_LOST, OPT_KEEP, OPT_LOSE, OPT_TEAR, OPT_ORDER,
	OPT_SPOIL, OPT_FAULT, OPT_VERBOSE, OPT_HELP,
};

static const struct option options[] = {
	{ "states", 1, NULL, OPT_STATES },	{ "seed", 1, NULL, OPT_SEED },
	{ "jobs", 1, NULL, OPT_JOBS },		{ "size", 1, NULL, OPT_SIZE },
	{ "block-size", 1, NULL, OPT_BLOCK },	{ "origins", 1, NULL, OPT_ORIGINS },
	{ "save", 1, NULL, OPT_SAVE },		{ "export", 1, NULL, OPT_EXPORT },
	{ "cut", 1, NULL, OPT_CUT },		{ "kept", 0, NULL, OPT_KEPT },
	{ "lost", 0, NULL, OPT_LOST },		{ "keep", 1, NULL, OPT_KEEP },
	{ "lose", 1, NULL, OPT_LOSE },		{ "tear", 1, NULL, OPT_TEAR },
	{ "order", 1, NULL, OPT_ORDER },	{ "spoil", 1, NULL, OPT_SPOIL },
	{ "fault", 1, NULL, OPT_FAULT },	{ "verbose", 0, NULL, OPT_VERBOSE },
	{ "help", 0, NULL, OPT_HELP },		{ NULL, 0, NULL, 0 },
};

static void add_but(uint32_t nr, enum fate fate)
{
	if (opt.nr_but == ARRAY_SIZE(opt.but)) {
		fprintf(stderr, "crash-states: no more than %zu\n", ARRAY_SIZE(opt.but));
		exit(2);
	}
	opt.but[opt.nr_but].nr = nr;
	opt.but[opt.nr_but++].fate = fate;
}

static unsigned int pick(const char *const *names, unsigned int nr, const char *name)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	fprintf(stderr, "crash-states: %s is none of", name);
	for (unsigned int i = 0; i < nr; i++)
		fprintf(stderr, "%s %s", i ? "," : "", names[i]);
	fputc('\n', stderr);
	exit(2);
}

static void parse(int argc, char **argv)
{
	int o;

	cfg.origins = 3;
	for (int i = 0; i < argc; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s ", argv[i]);
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (o) {
		case OPT_STATES:	opt.states = max(n, UINT64_C(1)); break;
		case OPT_SEED:		opt.seed = n; break;
		case OPT_JOBS:
			opt.jobs = min(max(n, UINT64_C(1)), (uint64_t)MAX_JOBS);
			break;
		case OPT_SIZE:		cfg.size_mib = n; break;
		case OPT_BLOCK:		cfg.block = n / SECTOR_SIZE; break;
		case OPT_ORIGINS:	cfg.origins = min(n, (uint64_t)MAX_DISKS - 1); break;
		case OPT_SAVE:		opt.save = optarg; break;
		case OPT_EXPORT:	opt.exports = n; break;
		case OPT_CUT:		opt.cut.at = n; break;
		case OPT_KEPT:		opt.fate = FATE_KEPT; break;
		case OPT_LOST:		opt.fate = FATE_LOST; break;
		case OPT_KEEP:		add_but(n, FATE_KEPT); break;
		case OPT_LOSE:		add_but(n, FATE_LOST); break;
		case OPT_TEAR:		add_but(n, FATE_TORN); break;
		case OPT_ORDER:		opt.cut.seed = n; break;
		case OPT_SPOIL:
			opt.cut.spoil = pick(spoil_names, SPOIL_KINDS, optarg);
			break;
		case OPT_FAULT:
			ckpt_fault_active = pick(fault_names, ARRAY_SIZE(fault_names), optarg);
			break;
		case OPT_VERBOSE:	cfg.verbose = true; break;
		case OPT_HELP:		usage(stdout); exit(0);
		default:		usage(stderr); exit(2);
		}
	}
	if (argc - optind != 2 || (opt.exports && !opt.save)) {
		usage(stderr);
		exit(2);
	}
	opt.trace = argv[optind];
	opt.events = argv[optind + 1];
}

/* As ckpt-model's options would have it. */
static void lay_out(void)
{
	dm = &dm_reader;
	cfg.resume = true;
	cfg.store.len = trace.sectors[0];
	for (unsigned int i = 0; i < cfg.origins; i++)
		cfg.origin[i].len = trace.sectors[i + 1];
	config_lay_out();
}

int main(int argc, char **argv)
{
	int err;

	parse(argc, argv);
	if (trace_read(&trace, opt.trace))
		return 2;
	err = evlog_open(opt.events, false, &cfg.seed);
	if (err) {
		fprintf(stderr, "%s: %s\n", opt.events, strerror(-err));
		return 2;
	}
	if (opt.save && mkdir(opt.save, 0755) && errno != EEXIST) {
		fprintf(stderr, "%s: %s\n", opt.save, strerror(errno));
		return 2;
	}
	lay_out();
	while (first_moment < trace.nr_moments && trace.moment[first_moment] <= trace.mark[0].at)
		first_moment++;
	if (first_moment == trace.nr_moments) {
		fprintf(stderr, "%s: there is no flush after the first mark\n", opt.trace);
		return 2;
	}
	opt.states = max(opt.states, (uint64_t)trace.nr_moments - first_moment);
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (result == MAP_FAILED)
		return 2;
	disks_init(&disks, &trace);
	return opt.cut.at ? try_only() : try_all();
}
