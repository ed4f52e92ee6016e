// SPDX-License-Identifier: GPL-2.0-only
/* Space and the merge: what is shown of them, what is changed, and waiting. */
#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckptctl/meter.h"
#include "ctl_fake.h"
#include "ctl_tests.h"

#define U(n) "00000000-0000-0000-0000-0000000000" #n

static int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

static void speeds_are_of_the_window(void **state)
{
	struct meter m = { .window = 10 };

	(void)state;
	assert_true(meter_speed(&m) == 0);
	meter_look(&m, 5, 100);
	assert_true(meter_speed(&m) == 0);
	meter_look(&m, 7, 50);
	assert_true(meter_speed(&m) == -25);
	/* Far more looks than are kept. */
	for (int i = 0; i < 2000; i++)
		meter_look(&m, 10 + i * 0.125, 1000 + (uint64_t)i);
	assert_true(m.count <= METER_LOOKS);
	assert_true(meter_speed(&m) == 8);
	/* After a long silence, what was before it is all there is. */
	meter_look(&m, 1000, 2999);
	assert_true(meter_speed(&m) == 0);

	assert_int_equal(meter_time(100, 8), 13);
	assert_int_equal(meter_time(100, 0), -1);
	assert_int_equal(meter_time(100, -8), -1);
	assert_int_equal(meter_time(UINT64_MAX, 1), -1);
}

static void merging(uint64_t left)
{
	fake_store.merge = "layers";
	fake_store.from = 10;
	fake_store.into = 13;
	fake_store.left = left;
}

/* 1000 units less in each quarter of a second, down to nothing. */
static void merges_on(double now)
{
	(void)now;
	if (fake_store.left > 1000) {
		fake_store.left -= 1000;
		return;
	}
	fake_store.merge = "idle";
	fake_store.from = fake_store.into = 0;
	fake_store.left = 0;
}

static void fills(double now)
{
	fake_store.used = 1048576 + (uint64_t)(now * 2560);
	fake_store.left -= 5120;
}

static void status_at_rest(void **state)
{
	(void)state;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "st on /dev/disk-8-16, rw\nspace      ");
	fake_says(fake_out, " 40.0 %  4 GiB of 10 GiB\n"
		  "free       6 GiB (called low below 160 MiB)\n");
	fake_says(fake_out, "growth     none\nwhen full  writes wait 1 min for space and then fail\n"
		  "merge      nothing to do\nlimits     50 %");
	assert_null(strstr(fake_out, "to merge"));

	/* What the table says. */
	snprintf(fake_find("st")->live.params, 100, "8:16 5 low_water 0 commit_ms 60 error_if_no_space");
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "free       6 GiB\n");
	fake_says(fake_out, "when full  writes fail\n");
	snprintf(fake_find("st")->live.params, 100, "8:16 2 no_space_timeout 0");
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "when full  writes wait until there is space\n");
}

static void status_at_work(void **state)
{
	(void)state;
	merging(102400);
	fake_store.rate = 30720;
	fake_tick = fills;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	/* 2 s between the looks: 10 MiB/s in, 5120 units out at once. */
	fake_says(fake_out, "growth     10 MiB/s; full in 10 min 12 s if that goes on\n");
	fake_says(fake_out, "merge      disk@tuesday goes into disk\nto merge   ");
	fake_says(fake_out, " 380 MiB left, 10 MiB/s, done in 38 s\n"
		  "limits     30 MiB/s, 50 % of the time while there is other I/O\n");

	fake_store.merge = "base";
	fake_store.from = 13;
	fake_store.into = 1;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "merge      disk is copied to the origin of disk\n");

	fake_store.merge = "pack";
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "merge      moves blocks together: much of what is free are holes\n");
}

static void status_of_a_full_store(void **state)
{
	(void)state;
	fake_store.used = fake_store.total - 100;
	fake_store.space = "low";
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "free       400 KiB; LOW: below the mark of 160 MiB\n");
	assert_null(strstr(fake_out, "waiting"));

	/* It stays low until an eighth of the mark more is free. */
	fake_store.used = fake_store.total - 41984;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "free       164 MiB; LOW: hardly more than the mark of 160 MiB\n");

	fake_store.used = fake_store.total;
	fake_store.space = "full";
	fake_store.queued = 1;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "free       0 B; FULL: what needs space cannot be written\n");
	fake_says(fake_out, "waiting    1 write waits for space; delete checkpoints");
}

static void status_of_the_guard(void **state)
{
	(void)state;
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "guard      held by this host, with a sign of life every 2 s\n");
	fake_store.guard = "late";
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "guard      LATE: ");
	fake_store.guard = "lost";
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "guard      LOST: another host has opened the store");
	fake_store.guard = "off";
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "guard      off: nothing keeps other hosts");
	assert_int_equal(fake_run("store status --no-headings -o guard,guard_interval"), CKPT_DONE);
	fake_says(fake_out, "off\n-\n");
}

static void status_for_programs(void **state)
{
	(void)state;
	merging(102400);
	fake_tick = fills;
	assert_int_equal(fake_run("store status --json"), CKPT_DONE);
	fake_says(fake_out, "\"schema\":\"dm-ckpt.store-status.v1\"");
	fake_says(fake_out, "\"growth\":10485760,\n  \"full_in\":612,\n");
	fake_says(fake_out, "\"left\":398458880,\n  \"speed\":10485760,\n  \"done_in\":38,\n"
		  "  \"merge_rate\":null,\n  \"merge_share\":50,\n  \"guard\":\"held\",\n"
		  "  \"guard_interval\":2\n");
	fake_tick = NULL;
	assert_int_equal(fake_run("store status --bytes --no-headings -o free,full_in,timeout"),
			 CKPT_DONE);
	fake_says(fake_out, "\n-\n60\n");
	assert_int_equal(fake_run("store status -o nothing"), CKPT_USAGE);
}

static void is_removed(double now)
{
	fills(now);
	if (now > 9)
		fake_refuse(DM_DEVICE_STATUS, "st", 1, ENXIO);
}

/* Each 3 seconds, until the store is gone. */
static void status_is_watched(void **state)
{
	const char *p;
	int count = 0;

	(void)state;
	merging(102400);
	fake_tick = is_removed;
	assert_int_equal(fake_run("store status --watch=3"), CKPT_NOT_FOUND);
	for (p = fake_out; (p = strstr(p, "st on ")); p++)
		count++;
	assert_int_equal(count, 4);
	assert_null(strchr(fake_out, '\033'));
	fake_says(fake_out, "growth     none\n");
	fake_says(fake_out, "growth     10 MiB/s");

	reset(NULL);
	fake_terminal = true;
	fake_tick = is_removed;
	assert_int_equal(fake_run("store status --watch"), CKPT_NOT_FOUND);
	fake_says(fake_out, "\033[H\033[Jst on ");
	assert_int_equal(fake_run("store status --watch=0"), CKPT_USAGE);
	assert_int_equal(fake_run("store status --watch=soon"), CKPT_USAGE);
}

static void work_is_directed(void **state)
{
	static const struct {
		const char *words, *message;
	} cases[] = {
		{ "store merge pause", "merge pause" },
		{ "store merge resume", "merge resume" },
		{ "store merge rate 20M", "merge rate 20480" },
		{ "store merge rate 1.5G/s --store st", "merge rate 1572864" },
		{ "store merge rate none", "merge rate 0" },
		{ "store merge share 30%", "merge share 30" },
		{ "store no-space queue", "no_space queue 60" },
		{ "store no-space queue 0", "no_space queue 0" },
		{ "store no-space queue 3600", "no_space queue 3600" },
		{ "store no-space error", "no_space error" },
		{ "store low-water 1G", "low_water 262144" },
		{ "store low-water 4097", "low_water 2" },
		{ "store low-water none", "low_water 0" },
		{ "volume limit disk 2G", "limit_volume " U(20) " 524288" },
		{ "volume limit disk none", "limit_volume " U(20) " 0" },
	};
	char expected[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(expected, sizeof(expected), "message %s\n", cases[i].message);
		assert_int_equal(fake_run(cases[i].words), CKPT_DONE);
		assert_string_equal(fake_log(), expected);
	}
	assert_int_equal(fake_run("volume limit disk 1M"), CKPT_DONE);
	fake_says(fake_err, "volume disk may use 1 MiB of the store; it uses 16.2 MiB, so that");
	assert_int_equal(fake_run("store merge rate 20M --dry-run"), CKPT_DONE);
	assert_string_equal(fake_out, "dmsetup message 'st' 0 'merge rate 20480'\n");
	assert_string_equal(fake_log(), "");
}

static void wrong_directions_are_refused(void **state)
{
	static const char *const words[] = {
		"store merge", "store merge stop", "store merge pause 5", "store merge rate",
		"store merge rate fast", "store merge share", "store merge share 0",
		"store merge share 120%", "store no-space", "store no-space wait",
		"store no-space error 5", "store no-space queue soon", "store no-space queue -1",
		"store low-water", "store low-water 11G", "store low-water deep",
		"volume limit disk", "volume limit disk much", "volume limit disk@monday 1G",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		assert_int_equal(fake_run(words[i]), CKPT_USAGE);
		assert_string_equal(fake_log(), "");
	}
	assert_int_equal(fake_run("volume limit nosuch 1G"), CKPT_NOT_FOUND);
	fake_refuse(DM_DEVICE_TARGET_MSG, "merge *", 1, EROFS);
	assert_int_equal(fake_run("store merge pause"), CKPT_FAILED);
	fake_says(fake_err, "cannot pause the merge: the store is read-only");
	assert_null(strstr(fake_err, "until"));
}

static void limits_are_shown(void **state)
{
	(void)state;
	assert_int_equal(fake_run("volume info disk"), CKPT_DONE);
	fake_says(fake_out, "stored:          16.2 MiB\nlimit:           4 GiB\n");
	assert_int_equal(fake_run("volume info twin --json"), CKPT_DONE);
	fake_says(fake_out, "\"limit\":null");
}

#define DELETE "message delete_checkpoint " U(20) "@" U(32) "\n"

static void a_delete_is_waited_for(void **state)
{
	(void)state;
	merging(100000);
	fake_tick = merges_on;
	assert_int_equal(fake_run("checkpoint delete --yes --wait disk@wednesday"), CKPT_DONE);
	assert_string_equal(fake_log(), DELETE);
	/* 25 s in all, a line now and after 15 s. */
	assert_string_equal(fake_err, "deleted: disk@wednesday\n"
			    "merging:   0 %, 0 B of 391 MiB\n"
			    "merging:  60 %, 234 MiB of 391 MiB, 15.6 MiB/s, 10 s left\n"
			    "all is merged: 391 MiB in 25 s\n");

	reset(NULL);
	merging(100000);
	fake_tick = merges_on;
	assert_int_equal(fake_run("checkpoint delete --yes --wait --quiet disk@wednesday"),
			 CKPT_DONE);
	assert_string_equal(fake_err, "");
	/* Nothing was done that could be waited for. */
	fake_answer("estimate *", "1 2\nend\n");
	merging(100000);
	assert_int_equal(fake_run("checkpoint delete --dry-run --wait disk@wednesday"), CKPT_DONE);
	assert_null(strstr(fake_err, "merg"));
}

static void a_bar_is_drawn(void **state)
{
	(void)state;
	fake_terminal = true;
	merging(4000);
	fake_tick = merges_on;
	assert_int_equal(fake_run("checkpoint delete --yes -w disk@wednesday"), CKPT_DONE);
	fake_says(fake_err, "\r\033[Kmerging ░░░░░░░░░░░░░░░░   0 %, 0 B of 15.6 MiB"
		  "\r\033[Kmerging ████░░░░░░░░░░░░  25 %, 3.9 MiB of 15.6 MiB, 15.6 MiB/s, 1 s left"
		  "\r\033[Kmerging ████████░░░░░░░░  50 %");
	fake_says(fake_err, "\r\033[Kall is merged: 15.6 MiB in 1 s\n");
}

static void grows_meanwhile(double now)
{
	merges_on(now);
	if (now == 0.5)
		merging(10000);
}

/* Another delete: the bar goes back, but never below nothing. */
static void others_delete_too(void **state)
{
	(void)state;
	fake_terminal = true;
	merging(4000);
	fake_tick = grows_meanwhile;
	assert_int_equal(fake_run("store wait"), CKPT_DONE);
	fake_says(fake_err, "  0 %, 0 B of 39.1 MiB");
	fake_says(fake_err, "all is merged: 39.1 MiB in 3 s\n");
}

static void nothing_to_wait_for(void **state)
{
	(void)state;
	assert_int_equal(fake_run("store wait"), CKPT_DONE);
	assert_string_equal(fake_err, "");
	merging(1000000);
	assert_int_equal(fake_run("store wait --timeout 20"), CKPT_TIMEOUT);
	fake_says(fake_err, "3.8 GiB are not merged yet after 20 s; that goes on in the background");
	fake_refuse(DM_DEVICE_STATUS, "st", 1, ENXIO);
	assert_int_equal(fake_run("store wait"), CKPT_NOT_FOUND);
}

static void stops(double now)
{
	if (now < 1)
		merges_on(now);
	else
		fake_store.merge = "paused";
}

/* The worker needs a moment to see that there is something for it. */
static void begins(double now)
{
	if (now == 0.5)
		fake_store.merge = "layers";
	else if (now > 0.5)
		merges_on(now);
}

static void a_state_of_before_is_passed_over(void **state)
{
	static const char *const before[] = { "idle", "paused", "wait" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(before); i++) {
		reset(NULL);
		merging(4000);
		fake_store.merge = before[i];
		fake_tick = begins;
		assert_int_equal(fake_run("checkpoint delete --yes --wait disk@wednesday"),
				 CKPT_DONE);
		fake_says(fake_err, "all is merged: 15.6 MiB in 2 s\n");
	}
}

static void frees(double now)
{
	fake_store.freeing = now < 20;
	fake_store.merge = now < 20 ? "free" : "idle";
}

/* Nothing is to be merged, only freed, and that has no amount. */
static void freeing_is_waited_for(void **state)
{
	(void)state;
	fake_store.freeing = 2;
	fake_tick = frees;
	assert_int_equal(fake_run("store wait"), CKPT_DONE);
	assert_string_equal(fake_err, "freeing: 2 layers\nfreeing: 1 layer\n");
	reset(NULL);
	fake_store.freeing = 2;
	fake_tick = frees;
	fake_terminal = true;
	assert_int_equal(fake_run("store wait"), CKPT_DONE);
	fake_says(fake_err, "\r\033[Kfreeing 2 layers\r\033[Kfreeing 1 layer");
}

static void packs(double now)
{
	fake_store.merge = now < 20 ? "pack" : "idle";
}

/* Nor has that. */
static void packing_is_waited_for(void **state)
{
	(void)state;
	fake_store.merge = "pack";
	fake_tick = packs;
	assert_int_equal(fake_run("store wait"), CKPT_DONE);
	fake_says(fake_err, "moving blocks together: much of what is free are holes\n");
}

static void it_says_what_it_waits_for(void **state)
{
	static const char list[] =
		"base 1 " U(01) " - 8 owned " U(20) "\nlayer 2 1 8 frozen 100 0 merging\n"
		"layer 3 2 8 head 0 0 kept\nvolume 4 " U(20) " disk 8 3 0 inactive 100 0\n";
	char viewed[1024];

	(void)state;
	merging(10000);
	fake_tick = stops;
	assert_int_equal(fake_run("checkpoint delete --yes --wait disk@wednesday"), CKPT_TIMEOUT);
	fake_says(fake_err, "27.3 MiB are not merged yet: the merge waits for 'ckptctl store merge resume'");

	reset(NULL);
	merging(100);
	fake_store.merge = "wait";
	fake_store.list = viewed;
	snprintf(viewed, sizeof(viewed), "%send\n", list);
	assert_int_equal(fake_run("store wait"), CKPT_TIMEOUT);
	fake_says(fake_err, "waits until volume disk is open, into whose origin it goes\n");
	assert_int_equal(fake_run("store status"), CKPT_DONE);
	fake_says(fake_out, "merge      waits until volume disk is open, into whose origin");

	snprintf(viewed, sizeof(viewed), "%slayer 9 - 8 frozen 1 0 kept\n"
		 "checkpoint 5 " U(30) " a " U(20) " 1 standard 0 1 viewed\n"
		 "checkpoint 6 " U(31) " b " U(20) " 9 standard 0 1 viewed\nend\n", list);
	fake_store.space = "full";
	assert_int_equal(fake_run("store wait"), CKPT_TIMEOUT);
	fake_says(fake_err, "waits for room in the store, or until volume disk is open, into whose "
		  "origin it goes, or until the view of disk@a is closed\n");

	fake_store.space = "ok";
	fake_store.list = "end\n";
	assert_int_equal(fake_run("store wait"), CKPT_TIMEOUT);
	fake_says(fake_err, "for an origin that is not open, a view, or room in the store\n");
}

static void a_deleted_volume_is_waited_for(void **state)
{
	(void)state;
	fake_store.merge = "free";
	fake_store.left = 4000;
	fake_tick = merges_on;
	assert_int_equal(fake_run("volume delete --yes --wait twin"), CKPT_DONE);
	fake_says(fake_err, "volume twin is deleted\nfreeing:   0 %, 0 B of 15.6 MiB\n");
	fake_says(fake_err, "all is merged: 15.6 MiB in 1 s\n");
}

static void deletes_are_estimated(void **state)
{
	(void)state;
	fake_answer("estimate " U(20) "@" U(30), "2500 0\nnext 20971520\n");
	fake_answer("estimate " U(20) "@" U(30) " 20971520", "60 40\nend\n");
	fake_answer("estimate " U(20) "@" U(32), "768 0\nend\n");
	assert_int_equal(fake_run("checkpoint info disk@monday"), CKPT_DONE);
	fake_says(fake_out, "delete_frees:    10 MiB\ndelete_copies:   160 KiB\n");
	assert_int_equal(fake_run("checkpoint info disk@monday --json"), CKPT_DONE);
	fake_says(fake_out, "\"delete_frees\":10485760,\n  \"delete_copies\":163840");
	assert_int_equal(fake_run("checkpoint delete --dry-run disk@monday"), CKPT_DONE);
	fake_says(fake_err, "disk@monday: 10 MiB would become free, 160 KiB would be copied\n");
	assert_int_equal(fake_run("checkpoint delete --dry-run disk@monday disk@wednesday"),
			 CKPT_DONE);
	fake_says(fake_err, "disk@wednesday by itself: 3 MiB would become free, 0 B would");
	assert_null(strstr(fake_err, "looking"));
	fake_terminal = true;
	assert_int_equal(fake_run("checkpoint delete --dry-run disk@monday"), CKPT_DONE);
	fake_says(fake_err, "\r\033[Klooking through the map ████████░░░░░░░░\r\033[K(dry run) disk@monday: 10 MiB");
	fake_terminal = false;
	assert_string_equal(fake_log(), "");

	fake_refuse(DM_DEVICE_TARGET_MSG, "estimate *", 1, ENOENT);
	assert_int_equal(fake_run("checkpoint info disk@monday"), CKPT_NOT_FOUND);
	fake_says(fake_err, "cannot tell what deleting would free");
	fake_answer("estimate *", "much\nend\n");
	assert_int_equal(fake_run("checkpoint info disk@monday"), CKPT_FAILED);
	fake_says(fake_err, "the kernel's answer to 'estimate' makes no sense here");
	fake_answer("estimate *", "1 2\n");
	assert_int_equal(fake_run("checkpoint info disk@monday"), CKPT_FAILED);
	fake_says(fake_err, "the kernel's answer to 'estimate' breaks off");
	assert_string_equal(fake_out, "");
}

static void stores_are_made_so(void **state)
{
	char path[] = "/tmp/ctl-disk-XXXXXX", words[400];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && !ftruncate(fd, 16 << 20));
	snprintf(words, sizeof(words),
		 "store create %s --name new --low-water 1M --no-space-timeout 0 --merge-rate 20M/s "
		 "--merge-share 30%% --merge-paused --discard-passdown --cache-mb 8", path);
	assert_int_equal(fake_run(words), CKPT_DONE);
	assert_string_equal(fake_find("new")->live.params,
			    "8:32 13 format cache_mb 8 low_water 256 no_space_timeout 0 "
			    "merge_rate 20480 merge_share 30 merge_paused discard_passdown");
	assert_string_equal(fake_find("new")->uuid, "CKPT-store-" FAKE_STORE_UUID);

	snprintf(words, sizeof(words), "store create %s --name x --error-if-no-space", path);
	assert_int_equal(fake_run(words), CKPT_DONE);
	assert_string_equal(fake_find("x")->live.params, "8:32 2 format error_if_no_space");
	strcat(words, "y --no-space-timeout 5");
	assert_int_equal(fake_run(words), CKPT_USAGE);

	snprintf(words, sizeof(words), "store create %s --name g --guard-interval 10", path);
	assert_int_equal(fake_run(words), CKPT_DONE);
	assert_string_equal(fake_find("g")->live.params, "8:32 3 format guard_interval 10");
	snprintf(words, sizeof(words), "store create %s --name z --no-guard", path);
	assert_int_equal(fake_run(words), CKPT_DONE);
	assert_string_equal(fake_find("z")->live.params, "8:32 2 format no_guard");
	snprintf(words, sizeof(words), "store create %s --name w --no-guard --guard-interval 10", path);
	assert_int_equal(fake_run(words), CKPT_USAGE);
	snprintf(words, sizeof(words), "store create %s --name w --guard-interval 61", path);
	assert_int_equal(fake_run(words), CKPT_USAGE);
	snprintf(words, sizeof(words), "store create %s --name y --merge-share 200", path);
	assert_int_equal(fake_run(words), CKPT_USAGE);
	assert_null(fake_find("y"));
	close(fd);
	unlink(path);
}

const struct CMUnitTest ctl_merge_tests[] = {
	cmocka_unit_test(speeds_are_of_the_window),
	TEST(status_at_rest),
	TEST(status_at_work),
	TEST(status_of_a_full_store),
	TEST(status_of_the_guard),
	TEST(status_for_programs),
	TEST(status_is_watched),
	TEST(work_is_directed),
	TEST(wrong_directions_are_refused),
	TEST(limits_are_shown),
	TEST(a_delete_is_waited_for),
	TEST(a_bar_is_drawn),
	TEST(others_delete_too),
	TEST(nothing_to_wait_for),
	TEST(a_state_of_before_is_passed_over),
	TEST(freeing_is_waited_for),
	TEST(packing_is_waited_for),
	TEST(it_says_what_it_waits_for),
	TEST(a_deleted_volume_is_waited_for),
	TEST(deletes_are_estimated),
	TEST(stores_are_made_so),
};
const size_t ctl_merge_count = COUNT_OF(ctl_merge_tests);
