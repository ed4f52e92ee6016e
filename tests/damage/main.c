// SPDX-License-Identifier: GPL-2.0-only
/*
 * damage IMAGE		how many damages there are
 * damage IMAGE N	do the N-th, and say which
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "damage.h"

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	char what[DAMAGE_TEXT];
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st)) {
		perror("damage");
		return 1;
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		perror("damage");
		return 1;
	}
	if (argc < 3) {
		printf("%llu\n", (unsigned long long)damage_count(bytes, (uint64_t)st.st_size / 512));
		return 0;
	}
	if (!damage_apply(bytes, (uint64_t)st.st_size / 512, strtoull(argv[2], NULL, 10), what))
		return 1;
	puts(what);
	return 0;
}
