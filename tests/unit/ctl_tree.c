// SPDX-License-Identifier: GPL-2.0-only
/* The tree as a person sees it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ckptctl/tree.h"
#include "ctl_tests.h"

static const char *origin(void *arg, const struct ckpt_base *base)
{
	(void)arg;
	return base->is_template ? NULL : "/dev/disk/by-id/x";
}

/* The drawing of a list, allocated. */
static char *draw(const char *list, const char *only, bool utf8, bool colour)
{
	const struct tree_style style = {
		.is_utf8 = utf8, .has_colour = colour, .has_headings = true,
		.unit_bytes = 4096, .origin = origin,
	};
	struct ckpt_model m = { 0 };
	struct ckpt_error e;
	char *cursor, *text;
	size_t size;
	FILE *f;

	assert_int_equal(ckpt_model_page(&m, list, &cursor, &e), CKPT_DONE);
	ckpt_model_finish(&m);
	f = open_memstream(&text, &size);
	assert_int_equal(tree_draw(f, &m, only ? ckpt_model_volume(&m, only) : NULL, &style, &e),
			 CKPT_DONE);
	fclose(f);
	ckpt_model_free(&m);
	return text;
}

static const char utf8_tree[] =
"NAME                  ALONE  TAKEN                REMARKS\n"
"■ base of disk                                    20 GiB, /dev/disk/by-id/x\n"
"● disk@monday                2026-07-01 10:00:12  standard\n"
"├─▷ twin              8 KiB  now                  not open, 20 GiB, clone of disk@monday\n"
"● disk@tuesday       12 MiB  2026-07-02 10:00:03  production, with 1 more, viewed\n"
"├─● disk@wednesday    3 MiB  2026-07-03 10:00:00  standard\n"
"▶ disk              1.2 MiB  now                  active, 20 GiB\n"
"\n"
"■ template golden                                 4 GiB\n"
"○ (hidden)          160 KiB                       being merged\n"
"▷ vm                 16 KiB  now                  not open, 4 GiB, clone of template golden\n"
"\n"
"□ zeros                                           no origin\n"
"● scratch@tuesday   400 KiB  2026-07-02 10:00:03  production, with 1 more\n"
"▶ scratch               0 B  now                  active, 1 GiB\n";

static void the_tree_is_drawn(void **state)
{
	char *text = draw(ctl_list, NULL, true, false);

	(void)state;
	assert_string_equal(text, utf8_tree);
	free(text);
}

static const char ascii_tree[] =
"NAME                ALONE  TAKEN                REMARKS\n"
"# zeros                                         no origin\n"
"* scratch@tuesday  400 KiB  2026-07-02 10:00:03  production, with 1 more\n"
"> scratch              0 B  now                  active, 1 GiB\n";

static void one_tree_in_ascii(void **state)
{
	char *text = draw(ctl_list, "scratch", false, false);

	(void)state;
	/* Columns are measured, so compare from the first checkpoint on. */
	assert_string_equal(strstr(text, "* scr"), strstr(ascii_tree, "* scr"));
	assert_null(strstr(text, "disk"));
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p < 0x80);
	free(text);
}

static void colours_are_wished_for(void **state)
{
	char *text = draw(ctl_list, NULL, true, true);

	(void)state;
	assert_non_null(strstr(text, "\033["));
	free(text);
}

static void nested_branches(void **state)
{
	char *text = draw("layer 1 - 8 frozen 1 0 kept\nlayer 2 1 8 frozen 1 0 kept\nlayer 3 2 8 head 1 0 kept\n"
			  "layer 4 2 8 frozen 1 0 kept\nlayer 5 1 8 head 1 0 kept\n"
			  "volume 6 u a 8 5 1 active 0 0\nvolume 7 v b 8 3 2 active 0 0\n"
			  "checkpoint 8 x one u 1 standard 0 1 idle\n"
			  "checkpoint 9 y two v 2 standard 0 1 idle\n"
			  "checkpoint 10 z three v 4 standard 0 1 idle\n"
			  "checkpoint 11 zz four v 4 standard 0 1 idle\nend\n", NULL, true, false);
	static const char *const lines[] = {
		"□ zeros", "● a@one", "├─● b@two", "│ ├─● b@three", "│ │ ● b@four",
		"│ ▶ b ", "▶ a ",
	};
	const char *p = text;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		p = strchr(p, '\n');
		assert_non_null(p++);
		assert_memory_equal(p, lines[i], strlen(lines[i]));
	}
	assert_non_null(strstr(text, "same layer as above"));
	free(text);
}

static void passed_through_and_empty(void **state)
{
	char *text = draw("base 1 b - 8 owned u\nvolume 2 u disk 8 1 0 active 0 0\nend\n", NULL, true,
			  false);

	(void)state;
	assert_non_null(strstr(text, "▶ disk"));
	assert_non_null(strstr(text, "passes through"));
	free(text);
	text = draw("end\n", NULL, true, false);
	assert_string_equal(text, "");
	free(text);
}

/* 5000 checkpoints in a row: no deep recursion, no long lines. */
static void long_chains(void **state)
{
	char *list, *text, longest[32];
	size_t size;
	FILE *f = open_memstream(&list, &size);

	(void)state;
	for (int i = 1; i <= 5000; i++) {
		snprintf(longest, sizeof(longest), "%d", i - 1);
		fprintf(f, "layer %d %s 8 frozen 1 0 kept\ncheckpoint %d u c%d v %d standard 0 1 idle\n",
			i, i > 1 ? longest : "-", 10000 + i, i, i);
	}
	fprintf(f, "layer 6000 5000 8 head 1 0 kept\nvolume 6001 v d 8 6000 0 active 0 0\nend\n");
	fclose(f);
	text = draw(list, NULL, true, false);
	assert_null(strstr(text, "│"));
	assert_non_null(strstr(text, "▶ d "));
	free(text);
	free(list);
}

const struct CMUnitTest ctl_tree_tests[] = {
	cmocka_unit_test(the_tree_is_drawn),
	cmocka_unit_test(one_tree_in_ascii),
	cmocka_unit_test(colours_are_wished_for),
	cmocka_unit_test(nested_branches),
	cmocka_unit_test(passed_through_and_empty),
	cmocka_unit_test(long_chains),
};
const size_t ctl_tree_count = COUNT_OF(ctl_tree_tests);
