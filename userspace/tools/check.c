// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "libckpt/check.h"
#include "tool.h"

enum { LEVEL, JSON, QUIET };

static const char *const levels[] = { "super", "records", "nodes", "space" };

/* What is found is told at once, or gathered for JSON. */
struct found {
	struct tool_call *call;
	struct json_object *errors, *notes;	/* NULL: not JSON */
};

static void tell_error(void *arg, const char *sentence)
{
	struct found *f = arg;

	if (f->errors)
		json_object_array_add(f->errors, json_object_new_string(sentence));
	else if (!f->call->option[QUIET])
		printf("%s\n", sentence);
}

static void tell_note(void *arg, const char *sentence)
{
	struct found *f = arg;

	if (f->notes)
		json_object_array_add(f->notes, json_object_new_string(sentence));
	else if (!f->call->option[QUIET])
		printf("note: %s\n", sentence);
}

static void put_json(struct found *f, const struct ckpt_check *check, enum ckpt_result result)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "schema", json_object_new_string("ckpt_check/1"));
	json_object_object_add(o, "level", json_object_new_string(levels[check->level]));
	json_object_object_add(o, "ok", json_object_new_boolean(!result));
	json_object_object_add(o, "error_count", json_object_new_uint64(check->errors));
	json_object_object_add(o, "nodes", json_object_new_uint64(check->nodes));
	json_object_object_add(o, "data_units", json_object_new_uint64(check->units));
	json_object_object_add(o, "leaked_units", json_object_new_uint64(check->leaked));
	json_object_object_add(o, "errors", f->errors);
	json_object_object_add(o, "notes", f->notes);
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
	json_object_put(o);
}

static void put_figures(const struct tool_call *call, const struct ckpt_check *check,
			enum ckpt_result result)
{
	if (call->option[QUIET] || (result && result != CKPT_INTEGRITY))
		return;
	printf("%s: %" PRIu64 " errors, %" PRIu64 " notes; %" PRIu64 " nodes, %" PRIu64 " KiB of data\n",
	       levels[check->level], check->errors, check->notes, check->nodes, check->units * 4);
}

static enum ckpt_result run(struct tool_call *call)
{
	struct found f = { .call = call };
	struct ckpt_check check = { .level = CKPT_CHECK_SPACE, .error = tell_error,
				    .note = tell_note, .arg = &f };
	struct ckpt_source source;
	struct ckpt_file file;
	enum ckpt_result result;
	unsigned int i = 4;

	if (call->option[LEVEL]) {
		for (i = 0; i < 4 && strcmp(levels[i], call->option[LEVEL]); i++)
			;
		if (i == 4)
			return ckpt_fail(&call->error, CKPT_USAGE,
					 "'%s' is no level; there are super, records, nodes and space",
					 call->option[LEVEL]);
		check.level = i;
	}
	result = ckpt_file_open(call->arg[0], &file, &call->error);
	if (result)
		return result;
	if (call->option[JSON]) {
		f.errors = json_object_new_array();
		f.notes = json_object_new_array();
	}
	source = ckpt_file_source(&file);
	result = ckpt_check(&source, &check, &call->error);
	ckpt_file_close(&file);
	if (call->option[JSON])
		put_json(&f, &check, result);
	else
		put_figures(call, &check, result);
	return result;
}

const struct tool tool_check = {
	.name = "ckpt_check", .args = "STORE", .least = 1, .most = 1,
	.about = "Look whether all of a store that is not active is what it ought to be.",
	.options = {
		[LEVEL] = { "level", "LEVEL", "super, records, nodes or space (the default): how deep", false },
		[JSON] = { "json", NULL, "for programs", false },
		[QUIET] = { "quiet", NULL, "only the exit status", false },
	},
	.run = run,
};
