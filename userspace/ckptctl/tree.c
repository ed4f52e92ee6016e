// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libckpt/units.h"
#include "out.h"
#include "tree.h"
#include "tree_rows.h"

struct glyphs {
	const char *column, *fork;
	const char *base, *zeros, *checkpoint, *hidden, *active, *inactive;
};

static const struct glyphs utf8_glyphs = {
	"│ ", "├─", "■", "□", "●", "○", "▶", "▷",
};

static const struct glyphs ascii_glyphs = {
	"| ", "|-", "#", "#", "*", "o", ">", "-",
};

struct drawing {
	FILE *to;
	const struct ckpt_model *m;
	const struct tree_style *style;
	const struct glyphs *glyphs;
	int label_width, size_width;
};

#define TIME_WIDTH 19

static const char *colour(const struct drawing *d, const struct tree_row *row)
{
	if (!d->style->has_colour)
		return "";
	switch (row->kind) {
	case TREE_CHECKPOINT:
		return "\033[33m";
	case TREE_VOLUME:
		return row->volume->is_active ? "\033[1;32m" : "\033[32m";
	case TREE_HIDDEN:
		return "\033[2m";
	case TREE_BASE:
	case TREE_ZEROS:
		break;
	}
	return "\033[1m";
}

static const char *glyph(const struct drawing *d, const struct tree_row *row)
{
	const struct glyphs *g = d->glyphs;

	switch (row->kind) {
	case TREE_BASE:
		return g->base;
	case TREE_ZEROS:
		return g->zeros;
	case TREE_CHECKPOINT:
		return g->checkpoint;
	case TREE_HIDDEN:
		return g->hidden;
	case TREE_VOLUME:
		break;
	}
	return row->volume->is_active ? g->active : g->inactive;
}

#define LABEL_LEN (2 * CKPT_NAME_BYTES + 32)

static void label(const struct drawing *d, const struct tree_row *row, char text[LABEL_LEN])
{
	const struct ckpt_volume *v;

	switch (row->kind) {
	case TREE_BASE:
		v = ckpt_model_volume(d->m, row->base->owner);
		if (row->base->is_template)
			snprintf(text, LABEL_LEN, "template %s", row->base->name);
		else
			snprintf(text, LABEL_LEN, "base of %s", v ? v->name : "nobody");
		break;
	case TREE_ZEROS:
		snprintf(text, LABEL_LEN, "zeros");
		break;
	case TREE_CHECKPOINT:
		v = ckpt_model_volume_of(d->m, row->checkpoint);
		snprintf(text, LABEL_LEN, "%s@%s", v ? v->name : "?", row->checkpoint->name);
		break;
	case TREE_HIDDEN:
		snprintf(text, LABEL_LEN, "(hidden)");
		break;
	case TREE_VOLUME:
		snprintf(text, LABEL_LEN, "%s", row->volume->name);
		break;
	}
}

static char *size_text(const struct drawing *d, uint64_t bytes, char buf[CKPT_TEXT_LEN])
{
	if (!d->style->in_bytes)
		return ckpt_human(bytes, buf);
	snprintf(buf, CKPT_TEXT_LEN, "%" PRIu64, bytes);
	return buf;
}

/* What the layer holds alone; nothing for what is not in the store. */
static void size(const struct drawing *d, const struct tree_row *row, char buf[CKPT_TEXT_LEN])
{
	*buf = '\0';
	if (row->number && row->is_first && ckpt_model_layer(d->m, row->number))
		size_text(d, ckpt_model_used(d->m, row->number) * d->style->unit_bytes, buf);
}

static void when(const struct tree_row *row, char buf[CKPT_TEXT_LEN])
{
	*buf = '\0';
	if (row->kind == TREE_CHECKPOINT)
		ckpt_time_local(row->checkpoint->created, buf);
	else if (row->kind == TREE_VOLUME)
		strcpy(buf, "now");
}

/*
 * The checkpoint of another volume that a clone sits on, or NULL: the nearest
 * checkpoint below is another's.
 */
static const struct ckpt_checkpoint *cloned_from(const struct ckpt_model *m,
						 const struct ckpt_volume *v)
{
	const struct ckpt_checkpoint *other = NULL;
	uint32_t number = v->top;

	for (size_t steps = 0; number && !other && steps <= m->layer_count; steps++) {
		const struct ckpt_layer *layer = ckpt_model_layer(m, number);

		for (size_t i = 0; i < m->checkpoint_count; i++) {
			if (m->checkpoints[i].layer != number)
				continue;
			if (!strcmp(m->checkpoints[i].volume, v->uuid))
				return NULL;
			other = &m->checkpoints[i];
		}
		number = layer ? layer->below : 0;
	}
	return other;
}

static bool has_checkpoints(const struct ckpt_model *m, const struct ckpt_volume *v)
{
	for (size_t i = 0; i < m->checkpoint_count; i++)
		if (!strcmp(m->checkpoints[i].volume, v->uuid))
			return true;
	return false;
}

static void volume_remarks(const struct drawing *d, const struct ckpt_volume *v)
{
	const struct ckpt_checkpoint *from = cloned_from(d->m, v);
	const struct ckpt_base *base = ckpt_model_bottom(d->m, v->top);
	const struct ckpt_volume *source;
	char text[CKPT_TEXT_LEN];

	fprintf(d->to, "%s, %s", v->is_active ? "active" : "not open",
		size_text(d, v->sectors * CKPT_SECTOR, text));
	source = from ? ckpt_model_volume_of(d->m, from) : NULL;
	if (source)
		fprintf(d->to, ", clone of %s@%s", source->name, from->name);
	else if (base && base->is_template && !has_checkpoints(d->m, v))
		fprintf(d->to, ", clone of template %s", base->name);
	if (base && v->top == base->number)
		fprintf(d->to, ", passes through");
}

static void remarks(const struct drawing *d, const struct tree_row *row)
{
	const struct ckpt_checkpoint *cp = row->checkpoint;
	const struct ckpt_layer *layer;
	const char *origin = NULL;
	char text[CKPT_TEXT_LEN];

	switch (row->kind) {
	case TREE_BASE:
		if (d->style->origin)
			origin = d->style->origin(d->style->arg, row->base);
		fprintf(d->to, "%s%s%s", size_text(d, row->base->sectors * CKPT_SECTOR, text),
			origin ? ", " : "", origin ? origin : "");
		break;
	case TREE_ZEROS:
		fprintf(d->to, "no origin");
		break;
	case TREE_CHECKPOINT:
		fprintf(d->to, "%s", cp->kind);
		if (cp->group > 1)
			fprintf(d->to, ", with %" PRIu32 " more", cp->group - 1);
		if (cp->is_viewed)
			fprintf(d->to, ", viewed");
		if (!row->is_first)
			fprintf(d->to, ", same layer as above");
		break;
	case TREE_HIDDEN:
		layer = ckpt_model_layer(d->m, row->number);
		fprintf(d->to, "%s", layer->state == CKPT_LAYER_FREEING ? "being freed" :
			layer->state == CKPT_LAYER_MERGING ? "being merged" :
			"needed by what sits on it");
		break;
	case TREE_VOLUME:
		volume_remarks(d, row->volume);
		break;
	}
}

/* What is left of the label, in columns. */
static int graph_width(const struct tree_row *row)
{
	return 2 * (int)row->depth + 2;
}

static void measure(struct drawing *d, const struct tree_rows *rows)
{
	char text[LABEL_LEN], number[CKPT_TEXT_LEN];
	int width;

	for (size_t i = 0; i < rows->count; i++) {
		label(d, &rows->row[i], text);
		width = graph_width(&rows->row[i]) + out_width(text);
		d->label_width = width > d->label_width ? width : d->label_width;
		size(d, &rows->row[i], number);
		width = (int)strlen(number);
		d->size_width = width > d->size_width ? width : d->size_width;
	}
}

static void draw_row(const struct drawing *d, const struct tree_row *row)
{
	char text[LABEL_LEN], number[CKPT_TEXT_LEN], time[CKPT_TEXT_LEN];
	const char *on = colour(d, row), *off = *on ? "\033[0m" : "";

	for (unsigned int i = 0; i < row->depth; i++)
		fputs(row->forks && i + 1 == row->depth ? d->glyphs->fork : d->glyphs->column,
		      d->to);
	label(d, row, text);
	size(d, row, number);
	when(row, time);
	fprintf(d->to, "%s%s %s%s%*s  %*s  %-*s  ", on, glyph(d, row), text, off,
		d->label_width - graph_width(row) - out_width(text), "",
		d->size_width, number, TIME_WIDTH, time);
	remarks(d, row);
	fputc('\n', d->to);
}

static void draw_headings(const struct drawing *d)
{
	fprintf(d->to, "%-*s  %*s  %-*s  %s\n", d->label_width, "NAME", d->size_width, "ALONE",
		TIME_WIDTH, "TAKEN", "REMARKS");
}

enum ckpt_result tree_draw(FILE *to, const struct ckpt_model *m,
			   const struct ckpt_volume *only, const struct tree_style *style,
			   struct ckpt_error *e)
{
	struct drawing d = {
		.to = to, .m = m, .style = style,
		.glyphs = style->is_utf8 ? &utf8_glyphs : &ascii_glyphs,
		.label_width = 4, .size_width = 5,
	};
	struct tree_rows rows;

	if (!tree_rows_make(m, only, &rows))
		return ckpt_fail(e, CKPT_FAILED, "there is not enough memory to draw the tree");
	measure(&d, &rows);
	if (style->has_headings && rows.count)
		draw_headings(&d);
	for (size_t i = 0; i < rows.count; i++) {
		if (i && !rows.row[i].depth &&
		    (rows.row[i].kind == TREE_BASE || rows.row[i].kind == TREE_ZEROS))
			fputc('\n', to);
		draw_row(&d, &rows.row[i]);
	}
	tree_rows_free(&rows);
	return CKPT_DONE;
}
