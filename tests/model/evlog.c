// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evlog.h"
#include "util.h"

#define LOG_MAGIC	0x676f6c6b63746dull

struct log_header {
	uint64_t magic;
	uint32_t seed;
	uint32_t epoch;		/* of the valid half; epoch & 1 says which */
	uint64_t cut_ack;
	uint64_t cut_start;
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t log_next = 1;
static struct log_header *header;
static struct event *half[2];
static uint64_t half_events;
static uint32_t epoch;			/* that events are written with */
static bool writing;

static uint32_t event_check(const struct event *e, uint64_t nr, uint32_t ep)
{
	uint32_t crc = crc32c(~0u, e, offsetof(struct event, check));

	return crc ^ (uint32_t)nr * 0x9e3779b1u ^ ep * 0x85ebca6bu;
}

int evlog_open(const char *path, bool fresh, uint32_t *seed)
{
	struct stat st;
	void *map;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_size < 1 << 20) {
		close(fd);
		return -EINVAL;
	}
	map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -errno;

	header = map;
	half_events = (st.st_size - 4096) / 2 / sizeof(struct event);
	half[0] = (struct event *)((char *)map + 4096);
	half[1] = half[0] + half_events;
	if (fresh) {
		memset(header, 0, sizeof(*header));
		memset(half[1], 0, sizeof(struct event));
		header->seed = *seed;
		header->epoch = 1;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		header->magic = LOG_MAGIC;
	} else if (header->magic != LOG_MAGIC) {
		return -EUCLEAN;
	}
	*seed = header->seed;
	epoch = header->epoch;
	writing = fresh;
	return 0;
}

uint64_t ev_add(enum ev_type type, uint32_t a, uint64_t b, uint64_t c, uint32_t d)
{
	struct event e = { type, a, b, c, d, 0 };
	uint64_t nr;

	pthread_mutex_lock(&log_lock);
	nr = log_next++;
	if (writing) {
		struct event *to = &half[epoch & 1][nr];

		if (nr + 1 >= half_events) {
			fprintf(stderr, "the event log is full\n");
			abort();
		}
		e.check = event_check(&e, nr, epoch);
		to->check = 0;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		memcpy(to, &e, offsetof(struct event, check));
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		to->check = e.check;
	}
	pthread_mutex_unlock(&log_lock);
	return nr;
}

uint64_t ev_now(void)
{
	uint64_t nr;

	pthread_mutex_lock(&log_lock);
	nr = log_next - 1;
	pthread_mutex_unlock(&log_lock);
	return nr;
}

void evlog_set_cut(uint64_t ack, uint64_t start)
{
	header->cut_ack = ack;
	header->cut_start = start;
}

void evlog_get_cut(uint64_t *ack, uint64_t *start)
{
	*ack = header->cut_ack ? header->cut_ack : ~0ull;
	*start = header->cut_start ? header->cut_start : ~0ull;
}

const struct event *evlog_get(uint64_t nr)
{
	const struct event *e;

	if (!nr || nr + 1 >= half_events)
		return NULL;
	e = &half[header->epoch & 1][nr];
	if (!e->type || e->check != event_check(e, nr, header->epoch))
		return NULL;
	return e;
}

void evlog_seek(uint64_t nr)
{
	log_next = nr;
}

void evlog_begin_half(void)
{
	epoch = header->epoch + 1;
	log_next = 1;
	writing = true;
}

void evlog_commit_half(void)
{
	header->cut_ack = 0;
	header->cut_start = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	header->epoch = epoch;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void evlog_print(uint32_t vol, uint64_t last, unsigned int nr)
{
	static const char *const names[] = {
		[EV_WRITE] = "write", [EV_DONE] = "done", [EV_FLUSH] = "flush",
		[EV_FLUSHED] = "flushed", [EV_CMD] = "command", [EV_END] = "end",
	};

	for (; header && nr && last; last--) {
		const struct event *e = evlog_get(last);

		if (!e || e->type >= ARRAY_SIZE(names) || !names[e->type] ||
		    (e->type != EV_CMD && e->type != EV_END && e->a != vol))
			continue;
		printf("#   @%llu %s %u, %llu, %llu, %u\n", (unsigned long long)last,
		       names[e->type], e->a, (unsigned long long)e->b,
		       (unsigned long long)e->c, e->d);
		nr--;
	}
}
