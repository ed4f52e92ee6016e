// SPDX-License-Identifier: GPL-2.0-only
/* Descriptions of machines: what is right, and what is said of what is not. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "ckptd/vm_file.h"

static struct ckpt_error e;

static enum ckpt_result parse(struct vm_file *f, const char *text)
{
	return vm_file_parse(f, "web", "web.conf", text, strlen(text), &e);
}

static void refused(const char *text, const char *sentence)
{
	struct vm_file f;

	assert_int_equal(parse(&f, text), CKPT_USAGE);
	if (!strstr(e.text, sentence))
		fail_msg("no \"%s\" in: %s", sentence, e.text);
	vm_file_free(&f);
}

static void the_least(void **state)
{
	struct vm_file f;

	(void)state;
	assert_int_equal(parse(&f, "volume = disk"), CKPT_DONE);
	assert_string_equal(f.name, "web");
	assert_string_equal(f.store, "");
	assert_int_equal(f.volumes.count, 1);
	assert_string_equal(f.volumes.word[0], "disk");
	assert_int_equal(f.policy, VM_STANDARD);
	assert_string_equal(f.qmp, "/run/dm-ckpt/web.qmp");
	assert_string_equal(f.agent, "/run/dm-ckpt/web.agent");
	assert_int_equal(f.freeze_seconds, 30);
	assert_string_equal(f.directory, "/var/lib/dm-ckpt/vm/web");
	assert_string_equal(f.qemu, "qemu-system-x86_64");
	assert_int_equal(f.args.count, 0);
	vm_file_free(&f);
}

static const char all[] =
	"# a machine\n"
	"\n"
	"store = st\r\n"
	"  volume=disk\n"
	"volume\t= data\n"
	"policy = production-only\n"
	"qmp = /tmp/a = b\n"
	"agent = /tmp/agent\n"
	"freeze_seconds = 300\n"
	"directory = /srv/web\n"
	"config = /etc/web.xml\n"
	"config = /etc/web.nvram\n"
	"qemu = /opt/qemu\n"
	"arg = -m 1G   -name \"a b\"c \"\"\n"
	"arg = -smp 2";

static void check_all(const struct vm_file *f)
{
	static const char *const args[] = { "-m", "1G", "-name", "a bc", "", "-smp", "2" };

	assert_string_equal(f->store, "st");
	assert_int_equal(f->volumes.count, 2);
	assert_string_equal(f->volumes.word[1], "data");
	assert_int_equal(f->policy, VM_PRODUCTION_ONLY);
	assert_string_equal(f->qmp, "/tmp/a = b");
	assert_string_equal(f->agent, "/tmp/agent");
	assert_int_equal(f->freeze_seconds, 300);
	assert_string_equal(f->directory, "/srv/web");
	assert_int_equal(f->config.count, 2);
	assert_string_equal(f->config.word[1], "/etc/web.nvram");
	assert_string_equal(f->qemu, "/opt/qemu");
	assert_int_equal(f->args.count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_string_equal(f->args.word[i], args[i]);
}

static void everything(void **state)
{
	struct vm_file f;

	(void)state;
	assert_int_equal(parse(&f, all), CKPT_DONE);
	check_all(&f);
	vm_file_free(&f);
}

static void what_is_wrong(void **state)
{
	char *text = NULL;

	(void)state;
	refused("", "web.conf: machine web has no volume");
	refused("volume = disk\nnonsense\n", "web.conf, line 2: 'nonsense' is no 'key = value'");
	refused("volume = disk\n\n= x\n", "line 3: there is no ''");
	refused("volume = disk\nvolumes = data\n", "line 2: there is no 'volumes'; there are store, volume");
	refused("volume =\n", "line 1: 'volume' has no value");
	refused("volume = disk\nvolume = disk\n", "line 2: volume disk is there twice");
	refused("volume = a@b\n", "line 1: ");
	refused("volume = disk\npolicy = always\n", "there is no policy 'always'");
	refused("volume = disk\nfreeze_seconds = 0\n", "1 to 300, not '0'");
	refused("volume = disk\nfreeze_seconds = 301\n", "1 to 300, not '301'");
	refused("volume = disk\nfreeze_seconds = 9999999999999\n", "1 to 300");
	refused("volume = disk\nfreeze_seconds = -1\n", "1 to 300, not '-1'");
	refused("volume = disk\nfreeze_seconds = 5s\n", "1 to 300, not '5s'");
	refused("volume = disk\nqmp = web.qmp\n", "'qmp' wants a path that begins with '/'");
	refused("volume = disk\nconfig = /etc/\n", "is a folder");
	refused("volume = disk\narg = -name \"a b\n", "line 2: a quotation mark");
	refused("volume = disk\nstore = a\x01" "b\n", "control character");
	refused("volume = disk\nqmp = /run/libvirt/qemu/web.sock\n", "is libvirt's own monitor");
	assert_true(asprintf(&text, "volume = disk\nqmp = /%0120d\n", 0) > 0);
	refused(text, "at most 107 bytes");
	free(text);
	assert_int_equal(vm_file_parse(&(struct vm_file){ 0 }, "web", "web.conf", "a\0b", 3, &e),
			 CKPT_USAGE);
}

static void too_much(void **state)
{
	char *text = calloc(1, VM_FILE_MAX + 16);
	struct vm_file f;

	(void)state;
	for (unsigned int i = 0; i <= VM_DISKS_MAX; i++)
		sprintf(text + strlen(text), "volume = d%u\n", i);
	refused(text, "there are more than 32 of 'volume'");
	strcpy(text, "volume = disk\narg =");
	for (unsigned int i = 0; i <= VM_WORDS_MAX; i++)
		strcat(text, " w");
	refused(text, "more than 256 of 'arg'");
	memset(text, '#', VM_FILE_MAX + 1);
	refused(text, "more than 65536 bytes");
	vm_file_default(&f, "web");
	vm_file_free(&f);
	free(text);
}

static void names(void **state)
{
	static const char *const wrong[] = {
		"", ".web", "-web", "a/b", "..", "a b", "ä", "a\n",
		"12345678901234567890123456789012345678901234567890123456789012345",
	};

	(void)state;
	assert_int_equal(vm_check_name("web-1.example_2", &e), CKPT_DONE);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(vm_check_name(wrong[i], &e), CKPT_USAGE);
}

/* What is written is read as the same. */
static void there_and_back(void **state)
{
	char folder[] = "/tmp/ckptd-unit.XXXXXX", path[PATH_MAX];
	struct vm_file f, g;

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("CKPT_CONFDIR", folder, 1);
	assert_int_equal(parse(&f, all), CKPT_DONE);
	assert_int_equal(vm_file_write(&f, &e), CKPT_DONE);
	assert_int_equal(vm_file_read(&g, "web", &e), CKPT_DONE);
	check_all(&g);
	assert_int_equal(vm_file_write(&f, &e), CKPT_BUSY);
	assert_non_null(strstr(e.text, "there is a machine called web already"));
	vm_file_free(&f);
	vm_file_free(&g);
	assert_int_equal(vm_file_read(&g, "other", &e), CKPT_NOT_FOUND);
	assert_int_equal(vm_file_read(&g, "../web", &e), CKPT_USAGE);
	assert_int_equal(vm_file_remove("web", &e), CKPT_DONE);
	vm_file_path("web", path);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/vm", folder);
	assert_int_equal(rmdir(path) | rmdir(folder), 0);
	unsetenv("CKPT_CONFDIR");
}

/* Any bytes are refused or taken, and nothing else happens. */
static void any_bytes(void **state)
{
	char text[sizeof(all)];
	struct vm_file f;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		memcpy(text, all, sizeof(all));
		for (unsigned int n = 1 + below(8); n; n--)
			text[below(sizeof(all) - 1)] = (char)below(256);
		vm_file_parse(&f, "web", "web.conf", text, below(sizeof(all)), &e);
		vm_file_free(&f);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_least),
	cmocka_unit_test(everything),
	cmocka_unit_test(what_is_wrong),
	cmocka_unit_test(too_much),
	cmocka_unit_test(names),
	cmocka_unit_test(there_and_back),
	cmocka_unit_test(any_bytes),
};

RUN("ckptd_vm_file", tests)
