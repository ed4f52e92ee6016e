// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "blockdev.h"
#include "units.h"

enum ckpt_result ckpt_blockdev_open(const char *path, int flags, struct ckpt_blockdev *b,
				    struct ckpt_error *e)
{
	char users[256];
	struct stat st;
	uint64_t bytes;
	int size;

	b->fd = -1;
	if (stat(path, &st))
		return ckpt_fail_errno(e, errno, "%s cannot be found", path);
	if (!S_ISBLK(st.st_mode))
		return ckpt_fail(e, CKPT_USAGE,
				 "%s is not a block device; 'losetup --find --show' makes one of a file",
				 path);
	b->devno = (struct ckpt_devno){ major(st.st_rdev), minor(st.st_rdev) };

	b->fd = open(path, flags | O_CLOEXEC);
	if (b->fd < 0 && errno == EBUSY) {
		ckpt_blockdev_users(b->devno, users, sizeof(users));
		return ckpt_fail(e, CKPT_BUSY, "%s is in use%s; nothing else may use it", path, users);
	}
	if (b->fd < 0)
		return ckpt_fail_errno(e, errno, "%s cannot be opened", path);

	if (ioctl(b->fd, BLKGETSIZE64, &bytes) || ioctl(b->fd, BLKSSZGET, &size)) {
		ckpt_fail_errno(e, errno, "the size of %s is not to be had", path);
		ckpt_blockdev_close(b);
		return e->result;
	}
	b->sectors = bytes / CKPT_SECTOR;
	b->logical_bytes = (unsigned int)size;
	return CKPT_DONE;
}

void ckpt_blockdev_close(struct ckpt_blockdev *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

static void add_user(char *text, size_t size, const char *how, const char *who)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s %s", used ? ", " : ": ", how, who);
}

static void add_holders(struct ckpt_devno devno, char *text, size_t size)
{
	char path[300], name[256];
	unsigned int major, minor;
	struct dirent *entry;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", devno.major, devno.minor);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s", entry->d_name);
		snprintf(path, sizeof(path), "/sys/class/block/%s/dev", entry->d_name);
		f = fopen(path, "re");
		if (f) {
			if (fscanf(f, "%u:%u", &major, &minor) == 2)
				dm_device_get_name(major, minor, 0, name, sizeof(name));
			fclose(f);
		}
		add_user(text, size, "used by", name);
	}
	closedir(dir);
}

static void add_mounts(struct ckpt_devno devno, char *text, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned int major, minor;
	char *line = NULL, *where;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		where = NULL;
		if (sscanf(line, "%*d %*d %u:%u %*s %ms", &major, &minor, &where) == 3 &&
		    major == devno.major && minor == devno.minor)
			add_user(text, size, "mounted on", where);
		free(where);
	}
	free(line);
	if (f)
		fclose(f);
}

static void add_swap(struct ckpt_devno devno, char *text, size_t size)
{
	FILE *f = fopen("/proc/swaps", "re");
	char *line = NULL, *path;
	size_t room = 0;
	struct stat st;

	while (f && getline(&line, &room, f) > 0) {
		path = NULL;
		if (sscanf(line, "%ms", &path) == 1 && !stat(path, &st) &&
		    S_ISBLK(st.st_mode) &&
		    st.st_rdev == makedev(devno.major, devno.minor))
			add_user(text, size, "used as", "swap");
		free(path);
	}
	free(line);
	if (f)
		fclose(f);
}

void ckpt_blockdev_users(struct ckpt_devno devno, char *text, size_t size)
{
	*text = '\0';
	add_mounts(devno, text, size);
	add_swap(devno, text, size);
	add_holders(devno, text, size);
}

/* The lower, the better a link of by-id is; 0 if it says what is on the device. */
static int link_rank(const char *name)
{
	static const char *const best[] = { "dm-uuid-", "wwn-", "nvme-eui.", "nvme-uuid." };

	if (!strncmp(name, "lvm-pv-uuid-", 12) || name[0] == '.')
		return 0;
	for (int i = 0; i < 4; i++)
		if (!strncmp(name, best[i], strlen(best[i])))
			return 1;
	return 2;
}

static bool same_device(const char *path, const struct stat *st)
{
	struct stat other;

	return !stat(path, &other) && other.st_rdev == st->st_rdev &&
	       (other.st_mode & S_IFMT) == (st->st_mode & S_IFMT);
}

/* The best link in a folder to the device of @st; false if there is none. */
static bool best_link(const char *folder, const struct stat *st, char path[PATH_MAX])
{
	DIR *dir = opendir(folder);
	char candidate[PATH_MAX];
	struct dirent *entry;
	int best = 0, rank;

	while (dir && (entry = readdir(dir))) {
		rank = link_rank(entry->d_name);
		if (!rank || (best && rank > best))
			continue;
		if (snprintf(candidate, sizeof(candidate), "%s/%s", folder,
			     entry->d_name) >= PATH_MAX || !same_device(candidate, st))
			continue;
		/* Equal ones: always the same choice, in whatever order. */
		if (best == rank && strcmp(candidate, path) > 0)
			continue;
		strcpy(path, candidate);
		best = rank;
	}
	if (dir)
		closedir(dir);
	return best;
}

void ckpt_stable_path(const char *root, const char *given, char path[PATH_MAX])
{
	static const char *const folders[] = { "by-id", "by-path" };
	char folder[PATH_MAX];
	struct stat st;

	if (!stat(given, &st))
		for (int i = 0; i < 2; i++) {
			snprintf(folder, sizeof(folder), "%s/%s", root, folders[i]);
			if (best_link(folder, &st, path))
				return;
		}
	if (*given != '/' && realpath(given, path))
		return;
	snprintf(path, PATH_MAX, "%s", given);
}
