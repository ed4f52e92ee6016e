// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated store: a folder.
 *
 *	v.<volume>		what a volume holds
 *	n.<volume>		an adopted one that has not seen its origin yet
 *	c.<volume>@<name>	a checkpoint
 *	t.<name>		a template
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"
#include "util.h"

char fake_leak[256];

bool fake_exists(const char *path)
{
	return !access(path, F_OK);
}

static int make_file(const char *path, uint64_t sectors)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600), err;

	if (fd < 0)
		return -errno;
	err = ftruncate(fd, sectors * SECTOR_SIZE) ? -errno : 0;
	close(fd);
	return err;
}

/* A sparse copy, as long as the original or @size bytes. */
int fake_copy(const char *from, const char *to, off_t size)
{
	static const size_t piece = 1 << 20;
	char *buf = xmalloc(piece);
	char tmp[600];
	struct stat st;
	off_t at = 0;
	int in = open(from, O_RDONLY), out, err = 0;

	snprintf(tmp, sizeof(tmp), "%s.tmp", to);
	out = open(tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (in < 0 || out < 0 || fstat(in, &st) ||
	    ftruncate(out, size ? size : st.st_size))
		err = -errno;
	while (!err) {
		off_t hole;

		at = lseek(in, at, SEEK_DATA);
		if (at < 0 || (size && at >= size))
			break;
		hole = lseek(in, at, SEEK_HOLE);
		while (at < hole) {
			ssize_t n = pread(in, buf, min((off_t)piece, hole - at), at);

			if (n <= 0 || pwrite(out, buf, n, at) != n) {
				err = -EIO;
				break;
			}
			at += n;
		}
	}
	free(buf);
	close(in);
	close(out);
	if (!err && rename(tmp, to))
		err = -errno;
	return err;
}

static int take(char **arg, unsigned int n)
{
	int err = 0;

	for (unsigned int i = 3; i < n && !err; i++) {
		char *v = PATH("v.%s", arg[i]), *c = PATH("c.%s@%s", arg[i], arg[1]);

		err = fake_exists(c) ? -EEXIST : fake_copy(v, c, 0);
		snprintf(fake_leak, sizeof(fake_leak), "%s", c);
		if (i + 1 < n && fake_inject("group-order")) {
			fake_open_gate();
			sleep_ms(5);
			fake_close_gate();
		}
		if (fake_inject("half-checkpoint")) {
			int fd = open(c, O_RDWR);

			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      0, 8 << 20))
				err = -errno;
			close(fd);
		}
	}
	return err;
}

static int rename_volume(const char *from, const char *to)
{
	struct dirent *e;
	DIR *dir;
	char prefix[128];

	if (fake_exists(PATH("v.%s", to)))
		return -EEXIST;
	if (rename(PATH("v.%s", from), PATH("v.%s", to)))
		return -errno;
	if (fake_exists(PATH("n.%s", from)))
		rename(PATH("n.%s", from), PATH("n.%s", to));
	snprintf(prefix, sizeof(prefix), "c.%s@", from);
	dir = opendir(cfg.fake);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			rename(PATH("%s", e->d_name),
			       PATH("c.%s@%s", to, e->d_name + strlen(prefix)));
	closedir(dir);
	fake_renamed(from, to);
	return 0;
}

static int rename_checkpoint(const char *from, const char *to)
{
	const char *at = strchr(from, '@');
	char *p = PATH("c.%.*s@%s", (int)(at - from), from, to);

	if (!fake_exists(p))
		fake_moved(PATH("c.%s", from), p);
	return fake_exists(p) ? -EEXIST : rename(PATH("c.%s", from), p) ? -errno : 0;
}

static int delete_volume(const char *name)
{
	struct dirent *e;
	DIR *dir;
	char prefix[128];
	int err = 0;

	if (fake_active(PATH("v.%s", name)))
		return -EBUSY;
	snprintf(prefix, sizeof(prefix), "c.%s@", name);
	dir = opendir(cfg.fake);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, prefix, strlen(prefix)))
			err = -EBUSY;
	closedir(dir);
	if (err)
		return err;
	unlink(PATH("n.%s", name));
	return unlink(PATH("v.%s", name)) ? -errno : 0;
}

static int make_clone(const char *from, const char *to)
{
	struct stat st;
	int err;

	if (fake_exists(PATH("v.%s", to)))
		return -EEXIST;
	if (strchr(from, '@'))
		return fake_copy(PATH("c.%s", from), PATH("v.%s", to), 0);
	if (stat(PATH("t.%s", from), &st))
		return -errno;
	err = make_file(PATH("v.%s", to), st.st_size / SECTOR_SIZE);
	return err ? err : make_file(PATH("n.%s", to), 0);
}

static int many(char **arg, unsigned int n, bool drop)
{
	for (unsigned int i = 1; i < n; i++) {
		char *c = PATH("c.%s", arg[i]);
		char *v = PATH("v.%.*s", (int)(strchr(arg[i], '@') - arg[i]), arg[i]);
		int err = 0;

		if (fake_active(drop ? c : v))
			return -EBUSY;
		if (drop)
			err = unlink(c) ? -errno : 0;
		else if (!fake_inject("stale-apply"))
			err = fake_copy(c, v, 0);
		if (err)
			return err;
	}
	return 0;
}

int fake_command(char **arg, unsigned int n)
{
	uint64_t size = n > 2 ? strtoull(arg[2], NULL, 0) : 0;
	int err;

	if (!strcmp(arg[0], "checkpoint") && n > 3)
		return take(arg, n);
	if (!strcmp(arg[0], "create_volume") && n == 3)
		return make_file(PATH("v.%s", arg[1]), size);
	if (!strcmp(arg[0], "adopt_volume") && n == 3) {
		err = make_file(PATH("v.%s", arg[1]), size);
		return err ? err : make_file(PATH("n.%s", arg[1]), 0);
	}
	if (!strcmp(arg[0], "create_template") && n == 3)
		return make_file(PATH("t.%s", arg[1]), size);
	if (!strcmp(arg[0], "clone") && n == 3)
		return make_clone(arg[1], arg[2]);
	if (!strcmp(arg[0], "resize_volume") && n == 3)
		return truncate(PATH("v.%s", arg[1]), size * SECTOR_SIZE) ? -errno : 0;
	if (!strcmp(arg[0], "rename_volume") && n == 3)
		return rename_volume(arg[1], arg[2]);
	if (!strcmp(arg[0], "rename_checkpoint") && n == 3)
		return rename_checkpoint(arg[1], arg[2]);
	if (!strcmp(arg[0], "delete_volume") && n == 2)
		return delete_volume(arg[1]);
	if (!strcmp(arg[0], "delete_template") && n == 2)
		return unlink(PATH("t.%s", arg[1])) ? -errno : 0;
	if (!strcmp(arg[0], "delete_checkpoint") && n > 1)
		return many(arg, n, true);
	if (!strcmp(arg[0], "apply") && n > 1)
		return many(arg, n, false);
	if (!strcmp(arg[0], "commit") || !strcmp(arg[0], "merge"))
		return 0;
	return -EINVAL;
}

/* As the kernel would say it, as far as the test reads it. */
char *fake_list(void)
{
	char *text = xzalloc(1), name[256];
	struct dirent *e;
	DIR *dir = opendir(cfg.fake);

	while ((e = readdir(dir))) {
		char line[700], *at;
		struct stat st;

		snprintf(name, sizeof(name), "%s", e->d_name);
		if (stat(PATH("%s", name), &st) || strstr(name, ".tmp"))
			continue;
		at = strchr(name, '@');
		if (*name == 'v')
			snprintf(line, sizeof(line), "volume 0 u-%s %s %llu 0 0 inactive\n",
				 name + 2, name + 2,
				 (unsigned long long)st.st_size / SECTOR_SIZE);
		else if (*name == 'c' && at)
			snprintf(line, sizeof(line), "checkpoint 0 u %s u-%.*s 0 standard 0 1 idle\n",
				 at + 1, (int)(at - name - 2), name + 2);
		else
			continue;
		text = xrealloc(text, strlen(text) + strlen(line) + 8);
		strcat(text, line);
	}
	closedir(dir);
	text = xrealloc(text, strlen(text) + 8);
	return strcat(text, "end\n");
}

