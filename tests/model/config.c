// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmdev.h"
#include "map.h"
#include "stack.h"
#include "util.h"

struct config cfg = {
	.ops = 20000, .block = 8, .volumes = 5, .checkpoints = 20, .threads = 3,
	.size_mib = 12, .prefix = "cm",
};

static uint64_t dev_sectors(const char *path)
{
	struct stat st;
	uint64_t bytes = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) ||
	    (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &bytes))) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	close(fd);
	return (S_ISBLK(st.st_mode) ? bytes : (uint64_t)st.st_size) >> SECTOR_SHIFT;
}

void config_slice(struct slice *s, const char *dev)
{
	snprintf(s->dev, sizeof(s->dev), "%s", dev);
	s->start = 0;
	s->len = dev_sectors(dev);
}

void config_lay_out(void)
{
	uint32_t dense = (uint64_t)cfg.size_mib * MIB_SECTORS * 3 / 2;

	dense -= dense % 128;
	layout_add(0, dense);
	if (cfg.huge) {
		/* About the ends of what one node of each level reaches. */
		layout_add((8ull << 21) - MIB_SECTORS, 2 * MIB_SECTORS);
		layout_add((2ull << 31) - MIB_SECTORS, 2 * MIB_SECTORS);
		layout_add((16ull << 31) - 2 * MIB_SECTORS, 2 * MIB_SECTORS);
	}
	if (cfg.disk) {
		uint64_t all = dev_sectors(cfg.disk);

		snprintf(cfg.store.dev, sizeof(cfg.store.dev), "%s/%s", dm->dir, lower_dev());
		cfg.store.start = 0;
		cfg.store.len = all - (uint64_t)cfg.origins * dense;
		for (unsigned int i = 0; i < cfg.origins; i++) {
			cfg.origin[i] = cfg.store;
			cfg.origin[i].start = all - (uint64_t)(i + 1) * dense;
		}
	}
	if (cfg.fake)
		for (unsigned int i = 0; i < cfg.origins; i++)
			snprintf(cfg.origin[i].dev, sizeof(cfg.origin[i].dev),
				 "%s/origin%u", cfg.fake, i);
	for (unsigned int i = 0; i < cfg.origins; i++)
		cfg.origin[i].len = cfg.fake || cfg.disk ? dense :
			min(cfg.origin[i].len, (uint64_t)dense);
}
