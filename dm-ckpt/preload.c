// SPDX-License-Identifier: GPL-2.0-only
#include <linux/llist.h>
#include <linux/semaphore.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "preload.h"
#include "store.h"

/* Reads at the same time: as many as a disk behind one wire takes. */
#define LOADS	32u

struct load {
	struct work_struct work;
	struct llist_node idle;
	struct ckpt_preload *preload;
	struct ckpt_tree *tree;
	u64 index;
};

struct ckpt_preload {
	struct semaphore nr_idle;
	struct llist_head idle;
	struct load load[LOADS];
};

static void do_load(struct work_struct *work)
{
	struct load *load = container_of(work, struct load, work);
	struct ckpt_preload *p = load->preload;
	struct ckpt_node *leaf = ckpt_node_get(load->tree, 0, load->index, false);

	if (!IS_ERR_OR_NULL(leaf))
		ckpt_node_put(leaf);
	llist_add(&load->idle, &p->idle);
	up(&p->nr_idle);
}

struct ckpt_preload *ckpt_preload_begin(void)
{
	struct ckpt_preload *p = kmalloc(sizeof(*p), GFP_NOIO);
	unsigned int i;

	if (!p)
		return NULL;
	sema_init(&p->nr_idle, LOADS);
	init_llist_head(&p->idle);
	for (i = 0; i < LOADS; i++) {
		p->load[i].preload = p;
		INIT_WORK(&p->load[i].work, do_load);
		llist_add(&p->load[i].idle, &p->idle);
	}
	return p;
}

static bool is_loaded(struct ckpt_tree *tree, u64 index)
{
	bool found;

	rcu_read_lock();
	found = ckpt_node_find(tree, 0, index);
	rcu_read_unlock();
	return found;
}

void ckpt_preload_leaf(struct ckpt_preload *p, struct ckpt_tree *tree, u64 index)
{
	struct load *load;

	if (!p || is_loaded(tree, index))
		return;
	down(&p->nr_idle);
	load = llist_entry(llist_del_first(&p->idle), struct load, idle);
	load->tree = tree;
	load->index = index;
	queue_work(tree->store->load_wq, &load->work);
}

void ckpt_preload_tree(struct ckpt_preload *p, struct ckpt_tree *tree)
{
	u64 index, from = 0;

	while (p && ckpt_node_next_index(tree, 0, from, &index) > 0) {
		ckpt_preload_leaf(p, tree, index);
		from = index + 1;
	}
}

void ckpt_preload_end(struct ckpt_preload *p)
{
	unsigned int i;

	if (!p)
		return;
	for (i = 0; i < LOADS; i++)
		flush_work(&p->load[i].work);
	kfree(p);
}
