/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices of volumes and views.  All functions want a store whose status
 * and model are loaded.  s->devices stay as ckpt_store_find() saw them, also
 * after a function that makes or removes one.
 */
#ifndef LIBCKPT_DEVICE_H
#define LIBCKPT_DEVICE_H

#include <limits.h>

#include "store.h"

/*
 * The device of a volume, NULL if it has none.  For views, *@i is where to go
 * on: 0 at first.  @checkpoint NULL stands for any of the volume.
 */
const struct ckpt_dm_device *ckpt_volume_device(const struct ckpt_store *s,
						const struct ckpt_volume *v);
const struct ckpt_dm_device *ckpt_view_device(const struct ckpt_store *s,
					      const struct ckpt_volume *v,
					      const struct ckpt_checkpoint *checkpoint,
					      size_t *i);

/* Any device of the store, volume or view. */
const struct ckpt_dm_device *ckpt_child_device(const struct ckpt_store *s, size_t *i);

/*
 * What a volume's device is called unless somebody says otherwise.  CKPT_USAGE
 * if that is too long for device-mapper.
 */
enum ckpt_result ckpt_volume_device_name(struct ckpt_store *s, const char *volume,
					 char name[CKPT_DM_NAME_LEN]);

/* The path where a device's node is to be found. */
void ckpt_device_path(const char *name, char path[PATH_MAX]);

struct ckpt_open {
	const char *origin;	/* path; NULL: the one that is on file */
	const char *name;	/* of the device; NULL: the usual one */
	bool is_readonly;
};

/*
 * Make the device of a volume.  An origin that was given and was right is kept
 * on file.  @name receives the device's name.
 */
enum ckpt_result ckpt_volume_open(struct ckpt_store *s, const struct ckpt_volume *v,
				  const struct ckpt_open *how, char name[CKPT_DM_NAME_LEN]);

/* A checkpoint as a read-only device. */
enum ckpt_result ckpt_view_open(struct ckpt_store *s, const struct ckpt_volume *v,
				const struct ckpt_checkpoint *cp,
				const struct ckpt_open *how, char name[CKPT_DM_NAME_LEN]);

/* CKPT_BUSY with who uses it, if somebody does. */
enum ckpt_result ckpt_device_remove(struct ckpt *c, const struct ckpt_dm_device *d);

/* Keep on file where the origin of @base is.  Only warns if it cannot. */
void ckpt_remember_origin(struct ckpt_store *s, const struct ckpt_base *base,
			  const char *path);

#endif
