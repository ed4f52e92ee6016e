/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which operation wrote each sector: a value for every sector, in chunks that
 * copies share until they change.
 *
 * A volume may be far too big for that, so the test only ever touches a few
 * windows of it, the same ones in all volumes.
 */
#ifndef MODEL_MAP_H
#define MODEL_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define CHUNK_SECTORS	2048u
#define MAX_WINDOWS	8

struct window {
	uint64_t start;		/* sector of the volume */
	uint32_t len;
	uint32_t index;		/* of its first sector in a map */
};

struct layout {
	unsigned int nr;
	uint32_t sectors;	/* of all windows */
	struct window w[MAX_WINDOWS];
};

extern struct layout layout;

void layout_add(uint64_t start, uint32_t len);
/* The index of a sector, which must be in a window. */
uint32_t layout_index(uint64_t sector);
/* Sectors of window @i that a volume of @size has. */
uint32_t window_len(unsigned int i, uint64_t size);

/*
 * The number of an operation, whose type says whether its sectors hold data or
 * zeros; 0 is nothing ever, which is zeros.  VAL_SOFT: or zeros, nobody knows
 * (a discard of less than a block may do nothing); and of zeros, that others may have
 * written them.
 */
#define VAL_SOFT	(1u << 31)
#define VAL_OP(v)	((v) & ~VAL_SOFT)

struct chunk;
struct map {
	uint32_t nr;
	struct chunk **c;
};

void map_init(struct map *m);
void map_free(struct map *m);
void map_copy(struct map *to, const struct map *from);	/* frees what @to had */
uint32_t map_get(const struct map *m, uint32_t index);
void map_set(struct map *m, uint32_t index, uint32_t val);
void map_read(const struct map *m, uint32_t index, uint32_t len, uint32_t *vals);
void map_write(struct map *m, uint32_t index, uint32_t len, const uint32_t *vals);

#endif
