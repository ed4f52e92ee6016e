// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checkpoints on disk, and what is left when the daemon is killed at any point of making,
 * renaming and deleting one.  The store is a folder here with a file for each group: it
 * outlives who is killed, as the real one does (tests/selftests/vm.t has that one).
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "test.h"
#include "ckptd/disks.h"
#include "ckptd/durable.h"
#include "ckptd/intent.h"
#include "ckptd/machine.h"
#include "ckptd/points.h"
#include "ckptd/recover.h"
#include "ckptd/take.h"

#define VOLUME	"00000000-0000-0000-0000-000000000020"
#define STORE	"00000000-0000-0000-0000-000000000099"

static char folder[PATH_MAX], store[PATH_MAX], directory[PATH_MAX];
static struct ckpt_error e;

/* ---- the store: a file "<uuid>" that holds the name ---- */

static void group_path(const char *uuid, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.80s/%.36s", store, uuid);
}

static bool group_name(const char *uuid, char name[CKPT_NAME_BYTES])
{
	char path[PATH_MAX], *text;
	size_t length;

	group_path(uuid, path);
	if (durable_read(path, CKPT_NAME_BYTES, &text, &length, &e))
		return false;
	strcpy(name, text);
	free(text);
	return true;
}

static void set_group(const char *uuid, const char *name)
{
	char path[PATH_MAX];

	group_path(uuid, path);
	assert_int_equal(durable_write(path, name, strlen(name), 0600, false, &e), CKPT_DONE);
}

static bool find_group(const char *name, char uuid[CKPT_UUID_LEN])
{
	DIR *dir = opendir(store);
	char has[CKPT_NAME_BYTES];
	struct dirent *entry;
	bool found = false;

	while (!found && (entry = readdir(dir)))
		if (*entry->d_name != '.' && group_name(entry->d_name, has) && !strcmp(has, name)) {
			snprintf(uuid, CKPT_UUID_LEN, "%.36s", entry->d_name);
			found = true;
		}
	closedir(dir);
	return found;
}

enum ckpt_result disks_open(struct disks *d, const struct vm_file *f)
{
	(void)f;
	memset(d, 0, sizeof(*d));
	return CKPT_DONE;
}

void disks_close(struct disks *d)
{
	(void)d;
}

enum ckpt_result disks_may_name(struct disks *d, const char *name)
{
	char uuid[CKPT_UUID_LEN];

	return find_group(name, uuid) ? ckpt_fail(&d->c.error, CKPT_BUSY, "taken") : CKPT_DONE;
}

void disks_describe(const struct disks *d, struct manifest *m)
{
	(void)d;
	strcpy(m->store, STORE);
	strcpy(m->volume[0], VOLUME);
	m->volumes = 1;
}

enum ckpt_result disks_take(struct disks *d, struct manifest *m)
{
	char name[CKPT_NAME_BYTES];
	uuid_t uuid;

	(void)d;
	uuid_generate(uuid);
	snprintf(name, sizeof(name), MANIFEST_STORE_NAME, m->id);
	uuid_unparse_lower(uuid, m->group);
	set_group(m->group, name);
	point(POINT_TAKEN);
	return CKPT_DONE;
}

bool disks_is_named(const struct disks *d, const struct manifest *m)
{
	(void)d;
	(void)m;
	return false;
}

enum ckpt_result disks_name(struct disks *d, const struct manifest *m)
{
	(void)d;
	set_group(m->group, m->name);
	return CKPT_DONE;
}

enum ckpt_result disks_delete(struct disks *d, const struct manifest *m)
{
	char uuid[CKPT_UUID_LEN], name[CKPT_NAME_BYTES], path[PATH_MAX];

	(void)d;
	snprintf(name, sizeof(name), MANIFEST_STORE_NAME, m->id);
	if (*m->group)
		strcpy(uuid, m->group);
	else if (!find_group(name, uuid))
		return CKPT_DONE;
	group_path(uuid, path);
	unlink(path);
	return CKPT_DONE;
}

bool machine_runs(const struct vm_file *f)
{
	(void)f;
	return false;
}

/* None of these runs. */
int machine_monitor(const struct vm_file *f)
{
	(void)f;
	return -1;
}

enum ckpt_result machine_unreachable(const struct vm_file *f, int err, struct ckpt_error *e)
{
	(void)f;
	return ckpt_fail_errno(e, err, "not here");
}

enum ckpt_result machine_is_off(struct disks *d, const struct vm_file *f)
{
	(void)d;
	(void)f;
	return CKPT_DONE;
}

/* ---- what is done ---- */

static enum ckpt_result taken;

static void on_taken(struct taking *t, enum ckpt_result result)
{
	(void)t;
	taken = result;
}

static void no_warning(const char *sentence)
{
	fail_msg("%s", sentence);
}

static void machine(struct vm_file *f)
{
	memset(f, 0, sizeof(*f));
	vm_file_default(f, "web");
	strcpy(f->directory, directory);
}

static void take(const char *name)
{
	struct disks d = { .c.warn = no_warning };
	struct job job = { 0 };
	struct taking t = { .job = &job, .disks = &d, .name = name, .done = on_taken };

	machine(&job.vm);
	taken = CKPT_FAILED;
	take_start(&t);
	assert_int_equal(taken, CKPT_DONE);
}

/* As change.c has it, but for the request. */
static void remove_one(const char *name)
{
	struct disks d = { .c.warn = no_warning };
	struct manifests list;
	const struct manifest *m;

	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	m = manifest_find(&list, name);
	assert_non_null(m);
	assert_int_equal(manifest_hide(directory, m->id, &e), CKPT_DONE);
	assert_int_equal(disks_delete(&d, m), CKPT_DONE);
	point(POINT_UNTIED);
	assert_int_equal(manifest_remove(directory, m->id, MANIFEST_GONE, &e), CKPT_DONE);
	manifest_list_free(&list);
}

static void rename_one(const char *name)
{
	struct manifests list;
	struct manifest m;

	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	m = *manifest_find(&list, name);
	strcpy(m.name, "renamed");
	assert_int_equal(manifest_write(directory, &m, MANIFEST_WHOLE, &e), CKPT_DONE);
	point(POINT_RENAMED);
	disks_name(&(struct disks){ 0 }, &m);
	manifest_list_free(&list);
}

static void recover(void)
{
	struct disks d = { .c.warn = no_warning };
	struct vm_file f;

	machine(&f);
	assert_int_equal(recover_checkpoints(&d, &f, &e), CKPT_DONE);
}

/* Run it in a process that is killed at @p. */
static void killed(enum point p, void (*fn)(const char *name), const char *name)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		setenv("CKPTD_KILL_AT", point_names[p], 1);
		fn(name);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status))
		fail_msg("not killed at '%s'", point_names[p]);
}

static size_t entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count > 2 ? count - 2 : 0;
}

/* Exactly these there are, as folders and in the store, and called so in both. */
static void whole(const char *first, const char *second)
{
	size_t count = (first != NULL) + (second != NULL);
	char name[CKPT_NAME_BYTES];
	struct manifests list;

	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	assert_int_equal(list.count, count);
	assert_int_equal(list.damaged, 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(group_name(list.m[i].group, name));
		assert_string_equal(name, list.m[i].name);
	}
	assert_true(!first || manifest_find(&list, first));
	assert_true(!second || manifest_find(&list, second));
	assert_int_equal(entries(directory), count);
	assert_int_equal(entries(store), count);
	manifest_list_free(&list);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/ckptd-unit.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(store, sizeof(store), "%.60s/store", folder);
	snprintf(directory, sizeof(directory), "%.60s/web", folder);
	return mkdir(store, 0700);
}

static int tear_down(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %.60s", folder);
	return system(command);
}

/* ---- tests ---- */

static void taking_and_deleting(void **state)
{
	(void)state;
	whole(NULL, NULL);
	take("c1");
	take("c2");
	whole("c1", "c2");
	rename_one("c1");
	whole("renamed", "c2");
	remove_one("c2");
	whole("renamed", NULL);
	recover();
	whole("renamed", NULL);
}

static void killed_while_taking(void **state)
{
	static const enum point before[] = {
		POINT_BEGUN, POINT_TAKEN, POINT_COPIED, POINT_WRITTEN,
	};

	(void)state;
	take("c1");
	for (unsigned int i = 0; i < 4; i++) {
		killed(before[i], take, "c2");
		/* Not listed before anything was cleared up, either. */
		assert_int_equal(entries(directory), 2);
		recover();
		whole("c1", NULL);
		recover();
		whole("c1", NULL);
	}
	killed(POINT_PUBLISHED, take, "c2");
	recover();
	whole("c1", "c2");
	remove_one("c2");
	killed(POINT_NAMED, take, "c2");
	recover();
	whole("c1", "c2");
}

static void killed_while_changing(void **state)
{
	(void)state;
	take("c1");
	take("c2");
	killed(POINT_RENAMED, rename_one, "c1");
	recover();
	whole("renamed", "c2");
	killed(POINT_HIDDEN, remove_one, "c2");
	recover();
	whole("renamed", NULL);
	killed(POINT_UNTIED, remove_one, "renamed");
	recover();
	whole(NULL, NULL);
}

/* Killed while it makes the folder, or removes it, there is one without a manifest. */
static void a_folder_without_anything(void **state)
{
	char path[PATH_MAX];

	(void)state;
	take("c1");
	manifest_path(directory, VOLUME, MANIFEST_NEW, NULL, path);
	assert_int_equal(mkdir(path, 0700), 0);
	manifest_path(directory, STORE, MANIFEST_GONE, NULL, path);
	assert_int_equal(mkdir(path, 0700), 0);
	recover();
	whole("c1", NULL);
}

/* What is no folder of ours stays. */
static void what_others_put_there(void **state)
{
	static const char *const names[] = { "lost+found", "notes.new", ".gone", "x" };
	char path[PATH_MAX];

	(void)state;
	take("c1");
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%.80s/%s", directory, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	recover();
	assert_int_equal(entries(directory), 5);
}

static unsigned int mode_of(const char *path)
{
	struct stat s;

	assert_int_equal(lstat(path, &s), 0);
	return s.st_mode & 07777;
}

/* Nobody else reads what is kept of a machine, whatever the daemon was started with. */
static void for_nobody_else(void **state)
{
	mode_t mask = umask(0);
	struct manifests list;
	char path[PATH_MAX];

	(void)state;
	take("c1");
	umask(mask);
	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	manifest_path(directory, list.m[0].id, MANIFEST_WHOLE, "", path);
	assert_int_equal(mode_of(path), 0700);
	manifest_path(directory, list.m[0].id, MANIFEST_WHOLE, "manifest.json", path);
	assert_int_equal(mode_of(path), 0600);
	manifest_list_free(&list);
}

/* A manifest of any content is read, or found damaged. */
static void damaged_ones(void **state)
{
	char path[PATH_MAX], *text, *bad;
	struct manifests list;
	struct manifest m;
	size_t length;

	(void)state;
	take("c1");
	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	manifest_path(directory, list.m[0].id, MANIFEST_WHOLE, "manifest.json", path);
	assert_int_equal(durable_read(path, 65536, &text, &length, &e), CKPT_DONE);
	bad = malloc(length);
	for (int i = 0; i < 500; i++) {
		FILE *to = fopen(path, "w");

		memcpy(bad, text, length);
		for (unsigned int n = below(6); n; n--)
			bad[below(length)] = (char)below(256);
		fwrite(bad, 1, i % 2 ? length : below(length), to);
		fclose(to);
		if (!manifest_read(directory, list.m[0].id, MANIFEST_WHOLE, &m, &e))
			assert_string_equal(m.id, list.m[0].id);
	}
	assert_int_equal(durable_write(path, "{}", 2, 0600, false, &e), CKPT_DONE);
	manifest_list_free(&list);
	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	assert_int_equal(list.count, 0);
	assert_int_equal(list.damaged, 1);
	manifest_list_free(&list);
	free(bad);
	free(text);
}

/* ---- going back: what is noted of that ---- */

static enum ckpt_result open_for_more(void)
{
	struct disks d;
	struct vm_file f;

	machine(&f);
	return recover_open(&d, &f, &e);
}

static void going_back(void **state)
{
	struct intent i = { .stage = INTENT_BACK, .paused = true }, j;
	struct manifests list;

	(void)state;
	take("c1");
	assert_int_equal(intent_read(directory, &j, &e), CKPT_NOT_FOUND);
	assert_int_equal(intent_clear(directory, &e), CKPT_DONE);
	assert_int_equal(open_for_more(), CKPT_DONE);
	assert_int_equal(manifest_list(directory, &list, &e), CKPT_DONE);
	strcpy(i.checkpoint, list.m[0].id);
	manifest_list_free(&list);
	for (i.stage = 0; i.stage < INTENT_STAGES; i.stage++) {
		i.disks_only = i.stage == INTENT_LOADED;
		assert_int_equal(intent_write(directory, &i, &e), CKPT_DONE);
		assert_int_equal(intent_read(directory, &j, &e), CKPT_DONE);
		assert_string_equal(j.checkpoint, i.checkpoint);
		assert_int_equal(j.stage, i.stage);
		assert_int_equal(j.disks_only, i.disks_only);
		assert_true(j.paused);
	}
	assert_int_equal(open_for_more(), CKPT_BUSY);
	assert_non_null(strstr(e.text, "'ckptctl vm apply web c1' does"));
	remove_one("c1");
	/* To what is not there nothing goes back. */
	assert_int_equal(open_for_more(), CKPT_DONE);
	assert_int_equal(intent_read(directory, &j, &e), CKPT_NOT_FOUND);
	whole(NULL, NULL);
}

static void a_damaged_note(void **state)
{
	const char *const bad[] = {
		"", "{", "[]", "{}", "null", "{\"schema\": \"dm-ckpt.vm-going-back.v1\"}",
		"{\"schema\": \"dm-ckpt.vm-going-back.v1\", \"checkpoint\": \"x\", \"stage\": \"back\", \"disks_only\": false, \"paused\": false}",
		"{\"schema\": \"dm-ckpt.vm-going-back.v1\", \"checkpoint\": \"" VOLUME "\", \"stage\": \"up\", \"disks_only\": false, \"paused\": false}",
		"{\"schema\": \"dm-ckpt.vm-going-back.v1\", \"checkpoint\": \"" VOLUME "\", \"stage\": \"back\", \"disks_only\": 1, \"paused\": false}",
		"{\"schema\": \"dm-ckpt.vm-going-back.v1\", \"checkpoint\": 7, \"stage\": \"back\", \"disks_only\": true, \"paused\": false}",
	};
	char path[PATH_MAX];
	struct intent i;

	(void)state;
	take("c1");
	snprintf(path, sizeof(path), "%.80s/going-back.json", directory);
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		assert_int_equal(durable_write(path, bad[n], strlen(bad[n]), 0600, false, &e), CKPT_DONE);
		assert_int_equal(intent_read(directory, &i, &e), CKPT_INTEGRITY);
		assert_int_equal(open_for_more(), CKPT_INTEGRITY);
	}
	assert_int_equal(intent_clear(directory, &e), CKPT_DONE);
	assert_int_equal(open_for_more(), CKPT_DONE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(taking_and_deleting),
	TEST(killed_while_taking),
	TEST(killed_while_changing),
	TEST(a_folder_without_anything),
	TEST(what_others_put_there),
	TEST(for_nobody_else),
	TEST(damaged_ones),
	TEST(going_back),
	TEST(a_damaged_note),
};

RUN("ckptd_manifest", tests)
