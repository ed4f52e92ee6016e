// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ckptctl/cli.h"
#include "ctl_fake.h"
#include "ctl_tests.h"
#include "libckpt/blockdev.h"

#define DEVICES 8
#define RULES 32

struct rule {
	int type;
	char subject[256];
	const char *answer;
	int err, times;
};

struct dm_task {
	int type, err;
	char name[128], uuid[129], message[1024], newname[128], newuuid[129];
	struct fake_table table;
	char *line, *response;		/* a status, the answer to a message */
	union {
		struct dm_names names;
		char room[DEVICES * 256];
	};
};

struct fake_store fake_store;
void (*fake_tick)(double now);
bool fake_terminal;
char fake_out[65536], fake_err[65536];

static struct fake_device devices[DEVICES];
static struct rule rules[RULES];
static size_t rule_count;
static char hanging[128];
static char log_text[16384];
static double now;

/* ---- what tests set up ---- */

struct fake_device *fake_find(const char *name)
{
	for (int i = 0; i < DEVICES; i++)
		if (*devices[i].name && !strcmp(devices[i].name, name))
			return &devices[i];
	return NULL;
}

static struct fake_device *new_device(const char *name, const char *uuid)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		if (!*devices[i].name) {
			memset(&devices[i], 0, sizeof(devices[i]));
			snprintf(devices[i].name, sizeof(devices[i].name), "%s", name);
			snprintf(devices[i].uuid, sizeof(devices[i].uuid), "%s", uuid);
			devices[i].minor = 900 + i;
			return &devices[i];
		}
	fail_msg("more than %d devices", DEVICES);
	return NULL;
}

struct fake_device *fake_add(const char *name, const char *uuid, const char *target,
			     const char *params, uint64_t sectors)
{
	struct fake_device *d = new_device(name, uuid);

	d->has_live = true;
	d->live.sectors = sectors;
	snprintf(d->live.target, sizeof(d->live.target), "%s", target);
	snprintf(d->live.params, sizeof(d->live.params), "%s", params);
	return d;
}

void fake_reset(void)
{
	memset(devices, 0, sizeof(devices));
	fake_add("st", "CKPT-store-" FAKE_STORE_UUID, "ckpt-store", "8:16", 20971520);
	fake_add("st-disk", "CKPT-vol-disk", "ckpt",
		 "253:900 00000000-0000-0000-0000-000000000020 8:32", 41943040);
	fake_store = (struct fake_store){
		.used = 1048576, .total = 2621440, .reserved = 1024,
		.merge = "idle", .share = 50, .space = "ok", .guard = "held", .list = ctl_list,
	};
	rule_count = 0;
	*hanging = '\0';
	*log_text = '\0';
	now = 1000;
	fake_tick = NULL;
	fake_terminal = false;
	setenv("CKPT_CONFDIR", "/dev/null/none", 1);
	unsetenv("CKPT_STORE");
}

static struct rule *new_rule(int type, const char *subject)
{
	struct rule *rule = &rules[rule_count++];

	assert_true(rule_count <= RULES);
	memset(rule, 0, sizeof(*rule));
	rule->type = type;
	snprintf(rule->subject, sizeof(rule->subject), "%s", subject);
	return rule;
}

void fake_refuse(int type, const char *subject, int times, int err)
{
	struct rule *rule = new_rule(type, subject);

	rule->times = times;
	rule->err = err;
}

void fake_answer(const char *message, const char *answer)
{
	new_rule(DM_DEVICE_TARGET_MSG, message)->answer = answer;
}

void fake_hang(const char *name)
{
	snprintf(hanging, sizeof(hanging), "%s", name);
}

const char *fake_log(void)
{
	return log_text;
}

void fake_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

/* ---- the library ---- */

static void note(const char *what, const char *more)
{
	size_t used = strlen(log_text);

	snprintf(log_text + used, sizeof(log_text) - used, "%s %s\n", what, more);
}

static struct rule *find_rule(int type, const char *subject)
{
	for (size_t i = rule_count; i-- > 0;) {
		struct rule *rule = &rules[i];
		size_t length = strlen(rule->subject);
		bool open = length && rule->subject[length - 1] == '*';

		if (rule->type == type && (rule->answer || rule->times > 0) &&
		    (open ? !strncmp(rule->subject, subject, length - 1) :
			    !strcmp(rule->subject, subject)))
			return rule;
	}
	return NULL;
}

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	assert_non_null(task);
	task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task->line);
	free(task->response);
	free(task);
}

#define SETTER(name, field) \
	int dm_task_set_##name(struct dm_task *task, const char *text) \
	{ \
		return strlen(text) < sizeof(task->field) && strcpy(task->field, text); \
	}
SETTER(name, name)
SETTER(uuid, uuid)
SETTER(newname, newname)
SETTER(newuuid, newuuid)
SETTER(message, message)

int dm_task_add_target(struct dm_task *task, uint64_t start, uint64_t size, const char *target,
		       const char *params)
{
	assert_int_equal(start, 0);
	task->table.sectors = size;
	snprintf(task->table.target, sizeof(task->table.target), "%s", target);
	snprintf(task->table.params, sizeof(task->table.params), "%s", params);
	return 1;
}

int dm_task_set_ro(struct dm_task *task)
{
	task->table.is_readonly = true;
	return 1;
}

#define NOTHING(name, ...) \
	int name(struct dm_task *task, ##__VA_ARGS__) \
	{ \
		(void)task; \
		return 1; \
	}
NOTHING(dm_task_no_flush)
NOTHING(dm_task_skip_lockfs)
NOTHING(dm_task_retry_remove)

int dm_task_set_sector(struct dm_task *task, uint64_t sector)
{
	(void)task;
	return sector == 0;
}

int dm_task_set_cookie(struct dm_task *task, uint32_t *cookie, uint16_t flags)
{
	(void)task;
	(void)flags;
	*cookie = 1;
	return 1;
}

int dm_udev_wait(uint32_t cookie)
{
	return cookie == 1;
}

void dm_log_with_errno_init(dm_log_with_errno_fn fn)
{
	(void)fn;
}

static char *store_status(void)
{
	const struct fake_store *s = &fake_store;
	char from[16] = "-", into[16] = "-", *line;

	if (s->from)
		snprintf(from, sizeof(from), "%u", s->from);
	if (s->into)
		snprintf(into, sizeof(into), "%u", s->into);
	assert_true(asprintf(&line, FAKE_STORE_UUID " rw 8 8 %llu/%llu %llu 3/256 7/1000 64/65536"
			     " 11 12 4 4 8 1 %llu 4 5 6 %s %s %s %llu %llu %llu %s %llu %s",
			     (unsigned long long)s->used, (unsigned long long)s->total,
			     (unsigned long long)s->reserved, (unsigned long long)s->freeing,
			     s->merge, from, into, (unsigned long long)s->left,
			     (unsigned long long)s->rate, (unsigned long long)s->share, s->space,
			     (unsigned long long)s->queued, s->guard) > 0);
	return line;
}

static void send_message(struct dm_task *task)
{
	struct rule *rule = find_rule(task->type, task->message);

	if (strncmp(task->message, "list", 4) && strncmp(task->message, "diff", 4) &&
	    strncmp(task->message, "estimate", 8))
		note("message", task->message);
	if (rule && rule->answer)
		task->response = strdup(rule->answer);
	else if (!strcmp(task->message, "list"))
		task->response = strdup(fake_store.list);
}

static int suspend(struct fake_device *d)
{
	if (!strcmp(d->name, hanging)) {
		pause();
		return EINTR;
	}
	d->is_suspended = true;
	return 0;
}

static void resume(struct fake_device *d)
{
	if (d->has_next) {
		d->live = d->next;
		d->has_live = true;
		d->has_next = false;
	}
	d->is_suspended = false;
}

static int rename_device(const struct dm_task *task, struct fake_device *d)
{
	if (*task->newname)
		snprintf(d->name, sizeof(d->name), "%s", task->newname);
	if (*task->newuuid)
		snprintf(d->uuid, sizeof(d->uuid), "%s", task->newuuid);
	return 0;
}

/* 0 or an errno, as the kernel would have it. */
static int change(struct dm_task *task, struct fake_device *d)
{
	switch (task->type) {
	case DM_DEVICE_CREATE:
		return d ? EBUSY : !new_device(task->name, task->uuid);
	case DM_DEVICE_RELOAD:
		d->next = task->table;
		d->has_next = true;
		return 0;
	case DM_DEVICE_SUSPEND:
		return suspend(d);
	case DM_DEVICE_RESUME:
		resume(d);
		return 0;
	case DM_DEVICE_CLEAR:
		d->has_next = false;
		return 0;
	case DM_DEVICE_REMOVE:
		*d->name = '\0';
		return 0;
	case DM_DEVICE_RENAME:
		return rename_device(task, d);
	}
	return 0;
}

int dm_task_run(struct dm_task *task)
{
	static const char *const words[] = {
		[DM_DEVICE_CREATE] = "create", [DM_DEVICE_RELOAD] = "load",
		[DM_DEVICE_SUSPEND] = "suspend", [DM_DEVICE_RESUME] = "resume",
		[DM_DEVICE_CLEAR] = "clear", [DM_DEVICE_REMOVE] = "remove",
		[DM_DEVICE_RENAME] = "rename",
		[DM_DEVICE_GET_TARGET_VERSION] = NULL,
	};
	bool is_message = task->type == DM_DEVICE_TARGET_MSG;
	struct fake_device *d = fake_find(task->name);
	struct rule *rule;

	rule = find_rule(task->type, is_message ? task->message : task->name);
	if (words[task->type])
		note(words[task->type], task->name);
	if (is_message)
		send_message(task);
	if (rule && rule->times > 0 && rule->err) {
		rule->times--;
		task->err = rule->err;
	} else if (!d && (words[task->type] || is_message) && task->type != DM_DEVICE_CREATE) {
		task->err = ENXIO;
	} else {
		task->err = change(task, d);
	}
	/* A resume that is refused leaves the device suspended. */
	if (task->err && task->type == DM_DEVICE_RESUME && d)
		d->is_suspended = true;
	if (task->type == DM_DEVICE_STATUS && d)
		task->line = !strcmp(d->live.target, "ckpt-store") ? store_status() :
			     strdup("00000000-0000-0000-0000-000000000020 rw layered 2 30 8");
	return !task->err;
}

int dm_task_get_errno(struct dm_task *task)
{
	return task->err;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	const struct fake_device *d = fake_find(task->name);

	memset(info, 0, sizeof(*info));
	if (d)
		*info = (struct dm_info){
			.exists = 1, .suspended = d->is_suspended, .live_table = d->has_live,
			.inactive_table = d->has_next, .major = 253, .minor = d->minor,
			.read_only = d->live.is_readonly, .target_count = d->has_live,
		};
	return 1;
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
	return fake_find(task->name)->uuid;
}

const char *dm_task_get_message_response(struct dm_task *task)
{
	return task->response;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length,
			 char **target, char **params)
{
	struct fake_device *d = fake_find(task->name);

	assert_null(next);
	*start = 0;
	*length = d->live.sectors;
	*target = d->live.target;
	*params = task->line ? task->line : d->live.params;
	return NULL;
}

struct dm_names *dm_task_get_names(struct dm_task *task)
{
	struct dm_names *names = NULL;
	size_t at = 0;

	for (int i = 0; i < DEVICES; i++) {
		if (!*devices[i].name)
			continue;
		if (names)
			names->next = 256;
		names = (struct dm_names *)(task->room + at);
		names->dev = 253 << 8 | devices[i].minor;
		strcpy(names->name, devices[i].name);
		at += 256;
	}
	return &task->names;
}

char *dm_task_get_name_mangled(const struct dm_task *task)
{
	return strdup(task->name);
}

void dm_free_wrapper(void *p)
{
	free(p);
}

const char *dm_dir(void)
{
	return "/dev/mapper";
}

int dm_is_dm_major(uint32_t major)
{
	return major == 253;
}

int dm_device_get_name(uint32_t major, uint32_t minor, int prefer_kernel, char *buf, size_t size)
{
	(void)prefer_kernel;
	return snprintf(buf, size, "disk-%u-%u", major, minor) > 0;
}

/* ---- the system: see --wrap in userspace/Makefile ---- */

uid_t __wrap_geteuid(void);
int __wrap_access(const char *path, int mode);
int __real_access(const char *path, int mode);
int __wrap_isatty(int fd);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

enum ckpt_result __real_ckpt_blockdev_open(const char *path, int flags, struct ckpt_blockdev *b,
					   struct ckpt_error *e);
enum ckpt_result __wrap_ckpt_blockdev_open(const char *path, int flags, struct ckpt_blockdev *b,
					   struct ckpt_error *e);

uid_t __wrap_geteuid(void)
{
	return 0;
}

int __wrap_access(const char *path, int mode)
{
	return strcmp(path, "/dev/mapper/control") ? __real_access(path, mode) : 0;
}

int __wrap_isatty(int fd)
{
	(void)fd;
	return fake_terminal;
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)left;
	now += (double)wanted->tv_sec + (double)wanted->tv_nsec / 1e9;
	assert_true(now < 1000 + 3600);		/* waits for what never comes */
	if (fake_tick)
		fake_tick(now - 1000);
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	(void)clock;
	time->tv_sec = (time_t)now;
	time->tv_nsec = (long)((now - (double)time->tv_sec) * 1e9);
	return 0;
}

/* A file does for a disk, "8:32". */
enum ckpt_result __wrap_ckpt_blockdev_open(const char *path, int flags, struct ckpt_blockdev *b,
					   struct ckpt_error *e)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return __real_ckpt_blockdev_open(path, flags, b, e);
	*b = (struct ckpt_blockdev){
		.fd = open(path, flags & ~O_EXCL),
		.devno = { 8, 32 },
		.sectors = (uint64_t)st.st_size / 512,
		.logical_bytes = 512,
	};
	return b->fd < 0 ? ckpt_fail_errno(e, errno, "%s", path) : CKPT_DONE;
}

/* ---- the command line ---- */

static void warn(const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
}

/* Have descriptor @fd write to a new file until put_back(). */
static int divert(int fd, FILE *file)
{
	int kept = dup(fd);

	assert_true(kept >= 0 && dup2(fileno(file), fd) == fd);
	return kept;
}

static void put_back(int fd, int kept, FILE *file, char *text, size_t size)
{
	size_t got;

	dup2(kept, fd);
	close(kept);
	rewind(file);
	got = fread(text, 1, size - 1, file);
	text[got] = '\0';
	fclose(file);
}

enum ckpt_result fake_run(const char *words)
{
	struct cli cli = { .c.warn = warn };
	FILE *out = tmpfile(), *err = tmpfile();
	char line[1024], *argv[32] = { "ckptctl" }, *save = NULL;
	enum ckpt_result result;
	int argc = 1, kept_out, kept_err;

	assert_true(out && err && strlen(words) < sizeof(line));
	strcpy(line, words);
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	assert_true(argc < 32);

	fflush(stdout);
	fflush(stderr);
	kept_out = divert(STDOUT_FILENO, out);
	kept_err = divert(STDERR_FILENO, err);
	optind = 0;
	*log_text = '\0';
	result = cli_run(&cli, argc, argv);
	if (result)
		warn(cli.c.error.text);
	fflush(stdout);
	fflush(stderr);
	put_back(STDOUT_FILENO, kept_out, out, fake_out, sizeof(fake_out));
	put_back(STDERR_FILENO, kept_err, err, fake_err, sizeof(fake_err));
	return result;
}
