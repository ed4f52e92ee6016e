// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../model/check.h"
#include "../model/crash.h"
#include "../model/stack.h"
#include "../model/verify.h"
#include "reader.h"
#include "try.h"

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void try_init(struct try *t)
{
	memset(t, 0, sizeof(*t));
	t->said = -1;
	t->cut = shared(sizeof(*t->cut));
	t->counts = shared(sizeof(*t->counts));
}

/* ---- in the process ---- */

static FILE *save_file(const char *folder, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	if (!f)
		failure("%s: %s", path, strerror(errno));
	return f;
}

/* Sparse, as most of it is zeros. */
static bool save_image(const char *folder, const char *name, const char *image, uint64_t sectors)
{
	static const char zeros[4096];
	uint64_t bytes = sectors * SECTOR_SIZE;
	FILE *f = save_file(folder, name);
	bool ok = f && !ftruncate(fileno(f), bytes);

	for (uint64_t at = 0; ok && at < bytes; at += sizeof(zeros)) {
		size_t part = min(sizeof(zeros), bytes - at);

		if (memcmp(image + at, zeros, part))
			ok = pwrite(fileno(f), image + at, part, at) == (ssize_t)part;
	}
	if (f && (fclose(f) || !ok))
		failure("%s/%s: %s", folder, name, strerror(errno));
	return !failed;
}

/* Before it is looked at, so that it can be seen what was wrong. */
static bool save_disks(const struct disks *d, const char *folder, uint64_t ended, uint64_t begun)
{
	char name[20] = "store";
	FILE *f;

	if (mkdir(folder, 0755) && errno != EEXIST) {
		failure("%s: %s", folder, strerror(errno));
		return false;
	}
	for (unsigned int i = 0; i < MAX_DISKS; i++) {
		if (i)
			snprintf(name, sizeof(name), "origin%u", i);
		if (d->image[i] && !save_image(folder, name, d->image[i], d->trace->sectors[i]))
			return false;
	}
	f = save_file(folder, "cut");
	if (f)
		fprintf(f, "%" PRIu64 ",%" PRIu64 "\n", ended, begun);
	return f && !fclose(f);
}

static bool save_contents(const char *folder)
{
	FILE *f = save_file(folder, "contents");

	return f && verify_print(f) && !fclose(f);
}

/* It must not be opened; what the reader says then is what was wanted. */
static bool check_refused(const char *save)
{
	FILE *f = save ? save_file(save, "refused") : NULL;

	if (f)
		fclose(f);
	note("it is to be refused:");
	failed = stack_up(false);
	if (failed)
		failure("a store was opened with a superblock that the journal knows is old");
	return !failed;
}

static bool check(struct try *t, struct disks *d, const char *save)
{
	uint64_t ended, begun;
	enum spoil spoilt;
	bool done;

	if (!trace_events(d->trace, d->now, &ended, &begun)) {
		failure("there is no mark before entry %u", d->now);
		return false;
	}
	disks_cut(d, t->cut->fate, t->cut->seed);
	spoilt = spoil(d, t->cut->fate, t->cut->spoil) ? t->cut->spoil : SPOIL_NOTHING;
	t->counts->spoilt[spoilt]++;
	if (save && !save_disks(d, save, ended, begun))
		return false;
	crash_replay_to(begun, false);
	reader_use(d);
	if (spoilt == SPOIL_SUPER_OLD)
		return check_refused(save);
	if (!stack_up(false) || !reader_check() || !crash_verify())
		return false;
	if (crash_interrupted(&done))
		t->counts->commands[done]++;
	return !save || save_contents(save);
}

/* ---- outside of it ---- */

void try_begin(struct try *t, const struct disks *d, const char *save)
{
	t->said = memfd_create("said", MFD_CLOEXEC);
	memset(t->counts, 0, sizeof(*t->counts));
	fflush(NULL);
	t->pid = fork();
	if (t->said < 0 || t->pid < 0) {
		perror("fork");
		exit(2);
	}
	if (t->pid)
		return;
	alarm(TRY_SECONDS);
	dup2(t->said, STDOUT_FILENO);
	dup2(t->said, STDERR_FILENO);
	/* Whoever forks has them as they are. */
	check(t, (struct disks *)d, save);
	fflush(NULL);
	_exit(failed ? 1 : 0);
}

bool try_end(struct try *t)
{
	int status;

	if (waitpid(t->pid, &status, 0) != t->pid)
		abort();
	t->pid = 0;
	if (WIFSIGNALED(status))
		dprintf(t->said, "# FAILURE: killed by signal %d: %s\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

void try_print(struct try *t)
{
	char buf[4096];
	ssize_t n;

	fflush(stdout);
	for (off_t at = 0; (n = pread(t->said, buf, sizeof(buf), at)) > 0; at += n)
		fwrite(buf, 1, n, stdout);
}

void try_forget(struct try *t)
{
	close(t->said);
	t->said = -1;
}
