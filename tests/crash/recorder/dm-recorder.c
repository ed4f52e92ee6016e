// SPDX-License-Identifier: GPL-2.0-only
/*
 * "ckpt-recorder <device> <number>": passes everything on to the device, and keeps a log of it
 * (recorder.h).  All devices have one log.
 *
 * The log is read from /dev/ckpt-recorder, once; what was read is forgotten.  It ends when there
 * is no device left.  A message "mark <text>" puts a mark into it.
 */
#define pr_fmt(fmt) "device-mapper: recorder: " fmt

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "recorder.h"

/* What nobody has read yet, in bytes; beyond that it is lost. */
#define QUEUE_MAX	(1ull << 30)

struct item {
	struct list_head list;
	struct rec_entry entry;
	void *data;
};

static struct {
	spinlock_t lock;	/* of all but what is the reader's */
	struct list_head items;
	u64 bytes;
	u64 id;
	unsigned int devices;
	bool lost;
	wait_queue_head_t wait;
	struct mutex reading;	/* one reader at a time */
	size_t done;		/* bytes of the first item that were read */
} queue = {
	.lock = __SPIN_LOCK_UNLOCKED(queue.lock),
	.items = LIST_HEAD_INIT(queue.items),
	.wait = __WAIT_QUEUE_HEAD_INITIALIZER(queue.wait),
	.reading = __MUTEX_INITIALIZER(queue.reading),
};

struct recorder {
	struct dm_dev *dev;
	u8 number;
};

/* Of each bio: what says that it ended, made when it began, as the end may not sleep. */
struct recorded {
	struct item *end;
};

static void item_free(struct item *item)
{
	if (item)
		kvfree(item->data);
	kfree(item);
}

static struct item *item_new(enum rec_type type, u8 device, u32 bytes)
{
	struct item *item = kzalloc(sizeof(*item), GFP_NOIO);

	if (!item)
		return NULL;
	item->entry.magic = REC_MAGIC;
	item->entry.type = type;
	item->entry.device = device;
	item->entry.bytes = bytes;
	if (bytes)
		item->data = kvmalloc(bytes, GFP_NOIO);
	if (!bytes || item->data)
		return item;
	kfree(item);
	return NULL;
}

/* Takes the item over.  Without one, or without room, something is lost. */
static void queue_add(struct item *item)
{
	unsigned long flags;
	bool full;

	spin_lock_irqsave(&queue.lock, flags);
	full = !item || queue.bytes + item->entry.bytes > QUEUE_MAX;
	if (full) {
		queue.lost = true;
	} else {
		queue.bytes += sizeof(*item) + item->entry.bytes;
		list_add_tail(&item->list, &queue.items);
	}
	spin_unlock_irqrestore(&queue.lock, flags);
	if (full)
		item_free(item);
	wake_up(&queue.wait);
}

/* ---- the target ---- */

static u64 new_id(void)
{
	unsigned long flags;
	u64 id;

	spin_lock_irqsave(&queue.lock, flags);
	id = ++queue.id;
	spin_unlock_irqrestore(&queue.lock, flags);
	return id;
}

static enum rec_type type_of(const struct bio *bio)
{
	switch (bio_op(bio)) {
	case REQ_OP_DISCARD:
		return REC_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return REC_ZEROES;
	default:
		return bio->bi_opf & REQ_PREFLUSH && !bio_sectors(bio) ? REC_FLUSH : REC_WRITE;
	}
}

static void copy_data(void *to, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

/* What says that it ended, or NULL if there was no memory for both. */
static struct item *record(struct recorder *r, struct bio *bio)
{
	enum rec_type type = type_of(bio);
	struct item *item = item_new(type, r->number, type == REC_WRITE ? bio->bi_iter.bi_size : 0);
	struct item *end = item_new(REC_END, r->number, 0);

	if (!item || !end) {
		item_free(item);
		item_free(end);
		queue_add(NULL);
		return NULL;
	}
	item->entry.id = new_id();
	end->entry.id = item->entry.id;
	item->entry.sector = bio->bi_iter.bi_sector;
	item->entry.sectors = bio_sectors(bio);
	if (bio->bi_opf & REQ_FUA)
		item->entry.flags |= REC_FUA;
	if (type == REC_WRITE)
		copy_data(item->data, bio);
	queue_add(item);
	return end;
}

static int recorder_map(struct dm_target *ti, struct bio *bio)
{
	struct recorded *recorded = dm_per_bio_data(bio, sizeof(*recorded));
	struct recorder *r = ti->private;

	bio_set_dev(bio, r->dev->bdev);
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	recorded->end = op_is_write(bio_op(bio)) ? record(r, bio) : NULL;
	return DM_MAPIO_REMAPPED;
}

static int recorder_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct recorded *recorded = dm_per_bio_data(bio, sizeof(*recorded));

	if (recorded->end) {
		if (*error)
			recorded->end->entry.flags |= REC_FAILED;
		queue_add(recorded->end);
	}
	return DM_ENDIO_DONE;
}

static int recorder_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen)
{
	struct recorder *r = ti->private;
	struct item *item;

	if (argc != 2 || strcmp(argv[0], "mark"))
		return -EINVAL;
	item = item_new(REC_MARK, r->number, strlen(argv[1]));
	if (item)
		memcpy(item->data, argv[1], strlen(argv[1]));
	queue_add(item);
	return item ? 0 : -ENOMEM;
}

static int recorder_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct recorder *r;
	struct item *item;
	int err;

	if (argc != 2) {
		ti->error = "a device and a number are wanted";
		return -EINVAL;
	}
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	item = item_new(REC_DEVICE, 0, 0);
	err = r && item ? kstrtou8(argv[1], 10, &r->number) : -ENOMEM;
	if (!err)
		err = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &r->dev);
	if (err) {
		ti->error = "no such device, or no number";
		item_free(item);
		kfree(r);
		return err;
	}
	item->entry.device = r->number;
	item->entry.sectors = ti->len;
	spin_lock_irq(&queue.lock);
	if (!queue.devices++)
		queue.id = 0;
	spin_unlock_irq(&queue.lock);
	queue_add(item);
	ti->private = r;
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->flush_supported = true;
	ti->per_io_data_size = sizeof(struct recorded);
	return 0;
}

static void recorder_dtr(struct dm_target *ti)
{
	struct recorder *r = ti->private;

	dm_put_device(ti, r->dev);
	kfree(r);
	spin_lock_irq(&queue.lock);
	queue.devices--;
	spin_unlock_irq(&queue.lock);
	wake_up(&queue.wait);
}

static int recorder_iterate(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct recorder *r = ti->private;

	return fn(ti, r->dev, 0, ti->len, data);
}

static struct target_type recorder_target = {
	.name = "ckpt-recorder",
	.version = { 1, 0, 0 },
	.module = THIS_MODULE,
	.ctr = recorder_ctr,
	.dtr = recorder_dtr,
	.map = recorder_map,
	.end_io = recorder_end_io,
	.message = recorder_message,
	.iterate_devices = recorder_iterate,
};

/* ---- the log ---- */

/* The first item; NULL at the end of all. */
static struct item *first_item(void)
{
	struct item *item;

	spin_lock_irq(&queue.lock);
	item = list_first_entry_or_null(&queue.items, struct item, list);
	spin_unlock_irq(&queue.lock);
	return item;
}

static void drop_first(struct item *item)
{
	spin_lock_irq(&queue.lock);
	list_del(&item->list);
	queue.bytes -= sizeof(*item) + item->entry.bytes;
	spin_unlock_irq(&queue.lock);
	queue.done = 0;
	item_free(item);
}

/* A part of the first item; it goes when all of it was read. */
static ssize_t read_item(struct item *item, char __user *to, size_t size)
{
	size_t head = sizeof(item->entry), all = head + item->entry.bytes, at = queue.done;
	const void *from = at < head ? (void *)&item->entry + at : item->data + (at - head);
	size_t part = min(size, (at < head ? head : all) - at);

	if (copy_to_user(to, from, part))
		return -EFAULT;
	queue.done += part;
	if (queue.done == all)
		drop_first(item);
	return part;
}

static bool something_to_say(void)
{
	return !list_empty(&queue.items) || queue.lost || !READ_ONCE(queue.devices);
}

/* That something is missing is said behind what is there. */
static void say_lost(void)
{
	struct item *item;
	bool lost;

	spin_lock_irq(&queue.lock);
	lost = queue.lost && list_empty(&queue.items);
	if (lost)
		queue.lost = false;
	spin_unlock_irq(&queue.lock);
	if (!lost)
		return;
	pr_err("the log is not complete\n");
	item = item_new(REC_LOST, 0, 0);
	if (item)
		queue_add(item);
}

static ssize_t recorder_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	struct item *item;
	ssize_t done = 0;

	if (mutex_lock_interruptible(&queue.reading))
		return -EINTR;
	if (wait_event_interruptible(queue.wait, something_to_say()))
		done = -EINTR;
	say_lost();
	while (done >= 0 && (size_t)done < size && (item = first_item())) {
		ssize_t part = read_item(item, to + done, size - done);

		if (part < 0 && !done)
			done = part;
		if (part < 0)
			break;
		done += part;
	}
	mutex_unlock(&queue.reading);
	return done;
}

static const struct file_operations recorder_fops = {
	.owner = THIS_MODULE,
	.read = recorder_read,
};

static struct miscdevice recorder_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ckpt-recorder",
	.mode = 0400,
	.fops = &recorder_fops,
};

static int __init recorder_init(void)
{
	int r = misc_register(&recorder_misc);

	if (r)
		return r;
	r = dm_register_target(&recorder_target);
	if (r)
		misc_deregister(&recorder_misc);
	return r;
}

static void __exit recorder_exit(void)
{
	struct item *item;

	dm_unregister_target(&recorder_target);
	misc_deregister(&recorder_misc);
	while ((item = first_item()))
		drop_first(item);
}

module_init(recorder_init);
module_exit(recorder_exit);

MODULE_DESCRIPTION("device-mapper: a log of all that is written to some devices");
MODULE_AUTHOR("The dm-ckpt developers");
MODULE_LICENSE("GPL");
