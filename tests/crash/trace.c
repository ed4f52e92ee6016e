// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../model/util.h"
#include "dm-ckpt/codec.h"
#include "trace.h"

/* So many states in the midst of these. */
#define MOMENTS_SUPER	2u
#define MOMENTS_JOURNAL	16u	/* a transaction of several blocks */

static int complain(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	return 1;
}

bool trace_changes(const struct entry *entry)
{
	return entry->e->type == REC_WRITE || entry->e->type == REC_DISCARD ||
	       entry->e->type == REC_ZEROES;
}

unsigned int trace_super(const struct entry *entry)
{
	const struct rec_entry *e = entry->e;

	return e->type == REC_WRITE && !e->device &&
	       (e->sector == CKPT_SUPER_A || e->sector == CKPT_SUPER_B);
}

unsigned int trace_journal(const struct entry *entry)
{
	const struct rec_entry *e = entry->e;
	const struct ckpt_journal_head *head = entry->data;

	if (e->type != REC_WRITE || e->device || e->bytes % CKPT_NODE_BYTES ||
	    !ckpt_journal_verify(head, head->uuid, le64_to_cpu(head->seq)))
		return 0;
	return e->bytes / CKPT_NODE_BYTES;
}

/* How many entries are there, and are they whole? */
static uint32_t count(const char *map, uint64_t size)
{
	uint32_t nr = 0;
	uint64_t at = 0;

	while (at + sizeof(struct rec_entry) <= size) {
		struct rec_entry e;

		memcpy(&e, map + at, sizeof(e));
		at += sizeof(e) + e.bytes;
		if (e.magic != REC_MAGIC || at > size || e.device >= MAX_DISKS || nr == NEVER - 1)
			return 0;
		nr++;
	}
	return at == size ? nr : 0;
}

static bool fits(const struct trace *t, const struct entry *entry)
{
	const struct rec_entry *e = entry->e;

	if (!trace_changes(entry))
		return true;
	return e->sector <= t->sectors[e->device] &&
	       e->sectors <= t->sectors[e->device] - e->sector &&
	       (e->type != REC_WRITE || e->bytes == e->sectors * SECTOR_SIZE);
}

/* Who had this id, by when it began. */
static uint32_t *begins;
static uint64_t max_id;

/* Join an end and its beginning. */
static bool join(struct trace *t, uint32_t nr)
{
	struct entry *end = &t->entry[nr];
	uint64_t id = end->e->id;

	if (!id || id > max_id || begins[id] == NEVER)
		return false;
	end->end = begins[id];
	t->entry[begins[id]].end = nr;
	return true;
}

static void add_flush(struct trace *t, const struct entry *end, uint32_t nr)
{
	const struct rec_entry *begin = t->entry[end->end].e;

	if (begin->type == REC_FLUSH || begin->flags & REC_FUA)
		t->moment[t->nr_moments++] = nr + 1;
}

static void add_midst(struct trace *t, const struct entry *entry, uint32_t nr)
{
	unsigned int times = trace_journal(entry) > 1 ? MOMENTS_JOURNAL :
			     trace_super(entry) ? MOMENTS_SUPER : 0;

	while (times--)
		t->moment[t->nr_moments++] = nr + 1;
}

static void add_mark(struct trace *t, const struct entry *entry, uint32_t nr)
{
	char text[32] = "";
	uint64_t event;

	memcpy(text, entry->data, min(entry->e->bytes, (uint32_t)sizeof(text) - 1));
	event = strtoull(text, NULL, 10);
	if (event)
		t->mark[t->nr_marks++] = (struct mark) { nr, event };
}

/* What a disk does not know fails, and is then done by writes. */
static bool failed_badly(const struct trace *t, const struct entry *end)
{
	const struct rec_entry *begin = t->entry[end->end].e;

	return end->e->flags & REC_FAILED && (begin->type == REC_WRITE || begin->type == REC_FLUSH);
}

static const char *take_in(struct trace *t, uint32_t nr)
{
	const struct entry *entry = &t->entry[nr];

	switch (entry->e->type) {
	case REC_DEVICE:
		t->sectors[entry->e->device] = entry->e->sectors;
		break;
	case REC_END:
		if (!join(t, nr))
			return "something ends that has not begun";
		if (failed_badly(t, entry))
			return "a write or a flush failed while this was recorded";
		add_flush(t, entry, nr);
		break;
	case REC_MARK:
		add_mark(t, entry, nr);
		break;
	case REC_LOST:
		return "the recorder ran out of memory: not all is there";
	default:
		if (!fits(t, entry) || entry->e->id > max_id)
			return "something is beyond the end of its disk";
		begins[entry->e->id] = nr;
		add_midst(t, entry, nr);
	}
	return NULL;
}

int trace_read(struct trace *t, const char *path)
{
	int fd = open(path, O_RDONLY);
	const char *map, *why = NULL;
	struct stat st;
	uint64_t at = 0;

	memset(t, 0, sizeof(*t));
	if (fd < 0 || fstat(fd, &st))
		return complain(path, strerror(errno));
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return complain(path, strerror(errno));
	t->nr = count(map, st.st_size);
	if (!t->nr)
		return complain(path, "this is no whole log of the recorder");
	t->entry = xmalloc(t->nr * sizeof(*t->entry));
	t->mark = xmalloc(t->nr * sizeof(*t->mark));
	t->moment = xmalloc((uint64_t)t->nr * (MOMENTS_JOURNAL + 1) * sizeof(*t->moment));
	max_id = t->nr;
	begins = xmalloc((max_id + 1) * sizeof(*begins));
	memset(begins, 0xff, (max_id + 1) * sizeof(*begins));
	for (uint32_t i = 0; i < t->nr && !why; i++) {
		struct rec_entry *e = xmalloc(sizeof(*e));

		/* In the file they are not aligned. */
		memcpy(e, map + at, sizeof(*e));
		t->entry[i] = (struct entry) { e, map + at + sizeof(*e), NEVER };
		at += sizeof(*e) + e->bytes;
		why = take_in(t, i);
	}
	free(begins);
	if (!why && !t->nr_marks)
		why = "there is no mark in it";
	return why ? complain(path, why) : 0;
}

bool trace_events(const struct trace *t, uint32_t at, uint64_t *ended, uint64_t *begun)
{
	uint32_t low = 0, high = t->nr_marks;

	/* The first mark that is not before @at. */
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (t->mark[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	*ended = t->mark[low - 1].event;
	/*
	 * While a mark is on its way others may begin something, and it may get into the log
	 * before the mark does.  The next mark knows of it.
	 */
	*begun = low + 1 < t->nr_marks ? t->mark[low + 1].event : UINT64_MAX;
	return true;
}

static const char *place(const struct entry *entry)
{
	const struct rec_entry *e = entry->e;

	if (e->device)
		return "";
	if (trace_super(entry))
		return e->sector == CKPT_SUPER_A ? ", superblock A" : ", superblock B";
	return trace_journal(entry) ? ", journal" : "";
}

const char *trace_describe(const struct trace *t, uint32_t nr, char *buf, unsigned int size)
{
	static const char *const names[] = {
		[REC_WRITE] = "write", [REC_DISCARD] = "discard", [REC_ZEROES] = "zeroes",
	};
	const struct entry *entry = &t->entry[nr];
	const struct rec_entry *e = entry->e;
	char disk[20] = "the store", end[20] = "never";

	if (e->device)
		snprintf(disk, sizeof(disk), "origin %u", e->device);
	if (entry->end != NEVER)
		snprintf(end, sizeof(end), "%u", entry->end);
	snprintf(buf, size, "%u to %s: %s of %s, sector %llu +%llu%s%s", nr, end, names[e->type],
		 disk, (unsigned long long)e->sector, (unsigned long long)e->sectors,
		 e->flags & REC_FUA ? ", FUA" : "", place(entry));
	return buf;
}
