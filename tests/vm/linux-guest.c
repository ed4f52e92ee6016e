// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of a Linux guest (linux.py); the other one is the real guest agent.  It
 * counts; each number goes into memory, into a file on ext4 (disk 1) and then to raw disk 2,
 * where it is the next of a ring of 64 blocks.  Before it goes on it looks at both rings: had
 * it been given the memory of one instant and a disk of another, it would find numbers that it
 * has not written yet, or not those that it has.  Now and then it says "COUNT SECONDS": the
 * number, and its clock.
 *
 * Blocks and the page with the number begin with MARK and their place, for linux.py.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
#define RING	64u
#define MARK	0x636b7074u	/* with the place's number added: nothing else holds that */

struct block {
	uint32_t mark[4];
	uint32_t count;
	uint32_t wrong;			/* memory only: what was found where, as "place << 24 | slot" */
	char rest[BLOCK - 24];
};

enum place { PLACE_MEMORY = 1, PLACE_FILE, PLACE_RAW };

static struct block *page, *out, *in;
static int file, raw;

static void die(const char *what)
{
	perror(what);
	for (;;)
		pause();
}

static void fill(struct block *b, enum place place, uint32_t count)
{
	for (uint32_t i = 0; i < 4; i++)
		b->mark[i] = (MARK + place) * (2 * i + 3);
	b->count = count;
}

static void put(int fd, enum place place, uint32_t count)
{
	fill(out, place, count);
	if (pwrite(fd, out, BLOCK, (off_t)(count % RING) * BLOCK) != BLOCK || fdatasync(fd))
		die("write");
}

/* What a ring holds after @count was written: the last and the oldest, and at times all. */
static void look(int fd, enum place place, uint32_t count)
{
	for (uint32_t slot = 0; slot < RING; slot++) {
		uint32_t is = count - (count - slot) % RING;

		if (count % 16 && count - is > 1 && count - is < RING - 2)
			continue;

		if (pread(fd, in, BLOCK, (off_t)slot * BLOCK) != BLOCK)
			die("read");
		if (count >= RING && in->count != is)
			page->wrong = (uint32_t)place << 24 | slot;
	}
}

static void load(void)
{
	char name[64];

	for (int i = 0; i < 100; i++) {
		int fd;

		snprintf(name, sizeof(name), "/modules/%02d", i);
		fd = open(name, O_RDONLY);
		if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0))
			perror(name);
	}
}

/* The device of the port that leads to the agent's socket; it comes a moment after its driver. */
static bool find_port(char device[300])
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	bool found = false;

	while (ports && !found && (entry = readdir(ports))) {
		char path[300], name[64] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		found = fgets(name, sizeof(name), file) && !strcmp(name, "org.qemu.guest_agent.0\n");
		fclose(file);
		snprintf(device, 300, "/dev/%s", entry->d_name);
	}
	if (ports)
		closedir(ports);
	return found;
}

static void start_agent(void)
{
	char device[300];

	while (!find_port(device))
		usleep(10000);
	if (!fork()) {
		execl("/sbin/qemu-ga", "qemu-ga", "-m", "virtio-serial", "-p", device,
		      "-f", "/run/ga.pid", "-t", "/run", NULL);
		die("/sbin/qemu-ga");
	}
}

static struct block *block(void)
{
	void *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mlock(p, BLOCK))
		die("memory");
	return p;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	load();
	while (access("/dev/vda", F_OK) || access("/dev/vdb", F_OK))
		usleep(10000);
	mkdir("/mnt", 0700);
	if (mount("/dev/vda", "/mnt", "ext4", 0, NULL))
		die("mount");
	file = open("/mnt/ring", O_RDWR | O_CREAT | O_DIRECT, 0600);
	raw = open("/dev/vdb", O_RDWR | O_DIRECT);
	page = block();
	out = block();
	in = block();
	if (file < 0 || raw < 0)
		die("open");
	/* All of the file's blocks, so that its metadata are at rest. */
	for (off_t slot = 0; slot < RING; slot++)
		if (pwrite(file, out, BLOCK, slot * BLOCK) != BLOCK)
			die("write");
	if (fsync(file))
		die("flush");
	start_agent();
	fill(page, PLACE_MEMORY, 0);
	while (!page->wrong) {
		uint32_t count = ++page->count;

		put(file, PLACE_FILE, count);
		put(raw, PLACE_RAW, count);
		look(file, PLACE_FILE, count);
		look(raw, PLACE_RAW, count);
		if (count % 8 == 0)
			printf("%u %lld\n", count, (long long)time(NULL));
	}
	die("wrong");
}
