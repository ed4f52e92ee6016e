/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables and records on stdout, for a person or as JSON.  Which fields there are is
 * told once; values are then added one by one, in the order of the fields, row
 * for row.
 */
#ifndef CKPTCTL_OUT_H
#define CKPTCTL_OUT_H

#include "cli.h"

enum out_type {
	OUT_TEXT,
	OUT_BYTES,	/* printed in human units unless --bytes */
	OUT_COUNT,
	OUT_TIME,	/* seconds since 1970; local time, or UTC in JSON */
	OUT_FLAG,	/* yes or no */
};

struct out_field {
	const char *name;	/* in JSON and for -o; upper case, the heading */
	enum out_type type;
	bool is_extra;		/* printed only by -o, and in JSON */
};

struct out;

/*
 * @fields end with a NULL name.  @list is the name of the array in JSON; NULL for a
 * record: one row, printed as lines of "name: value".  On a wrong -o the result
 * is NULL and the sentence says which fields there are.
 */
struct out *out_new(struct cli *cli, const char *schema, const char *list,
		    const struct out_field *fields);

/* NULL stands for "none", as does an empty text. */
void out_text(struct out *out, const char *text);
void out_number(struct out *out, uint64_t number);
void out_none(struct out *out);

/* Print it all and free it. */
void out_end(struct out *out);

/* Free it and print nothing: what was to be shown could not be had. */
void out_drop(struct out *out);

/* Columns that a text takes on a terminal. */
int out_width(const char *text);

/* A bar of @width columns for a share of @total; '#' and '-' unless UTF-8. */
void out_bar(FILE *to, uint64_t part, uint64_t total, int width);

bool out_is_utf8(void);

/* Colours are wanted: a terminal, and no NO_COLOR in the environment. */
bool out_has_colour(void);

#endif
