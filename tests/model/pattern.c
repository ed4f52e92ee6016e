// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "pattern.h"
#include "util.h"

#define MAGIC		0x4d636b70u
#define WORDS		(SECTOR_SIZE / 8)
#define TAG_WORDS	(sizeof(struct tag) / 8)

static uint64_t body_key(const struct tag *t)
{
	return ((uint64_t)t->op << 32 | t->crc) * 0x9e3779b97f4a7c15ull ^ t->sector;
}

void pattern_fill(void *buf, uint32_t len, uint64_t sector, uint32_t vol,
		  uint32_t op, uint32_t seed)
{
	struct tag t = { .magic = MAGIC, .op = op, .vol = vol, .seed = seed };
	uint64_t *w = buf;

	for (uint32_t i = 0; i < len; i++, w += WORDS) {
		uint64_t key;

		t.sector = sector + i;
		t.crc = crc32c(~0u, &t, offsetof(struct tag, crc));
		memcpy(w, &t, sizeof(t));
		key = body_key(&t);
		for (unsigned int k = TAG_WORDS; k < WORDS; k++)
			w[k] = key += 0xd1342543de82ef95ull;
	}
}

enum found pattern_read(const void *buf, struct tag *tag)
{
	static const uint64_t zeros[WORDS];
	const uint64_t *w = buf;
	uint64_t key;

	memcpy(tag, w, sizeof(*tag));
	if (tag->magic != MAGIC)
		return memcmp(w, zeros, SECTOR_SIZE) ? FOUND_BAD : FOUND_ZERO;
	if (tag->crc != crc32c(~0u, tag, offsetof(struct tag, crc)))
		return FOUND_BAD;
	key = body_key(tag);
	for (unsigned int k = TAG_WORDS; k < WORDS; k++)
		if (w[k] != (key += 0xd1342543de82ef95ull))
			return FOUND_BAD;
	return FOUND_TAG;
}
