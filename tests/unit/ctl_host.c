// SPDX-License-Identifier: GPL-2.0-only
/* What touches files: kept paths, stable links, signatures, superblocks. */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_fake.h"
#include "ctl_tests.h"
#include "dm-ckpt/codec.h"
#include "libckpt/blockdev.h"
#include "libckpt/paths.h"
#include "libckpt/probe.h"
#include "libckpt/super.h"

#define STORE "00000000-0000-0000-0000-0000000000aa"

static char folder[] = "/tmp/ctl-test-XXXXXX";

static void in_folder(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

static int keep_b(void *arg, const char *base)
{
	(void)arg;
	return !strcmp(base, "b");
}

static void paths_are_kept(void **state)
{
	char dir[PATH_MAX], file[PATH_MAX + 64], path[PATH_MAX];
	struct ckpt_error e;
	struct stat st;

	(void)state;
	in_folder("conf", dir);
	setenv("CKPT_CONFDIR", dir, 1);
	assert_int_equal(ckpt_paths_origin(STORE, "a", path, &e), CKPT_NOT_FOUND);
	assert_int_equal(ckpt_paths_prune(STORE, keep_b, NULL, &e), CKPT_DONE);
	assert_int_equal(stat(dir, &st), -1);

	assert_int_equal(ckpt_paths_set_origin(STORE, "a", "/dev/a \"quoted\"", &e), CKPT_DONE);
	assert_int_equal(ckpt_paths_set_origin(STORE, "b", "/dev/b", &e), CKPT_DONE);
	assert_int_equal(ckpt_paths_set_name(STORE, "st", &e), CKPT_DONE);
	assert_int_equal(ckpt_paths_origin(STORE, "a", path, &e), CKPT_DONE);
	assert_string_equal(path, "/dev/a \"quoted\"");
	assert_int_equal(ckpt_paths_name(STORE, path, sizeof(path), &e), CKPT_DONE);
	assert_string_equal(path, "st");
	assert_int_equal(ckpt_paths_name(STORE, path, 2, &e), CKPT_NOT_FOUND);

	assert_int_equal(ckpt_paths_prune(STORE, keep_b, NULL, &e), CKPT_DONE);
	assert_int_equal(ckpt_paths_origin(STORE, "a", path, &e), CKPT_NOT_FOUND);
	assert_int_equal(ckpt_paths_origin(STORE, "b", path, &e), CKPT_DONE);

	/* A damaged file is neither used nor overwritten. */
	snprintf(file, sizeof(file), "%s/%s.json", dir, STORE);
	assert_int_equal(truncate(file, 10), 0);
	assert_int_equal(ckpt_paths_origin(STORE, "b", path, &e), CKPT_FAILED);
	assert_int_equal(ckpt_paths_set_name(STORE, "x", &e), CKPT_FAILED);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 10);
}

static void link_to(const char *dir, const char *name, const char *target)
{
	char path[PATH_MAX];

	in_folder(dir, path);
	mkdir(path, 0755);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", name);
	assert_int_equal(symlink(target, path), 0);
}

static void stable_links_are_found(void **state)
{
	char path[PATH_MAX], expected[PATH_MAX];

	(void)state;
	ckpt_stable_path(folder, "/dev/null", path);
	assert_string_equal(path, "/dev/null");

	link_to("by-path", "pci-1", "/dev/null");
	ckpt_stable_path(folder, "/dev/null", path);
	in_folder("by-path/pci-1", expected);
	assert_string_equal(path, expected);

	link_to("by-id", "lvm-pv-uuid-x", "/dev/null");
	link_to("by-id", "ata-b", "/dev/null");
	link_to("by-id", "ata-a", "/dev/null");
	link_to("by-id", "ata-0", "/dev/zero");
	ckpt_stable_path(folder, "/dev/null", path);
	in_folder("by-id/ata-a", expected);
	assert_string_equal(path, expected);

	link_to("by-id", "wwn-0x5", "/dev/null");
	ckpt_stable_path(folder, "/dev/null", path);
	in_folder("by-id/wwn-0x5", expected);
	assert_string_equal(path, expected);
}

static int new_image(const char *name, off_t size)
{
	char path[PATH_MAX];
	int fd;

	in_folder(name, path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void put(int fd, off_t at, const void *data, size_t length)
{
	assert_int_equal(pwrite(fd, data, length, at), length);
}

static void check_found(int fd, const char *type, uint64_t offset)
{
	struct ckpt_signatures found;
	struct ckpt_error e;
	bool seen = false;

	assert_int_equal(ckpt_probe(fd, &found, &e), CKPT_DONE);
	for (size_t i = 0; i < found.count; i++)
		seen |= !strcmp(found.signature[i].type, type) &&
			found.signature[i].offset == offset;
	assert_true(seen);
	ckpt_signatures_free(&found);
}

static void check_nothing(int fd)
{
	struct ckpt_signatures found;
	struct ckpt_error e;

	assert_int_equal(ckpt_probe(fd, &found, &e), CKPT_DONE);
	assert_int_equal(found.count, 0);
}

/* Minimal magics that libblkid believes, none in the first block. */
static void signatures_behind_zeros(void **state)
{
	static const unsigned char bcache[] = {
		0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
		0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
	};
	struct ckpt_error e;
	int fd = new_image("image", 16 << 20);

	(void)state;
	check_nothing(fd);
	put(fd, 0x1018, bcache, sizeof(bcache));
	put(fd, 0x1008, "\x08", 1);
	put(fd, 65536 + 64, "_BHRfS_M", 8);
	put(fd, 510, "\x55\xaa", 2);
	put(fd, 446 + 4, "\x83", 1);
	put(fd, 446 + 8, "\x01\0\0\0\x80\0\0\0", 8);
	check_found(fd, "btrfs", 65536 + 64);
	check_found(fd, "bcache", 0x1018);
	check_found(fd, "dos", 510);
	assert_int_equal(ckpt_probe_wipe(fd, &e), CKPT_DONE);
	check_nothing(fd);
	close(fd);
}

/* The checksum of GPT's structures: the one of Ethernet. */
static uint32_t crc32(const unsigned char *p, size_t n)
{
	uint32_t crc = ~0u;

	for (size_t bit = 0; bit < n * 8; bit++) {
		uint32_t in = (p[bit / 8] >> (bit % 8)) & 1;

		crc = (crc >> 1) ^ ((crc ^ in) & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void put_gpt(int fd, uint64_t sectors, uint64_t at, uint64_t other, uint64_t entries)
{
	static unsigned char table[128 * 128], head[92];
	const uint64_t places[] = { at, other, 34, sectors - 34 };
	uint32_t crc;

	table[0] = 0xaf;	/* a type, a name, first and last sector */
	table[16] = 1;
	table[33] = 8;
	table[41] = 16;
	memset(head, 0, sizeof(head));
	memcpy(head, "EFI PART\0\0\1\0\x5c", 13);
	for (int i = 0; i < 4; i++)
		memcpy(head + 24 + 8 * i, &(uint64_t){ htole64(places[i]) }, 8);
	head[56] = 0xd1;
	memcpy(head + 72, &(uint64_t){ htole64(entries) }, 8);
	head[80] = head[84] = 128;
	crc = htole32(crc32(table, sizeof(table)));
	memcpy(head + 88, &crc, 4);
	crc = htole32(crc32(head, sizeof(head)));
	memcpy(head + 16, &crc, 4);
	put(fd, (off_t)at * 512, head, sizeof(head));
	put(fd, (off_t)entries * 512, table, sizeof(table));
}

/* Also where only the copy at the end is left, as after a hasty dd of zeros. */
static void gpt_is_found_and_erased(void **state)
{
	const uint64_t sectors = 32768;
	struct ckpt_error e;
	int fd = new_image("gpt", (off_t)sectors * 512);

	(void)state;
	put_gpt(fd, sectors, sectors - 1, 1, sectors - 33);
	check_found(fd, "gpt", (sectors - 1) * 512);
	put_gpt(fd, sectors, 1, sectors - 1, 2);
	check_found(fd, "gpt", 512);
	assert_int_equal(ckpt_probe_wipe(fd, &e), CKPT_DONE);
	check_nothing(fd);
	close(fd);
}

static void a_store_wants_an_empty_disk(void **state)
{
	const uint64_t sectors = 32768;
	char path[PATH_MAX], words[PATH_MAX + 64];
	int fd = new_image("disk", (off_t)sectors * 512);

	(void)state;
	fake_reset();
	put_gpt(fd, sectors, 1, sectors - 1, 2);
	in_folder("disk", path);
	snprintf(words, sizeof(words), "store create --name new %s", path);
	assert_int_equal(fake_run(words), CKPT_BUSY);
	fake_says(fake_err, "is not empty: there is gpt (partitions) at byte 512; --force erases that");
	/* To be confirmed, and there is no terminal. */
	strcat(words, " --force");
	assert_int_equal(fake_run(words), CKPT_USAGE);
	strcat(words, " --dry-run");
	assert_int_equal(fake_run(words), CKPT_DONE);
	assert_string_equal(fake_log(), "");
	check_found(fd, "gpt", 512);

	snprintf(words, sizeof(words), "store create --name new --force --yes %s", path);
	assert_int_equal(fake_run(words), CKPT_DONE);
	fake_says(fake_err, "gpt (partitions) at byte 512\n");
	check_nothing(fd);
	assert_string_equal(fake_find("new")->live.params, "8:32 1 format");
	close(fd);
}

static void new_super(struct ckpt_super *super, uint64_t sectors)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->magic, CKPT_SUPER_MAGIC, sizeof(super->magic));
	super->version = cpu_to_le32(CKPT_VERSION);
	super->uuid[0] = 0xab;
	super->sectors = cpu_to_le64(sectors);
	super->block_sectors = cpu_to_le32(8);
	super->journal_blocks = cpu_to_le32(CKPT_JOURNAL_BLOCKS_MIN);
	ckpt_super_seal(super);
}

static void superblocks_are_read(void **state)
{
	struct ckpt_super_facts facts;
	struct ckpt_super super;
	struct ckpt_error e;
	int fd = new_image("store", 8 << 20);

	(void)state;
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_NOT_FOUND);
	new_super(&super, 16384);
	put(fd, 0, &super, sizeof(super));
	new_super(&super, 16000);
	put(fd, 1 << 20, &super, sizeof(super));
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_DONE);
	assert_int_equal(facts.sectors, 16384);
	assert_int_equal(facts.block_sectors, 8);
	assert_string_equal(facts.uuid, "ab000000-0000-0000-0000-000000000000");
	check_found(fd, "dm-ckpt store", 0);
	check_found(fd, "dm-ckpt store", 1 << 20);

	put(fd, 100, "x", 1);
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_DONE);
	assert_int_equal(facts.sectors, 16000);
	put(fd, (1 << 20) + 100, "x", 1);
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_INTEGRITY);

	assert_int_equal(ckpt_probe_wipe(fd, &e), CKPT_DONE);
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_NOT_FOUND);
	check_nothing(fd);
	close(fd);
}

/* Neither opened nor called damaged, with the old B beside it or not. */
static void newer_stores_are_named_so(void **state)
{
	struct ckpt_super_facts facts;
	struct ckpt_super super;
	struct ckpt_error e;
	int fd = new_image("newer", 8 << 20);

	(void)state;
	new_super(&super, 16384);
	put(fd, 1 << 20, &super, sizeof(super));
	super.version = cpu_to_le32(CKPT_VERSION + 1);
	ckpt_super_seal(&super);
	put(fd, 0, &super, sizeof(super));
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "cannot be used here: it is of a version"));

	new_super(&super, 16384);
	super.features_incompat = cpu_to_le64(1ull << 63);
	ckpt_super_seal(&super);
	put(fd, 0, &super, sizeof(super));
	put(fd, 1 << 20, &super, sizeof(super));
	assert_int_equal(ckpt_super_read(fd, &facts, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "cannot be used here: it uses features"));
	assert_null(strstr(e.text, "damaged"));
	close(fd);
}

static void files_are_no_devices(void **state)
{
	struct ckpt_blockdev b;
	struct ckpt_error e;

	(void)state;
	assert_int_equal(ckpt_blockdev_open("/nonexistent", O_RDONLY, &b, &e), CKPT_NOT_FOUND);
	assert_int_equal(ckpt_blockdev_open("/dev/null", O_RDONLY, &b, &e), CKPT_USAGE);
}

static int make_folder(void **state)
{
	(void)state;
	return !mkdtemp(folder);
}

static int remove_folder(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

const struct CMUnitTest ctl_host_tests[] = {
	cmocka_unit_test_setup(paths_are_kept, make_folder),
	cmocka_unit_test(stable_links_are_found),
	cmocka_unit_test(signatures_behind_zeros),
	cmocka_unit_test(gpt_is_found_and_erased),
	cmocka_unit_test(a_store_wants_an_empty_disk),
	cmocka_unit_test(superblocks_are_read),
	cmocka_unit_test(newer_stores_are_named_so),
	cmocka_unit_test_teardown(files_are_no_devices, remove_folder),
};
const size_t ctl_host_count = COUNT_OF(ctl_host_tests);
