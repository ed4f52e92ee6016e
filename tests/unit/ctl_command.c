// SPDX-License-Identifier: GPL-2.0-only
/* Whole commands, on a device-mapper that is not there. */
#include <errno.h>
#include <libdevmapper.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_fake.h"
#include "ctl_tests.h"
#include "libckpt/dm.h"

#define U(n) "00000000-0000-0000-0000-0000000000" #n

static int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

/* The first page ends in the middle of ctl_list, and what it told is told again. */
static void a_list_of_several_pages(void **state)
{
	const char *half = strstr(ctl_list, "layer 11 ");
	char *first;

	(void)state;
	assert_true(asprintf(&first, "%.*snext 11\n", (int)(half - ctl_list), ctl_list) > 0);
	fake_answer("list", first);
	fake_answer("list 11", "layer 10 1 41943040 frozen 3072 1782900013 kept\nnext 11:5\n");
	fake_answer("list 11:5", half);
	assert_int_equal(fake_run("volume list --no-headings -o name,checkpoints"), CKPT_DONE);
	assert_string_equal(fake_out, "disk     3\ntwin     0\nscratch  1\nvm       0\n");

	fake_answer("list 11:5", "next 11:5\n");
	assert_int_equal(fake_run("volume list"), CKPT_FAILED);
	fake_says(fake_err, "the kernel's answer to 'list' does not end");
	fake_answer("list 11:5", "layer 11 10 419430");
	assert_int_equal(fake_run("volume list"), CKPT_FAILED);
	assert_string_equal(fake_out, "");
	fake_refuse(DM_DEVICE_TARGET_MSG, "list 11:5", 1, EIO);
	assert_int_equal(fake_run("volume list"), CKPT_FAILED);
	fake_says(fake_err, "cannot ask the store what it holds: a device failed to read");
	free(first);
}

#define DIFF "diff " U(20) " " U(30) " -"

static void a_diff_of_several_pages(void **state)
{
	(void)state;
	/* Ranges go on where a page has ended. */
	fake_answer(DIFF, "0 8\n16 4\nnext 20\n");
	fake_answer(DIFF " 20", "20 4\nnext 4096\n");
	fake_answer(DIFF " 4096", "4096 2048\nend\n");
	assert_int_equal(fake_run("checkpoint diff disk monday - --no-headings"), CKPT_DONE);
	assert_string_equal(fake_out, "                   0                    4K\n"
				      "                  8K                    4K\n"
				      "                  2M                    1M\n");
	fake_says(fake_err, "3 ranges, 1.0 MiB in total");

	/* What was printed already is marked as a part. */
	fake_refuse(DM_DEVICE_TARGET_MSG, DIFF " 4096", 1, ENOENT);
	assert_int_equal(fake_run("checkpoint diff disk monday - --json"), CKPT_NOT_FOUND);
	fake_says(fake_out, "\"offset\": 8192");
	fake_says(fake_out, "\"complete\": false");
}

static void refusals_have_sentences(void **state)
{
	static const struct {
		int err;
		enum ckpt_result result;
		const char *why;
	} cases[] = {
		{ ENOSPC, CKPT_FAILED, "the store has no space left" },
		{ EROFS, CKPT_FAILED, "the store is read-only" },
		{ EBUSY, CKPT_BUSY, "it is in use" },
		{ EEXIST, CKPT_BUSY, "there is one of that name already" },
		{ ENOENT, CKPT_NOT_FOUND, "the store does not know it" },
		{ EPERM, CKPT_PERMISSION, "the kernel does not permit it" },
		{ ETIMEDOUT, CKPT_TIMEOUT, "I/O did not come to an end in time; nothing was changed" },
		{ EIO, CKPT_FAILED, "a device failed" },
		{ EUCLEAN, CKPT_INTEGRITY, "something on the disk is damaged" },
		{ EINTR, CKPT_FAILED, "it was interrupted; nothing was changed" },
		{ EOPNOTSUPP, CKPT_FAILED, "this module cannot do that" },
		{ ENOMEM, CKPT_FAILED, "there is not enough memory" },
		{ EINVAL, CKPT_FAILED, "Invalid argument; the kernel's log (dmesg) says more" },
	};
	char sentence[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		fake_refuse(DM_DEVICE_TARGET_MSG, "checkpoint *", 1, cases[i].err);
		assert_int_equal(fake_run("checkpoint create new disk"), cases[i].result);
		snprintf(sentence, sizeof(sentence), "cannot take the checkpoint: %s",
			 cases[i].why);
		fake_says(fake_err, sentence);
		assert_null(strstr(fake_err, "is taken"));
	}
}

static void frozen_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(fake_run("checkpoint create --freeze new disk"), CKPT_DONE);
	assert_string_equal(fake_log(), "suspend st-disk\n"
			    "message checkpoint new standard " U(20) "\nresume st-disk\n");
	fake_refuse(DM_DEVICE_TARGET_MSG, "checkpoint *", 1, ENOSPC);
	assert_int_equal(fake_run("checkpoint create --freeze new disk"), CKPT_FAILED);
	assert_false(fake_find("st-disk")->is_suspended);
}

/* A file system that does not freeze: given up, and all go on. */
static void a_freeze_takes_too_long(void **state)
{
	(void)state;
	fake_add("st-twin", "CKPT-vol-twin", "ckpt", "253:900 " U(21) " 8:32", 41943040);
	fake_hang("st-twin");
	assert_int_equal(fake_run("checkpoint create --freeze --timeout 1 new disk twin"),
			 CKPT_TIMEOUT);
	fake_says(fake_err, "the volumes were not frozen within 1 s; nothing was changed");
	assert_string_equal(fake_log(), "suspend st-disk\nsuspend st-twin\n"
			    "resume st-twin\nresume st-disk\n");
	assert_false(fake_find("st-disk")->is_suspended);
}

static void check_disk(uint64_t sectors)
{
	const struct fake_device *d = fake_find("st-disk");

	assert_non_null(d);
	assert_int_equal(d->live.sectors, sectors);
	assert_false(d->has_next || d->is_suspended);
	assert_string_equal(d->live.params, "253:900 " U(20) " 8:32");
}

static void a_device_follows_its_size(void **state)
{
	(void)state;
	assert_int_equal(fake_run("volume resize disk +1G"), CKPT_DONE);
	assert_string_equal(fake_log(), "message resize_volume " U(20) " 44040192\n"
			    "load st-disk\nresume st-disk\n");
	check_disk(44040192);
}

/* Refused before, between and after: the device works on as it was. */
static void a_resize_is_refused_half_way(void **state)
{
	(void)state;
	fake_refuse(DM_DEVICE_TARGET_MSG, "resize_volume *", 1, EINVAL);
	assert_int_equal(fake_run("volume resize disk 30G"), CKPT_FAILED);
	check_disk(41943040);

	fake_refuse(DM_DEVICE_RELOAD, "st-disk", 1, EINVAL);
	assert_int_equal(fake_run("volume resize disk 30G"), CKPT_FAILED);
	fake_says(fake_err, "cannot let device st-disk follow the volume's size");
	check_disk(41943040);

	fake_refuse(DM_DEVICE_RESUME, "st-disk", 1, ENOMEM);
	assert_int_equal(fake_run("volume resize disk 30G"), CKPT_FAILED);
	fake_says(fake_log(), "resume st-disk\nclear st-disk\nload st-disk\nresume st-disk\n");
	check_disk(41943040);
}

#define SAVE "message checkpoint before standard " U(20) "\n"
#define BACK "create st-disk\nload st-disk\nresume st-disk\n"

static void the_present_is_saved(void **state)
{
	(void)state;
	fake_answer("checkpoint *", U(77) "\n");
	assert_int_equal(fake_run("checkpoint apply disk@monday --save-current before"), CKPT_DONE);
	assert_string_equal(fake_log(), "remove st-disk\n" SAVE
			    "message apply " U(20) "@" U(30) "\n" BACK);
	check_disk(41943040);
}

static void an_apply_is_refused(void **state)
{
	(void)state;
	fake_answer("checkpoint *", U(77) "\n");
	fake_refuse(DM_DEVICE_TARGET_MSG, "apply *", 1, EBUSY);
	assert_int_equal(fake_run("checkpoint apply disk@monday --save-current before"), CKPT_BUSY);
	assert_string_equal(fake_log(), "remove st-disk\n" SAVE
			    "message apply " U(20) "@" U(30) "\n"
			    "message delete_checkpoint " U(20) "@" U(77) "\n" BACK);
	fake_says(fake_err, "cannot apply the checkpoint: it is in use");
	check_disk(41943040);
}

static void a_save_is_refused(void **state)
{
	(void)state;
	fake_refuse(DM_DEVICE_TARGET_MSG, "checkpoint *", 1, ENOSPC);
	assert_int_equal(fake_run("checkpoint apply disk@monday --save-current before"),
			 CKPT_FAILED);
	assert_string_equal(fake_log(), "remove st-disk\n" SAVE BACK);
	fake_says(fake_err, "cannot save the present state: the store has no space left");
	check_disk(41943040);

	/* Nothing is even begun under a name that is taken. */
	assert_int_equal(fake_run("checkpoint apply disk@monday --save-current tuesday"), CKPT_BUSY);
	assert_string_equal(fake_log(), "");
}

static void check_quoted(const char *text, const char *expected)
{
	char *quoted = ckpt_dm_quote(text);

	assert_string_equal(quoted, expected);
	free(quoted);
}

/* "à" is c3 a0, "中" has no a0, "頀" is e9 a0 80. */
static void what_looks_blank_is_quoted(void **state)
{
	(void)state;
	check_quoted("", "");
	check_quoted("clone a@b c", "clone a@b c");
	check_quoted("x \xc3\xa0 y", "x \xc3\\\xa0 y");
	check_quoted("\xe4\xb8\xad\xe9\xa0\x80", "\xe4\xb8\xad\xe9\\\xa0\x80");
	/* What is quoted already stays as it is. */
	check_quoted("\xc3\\\xa0 \\\\ \\\\\xa0 \\", "\xc3\\\xa0 \\\\ \\\\\\\xa0 \\");

	assert_int_equal(fake_run("volume rename disk voil\xc3\xa0"), CKPT_DONE);
	fake_says(fake_log(), "message rename_volume " U(20) " voil\xc3\\\xa0\n");
	assert_int_equal(fake_run("--dry-run volume create d\xc3\xa9j\xc3\xa0 1G"), CKPT_DONE);
	fake_says(fake_out, "dmsetup message 'st' 0 'create_volume d\xc3\xa9j\xc3\\\xa0 2097152'\n");

	/* Tables as well. */
	fake_reset();
	snprintf(fake_find("st-disk")->live.params, 64, "253:900 " U(20) " /dev/\xc3\xa0");
	assert_int_equal(fake_run("volume resize disk +1G"), CKPT_DONE);
	assert_string_equal(fake_find("st-disk")->live.params,
			    "253:900 " U(20) " /dev/\xc3\\\xa0");
}

const struct CMUnitTest ctl_command_tests[] = {
	TEST(a_list_of_several_pages),
	TEST(a_diff_of_several_pages),
	TEST(refusals_have_sentences),
	TEST(frozen_meanwhile),
	TEST(a_freeze_takes_too_long),
	TEST(a_device_follows_its_size),
	TEST(a_resize_is_refused_half_way),
	TEST(the_present_is_saved),
	TEST(an_apply_is_refused),
	TEST(a_save_is_refused),
	TEST(what_looks_blank_is_quoted),
};
const size_t ctl_command_count = COUNT_OF(ctl_command_tests);
