// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"

static void parent_of(const char *path, char parent[PATH_MAX])
{
	char *slash;

	snprintf(parent, PATH_MAX, "%s", path);
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = '\0';
	else
		strcpy(parent, slash ? "/" : ".");
}

enum ckpt_result durable_sync(const char *folder, struct ckpt_error *e)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd))
		err = errno;
	if (fd >= 0)
		close(fd);
	return err ? ckpt_fail_errno(e, err, "the folder %s cannot be made durable", folder) :
	       CKPT_DONE;
}

static enum ckpt_result sync_parent(const char *path, struct ckpt_error *e)
{
	char parent[PATH_MAX];

	parent_of(path, parent);
	return durable_sync(parent, e);
}

enum ckpt_result durable_folder(const char *path, mode_t mode, struct ckpt_error *e)
{
	enum ckpt_result result;
	char parent[PATH_MAX];
	struct stat st;

	if (!stat(path, &st)) {
		if (S_ISDIR(st.st_mode))
			return CKPT_DONE;
		return ckpt_fail_errno(e, ENOTDIR, "%s cannot be used", path);
	}
	parent_of(path, parent);
	if (!strcmp(parent, path) || !strcmp(parent, "."))
		return ckpt_fail_errno(e, ENOENT, "the folder %s cannot be made", path);
	result = durable_folder(parent, mode, e);
	if (result)
		return result;
	if (mkdir(path, mode) && errno != EEXIST)
		return ckpt_fail_errno(e, errno, "the folder %s cannot be made", path);
	return sync_parent(path, e);
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : ENOSPC;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/* A file and its content, durable; which name it has is not yet. */
static enum ckpt_result write_file(const char *path, const char *text, size_t length,
				   mode_t mode, struct ckpt_error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int err = 0;

	if (fd < 0)
		return ckpt_fail_errno(e, errno, "%s cannot be written", path);
	err = write_all(fd, text, length);
	if (!err && fsync(fd))
		err = errno;
	if (close(fd) && !err)
		err = errno;
	if (!err)
		return CKPT_DONE;
	unlink(path);
	return ckpt_fail_errno(e, err, "%s cannot be written", path);
}

enum ckpt_result durable_write(const char *path, const char *text, size_t length, mode_t mode,
			       bool must_be_new, struct ckpt_error *e)
{
	char temp[PATH_MAX];
	enum ckpt_result result;

	if (snprintf(temp, sizeof(temp), "%s.part", path) >= (int)sizeof(temp))
		return ckpt_fail_errno(e, ENAMETOOLONG, "%s cannot be written", path);
	result = write_file(temp, text, length, mode, e);
	if (result)
		return result;
	/* A link is refused where a name is taken; a rename is not. */
	if (must_be_new ? link(temp, path) : rename(temp, path))
		result = ckpt_fail_errno(e, errno, "%s cannot be written", path);
	if (must_be_new || result)
		unlink(temp);
	return result ? result : sync_parent(path, e);
}

enum ckpt_result durable_read(const char *path, size_t limit, char **text, size_t *length,
			      struct ckpt_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;

	*text = NULL;
	*length = 0;
	if (fd < 0)
		return ckpt_fail_errno(e, errno, "%s cannot be read", path);
	if (fstat(fd, &st))
		err = errno;
	else if (!S_ISREG(st.st_mode))
		err = EINVAL;
	else if ((size_t)st.st_size > limit)
		err = EFBIG;
	*text = err ? NULL : malloc((size_t)st.st_size + 1);
	if (!err && !*text)
		err = ENOMEM;
	while (!err && *length < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + *length, (size_t)st.st_size - *length);

		if (n < 0 && errno != EINTR)
			err = errno;
		if (!n)
			break;
		*length += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (!err) {
		(*text)[*length] = '\0';
		return CKPT_DONE;
	}
	free(*text);
	*text = NULL;
	return ckpt_fail_errno(e, err, "%s cannot be read", path);
}

enum ckpt_result durable_copy(const char *from, const char *to, size_t limit,
			      struct ckpt_error *e)
{
	enum ckpt_result result;
	size_t length;
	char *text;

	result = durable_read(from, limit, &text, &length, e);
	if (!result)
		result = write_file(to, text, length, 0600, e);
	free(text);
	return result;
}

enum ckpt_result durable_rename(const char *from, const char *to, struct ckpt_error *e)
{
	if (rename(from, to))
		return ckpt_fail_errno(e, errno, "%s cannot be renamed", from);
	return sync_parent(to, e);
}

enum ckpt_result durable_unlink(const char *path, struct ckpt_error *e)
{
	if (unlink(path))
		return ckpt_fail_errno(e, errno, "%s cannot be removed", path);
	return sync_parent(path, e);
}

enum ckpt_result durable_remove(const char *folder, struct ckpt_error *e)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? CKPT_DONE :
		       ckpt_fail_errno(e, errno, "%s cannot be removed", folder);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return ckpt_fail_errno(e, ENOMEM, "%s cannot be removed", folder);
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	if (rmdir(folder))
		return ckpt_fail_errno(e, errno, "%s cannot be removed", folder);
	return sync_parent(folder, e);
}
