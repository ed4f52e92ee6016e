// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the store says about itself: list, diff, and the base below it all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dmdev.h"
#include "list.h"
#include "stack.h"
#include "util.h"
#include "verify.h"

unsigned int list_count(const char *text, const char *start)
{
	size_t len = strlen(start);
	unsigned int n = 0;

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0)
		n += !strncmp(p, start, len);
	return n;
}

bool list_volume(const char *text, const char *name, char *uuid, uint64_t *size)
{
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		char u[128], n[128];
		unsigned long long s;

		if (sscanf(p, "volume %*s %127s %127s %llu", u, n, &s) != 3 ||
		    strcmp(n, name))
			continue;
		if (uuid)
			strcpy(uuid, u);
		if (size)
			*size = s;
		return true;
	}
	return false;
}

bool list_top(const char *text, const char *name, unsigned int *number)
{
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		char n[128];

		if (sscanf(p, "volume %*s %*s %127s %*s %u", n, number) == 2 &&
		    !strcmp(n, name))
			return true;
	}
	return false;
}

static bool find_layer(const char *text, unsigned int number, struct list_layer *l)
{
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		char below[20];
		unsigned int nr;
		unsigned long long used;

		memset(l, 0, sizeof(*l));
		l->base = sscanf(p, "base %u", &nr) == 1 && nr == number;
		if (l->base)
			return true;
		if (sscanf(p, "layer %u %19s %*s %*s %llu %*s %15s", &nr, below, &used,
			   l->state) != 4 || nr != number)
			continue;
		l->below = strtoul(below, NULL, 10);
		l->used = used;
		return true;
	}
	return false;
}

bool list_layer(const char *text, unsigned int number, struct list_layer *l)
{
	struct list_layer below;

	if (!find_layer(text, number, l))
		return false;
	while (l->below && find_layer(text, l->below, &below) && !strcmp(below.state, "merging")) {
		l->below = below.below;
		l->used += below.used;
	}
	return true;
}

void list_layers(const char *text, uint64_t *nr, uint64_t *waiting, uint64_t *units)
{
	*nr = *waiting = *units = 0;
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		unsigned long long used;
		char state[16];

		if (sscanf(p, "layer %*s %*s %*s %*s %llu %*s %15s", &used, state) != 2)
			continue;
		++*(strcmp(state, "merging") ? nr : waiting);
		*units += used;
	}
}

bool list_ckpt(const char *text, const char *full, unsigned int *layer)
{
	char vol[NAME_LEN], uuid[128];

	snprintf(vol, sizeof(vol), "%.*s", (int)(strchr(full, '@') - full), full);
	if (!list_volume(text, vol, uuid, NULL))
		return false;
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		char n[128], v[128];
		unsigned int nr;

		if (sscanf(p, "checkpoint %*s %*s %127s %127s %u", n, v, &nr) != 3 ||
		    strcmp(v, uuid) || strcmp(n, strchr(full, '@') + 1))
			continue;
		if (layer)
			*layer = nr;
		return true;
	}
	return false;
}

bool verify_list(void)
{
	char *text = send_paged("list");
	unsigned int vols = 0, cks = 0;
	bool ok = text;

	for (uint32_t i = 0; ok && i < model.nr_vols; i++) {
		struct vol *v = model.vol[i];
		uint64_t size;

		if (!v || v->state == VOL_NONE)
			continue;
		vols++;
		ok = list_volume(text, VOL_NAME(v), NULL, &size);
		if (!ok || size != v->size) {
			failure("list: volume %s is missing or has the wrong size, expected %llu",
				VOL_NAME(v), (unsigned long long)v->size);
			ok = false;
		}
	}
	for (uint32_t i = 0; ok && i < model.nr_cks; i++) {
		struct ckpt *ck = model.ck[i];

		if (!ck || !ck->there)
			continue;
		cks++;
		ok = list_ckpt(text, CK_NAME(ck), NULL);
		if (!ok)
			failure("list: checkpoint %s is missing", CK_NAME(ck));
	}
	if (ok && (list_count(text, "volume ") != vols ||
		   list_count(text, "checkpoint ") != cks)) {
		failure("list: %u volumes and %u checkpoints, expected %u and %u",
			list_count(text, "volume "), list_count(text, "checkpoint "),
			vols, cks);
		ok = false;
	}
	if (!ok && text)
		note("the list was:\n%s", text);
	free(text);
	return ok;
}

/* ... or perhaps the same: not looked at yet. */
static bool same_content(uint32_t a, uint32_t b)
{
	const struct op *x = op_get(VAL_OP(a)), *y = op_get(VAL_OP(b));
	bool xz = !VAL_OP(a) || x->type != OP_WRITE;
	bool yz = !VAL_OP(b) || y->type != OP_WRITE;

	return a == b || (xz && yz) || (!xz && a & VAL_SOFT) || (!yz && b & VAL_SOFT);
}

bool verify_diff(struct ckpt *a, struct ckpt *b)
{
	char *text = send_paged("diff %s %s %s", VOL_NAME(a->vol),
				strchr(CK_NAME(a), '@') + 1, strchr(CK_NAME(b), '@') + 1);
	uint64_t size = min(a->size, b->size);
	uint8_t *in;
	bool ok = true;

	if (!text)
		return false;
	in = xzalloc(layout.sectors);
	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		unsigned long long start, len;

		if (sscanf(p, "%llu %llu", &start, &len) != 2)
			continue;
		for (unsigned int i = 0; i < layout.nr; i++) {
			const struct window *w = &layout.w[i];
			uint64_t from = max(start, w->start);
			uint64_t to = min(start + len, w->start + w->len);

			if (from < to)
				memset(in + w->index + (from - w->start), 1, to - from);
		}
	}
	for (unsigned int i = 0; ok && i < layout.nr; i++) {
		uint32_t len = window_len(i, size), index = layout.w[i].index;

		for (uint32_t k = 0; ok && k < len; k++) {
			if (in[index + k] || same_content(map_get(&a->map, index + k),
							  map_get(&b->map, index + k)))
				continue;
			failure("diff from c%u to c%u lacks sector %llu, values %u and %u",
				a->id, b->id, (unsigned long long)layout.w[i].start + k,
				map_get(&a->map, index + k), map_get(&b->map, index + k));
			ok = false;
		}
	}
	free(in);
	free(text);
	return ok;
}

bool verify_base(struct base *b, const struct map *m, uint64_t size)
{
	struct check c = { .vol = &(struct vol){ .id = b->id }, .dev = BASE_NAME(b),
			   .how = "base" };
	uint32_t *vals = xmalloc(PIECE * sizeof(*vals));
	void *buf = xbuffer(PIECE * SECTOR_SIZE);
	uint32_t end = window_len(0, size);
	int fd = dm->open(c.dev, true);
	bool ok = fd >= 0;

	if (!ok)
		failure("open %s: %s", c.dev, strerror(-fd));
	check_init(&c);
	for (uint32_t at = 0; ok && at < end; at += PIECE) {
		uint32_t len = min(PIECE, end - at);

		ok = dev_read(fd, c.dev, buf, len, at);
		map_read(m, at, len, vals);
		if (ok)
			check_range(&c, at, len, buf, vals);
		ok = ok && !c.bad;
	}
	check_free(&c);
	if (fd >= 0)
		close(fd);
	free(buf);
	free(vals);
	return ok;
}
