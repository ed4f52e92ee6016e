// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "out.h"
#include "libckpt/units.h"

struct out_value {
	char *text;		/* NULL: none, or a number */
	uint64_t number;
	bool is_none;
};

struct out {
	const struct cli *cli;
	const char *schema, *list;
	const struct out_field *fields;
	int field_count;
	int *shown;		/* fields to print, in that order */
	int shown_count;
	struct out_value *values;
	size_t value_count;
};

bool out_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

bool out_has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	const char *force = getenv("CLICOLOR_FORCE");

	if (no && *no)
		return false;
	if (force && *force && strcmp(force, "0"))
		return true;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

int out_width(const char *text)
{
	wchar_t wide[512];
	size_t count = mbstowcs(wide, text, 512);
	int width = count == (size_t)-1 ? -1 : wcswidth(wide, count);

	return width < 0 ? (int)strlen(text) : width;
}

void out_bar(FILE *to, uint64_t part, uint64_t total, int width)
{
	const char *full = out_is_utf8() ? "█" : "#", *empty = out_is_utf8() ? "░" : "-";
	int filled = total ? (int)((double)part / (double)total * width + 0.5) : 0;

	/* Something is never drawn as nothing. */
	if (part && !filled)
		filled = 1;
	for (int i = 0; i < width; i++)
		fputs(i < filled ? full : empty, to);
}

static int find_field(const struct out *out, const char *name, size_t length)
{
	for (int i = 0; i < out->field_count; i++)
		if (strlen(out->fields[i].name) == length &&
		    !strncasecmp(out->fields[i].name, name, length))
			return i;
	return -1;
}

static bool wrong_field(struct cli *cli, const struct out *out, const char *name, size_t length)
{
	char all[512] = "";

	for (int i = 0; i < out->field_count; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 out->fields[i].name);
	ckpt_fail(&cli->c.error, CKPT_USAGE, "there is no field '%.*s'; there are %s",
		  (int)length, name, all);
	return false;
}

/* Which fields are printed; with -o a field may come twice. */
static bool choose_fields(struct cli *cli, struct out *out)
{
	const char *wanted = cli->option[OPT_FIELDS];
	bool all = wanted && !strcmp(wanted, "all");

	out->shown = calloc((size_t)out->field_count + (wanted ? strlen(wanted) : 0),
			    sizeof(*out->shown));
	if (!out->shown)
		abort();
	if (!wanted || all) {
		for (int i = 0; i < out->field_count; i++)
			if (all || !out->fields[i].is_extra || cli_has(cli, OPT_JSON))
				out->shown[out->shown_count++] = i;
		return true;
	}
	for (;;) {
		size_t length = strcspn(wanted, ",");
		int i = find_field(out, wanted, length);

		if (i < 0)
			return wrong_field(cli, out, wanted, length);
		out->shown[out->shown_count++] = i;
		if (!wanted[length])
			return true;
		wanted += length + 1;
	}
}

struct out *out_new(struct cli *cli, const char *schema, const char *list,
		    const struct out_field *fields)
{
	struct out *out = calloc(1, sizeof(*out));

	if (!out)
		abort();
	out->cli = cli;
	out->schema = schema;
	out->list = list;
	out->fields = fields;
	while (fields[out->field_count].name)
		out->field_count++;
	if (choose_fields(cli, out))
		return out;
	out_drop(out);
	return NULL;
}

static struct out_value *add(struct out *out)
{
	if ((out->value_count & (out->value_count - 1)) == 0) {
		out->values = reallocarray(out->values, out->value_count ? out->value_count * 2 : 1,
					   sizeof(*out->values));
		if (!out->values)
			abort();
	}
	out->values[out->value_count] = (struct out_value){ 0 };
	return &out->values[out->value_count++];
}

void out_text(struct out *out, const char *text)
{
	struct out_value *value = add(out);

	if (text && *text)
		value->text = strdup(text);
}

void out_number(struct out *out, uint64_t number)
{
	add(out)->number = number;
}

void out_none(struct out *out)
{
	add(out)->is_none = true;
}

void out_drop(struct out *out)
{
	if (!out)
		return;
	for (size_t i = 0; i < out->value_count; i++)
		free(out->values[i].text);
	free(out->values);
	free(out->shown);
	free(out);
}

static const struct out_value *value_at(const struct out *out, size_t row, int field)
{
	return &out->values[row * (size_t)out->field_count + (size_t)field];
}

/* A value as text; @buf is used where it has to be made. */
static const char *show(const struct out *out, const struct out_field *field,
			const struct out_value *value, char buf[CKPT_TEXT_LEN])
{
	if (value->is_none)
		return "-";
	switch (field->type) {
	case OUT_TEXT:
		return value->text ? value->text : "-";
	case OUT_FLAG:
		return value->number ? "yes" : "no";
	case OUT_TIME:
		return ckpt_time_local((int64_t)value->number, buf);
	case OUT_BYTES:
		if (!cli_has(out->cli, OPT_BYTES))
			return ckpt_human(value->number, buf);
		break;
	case OUT_COUNT:
		break;
	}
	snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64, value->number);
	return buf;
}

static bool is_right_aligned(const struct out_field *field)
{
	return field->type == OUT_BYTES || field->type == OUT_COUNT;
}

static void put_cell(const char *text, int width, bool right, bool last)
{
	int pad = width - out_width(text);

	if (right)
		printf("%*s", pad > 0 ? pad : 0, "");
	fputs(text, stdout);
	if (!right && !last)
		printf("%*s", pad > 0 ? pad : 0, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void print_table(const struct out *out)
{
	size_t rows = out->value_count / (size_t)out->field_count;
	bool headings = !cli_has(out->cli, OPT_NO_HEADINGS);
	int *width = calloc((size_t)out->shown_count, sizeof(*width));
	char buf[CKPT_TEXT_LEN], heading[64];

	if (!width)
		abort();
	for (int i = 0; i < out->shown_count; i++) {
		const struct out_field *field = &out->fields[out->shown[i]];

		width[i] = headings ? (int)strlen(field->name) : 0;
		for (size_t row = 0; row < rows; row++) {
			int w = out_width(show(out, field, value_at(out, row, out->shown[i]), buf));

			width[i] = w > width[i] ? w : width[i];
		}
	}
	for (int i = 0; headings && i < out->shown_count; i++) {
		const struct out_field *field = &out->fields[out->shown[i]];

		snprintf(heading, sizeof(heading), "%s", field->name);
		for (char *p = heading; *p; p++)
			*p = (char)toupper((unsigned char)*p);
		put_cell(heading, width[i], is_right_aligned(field), i == out->shown_count - 1);
	}
	for (size_t row = 0; row < rows; row++)
		for (int i = 0; i < out->shown_count; i++) {
			const struct out_field *field = &out->fields[out->shown[i]];

			put_cell(show(out, field, value_at(out, row, out->shown[i]), buf),
				 width[i], is_right_aligned(field), i == out->shown_count - 1);
		}
	free(width);
}

static void print_record(const struct out *out)
{
	bool headings = !cli_has(out->cli, OPT_NO_HEADINGS);
	char buf[CKPT_TEXT_LEN];

	for (int i = 0; i < out->shown_count; i++) {
		const struct out_field *field = &out->fields[out->shown[i]];

		if (headings)
			printf("%s:%*s", field->name, 16 - (int)strlen(field->name), "");
		printf("%s\n", show(out, field, value_at(out, 0, out->shown[i]), buf));
	}
}

static struct json_object *json_value(const struct out_field *field,
				      const struct out_value *value)
{
	char buf[CKPT_TEXT_LEN];

	if (value->is_none)
		return NULL;
	switch (field->type) {
	case OUT_TEXT:
		return value->text ? json_object_new_string(value->text) : NULL;
	case OUT_FLAG:
		return json_object_new_boolean(value->number != 0);
	case OUT_TIME:
		return json_object_new_string(ckpt_time_utc((int64_t)value->number, buf));
	case OUT_BYTES:
	case OUT_COUNT:
		break;
	}
	return json_object_new_uint64(value->number);
}

static void json_row(const struct out *out, size_t row, struct json_object *object)
{
	for (int i = 0; i < out->shown_count; i++) {
		const struct out_field *field = &out->fields[out->shown[i]];

		json_object_object_add(object, field->name,
				       json_value(field, value_at(out, row, out->shown[i])));
	}
}

static void print_json(const struct out *out)
{
	size_t rows = out->value_count / (size_t)out->field_count;
	struct json_object *root = json_object_new_object(), *array, *object;

	json_object_object_add(root, "schema", json_object_new_string(out->schema));
	if (!out->list) {
		json_row(out, 0, root);
	} else {
		array = json_object_new_array();
		for (size_t row = 0; row < rows; row++) {
			object = json_object_new_object();
			json_row(out, row, object);
			json_object_array_add(array, object);
		}
		json_object_object_add(root, out->list, array);
	}
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

void out_end(struct out *out)
{
	if (cli_has(out->cli, OPT_JSON))
		print_json(out);
	else if (out->list)
		print_table(out);
	else
		print_record(out);
	out_drop(out);
}
