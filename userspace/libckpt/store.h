/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open store: which there are, what one holds, and messages to it.
 *
 * Our devices are known by their target and table, never by their name.  Their
 * device-mapper UUIDs are
 *	CKPT-store-<store>
 *	CKPT-vol-<volume>
 *	CKPT-view-<volume>-<checkpoint>-<n>
 */
#ifndef LIBCKPT_STORE_H
#define LIBCKPT_STORE_H

#include "dm.h"
#include "model.h"
#include "status.h"

struct ckpt_store {
	struct ckpt *c;
	struct ckpt_dm_devices devices;		/* all devices of ours, any store */
	const struct ckpt_dm_device *dev;	/* the store's own, in @devices */
	struct ckpt_devno below;		/* the device that it is on */
	struct ckpt_store_status status;
	struct ckpt_model model;
};

/*
 * Find a store by @name: its device's name or path, its UUID, or the path of
 * the device that it is on.  NULL stands for the only one that is open.
 * Neither status nor model are loaded.
 */
enum ckpt_result ckpt_store_find(struct ckpt *c, const char *name, struct ckpt_store *s);

/*
 * The first store device in @devices at or behind index *@i, or NULL; *@i is
 * set behind it.
 */
const struct ckpt_dm_device *ckpt_store_next(const struct ckpt_dm_devices *devices, size_t *i);

/* The number of the device at the start of a table line, "8:16 ..." or a path. */
bool ckpt_store_below(const struct ckpt_dm_device *dev, struct ckpt_devno *below);

/* Load or reload status and model. */
enum ckpt_result ckpt_store_load(struct ckpt_store *s);
enum ckpt_result ckpt_store_load_status(struct ckpt_store *s);

void ckpt_store_free(struct ckpt_store *s);

/*
 * Send a message that changes something.  @what completes "cannot ..." should
 * the kernel refuse it.  *@answer (may be NULL) is allocated; in a dry run it
 * is "".
 */
enum ckpt_result ckpt_store_tell(struct ckpt_store *s, const char *what, char **answer,
				 const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* What takes long has come to this sector of the volume. */
typedef void (*ckpt_at_fn)(void *arg, uint64_t sector);

/* What deleting a checkpoint would bring; see the message "estimate". */
enum ckpt_result ckpt_store_estimate(struct ckpt_store *s, const char *volume,
				     const char *checkpoint, struct ckpt_estimate *estimate,
				     ckpt_at_fn at, void *arg);

/*
 * Is the feature in the store's table?  @value (may be NULL) receives the number
 * behind it.
 */
bool ckpt_store_feature(const struct ckpt_dm_device *dev, const char *name, uint64_t *value);

/*
 * All ranges in which two checkpoints may differ, and none touches the next; see the message
 * "diff".
 */
enum ckpt_result ckpt_store_diff(struct ckpt_store *s, const char *volume,
				 const char *from, const char *to,
				 ckpt_range_fn range, ckpt_at_fn at, void *arg);

/* A sentence for an errno of device-mapper; @what completes "cannot ...". */
enum ckpt_result ckpt_dm_sentence(struct ckpt *c, int err, const char *what);

#endif
