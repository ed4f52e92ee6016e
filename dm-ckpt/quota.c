// SPDX-License-Identifier: GPL-2.0-only
#include "quota.h"

/* Objects may come and go; what goes is freed after a grace period. */
static u64 count(struct ckpt_store *store, u32 tag)
{
	struct ckpt_object *object;
	unsigned long number;
	u64 used = 0;

	rcu_read_lock();
	xa_for_each(&store->objects, number, object)
		if (object->type == CKPT_RECORD_LAYER && object->layer->volume == tag)
			used += READ_ONCE(object->layer->used);
	rcu_read_unlock();
	return used;
}

u64 ckpt_quota_used(struct ckpt_store *store, const struct ckpt_volume *volume)
{
	return count(store, ckpt_volume_tag(volume));
}

void ckpt_quota_count(struct ckpt_store *store)
{
	struct ckpt_object *object;
	unsigned long number = 0;

	if (!atomic_read(&store->limits))
		return;
	do {
		struct ckpt_volume *volume;

		rcu_read_lock();
		object = xa_find_after(&store->objects, &number, ULONG_MAX, XA_PRESENT);
		volume = object && object->type == CKPT_RECORD_VOLUME ? object->volume : NULL;
		if (volume && READ_ONCE(volume->limit)) {
			atomic64_set(&volume->taken, 0);
			WRITE_ONCE(volume->used, count(store, ckpt_volume_tag(volume)));
		}
		rcu_read_unlock();
	} while (object);
}
