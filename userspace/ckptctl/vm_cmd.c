// SPDX-License-Identifier: GPL-2.0-only
/* Whole virtual machines: what ckptd is asked for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libckpt/units.h"
#include "meter.h"
#include "out.h"
#include "vm_client.h"

#define BAR_WIDTH	16
#define LINE_SECONDS	15.0		/* between two lines where there is no terminal */

static struct json_object *parameters(const char *vm)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "vm", json_object_new_string(vm));
	return object;
}

static void add(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

struct progress {
	const struct cli *cli;
	double told;
};

static void show_progress(void *arg, struct json_object *now)
{
	uint64_t done = vm_number(now, "done"), total = vm_number(now, "total");
	struct progress *p = arg;
	bool draws = isatty(STDERR_FILENO);
	char part[CKPT_TEXT_LEN], all[CKPT_TEXT_LEN];
	double when = meter_now();
	struct json_object *left;

	/* Without a terminal only what there is to tell. */
	if (cli_has(p->cli, OPT_QUIET) ||
	    (!draws && (!total || (p->told && when - p->told < LINE_SECONDS))))
		return;
	p->told = when;
	fprintf(stderr, draws ? "\r\033[K%s" : "%s", vm_text(now, "what"));
	if (draws && total) {
		fputc(' ', stderr);
		out_bar(stderr, done, total, BAR_WIDTH);
	}
	if (total)
		fprintf(stderr, " %u %%, %s of %s",
			(unsigned int)(100.0 * (double)done / (double)total),
			ckpt_human(done, part), ckpt_human(total, all));
	if (total && json_object_object_get_ex(now, "seconds_left", &left) && left)
		fprintf(stderr, ", %s left",
			ckpt_duration((uint64_t)(json_object_get_double(left) + 0.5), part));
	fputs(draws ? "" : "\n", stderr);
	fflush(stderr);
}

/* Ask for something that may take time. */
static enum ckpt_result ask(struct cli *cli, const char *method, struct json_object *object,
			    struct json_object **answer)
{
	struct progress p = { .cli = cli };
	enum ckpt_result result = vm_call(cli, method, object, show_progress, &p, answer);

	if (p.told && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return result;
}

enum ckpt_result run_vm_add(struct cli *cli, char **arg, int count)
{
	struct json_object *object = parameters(arg[0]), *volumes = json_object_new_array();
	struct json_object *answer;
	const char *store = cli->option[OPT_STORE];
	enum ckpt_result result;

	for (int i = 1; i < count; i++)
		json_object_array_add(volumes, json_object_new_string(arg[i]));
	json_object_object_add(object, "volume", volumes);
	add(object, "store", store ? store : getenv("CKPT_STORE"));
	add(object, "policy", cli->option[OPT_POLICY]);
	add(object, "qmp", cli->option[OPT_QMP]);
	add(object, "agent", cli->option[OPT_AGENT]);
	add(object, "directory", cli->option[OPT_DIRECTORY]);
	add(object, "config", cli->option[OPT_CONFIG]);
	add(object, "qemu", cli->option[OPT_QEMU]);
	add(object, "arg", cli->option[OPT_ARGS]);
	result = vm_call(cli, "Add", object, NULL, NULL, &answer);
	if (!result) {
		cli_say(cli, "machine %s has %d disk%s", arg[0], count - 1, count == 2 ? "" : "s");
		cli_done(cli, "vm", arg[0], NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_remove(struct cli *cli, char **arg, int count)
{
	struct json_object *answer;
	enum ckpt_result result;

	(void)count;
	result = vm_call(cli, "Remove", parameters(arg[0]), NULL, NULL, &answer);
	if (!result) {
		cli_say(cli, "ckptd knows machine %s no more; its volumes stay", arg[0]);
		cli_done(cli, "vm", arg[0], NULL);
	}
	json_object_put(answer);
	return result;
}

static const struct out_field fields[] = {
	{ "name", OUT_TEXT, false },
	{ "state", OUT_TEXT, false },
	{ "policy", OUT_TEXT, false },
	{ "checkpoints", OUT_COUNT, false },
	{ "volumes", OUT_TEXT, false },
	{ "job", OUT_TEXT, false },
	{ "store", OUT_TEXT, true },
	{ "qmp", OUT_TEXT, true },
	{ "agent", OUT_TEXT, true },
	{ "freeze_seconds", OUT_COUNT, true },
	{ "directory", OUT_TEXT, true },
	{ "qemu", OUT_TEXT, true },
	{ "args", OUT_TEXT, true },
	{ "config", OUT_TEXT, true },
	{ "error", OUT_TEXT, true },
	{ NULL, OUT_TEXT, false },
};

/* The texts of a list, with blanks between them. */
static void out_texts(struct out *out, struct json_object *vm, const char *key)
{
	struct json_object *array;
	size_t count = vm_array(vm, key, &array), size;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	for (size_t i = 0; i < count; i++)
		fprintf(to, "%s%s", i ? " " : "",
			json_object_get_string(json_object_array_get_idx(array, i)));
	fclose(to);
	out_text(out, text);
	free(text);
}

static void add_row(struct out *out, struct json_object *vm)
{
	struct json_object *job;

	out_text(out, vm_text(vm, "name"));
	out_text(out, vm_text(vm, "state"));
	out_text(out, vm_text(vm, "policy"));
	out_number(out, vm_number(vm, "checkpoints"));
	out_texts(out, vm, "volumes");
	json_object_object_get_ex(vm, "job", &job);
	out_text(out, vm_text(job, "what"));
	out_text(out, vm_text(vm, "store"));
	out_text(out, vm_text(vm, "qmp"));
	out_text(out, vm_text(vm, "agent"));
	out_number(out, vm_number(vm, "freeze_seconds"));
	out_text(out, vm_text(vm, "directory"));
	out_text(out, vm_text(vm, "qemu"));
	out_texts(out, vm, "args");
	out_texts(out, vm, "config");
	out_text(out, vm_text(vm, "error"));
}

enum ckpt_result run_vm_list(struct cli *cli, char **arg, int count)
{
	struct out *out = out_new(cli, "dm-ckpt.vm-list.v1", "vms", fields);
	struct json_object *answer, *vms;
	enum ckpt_result result;
	size_t n;

	(void)arg;
	(void)count;
	if (!out)
		return cli->c.error.result;
	result = vm_call(cli, "List", json_object_new_object(), NULL, NULL, &answer);
	n = result ? 0 : vm_array(answer, "vms", &vms);
	for (size_t i = 0; i < n; i++)
		add_row(out, json_object_array_get_idx(vms, i));
	if (result)
		out_drop(out);
	else
		out_end(out);
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_show(struct cli *cli, char **arg, int count)
{
	struct json_object *answer;
	enum ckpt_result result;
	struct out *out;

	(void)count;
	if (!cli_has(cli, OPT_FIELDS))
		cli->option[OPT_FIELDS] = "all";
	out = out_new(cli, "dm-ckpt.vm.v1", NULL, fields);
	if (!out)
		return cli->c.error.result;
	result = vm_call(cli, "Show", parameters(arg[0]), NULL, NULL, &answer);
	if (result) {
		out_drop(out);
	} else {
		add_row(out, answer);
		out_end(out);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_start(struct cli *cli, char **arg, int count)
{
	struct json_object *answer;
	enum ckpt_result result = ask(cli, "Start", parameters(arg[0]), &answer);

	(void)count;
	if (!result) {
		cli_say(cli, "machine %s runs", arg[0]);
		cli_done(cli, "vm", arg[0], "state", "running", NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_stop(struct cli *cli, char **arg, int count)
{
	bool now = cli_has(cli, OPT_NOW);
	struct json_object *object, *answer = NULL;
	enum ckpt_result result = CKPT_DONE;

	(void)count;
	if (now)
		result = cli_confirm(cli, "This turns machine %s off; what it has not written is lost. Go on?",
				     arg[0]);
	if (result)
		return result;
	object = parameters(arg[0]);
	json_object_object_add(object, "force", json_object_new_boolean(now));
	result = ask(cli, "Stop", object, &answer);
	if (!result) {
		cli_say(cli, "machine %s is off", arg[0]);
		cli_done(cli, "vm", arg[0], "state", "off", NULL);
	}
	json_object_put(answer);
	return result;
}

static const struct out_field job_fields[] = {
	{ "what", OUT_TEXT, false },
	{ "done", OUT_BYTES, false },
	{ "total", OUT_BYTES, false },
	{ "seconds_left", OUT_COUNT, false },
	{ NULL, OUT_TEXT, false },
};

enum ckpt_result run_vm_progress(struct cli *cli, char **arg, int count)
{
	struct out *out = out_new(cli, "dm-ckpt.vm-progress.v1", NULL, job_fields);
	struct json_object *answer, *job = NULL, *left;
	enum ckpt_result result;

	(void)count;
	if (!out)
		return cli->c.error.result;
	result = vm_call(cli, "Progress", parameters(arg[0]), NULL, NULL, &answer);
	if (result) {
		out_drop(out);
	} else {
		json_object_object_get_ex(answer, "job", &job);
		out_text(out, vm_text(job, "what"));
		out_number(out, vm_number(job, "done"));
		out_number(out, vm_number(job, "total"));
		if (json_object_object_get_ex(job, "seconds_left", &left) && left)
			out_number(out, (uint64_t)(json_object_get_double(left) + 0.5));
		else
			out_none(out);
		out_end(out);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_cancel(struct cli *cli, char **arg, int count)
{
	struct json_object *answer;
	enum ckpt_result result = vm_call(cli, "Cancel", parameters(arg[0]), NULL, NULL, &answer);

	(void)count;
	if (!result) {
		cli_say(cli, "what was being done to %s is given up", arg[0]);
		cli_done(cli, "vm", arg[0], NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_checkpoint(struct cli *cli, char **arg, int count)
{
	struct json_object *object = parameters(arg[0]), *answer;
	enum ckpt_result result;
	char stood[CKPT_TEXT_LEN], own[CKPT_TEXT_LEN], bytes[CKPT_TEXT_LEN];
	uint64_t us;

	(void)count;
	add(object, "name", arg[1]);
	add(object, "kind", cli->option[OPT_KIND]);
	result = ask(cli, "Checkpoint", object, &answer);
	if (!result) {
		cli_say(cli, "checkpoint %s of %s is taken: %s", arg[1], arg[0],
			vm_text(answer, "kind"));
		if (*vm_text(answer, "note"))
			cli_say(cli, "%s", vm_text(answer, "note"));
		us = vm_number(answer, "standstill_us");
		if (us)
			cli_say(cli, "memory was written in way '%s'; the guest stood still for %llu.%llu ms",
				vm_text(answer, "way"), (unsigned long long)us / 1000,
				(unsigned long long)us / 100 % 10);
		snprintf(stood, sizeof(stood), "%llu", (unsigned long long)us);
		snprintf(own, sizeof(own), "%llu",
			 (unsigned long long)vm_number(answer, "own_us"));
		snprintf(bytes, sizeof(bytes), "%llu",
			 (unsigned long long)vm_number(answer, "memory_bytes"));
		cli_done(cli, "vm", arg[0], "checkpoint", arg[1], "id", vm_text(answer, "id"),
			 "kind", vm_text(answer, "kind"), "way", vm_text(answer, "way"),
			 "note", vm_text(answer, "note"), "standstill_us", stood, "own_us", own,
			 "memory_bytes", bytes, NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_apply(struct cli *cli, char **arg, int count)
{
	const char *save = cli->option[OPT_SAVE_CURRENT], *state;
	struct json_object *object, *answer = NULL;
	enum ckpt_result result = CKPT_DONE;

	(void)count;
	if (!save)
		result = cli_confirm(cli,
				     "This has machine %s go back to %s; if it runs it is ended, and what is in no checkpoint is lost (--save-current NAME keeps it). Go on?",
				     arg[0], arg[1]);
	if (result)
		return result;
	object = parameters(arg[0]);
	add(object, "checkpoint", arg[1]);
	add(object, "save_current", save);
	json_object_object_add(object, "disks_only",
			       json_object_new_boolean(cli_has(cli, OPT_DISKS_ONLY)));
	json_object_object_add(object, "paused", json_object_new_boolean(cli_has(cli, OPT_PAUSED)));
	result = ask(cli, "Apply", object, &answer);
	if (!result) {
		state = vm_text(answer, "state");
		cli_say(cli, "machine %s has gone back to %s; it %s%s", arg[0],
			vm_text(answer, "name"), strcmp(state, "running") ? "is " : "runs on",
			strcmp(state, "running") ? state : "");
		if (*vm_text(answer, "note"))
			cli_say(cli, "%s", vm_text(answer, "note"));
		cli_done(cli, "vm", arg[0], "checkpoint", vm_text(answer, "name"), "state",
			 vm_text(answer, "state"), "saved", save, "note", vm_text(answer, "note"), NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_delete(struct cli *cli, char **arg, int count)
{
	struct json_object *object, *answer = NULL, *deleted;
	enum ckpt_result result;
	size_t n;

	(void)count;
	result = cli_confirm(cli, "This deletes checkpoint %s of machine %s%s. Go on?", arg[1],
			     arg[0], cli_has(cli, OPT_SUBTREE) ? " and all below it" : "");
	if (result)
		return result;
	object = parameters(arg[0]);
	add(object, "checkpoint", arg[1]);
	json_object_object_add(object, "subtree",
			       json_object_new_boolean(cli_has(cli, OPT_SUBTREE)));
	result = ask(cli, "Delete", object, &answer);
	if (!result) {
		n = vm_array(answer, "deleted", &deleted);
		for (size_t i = 0; i < n; i++)
			cli_say(cli, "deleted: %s",
				json_object_get_string(json_object_array_get_idx(deleted, i)));
		cli_done(cli, "vm", arg[0], "checkpoint", arg[1], NULL);
	}
	json_object_put(answer);
	return result;
}

enum ckpt_result run_vm_rename(struct cli *cli, char **arg, int count)
{
	struct json_object *object = parameters(arg[0]), *answer;
	enum ckpt_result result;

	(void)count;
	add(object, "checkpoint", arg[1]);
	add(object, "name", arg[2]);
	result = vm_call(cli, "Rename", object, NULL, NULL, &answer);
	if (!result) {
		cli_say(cli, "checkpoint %s of %s is called %s now", arg[1], arg[0], arg[2]);
		cli_done(cli, "vm", arg[0], "checkpoint", arg[2], NULL);
	}
	json_object_put(answer);
	return result;
}
