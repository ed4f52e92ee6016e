// SPDX-License-Identifier: GPL-2.0-only
#include "remap.h"
#include "target.h"

/*
 * What passes straight through looks at this alone.  A bio that has entered before the gate was
 * shut may still see what it was, and whoever shut it waits for its end; one that enters later
 * sees 0.  A volume's top changes only in between, and a base does not shrink, so what is seen is
 * never too much.
 */
void ckpt_gate_straight(struct ckpt_target *t)
{
	struct ckpt_layer *top;

	lockdep_assert_held(&t->store->admin);
	if (t->gate || t->view || !t->origin)
		return;
	top = ckpt_volume_top(t->store, t->volume);
	WRITE_ONCE(t->straight, top->base ? top->sectors : 0);
}

void ckpt_gate_shut(struct ckpt_target *t)
{
	lockdep_assert_held(&t->store->admin);
	WRITE_ONCE(t->gate, t->gate + 1);
	WRITE_ONCE(t->straight, 0);
	/* Pairs with the barrier in ckpt_epoch_enter(). */
	smp_mb();
}

int ckpt_gate_drain(struct ckpt_target *t, unsigned long timeout)
{
	return ckpt_epoch_wait(&t->epoch, timeout);
}

static void take_parked(struct ckpt_target *t, struct bio_list *list)
{
	bio_list_init(list);
	spin_lock_irq(&t->lock);
	bio_list_merge(list, &t->parked);
	bio_list_init(&t->parked);
	spin_unlock_irq(&t->lock);
}

void ckpt_gate_open(struct ckpt_target *t)
{
	struct bio_list list;
	struct bio *bio;

	lockdep_assert_held(&t->store->admin);
	spin_lock_irq(&t->lock);
	WRITE_ONCE(t->gate, t->gate - 1);
	spin_unlock_irq(&t->lock);
	if (t->gate)
		return;
	ckpt_gate_straight(t);
	take_parked(t, &list);
	while ((bio = bio_list_pop(&list)))
		ckpt_bio_retry(bio);
}

static void requeue(struct bio *bio)
{
	bio->bi_status = BLK_STS_DM_REQUEUE;
	bio_endio(bio);
}

bool ckpt_gate_park(struct ckpt_target *t, struct bio *bio)
{
	bool closed, back = false;
	unsigned long flags;

	spin_lock_irqsave(&t->lock, flags);
	closed = READ_ONCE(t->gate);
	if (closed && t->requeue)
		back = true;
	else if (closed)
		bio_list_add(&t->parked, bio);
	spin_unlock_irqrestore(&t->lock, flags);
	if (back)
		requeue(bio);
	return closed;
}

bool ckpt_gate_enter(struct ckpt_target *t, struct bio *bio, unsigned int *bank)
{
	for (;;) {
		*bank = ckpt_epoch_enter(&t->epoch);
		if (likely(!READ_ONCE(t->gate)))
			return true;
		ckpt_epoch_leave(&t->epoch, *bank);
		if (ckpt_gate_park(t, bio))
			return false;
	}
}

void ckpt_gate_requeue(struct ckpt_target *t, bool on)
{
	struct bio_list list;
	struct bio *bio;

	spin_lock_irq(&t->lock);
	WRITE_ONCE(t->requeue, on);
	spin_unlock_irq(&t->lock);
	if (!on)
		return;
	take_parked(t, &list);
	while ((bio = bio_list_pop(&list)))
		requeue(bio);
}
