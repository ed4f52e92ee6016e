// SPDX-License-Identifier: GPL-2.0-only
/* Memory images: what was written is read back, and nothing else ever is. */
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "test.h"
#include "ckptd/memory.h"
#include "ckptd/memory_format.h"

static char folder[] = "/tmp/ckptd-memory-XXXXXX";
static char image[80], temporary[90], stream[80], back[80];

static void spill(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static char *slurp(const char *path, size_t *size)
{
	struct stat st;
	FILE *f = fopen(path, "r");
	char *bytes;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*size = (size_t)st.st_size;
	bytes = malloc(*size + 1);
	assert_int_equal(fread(bytes, 1, *size, f), *size);
	fclose(f);
	return bytes;
}

/* Pages of zeros, of text, and of noise. */
static char *make(size_t size)
{
	char *bytes = calloc(1, size + 1);

	for (size_t i = 0; i < size; i++)
		if (i / 4096 % 4 == 1)
			bytes[i] = (char)rand();
		else if (i / 4096 % 4 == 2)
			bytes[i] = "memory "[i % 7];
	return bytes;
}

static enum ckpt_result pack(const char *bytes, size_t size, struct ckpt_error *e)
{
	struct memory_control c = { 0 };
	enum ckpt_result result;
	int in;

	spill(stream, bytes, size);
	in = open(stream, O_RDONLY);
	result = memory_write(in, image, &c, e);
	close(in);
	if (!result)
		assert_int_equal(atomic_load(&c.stream), size);
	return result;
}

static enum ckpt_result unpack(struct ckpt_error *e)
{
	int out = open(back, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct memory_control c = { 0 };
	enum ckpt_result result = memory_read(image, out, &c, e);

	close(out);
	return result;
}

static void there_and_back(void **state)
{
	static const size_t sizes[] = { 1, 4096, MEMORY_FRAME - 1, MEMORY_FRAME,
					MEMORY_FRAME + 1, 20 * MEMORY_FRAME + 12345 };
	struct ckpt_error e;
	char command[300];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *bytes = make(sizes[i]), *got;
		size_t size;

		assert_int_equal(pack(bytes, sizes[i], &e), CKPT_DONE);
		assert_int_equal(access(image, F_OK), -1);
		assert_int_equal(memory_publish(image, &e), CKPT_DONE);
		assert_int_equal(unpack(&e), CKPT_DONE);
		got = slurp(back, &size);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(got, bytes, size);
		snprintf(command, sizeof(command), "zstd -qdc <%s | cmp - %s", image, stream);
		assert_int_equal(system(command), 0);
		unlink(image);
		free(got);
		free(bytes);
	}
}

static void zeros_cost_nothing(void **state)
{
	char *bytes = calloc(1, 64 * MEMORY_FRAME);
	struct ckpt_error e;
	struct stat st;

	(void)state;
	assert_int_equal(pack(bytes, 64 * MEMORY_FRAME, &e), CKPT_DONE);
	assert_int_equal(stat(temporary, &st), 0);
	assert_true(st.st_size < 64 * 100);
	memory_discard(image);
	assert_int_equal(access(temporary, F_OK), -1);
	free(bytes);
}

/* Bytes of a file that are in the host's page cache. */
static size_t cached(const char *path)
{
	static unsigned char in[65536];
	int fd = open(path, O_RDONLY);
	size_t size, count = 0;
	struct stat st;
	void *at;

	if (fd < 0)
		return 0;
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	at = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (at == MAP_FAILED)
		return 0;
	assert_true(size / 4096 < sizeof(in));
	assert_int_equal(mincore(at, size, in), 0);
	munmap(at, size);
	for (size_t i = 0; i < (size + 4095) / 4096; i++)
		count += in[i] & 1;
	return 4096 * count;
}

struct watch {
	pthread_t thread;
	const char *path;
	size_t most;			/* bytes of it that were cached */
	atomic_bool is_over;
};

static void *watch(void *arg)
{
	struct watch *w = arg;

	while (!atomic_load(&w->is_over)) {
		size_t now = cached(w->path);

		w->most = now > w->most ? now : w->most;
		usleep(1000);
	}
	return NULL;
}

static void watch_begin(struct watch *w)
{
	assert_int_equal(pthread_create(&w->thread, NULL, watch, w), 0);
}

/* It was seen, and at no time much of it. */
static void watch_end(struct watch *w, const char *what)
{
	atomic_store(&w->is_over, true);
	pthread_join(w->thread, NULL);
	print_message("# %s: at most %zu MiB were cached, %zu KiB in the end\n", what,
		      w->most >> 20, cached(image) >> 10);
	assert_in_range(w->most, 1, 40 << 20);
	assert_true(cached(image) < 1 << 20);
}

/* An image is written and read once: whatever else was cached is worth more. */
static void the_cache_is_not_flooded(void **state)
{
	size_t size = 96 * MEMORY_FRAME;
	char *bytes = malloc(size);
	struct ckpt_error e;
	struct watch writing = { .path = temporary }, reading = { .path = image };
	struct statfs fs;

	(void)state;
	assert_int_equal(statfs(folder, &fs), 0);
	if (fs.f_type == TMPFS_MAGIC)
		skip();
	for (size_t i = 0; i < size / sizeof(int); i++)
		((int *)bytes)[i] = rand();
	watch_begin(&writing);
	assert_int_equal(pack(bytes, size, &e), CKPT_DONE);
	assert_int_equal(memory_publish(image, &e), CKPT_DONE);
	watch_end(&writing, "written");
	watch_begin(&reading);
	assert_int_equal(unpack(&e), CKPT_DONE);
	watch_end(&reading, "read");
	unlink(image);
	free(bytes);
}

/* Whatever byte is changed: it is found, and what was given away before is right. */
static void every_damage_is_found(void **state)
{
	size_t length = 2 * MEMORY_FRAME + 100, size, got;
	char *bytes = make(length), *whole, *part;
	struct ckpt_error e;

	(void)state;
	assert_int_equal(pack(bytes, length, &e), CKPT_DONE);
	assert_int_equal(memory_publish(image, &e), CKPT_DONE);
	whole = slurp(image, &size);
	for (int i = 0; i < 600; i++) {
		size_t at = i < 32 ? (size_t)i : i < 200 ? size - 1 - (size_t)(i - 32) :
			    (size_t)rand() % size;

		whole[at] ^= (char)(1 << i % 8);
		spill(image, whole, size);
		whole[at] ^= (char)(1 << i % 8);
		assert_int_equal(unpack(&e), CKPT_INTEGRITY);
		part = slurp(back, &got);
		assert_true(got < length && !memcmp(part, bytes, got));
		free(part);
	}
	for (int i = 0; i < 100; i++) {
		spill(image, whole, i < 60 ? size - 1 - (size_t)i : (size_t)rand() % size);
		assert_int_equal(unpack(&e), CKPT_INTEGRITY);
	}
	unlink(image);
	free(whole);
	free(bytes);
}

static void nothing_is_no_image(void **state)
{
	struct ckpt_error e;

	(void)state;
	assert_int_equal(pack("", 0, &e), CKPT_FAILED);
	assert_int_equal(access(temporary, F_OK), -1);
	assert_int_equal(unpack(&e), CKPT_NOT_FOUND);
}

static void cancelled(void **state)
{
	struct memory_control c = { .cancel = true };
	struct ckpt_error e;
	int in = open("/dev/zero", O_RDONLY);

	(void)state;
	assert_int_equal(memory_write(in, image, &c, &e), CKPT_FAILED);
	assert_int_equal(access(temporary, F_OK), -1);
	close(in);
}

/* A write that fails in the middle: nothing is left of it. */
static void no_place(void **state)
{
	size_t size = 4 * MEMORY_FRAME;
	struct rlimit limit, small;
	char *bytes = make(size);
	struct memory_control c = { 0 };
	struct ckpt_error e;
	int in;

	(void)state;
	spill(stream, bytes, size);
	in = open(stream, O_RDONLY);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = MEMORY_FRAME / 2;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(memory_write(in, image, &c, &e), CKPT_FAILED);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(access(temporary, F_OK), -1);
	close(in);
	free(bytes);
}

/* Somebody else's file is not written through a link. */
static void no_link(void **state)
{
	struct memory_control c = { 0 };
	struct ckpt_error e;

	(void)state;
	spill(back, "", 0);
	assert_int_equal(symlink(back, temporary), 0);
	assert_int_equal(memory_write(0, image, &c, &e), CKPT_FAILED);
	unlink(temporary);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(image, sizeof(image), "%s/memory.img", folder);
	snprintf(temporary, sizeof(temporary), "%s.new", image);
	snprintf(stream, sizeof(stream), "%s/stream", folder);
	snprintf(back, sizeof(back), "%s/back", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(stream);
	unlink(back);
	unlink(image);
	unlink(temporary);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(zeros_cost_nothing),
		cmocka_unit_test(the_cache_is_not_flooded),
		cmocka_unit_test(every_damage_is_found),
		cmocka_unit_test(nothing_is_no_image),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(no_place),
		cmocka_unit_test(no_link),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ckptd_memory", tests, make_folder, remove_folder);
}
