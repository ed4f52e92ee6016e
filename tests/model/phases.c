// SPDX-License-Identifier: GPL-2.0-only
/*
 * The phases that follow a plan: a long chain, and taking everything away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "check.h"
#include "dmdev.h"
#include "io.h"
#include "random.h"
#include "settle.h"
#include "stack.h"
#include "tree.h"
#include "verify.h"

#define SPACE_SLACK	64u	/* units of metadata that may stay */

static uint64_t used_first;

static bool drop_all(void)
{
	struct ckpt *list[MAX_MEMBERS], *ck;
	unsigned int nr;

	do {
		nr = 0;
		for each_ck(ck)
			if (nr < 5)
				list[nr++] = ck;
		if (nr && !admin_drop(list, nr))
			return false;
	} while (nr);
	return true;
}

/* Nodes of the trees that so many layers can have in both superblocks' trees. */
static uint64_t most_nodes(uint64_t layers)
{
	uint64_t each = 4, objects = layers;
	struct vol *v;
	struct ckpt *ck;

	for (unsigned int i = 0; i < layout.nr; i++)
		each += 4 + layout.w[i].len / (8192 * cfg.block) + 2;
	for each_vol(v)
		objects++;
	for each_ck(ck)
		objects++;
	return 2 * (layers * each + objects + model.nr_bases + cfg.store.len / (32768 * 8) + 8);
}

/* Each layer has what it must, and there is nothing else. */
static bool verify_space(void)
{
	struct layer_sum sum;
	uint64_t used;
	int err = send_message(NULL, "commit");

	if (err)
		failure("commit: %s", strerror(-err));
	if (err || !verify_layers(&sum) || !store_field(ST_USED, &used))
		return false;
	note("%llu units of %llu layers and %llu that wait, %llu units in use, %llu at first",
	     (unsigned long long)sum.units, (unsigned long long)sum.layers,
	     (unsigned long long)sum.waiting, (unsigned long long)used,
	     (unsigned long long)used_first);
	if (used < sum.units || used > used_first + sum.units +
	    most_nodes(sum.layers + sum.waiting) + SPACE_SLACK)
		failure("%llu units are in use, and layers have only %llu of them",
			(unsigned long long)used, (unsigned long long)sum.units);
	return !failed;
}

bool phase_settle(void)
{
	return cfg.fake || (settle_now() && verify_space() && verify_all());
}

bool phase_finish(void)
{
	return cfg.fake || (settle_now() && verify_all());
}

/* Clones keep a base from merging, and volumes need their origin for it. */
static bool drop_clones(void)
{
	struct vol *v;

	for each_vol(v)
		if (v->base && !v->owner && !v->base->template && !admin_delete(v))
			return false;
	return true;
}

static bool is_passthrough(const struct vol *v)
{
	char text[DM_TEXT];
	int err = dm->status(VOL_DEV(v), text, sizeof(text));

	if (!err && strstr(text, " passthrough "))
		return true;
	failure("%s does not pass through: %s", VOL_DEV(v), err ? strerror(-err) : text);
	return false;
}

/* What is on the origins, beside the volumes and without the store's help. */
static bool verify_bases(void)
{
	struct vol *v;

	for (unsigned int i = 0; i < model.nr_bases; i++)
		if (model.base[i].template &&
		    !verify_base(&model.base[i], &model.base[i].map, model.base[i].size))
			return false;
	for each_vol(v)
		if (v->owner && !cfg.fake &&
		    (!is_passthrough(v) || !verify_base(v->base, &v->cur, v->size)))
			return false;
	return true;
}

/* A linear device in the place of the volume, and back. */
static bool swap_linear(struct vol *v, struct worker *w)
{
	if (!vol_linear(v) || !verify_vol(v))
		return false;
	for (unsigned int i = 0; i < 10; i++)
		if (!worker_write(w, v))
			return false;
	return verify_vol(v) && vol_reload(v, true) && verify_vol(v);
}

bool phase_drop(void)
{
	struct worker w;
	struct vol *v;
	bool ok;

	workers_start(cfg.ops / 8);
	ok = drop_all() && drop_clones() && (cfg.fake || settle_now());
	workers_stop();
	if (!ok || !verify_all() || !verify_bases())
		return false;
	if (cfg.fake)
		return true;
	if (!verify_space())
		return false;
	worker_init(&w, 0);
	for each_vol(v)
		if (v->owner && !swap_linear(v, &w))
			return false;
	return verify_bases();
}

static bool delete_bases(void)
{
	uint64_t end = now_ms() + BACKGROUND_MS;

	while (!failed) {
		char *text = send_paged("list"), uuid[128];
		bool any = false;

		for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
			if (sscanf(p, "base %*s %127s", uuid) != 1)
				continue;
			any = true;
			/* Refused while a layer above it is still being freed. */
			send_message(NULL, "delete_template %s", uuid);
		}
		if (!any && text) {
			free(text);
			return true;
		}
		if (now_ms() > end)
			failure("bases are left: %s", text ? text : "");
		free(text);
		sleep_ms(100);
	}
	return false;
}

bool phase_delete(void)
{
	struct vol *v;
	uint64_t used = 0, layers = 1;
	int err;

	for each_vol(v)
		if (!admin_delete(v))
			return false;
	if (cfg.fake)
		return true;
	if (!delete_bases() || !settle_now())
		return false;
	err = send_message(NULL, "commit");
	if (err || !store_field(ST_USED, &used) || !store_field(ST_LAYERS, &layers)) {
		failure("commit: %s", strerror(-err));
		return false;
	}
	note("units in use: %llu at first, %llu at last", (unsigned long long)used_first,
	     (unsigned long long)used);
	if (used > used_first + SPACE_SLACK || layers)
		failure("an empty store has %llu layers and %llu units in use, %llu when it was new",
			(unsigned long long)layers, (unsigned long long)used,
			(unsigned long long)used_first);
	return !failed && verify_list();
}

bool phase_format(void)
{
	if (!stack_up(true))
		return false;
	return cfg.fake || store_field(ST_USED, &used_first);
}

static bool clone_chain(struct worker *w, struct ckpt *ck, unsigned int depth)
{
	struct vol *v;

	while (depth--) {
		v = admin_clone(ck);
		if (!v || !verify_vol(v))
			return false;
		for (unsigned int i = 0; i < 5; i++)
			worker_write(w, v);
		if (!admin_take(&v, 1, &ck))
			return false;
	}
	return verify_ckpt(ck);
}

/* Every second checkpoint, in no order, a few with each command. */
static bool thin_out(struct rng *r)
{
	struct ckpt *list[3], *ck;
	unsigned int nr, left = 0;

	for each_ck(ck)
		left++;
	left /= 2;
	while (left && !failed) {
		nr = 0;
		for each_ck(ck)
			if (nr < min(3u, left) && rng_chance(r, 10))
				list[nr++] = ck;
		if (nr && !admin_drop(list, nr))
			return false;
		left -= nr;
	}
	return !failed;
}

bool phase_chain(void)
{
	struct vol *both[2];
	struct ckpt *ck, *middle = NULL;
	struct worker w;

	worker_init(&w, 0);
	both[0] = admin_create((uint64_t)cfg.size_mib * MIB_SECTORS);
	both[1] = model.nr_bases ? admin_adopt(&model.base[0]) :
		  admin_create((uint64_t)cfg.size_mib * MIB_SECTORS);
	if (!both[0] || !both[1])
		return false;
	for (unsigned int i = 0; i < cfg.chain; i++) {
		unsigned int nr = i % 4 ? 1 : 2;

		for (unsigned int k = 0; k < 3; k++)
			worker_write(&w, both[k % nr]);
		if (!admin_take(both, nr, &ck))
			return false;
		if (i == cfg.chain / 2)
			middle = ck;
	}
	note("%u checkpoints in a row", cfg.chain);
	return verify_all() && clone_chain(&w, middle, 6);
}

bool phase_thin_out(void)
{
	struct rng r;
	struct ckpt *ck;
	bool ok;

	rng_init(&r, cfg.seed);
	workers_start(cfg.ops);
	ok = thin_out(&r);
	workers_stop();
	if (!ok || !verify_all())
		return false;
	for each_ck(ck)
		break;
	return !ck || (admin_apply(&ck, 1) && verify_vol(ck->vol));
}
