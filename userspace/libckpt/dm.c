// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"

/* Log what would be or is done, as a dmsetup command. */
static void trace(const struct ckpt *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void trace(const struct ckpt *c, const char *format, ...)
{
	FILE *to = c->is_dry ? stdout : c->trace ? c->trace : stderr;
	va_list args;

	if (!c->is_dry && !c->is_verbose)
		return;
	fputs("dmsetup ", to);
	va_start(args, format);
	vfprintf(to, format, args);
	va_end(args);
	fputc('\n', to);
}

/* libdevmapper's own remarks repeat what the caller says better. */
static void no_log(int level, const char *file, int line, int err, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void no_log(int level, const char *file, int line, int err, const char *format, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)err;
	(void)format;
}

static int failure(struct dm_task *task)
{
	int err = dm_task_get_errno(task);

	return err ? -err : -EIO;
}

static struct dm_task *new_task(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

/* Run a task that makes no uevent. */
static int run(struct dm_task *task)
{
	int err = 0;

	if (!task)
		return -ENOMEM;
	if (!dm_task_run(task))
		err = failure(task);
	dm_task_destroy(task);
	return err;
}

/*
 * Run a task and wait until udev has done what follows from it.  The wait also
 * gives the semaphore back, so it is due after a failure too.
 */
static int run_udev(struct dm_task *task, uint16_t flags)
{
	uint32_t cookie = 0;
	int err = 0;

	if (!task)
		return -ENOMEM;
	if (!dm_task_set_cookie(task, &cookie, flags))
		err = -EIO;
	else if (!dm_task_run(task))
		err = failure(task);
	dm_udev_wait(cookie);
	dm_task_destroy(task);
	return err;
}

enum ckpt_result ckpt_dm_check(struct ckpt *c)
{
	static const char control[] = "/dev/mapper/control";

	dm_log_with_errno_init(no_log);
	if (geteuid())
		return ckpt_fail(&c->error, CKPT_PERMISSION,
				 "device-mapper belongs to root; run this as root");
	if (access(control, R_OK | W_OK) && errno != ENOENT)
		return ckpt_fail_errno(&c->error, errno, "%s cannot be used", control);
	if (run(new_task(DM_DEVICE_VERSION, NULL)))
		return ckpt_fail(&c->error, CKPT_FAILED,
				 "the kernel has no device-mapper; 'modprobe dm_mod' loads it");
	return CKPT_DONE;
}

bool ckpt_dm_has_target(const char *target)
{
	return !run(new_task(DM_DEVICE_GET_TARGET_VERSION, target));
}

/* Fill in @d from a device's live table; false if it is none of ours. */
static bool describe(const char *name, struct ckpt_dm_device *d)
{
	struct dm_task *task = new_task(DM_DEVICE_TABLE, name);
	char *target = NULL, *params = NULL;
	uint64_t start, length;
	struct dm_info info;
	const char *uuid;
	bool ours = false;

	if (!task)
		return false;
	if (!dm_task_no_flush(task) || !dm_task_run(task) ||
	    !dm_task_get_info(task, &info) || !info.exists || !info.live_table)
		goto out;
	dm_get_next_target(task, NULL, &start, &length, &target, &params);
	if (!target || (strcmp(target, CKPT_TARGET_STORE) && strcmp(target, CKPT_TARGET_VOLUME)))
		goto out;

	memset(d, 0, sizeof(*d));
	uuid = dm_task_get_uuid(task);
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->uuid, sizeof(d->uuid), "%s", uuid ? uuid : "");
	snprintf(d->target, sizeof(d->target), "%s", target);
	d->devno = (struct ckpt_devno){ info.major, info.minor };
	d->sectors = length;
	d->open_count = info.open_count;
	d->is_suspended = info.suspended;
	d->is_readonly = info.read_only;
	d->params = strdup(params ? params : "");
	ours = d->params;
out:
	dm_task_destroy(task);
	return ours;
}

int ckpt_dm_scan(struct ckpt_dm_devices *devices)
{
	struct dm_task *task = new_task(DM_DEVICE_LIST, NULL);
	struct ckpt_dm_device found, *grown;
	struct dm_names *names;
	int err = 0;

	memset(devices, 0, sizeof(*devices));
	if (!task)
		return -ENOMEM;
	if (!dm_task_run(task)) {
		err = failure(task);
		goto out;
	}

	names = dm_task_get_names(task);
	while (names && names->dev) {
		if (describe(names->name, &found)) {
			grown = reallocarray(devices->device, devices->count + 1, sizeof(found));
			if (!grown) {
				free(found.params);
				err = -ENOMEM;
				break;
			}
			devices->device = grown;
			grown[devices->count++] = found;
		}
		if (!names->next)
			break;
		names = (struct dm_names *)((char *)names + names->next);
	}
out:
	dm_task_destroy(task);
	if (err)
		ckpt_dm_devices_free(devices);
	return err;
}

void ckpt_dm_devices_free(struct ckpt_dm_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		free(devices->device[i].params);
	free(devices->device);
	memset(devices, 0, sizeof(*devices));
}

bool ckpt_dm_exists(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_INFO, name);
	struct dm_info info;
	bool exists;

	if (!task)
		return false;
	exists = dm_task_run(task) && dm_task_get_info(task, &info) && info.exists;
	dm_task_destroy(task);
	return exists;
}

bool ckpt_dm_name_fits(const char *name)
{
	struct dm_task *task = new_task(DM_DEVICE_INFO, name);

	if (!task)
		return false;
	dm_task_destroy(task);
	return true;
}

char *ckpt_dm_quote(const char *text)
{
	char *quoted = malloc(2 * strlen(text) + 1), *to = quoted;

	while (quoted && *text) {
		if (*text == '\\' && text[1])
			*to++ = *text++;
		else if ((unsigned char)*text == 0xa0)
			*to++ = '\\';
		*to++ = *text++;
	}
	if (quoted)
		*to = '\0';
	return quoted;
}

static int load(const char *name, const struct ckpt_dm_table *table)
{
	struct dm_task *task = new_task(DM_DEVICE_RELOAD, name);
	char *params = ckpt_dm_quote(table->params);
	bool good;

	good = params && task &&
	       dm_task_add_target(task, 0, table->sectors, table->target, params) &&
	       (!table->is_readonly || dm_task_set_ro(task));
	free(params);
	if (good)
		return run(task);
	if (task)
		dm_task_destroy(task);
	return -ENOMEM;
}

static int activate(const char *name, const struct ckpt_dm_table *table)
{
	struct dm_task *task = new_task(DM_DEVICE_RESUME, name);
	uint16_t flags = 0;

	/* The target reads as zeros, or it is a view: a second device with the
	 * file system's UUID and label must not take over their links. */
	if (table->is_hidden)
		flags = DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG |
			DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG;
	if (task)
		dm_task_skip_lockfs(task);
	return run_udev(task, flags);
}

static int drop(const char *name, bool retry)
{
	struct dm_task *task = new_task(DM_DEVICE_REMOVE, name);

	if (task && retry)
		dm_task_retry_remove(task);
	return run_udev(task, 0);
}

int ckpt_dm_create(struct ckpt *c, const char *name, const char *uuid,
		   const struct ckpt_dm_table *table)
{
	struct dm_task *task;
	int err;

	trace(c, "create '%s'%s%s%s --table '0 %llu %s %s'", name,
	      uuid ? " --uuid " : "", uuid ? uuid : "",
	      table->is_readonly ? " --readonly" : "",
	      (unsigned long long)table->sectors, table->target, table->params);
	if (c->is_dry)
		return 0;

	task = new_task(DM_DEVICE_CREATE, name);
	if (task && uuid && !dm_task_set_uuid(task, uuid)) {
		dm_task_destroy(task);
		return -EINVAL;
	}
	err = run(task);
	if (err)
		return err;

	err = load(name, table);
	if (!err)
		err = activate(name, table);
	if (err)
		drop(name, true);
	return err;
}

int ckpt_dm_replace(struct ckpt *c, const char *name, const struct ckpt_dm_table *table,
		    const struct ckpt_dm_table *old)
{
	int err;

	trace(c, "load '%s'%s --table '0 %llu %s %s'", name,
	      table->is_readonly ? " --readonly" : "",
	      (unsigned long long)table->sectors, table->target, table->params);
	trace(c, "resume '%s'", name);
	if (c->is_dry)
		return 0;

	err = load(name, table);
	if (err)
		return err;
	err = activate(name, table);
	if (err) {
		/* The kernel left it suspended, with either table. */
		run(new_task(DM_DEVICE_CLEAR, name));
		load(name, old);
		activate(name, old);
	}
	return err;
}

int ckpt_dm_remove(struct ckpt *c, const char *name)
{
	trace(c, "remove --retry '%s'", name);
	return c->is_dry ? 0 : drop(name, true);
}

int ckpt_dm_suspend(struct ckpt *c, const char *name)
{
	trace(c, "suspend '%s'", name);
	return c->is_dry ? 0 : run(new_task(DM_DEVICE_SUSPEND, name));
}

int ckpt_dm_resume(struct ckpt *c, const char *name)
{
	trace(c, "resume '%s'", name);
	return c->is_dry ? 0 : run_udev(new_task(DM_DEVICE_RESUME, name), 0);
}

int ckpt_dm_rename(struct ckpt *c, const char *name, const char *to)
{
	struct dm_task *task;

	trace(c, "rename '%s' '%s'", name, to);
	if (c->is_dry)
		return 0;

	task = new_task(DM_DEVICE_RENAME, name);
	if (task && !dm_task_set_newname(task, to)) {
		dm_task_destroy(task);
		return -EINVAL;
	}
	return run_udev(task, 0);
}

int ckpt_dm_set_uuid(struct ckpt *c, const char *name, const char *uuid)
{
	struct dm_task *task;

	trace(c, "rename '%s' --setuuid %s", name, uuid);
	if (c->is_dry)
		return 0;

	task = new_task(DM_DEVICE_RENAME, name);
	if (task && !dm_task_set_newuuid(task, uuid)) {
		dm_task_destroy(task);
		return -EINVAL;
	}
	return run_udev(task, 0);
}

int ckpt_dm_ask(const char *name, const char *message, char **answer)
{
	struct dm_task *task = new_task(DM_DEVICE_TARGET_MSG, name);
	char *quoted = ckpt_dm_quote(message);
	const char *response;
	int err = 0;

	if (answer)
		*answer = NULL;
	if (!task || !quoted) {
		err = -ENOMEM;
	} else if (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, quoted)) {
		err = -ENOMEM;
	} else if (!dm_task_run(task)) {
		err = failure(task);
	} else if (answer) {
		response = dm_task_get_message_response(task);
		*answer = strdup(response ? response : "");
		err = *answer ? 0 : -ENOMEM;
	}
	free(quoted);
	if (task)
		dm_task_destroy(task);
	return err;
}

/* In quotes: the backslashes and whatever is in a name are not for the shell. */
static void trace_message(const struct ckpt *c, const char *name, const char *message)
{
	char *quoted = ckpt_dm_quote(message);

	trace(c, "message '%s' 0 '%s'", name, quoted ? quoted : message);
	free(quoted);
}

int ckpt_dm_tell(struct ckpt *c, const char *name, const char *message, char **answer)
{
	trace_message(c, name, message);
	if (!c->is_dry)
		return ckpt_dm_ask(name, message, answer);
	if (answer)
		*answer = strdup("");
	return answer && !*answer ? -ENOMEM : 0;
}

int ckpt_dm_status(const char *name, char **line)
{
	struct dm_task *task = new_task(DM_DEVICE_STATUS, name);
	char *target = NULL, *params = NULL;
	uint64_t start, length;
	int err = 0;

	*line = NULL;
	if (!task)
		return -ENOMEM;
	if (!dm_task_no_flush(task) || !dm_task_run(task)) {
		err = failure(task);
	} else {
		dm_get_next_target(task, NULL, &start, &length, &target, &params);
		*line = strdup(params ? params : "");
		err = *line ? 0 : -ENOMEM;
	}
	dm_task_destroy(task);
	return err;
}
