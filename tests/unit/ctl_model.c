// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel tells, taken apart. */
#include <stdlib.h>
#include <string.h>

#include "ctl_tests.h"
#include "libckpt/model.h"
#include "libckpt/status.h"

#define U(n) "00000000-0000-0000-0000-0000000000" #n

/*
 * disk on its base: monday on the base itself, tuesday and wednesday above, gone back
 * to tuesday; twin cloned of monday; scratch over zeros, with a group checkpoint; vm
 * over a template, through a hidden layer.
 */
const char ctl_list[] =
	"layer 10 1 41943040 frozen 3072 1782900013 kept\n"
	"volume 20 " U(20) " disk 41943040 13 1782800000 active 4142 1048576\n"
	"base 1 " U(01) " - 41943040 owned " U(20) "\n"
	"base 2 " U(02) " golden 8388608 template -\n"
	"checkpoint 30 " U(30) " monday " U(20) " 1 standard 1782900012 1 idle\n"
	"checkpoint 31 " U(31) " tuesday " U(20) " 10 production 1782986403 2 viewed\n"
	"layer 11 10 41943040 frozen 768 1782986403 kept\n"
	"checkpoint 32 " U(32) " wednesday " U(20) " 11 standard 1783072800 1 idle\n"
	"layer 13 10 41943040 head 300 1783072900 kept\n"
	"layer 12 1 41943040 head 2 1782950000 kept\n"
	"volume 21 " U(21) " twin 41943040 12 1782950000 inactive 0 0\n"
	"layer 14 - 2097152 frozen 100 1782950000 kept\n"
	"layer 15 14 2097152 head 0 1782986403 kept\n"
	"volume 22 " U(22) " scratch 2097152 15 1782950000 active 0 0\n"
	"checkpoint 33 " U(31) " tuesday " U(22) " 14 production 1782986403 2 idle\n"
	"layer 16 2 8388608 frozen 40 1782950000 merging\n"
	"layer 17 16 8388608 head 4 1782950000 kept\n"
	"volume 23 " U(23) " vm 8388608 17 1782950000 inactive 0 0\n"
	"somethingnew 1 2 3\n"
	"end\n";

static void load(struct ckpt_model *m, const char *text)
{
	struct ckpt_error e;
	char *cursor;

	memset(m, 0, sizeof(*m));
	assert_int_equal(ckpt_model_page(m, text, &cursor, &e), CKPT_DONE);
	assert_null(cursor);
	ckpt_model_finish(m);
}

static void a_list_is_read(void **state)
{
	const struct ckpt_checkpoint *cp;
	const struct ckpt_volume *v;
	struct ckpt_model m;

	(void)state;
	load(&m, ctl_list);
	assert_int_equal(m.base_count, 2);
	assert_int_equal(m.layer_count, 8);
	assert_int_equal(m.volume_count, 4);
	assert_int_equal(m.checkpoint_count, 4);

	v = ckpt_model_volume(&m, "disk");
	assert_non_null(v);
	assert_ptr_equal(v, ckpt_model_volume(&m, U(20)));
	assert_true(v->is_active);
	assert_int_equal(v->top, 13);
	assert_int_equal(v->used_units, 4142);
	assert_int_equal(v->limit_units, 1048576);
	assert_null(ckpt_model_volume(&m, "golden"));
	assert_string_equal(ckpt_model_template(&m, "golden")->uuid, U(02));
	assert_string_equal(ckpt_model_bottom(&m, v->top)->uuid, U(01));
	assert_null(ckpt_model_bottom(&m, 15));

	cp = ckpt_model_checkpoint(&m, v, "tuesday");
	assert_non_null(cp);
	assert_true(cp->is_viewed);
	assert_int_equal(cp->group, 2);
	assert_string_equal(cp->kind, "production");
	assert_null(ckpt_model_checkpoint(&m, v, "sunday"));
	assert_int_equal(ckpt_model_used(&m, 10), 3072);
	assert_int_equal(ckpt_model_layer(&m, 10)->children, 2);
	assert_int_equal(ckpt_model_layer(&m, 10)->state, CKPT_LAYER_KEPT);
	assert_int_equal(ckpt_model_layer(&m, 16)->state, CKPT_LAYER_MERGING);
	assert_int_equal(ckpt_model_base(&m, 1)->children, 2);
	assert_int_equal(ckpt_model_base(&m, 1)->tags, 1);
	assert_true(ckpt_model_sits_on(&m, 13, 1));
	assert_false(ckpt_model_sits_on(&m, 13, 11));
	ckpt_model_free(&m);
}

static void pages_are_put_together(void **state)
{
	struct ckpt_model m = { 0 };
	struct ckpt_error e;
	char *cursor;

	(void)state;
	assert_int_equal(ckpt_model_page(&m, "layer 4 - 8 frozen 1 0 kept\nnext 7:abc\n", &cursor, &e),
			 CKPT_DONE);
	assert_string_equal(cursor, "7:abc");
	free(cursor);
	/* One page later layer 4 is told again. */
	assert_int_equal(ckpt_model_page(&m, "layer 4 - 8 frozen 2 0 kept\nlayer 1 4 8 head 0 0 kept\nend",
					 &cursor, &e), CKPT_DONE);
	assert_null(cursor);
	ckpt_model_finish(&m);
	assert_int_equal(m.layer_count, 2);
	assert_int_equal(ckpt_model_layer(&m, 1)->below, 4);
	ckpt_model_free(&m);
}

static void odd_lists_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "layer 1 - 8 frozen 1 0 kept\n", "layer x - 8 frozen 1 0 kept\nend\n",
		"layer 1 - 8 thawed 1 0 kept\nend\n", "layer 1 - 8\nend\n",
		"layer 1 - 8 frozen 1 0\nend\n", "layer 1 - 8 frozen 1 0 melting\nend\n",
		"volume 9 u n 8 1 0 active 0\nend\n", "volume 9 u n 8 1 0 active 0 -\nend\n",
		"volume 99999999999 u n 8 1 0 active 0 0\nend\n", "next\n",
		"base 1 0123456789012345678901234567890123456789 - 8 owned -\nend\n",
	};
	struct ckpt_error e;
	char *cursor;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct ckpt_model m = { 0 };

		assert_int_equal(ckpt_model_page(&m, bad[i], &cursor, &e), CKPT_FAILED);
		assert_null(cursor);
		ckpt_model_free(&m);
	}
}

/* A chain that bites its tail must not hang anybody. */
static void circles_end(void **state)
{
	struct ckpt_model m;

	(void)state;
	load(&m, "layer 1 2 8 frozen 0 0 kept\nlayer 2 1 8 frozen 0 0 kept\nend\n");
	assert_null(ckpt_model_bottom(&m, 1));
	assert_false(ckpt_model_sits_on(&m, 1, 3));
	ckpt_model_free(&m);
}

static void users_are_found(void **state)
{
	struct ckpt_model m;

	(void)state;
	load(&m, ctl_list);
	assert_string_equal(ckpt_model_user(&m, 16)->name, "vm");
	assert_string_equal(ckpt_model_user(&m, 1)->name, "disk");
	assert_string_equal(ckpt_model_user(&m, 12)->name, "twin");
	assert_null(ckpt_model_user(&m, 11));
	ckpt_model_free(&m);
}

static void status_lines_are_read(void **state)
{
	struct ckpt_volume_status v;
	struct ckpt_store_status s;
	struct ckpt_error e;

	(void)state;
	assert_int_equal(ckpt_parse_store_status("-", &s, &e), CKPT_DONE);
	assert_false(s.known);
	assert_int_equal(ckpt_parse_store_status(
		U(99) " rw 8 8 100/2000 5 3/256 7/1000 64/65536 11 12 2 3 9 1 0 4 5 6"
		" base 12 3 700 20480 30 low 9 held more", &s, &e), CKPT_DONE);
	assert_true(s.known);
	assert_string_equal(s.mode, "rw");
	assert_int_equal(s.total_units, 2000);
	assert_int_equal(s.journal_blocks, 256);
	assert_int_equal(s.hidden, 1);
	assert_int_equal(s.freed, 6);
	assert_string_equal(s.merge, "base");
	assert_int_equal(s.from, 12);
	assert_int_equal(s.into, 3);
	assert_int_equal(s.left, 700);
	assert_int_equal(s.rate_kib, 20480);
	assert_int_equal(s.share, 30);
	assert_string_equal(s.space, "low");
	assert_int_equal(s.queued, 9);
	assert_string_equal(s.guard, "held");
	assert_true(ckpt_merge_works(&s));
	/* As it was before there were merges. */
	assert_int_equal(ckpt_parse_store_status(
		U(99) " rw 8 8 100/2000 5 3/256 7/1000 64/65536 11 12 2 3 9 1 0 4 5 6", &s, &e),
		CKPT_FAILED);
	assert_int_equal(ckpt_parse_store_status(
		U(99) " rw 8 8 100/2000 5 3/256 7/1000 64/65536 11 12 2 3 9 1 0 4 5 6"
		" idle - - 0 0 100 ok 0 off", &s, &e), CKPT_DONE);
	assert_int_equal(s.from, 0);
	assert_false(ckpt_merge_works(&s));
	assert_int_equal(ckpt_parse_store_status(U(99) " rw 8 8 100 2000", &s, &e), CKPT_FAILED);
	assert_int_equal(ckpt_parse_store_status("", &s, &e), CKPT_FAILED);

	assert_int_equal(ckpt_parse_volume_status(U(20) " rw passthrough 0 0 8", &v, &e), CKPT_DONE);
	assert_true(v.is_writable && v.is_passthrough);
	assert_int_equal(ckpt_parse_volume_status(U(20) " ro layered 2 30 8 more", &v, &e), CKPT_DONE);
	assert_int_equal(v.used_units, 30);
	assert_int_equal(ckpt_parse_volume_status(U(20) " xx layered 2 30 8", &v, &e), CKPT_FAILED);
}

static enum ckpt_result sum(void *arg, uint64_t sector, uint64_t sectors)
{
	*(uint64_t *)arg += sector * 1000 + sectors;
	return CKPT_DONE;
}

static void diffs_are_read(void **state)
{
	struct ckpt_error e;
	uint64_t total = 0;
	char *cursor;

	(void)state;
	assert_int_equal(ckpt_parse_diff("8 16\n32 8\nnext 40\n", sum, &total, &cursor, &e), CKPT_DONE);
	assert_string_equal(cursor, "40");
	assert_int_equal(total, 40024);
	free(cursor);
	assert_int_equal(ckpt_parse_diff("end\n", sum, &total, &cursor, &e), CKPT_DONE);
	assert_int_equal(ckpt_parse_diff("8 x\nend\n", sum, &total, &cursor, &e), CKPT_FAILED);
	assert_int_equal(ckpt_parse_diff("8 8\n", sum, &total, &cursor, &e), CKPT_FAILED);
}

const struct CMUnitTest ctl_model_tests[] = {
	cmocka_unit_test(a_list_is_read),
	cmocka_unit_test(pages_are_put_together),
	cmocka_unit_test(odd_lists_are_refused),
	cmocka_unit_test(circles_end),
	cmocka_unit_test(users_are_found),
	cmocka_unit_test(status_lines_are_read),
	cmocka_unit_test(diffs_are_read),
};
const size_t ctl_model_count = COUNT_OF(ctl_model_tests);
