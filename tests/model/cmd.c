// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model's side of commands: what volumes and checkpoints there are.
 */
#include <stdlib.h>
#include <string.h>

#include "evlog.h"
#include "model.h"
#include "tree.h"
#include "util.h"

const char *const cmd_names[CMD_TYPES] = {
	"create", "delete_volume", "checkpoint", "delete_checkpoint", "apply",
	"rename_volume", "rename_checkpoint", "resize_volume",
};

static struct group *group_get(uint32_t id)
{
	if (id >= MAX_CKPTS)
		abort();
	if (!model.group[id]) {
		model.group[id] = xzalloc(sizeof(struct group));
		model.group[id]->id = id;
		model.group[id]->before = ~0ull;
	}
	model.nr_groups = max(model.nr_groups, id + 1);
	return model.group[id];
}

struct ckpt *ckpt_new(uint32_t id, struct vol *v, uint32_t group)
{
	struct ckpt *ck = xzalloc(sizeof(*ck));

	if (id >= MAX_CKPTS)
		abort();
	ck->id = id;
	ck->vol = v;
	ck->size = v->size;
	ck->group = group_get(group);
	map_init(&ck->map);
	model.ck[id] = ck;
	model.nr_cks = max(model.nr_cks, id + 1);
	return ck;
}

void ckpt_drop(struct ckpt *ck)
{
	ck->there = false;
	map_free(&ck->map);
	oplist_free(&ck->watch.ops);
}

/* What is below a head changed, or may: its blocks are not all its own. */
static void not_pure(void)
{
	for (uint32_t i = 0; i < model.nr_vols; i++) {
		struct vol *v = model.vol[i];

		if (!v || v->state == VOL_NONE)
			continue;
		pthread_mutex_lock(&v->lock);
		v->pure = false;
		for (uint32_t k = 0; k < v->maybe.nr; k++)
			op_get(v->maybe.id[k])->first = false;
		pthread_mutex_unlock(&v->lock);
	}
}

void cmd_begin_member(struct cmd *c, unsigned int i)
{
	struct vol *v = c->m[i].vol;
	struct ckpt *ck = c->m[i].ck;
	struct event e = {
		.type = EV_CMD,
		.a = c->type | (c->base ? c->base->id + 1 : 0) << 8,
		.b = (v ? v->id + 1ull : 0) | (ck ? ck->id + 1ull : 0) << 32,
		.c = c->arg,
		.d = c->group,
	};

	if (c->type == CMD_TAKE)
		ck->begun = watch_all(v, &ck->watch, &ck->map, &e);
	else if (!replaying)
		ev_add(e.type, e.a, e.b, e.c, e.d);
	if (c->type == CMD_DROP || c->type == CMD_DELETE || c->type == CMD_APPLY)
		not_pure();
}

void cmd_begin(struct cmd *c)
{
	for (unsigned int i = 0; i < c->nr; i++)
		cmd_begin_member(c, i);
}

static void new_head(struct vol *v)
{
	memset(v->touched, 0, layout.sectors / cfg.block + 1);
	v->pure = true;
}

static void touch_list(struct vol *v, const struct oplist *l)
{
	for (uint32_t i = 0; i < l->nr; i++) {
		const struct op *op = op_get(l->id[i]);
		uint32_t at = layout_index(op->sector);

		for (uint32_t b = at / cfg.block; b <= (at + op->len - 1) / cfg.block; b++)
			v->touched[b] = 1;
	}
}

static void take_end(struct vol *v, struct ckpt *ck, bool ok)
{
	watch_end(v, &ck->watch);
	if (!ok) {
		ckpt_drop(ck);
		return;
	}
	ck->there = true;
	tree_take(v, ck);
	pthread_mutex_lock(&v->lock);
	new_head(v);
	touch_list(v, &ck->watch.ops);
	pthread_mutex_unlock(&v->lock);
	/* What a durable checkpoint has is durable in the volume above it. */
	durable_until(v, ck->begun);
}

static void create_end(struct cmd *c, bool ok)
{
	struct vol *v = c->m[0].vol;
	struct ckpt *src = c->m[0].ck;

	if (!ok)
		return;
	v->state = VOL_INACTIVE;
	v->pure = src || !v->base;
	if (src) {
		map_copy(&v->cur, &src->map);
	} else if (v->base) {
		map_copy(&v->cur, &v->base->map);
		v->base->taken = true;
		v->owner = !v->base->template;
	}
	map_copy(&v->dur, &v->cur);
	tree_create(v, src);
}

static void apply_end(struct vol *v, const struct ckpt *ck)
{
	pthread_mutex_lock(&v->lock);
	map_copy(&v->cur, &ck->map);
	map_copy(&v->dur, &ck->map);
	v->maybe.nr = 0;
	v->size = ck->size;
	new_head(v);
	pthread_mutex_unlock(&v->lock);
	tree_apply(v, ck);
}

static void drop_end(struct ckpt *ck)
{
	tree_drop(ck);
	ckpt_drop(ck);
}

static void delete_end(struct vol *v)
{
	tree_delete(v);
	v->state = VOL_NONE;
	if (v->owner)
		v->base->gone = true;
	map_free(&v->cur);
	map_free(&v->dur);
	oplist_free(&v->maybe);
}

void cmd_end(struct cmd *c, bool ok)
{
	if (!replaying)
		ev_add(EV_END, ok, 0, 0, 0);
	for (unsigned int i = 0; i < c->nr; i++) {
		struct vol *v = c->m[i].vol;
		struct ckpt *ck = c->m[i].ck;

		if (c->type == CMD_TAKE)
			take_end(v, ck, ok);
		else if (c->type == CMD_CREATE)
			create_end(c, ok);
		else if (!ok)
			continue;
		else if (c->type == CMD_DELETE)
			delete_end(v);
		else if (c->type == CMD_DROP)
			drop_end(ck);
		else if (c->type == CMD_APPLY)
			apply_end(v, ck);
		else if (c->type == CMD_RENAME)
			v->rev = c->arg;
		else if (c->type == CMD_RENAME_CK)
			ck->rev = c->arg;
		else if (c->type == CMD_GROW)
			v->size = c->arg;
	}
	if (c->type == CMD_GROW && ok && c->m[0].vol->owner)
		c->m[0].vol->base->size = max(c->m[0].vol->base->size, c->arg);
}
