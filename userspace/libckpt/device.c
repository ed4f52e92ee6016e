// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blockdev.h"
#include "device.h"
#include "paths.h"
#include "units.h"

/* Is @d a device of this store, and of which "<volume>[@<checkpoint>]"? */
static bool child_id(const struct ckpt_store *s, const struct ckpt_dm_device *d,
		     char id[2 * CKPT_NAME_BYTES])
{
	struct ckpt_devno store;

	return !strcmp(d->target, CKPT_TARGET_VOLUME) && ckpt_store_below(d, &store) &&
	       store.major == s->dev->devno.major && store.minor == s->dev->devno.minor &&
	       sscanf(d->params, "%*s %223s", id) == 1;
}

const struct ckpt_dm_device *ckpt_child_device(const struct ckpt_store *s, size_t *i)
{
	char id[2 * CKPT_NAME_BYTES];

	while (*i < s->devices.count) {
		const struct ckpt_dm_device *d = &s->devices.device[(*i)++];

		if (child_id(s, d, id))
			return d;
	}
	return NULL;
}

const struct ckpt_dm_device *ckpt_volume_device(const struct ckpt_store *s,
						const struct ckpt_volume *v)
{
	const struct ckpt_dm_device *d;
	char id[2 * CKPT_NAME_BYTES];
	size_t i = 0;

	while ((d = ckpt_child_device(s, &i)))
		if (child_id(s, d, id) && (!strcmp(id, v->uuid) || !strcmp(id, v->name)))
			return d;
	return NULL;
}

const struct ckpt_dm_device *ckpt_view_device(const struct ckpt_store *s,
					      const struct ckpt_volume *v,
					      const struct ckpt_checkpoint *cp,
					      size_t *i)
{
	const struct ckpt_dm_device *d;
	char id[2 * CKPT_NAME_BYTES], *at;

	while ((d = ckpt_child_device(s, i))) {
		at = child_id(s, d, id) ? strchr(id, '@') : NULL;
		if (!at)
			continue;
		*at++ = '\0';
		if ((!strcmp(id, v->uuid) || !strcmp(id, v->name)) &&
		    (!cp || !strcmp(at, cp->uuid) || !strcmp(at, cp->name)))
			return d;
	}
	return NULL;
}

static enum ckpt_result check_device_name(struct ckpt *c, const char *name, size_t length)
{
	if (length >= CKPT_DM_NAME_LEN || !ckpt_dm_name_fits(name))
		return ckpt_fail(&c->error, CKPT_USAGE,
				 "device-mapper cannot call a device '%.140s': at most %d bytes, of which others than ASCII count four times; give a shorter one with --name",
				 name, CKPT_DM_NAME_LEN - 1);
	return CKPT_DONE;
}

enum ckpt_result ckpt_volume_device_name(struct ckpt_store *s, const char *volume,
					 char name[CKPT_DM_NAME_LEN])
{
	int length = snprintf(name, CKPT_DM_NAME_LEN, "%s-%s", s->dev->name, volume);

	return check_device_name(s->c, name, (size_t)length);
}

void ckpt_device_path(const char *name, char path[PATH_MAX])
{
	struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
	char *mangled = NULL;

	/* What is mangled is the name in the kernel's answer. */
	if (task && dm_task_set_name(task, name) && dm_task_run(task))
		mangled = dm_task_get_name_mangled(task);
	snprintf(path, PATH_MAX, "%s/%s", dm_dir(), mangled ? mangled : name);
	dm_free(mangled);
	if (task)
		dm_task_destroy(task);
}

void ckpt_remember_origin(struct ckpt_store *s, const struct ckpt_base *base,
			  const char *path)
{
	char stable[PATH_MAX];
	struct ckpt_error e;

	if (s->c->is_dry)
		return;
	ckpt_stable_path(CKPT_DISK_ROOT, path, stable);
	if (ckpt_paths_set_origin(s->status.uuid, base->uuid, stable, &e))
		s->c->warn(e.text);
}

/*
 * The origin of a chain as it stands in tables: "-", or a device number.
 * @path receives the path that it was found by.
 */
static enum ckpt_result find_origin(struct ckpt_store *s, uint32_t top, const char *given,
				    char text[32], char path[PATH_MAX])
{
	const struct ckpt_base *base = ckpt_model_bottom(&s->model, top);
	char has[CKPT_TEXT_LEN], wants[CKPT_TEXT_LEN];
	struct ckpt_error *e = &s->c->error;
	struct ckpt_blockdev b;
	enum ckpt_result result;

	if (!base) {
		if (given)
			return ckpt_fail(e, CKPT_USAGE,
					 "this one has no origin; leave --origin away");
		strcpy(text, "-");
		*path = '\0';
		return CKPT_DONE;
	}

	if (given) {
		snprintf(path, PATH_MAX, "%s", given);
	} else {
		result = ckpt_paths_origin(s->status.uuid, base->uuid, path, e);
		if (result == CKPT_NOT_FOUND)
			return ckpt_fail(e, CKPT_NOT_FOUND,
					 "where the origin (base %s) is, is not known on this host; give its device with --origin",
					 base->uuid);
		if (result)
			return result;
	}

	result = ckpt_blockdev_open(path, O_RDONLY, &b, e);
	if (result)
		return given ? result :
		       ckpt_fail(e, result, "%s; if the origin has moved, give its device with --origin",
				 e->text);
	ckpt_blockdev_close(&b);
	if (b.sectors < base->sectors)
		return ckpt_fail(e, CKPT_FAILED,
				 "%s has %s and the origin had %s: is it the right device?", path,
				 ckpt_human(b.sectors * CKPT_SECTOR, has),
				 ckpt_human(base->sectors * CKPT_SECTOR, wants));
	snprintf(text, 32, "%u:%u", b.devno.major, b.devno.minor);
	return CKPT_DONE;
}

/* Make a device for "<id>", which sits on @top. */
static enum ckpt_result make(struct ckpt_store *s, const char *id, uint32_t top,
			     uint64_t sectors, const struct ckpt_open *how, bool is_view,
			     const char *name, const char *uuid)
{
	char origin[32], path[PATH_MAX], params[512], what[300];
	struct ckpt_dm_table table = {
		.target = CKPT_TARGET_VOLUME,
		.params = params,
		.sectors = sectors,
		/* What is below a writable table has to be writable too. */
		.is_readonly = is_view || how->is_readonly || s->dev->is_readonly,
		.is_hidden = is_view,
	};
	enum ckpt_result result;
	int err;

	result = find_origin(s, top, how->origin, origin, path);
	if (result)
		return result;
	if (ckpt_dm_exists(name))
		return ckpt_fail(&s->c->error, CKPT_BUSY,
				 "there is a device called %s already; choose another name with --name",
				 name);

	snprintf(params, sizeof(params), "%u:%u %s %s 0", s->dev->devno.major,
		 s->dev->devno.minor, id, origin);
	snprintf(what, sizeof(what), "make device %s", name);
	err = ckpt_dm_create(s->c, name, uuid, &table);
	if (err == -EBUSY && *path)
		return ckpt_fail(&s->c->error, CKPT_BUSY,
				 "cannot %s: it, or its origin %s, is in use by somebody else; the kernel's log (dmesg) says more",
				 what, path);
	if (err)
		return ckpt_dm_sentence(s->c, err, what);
	if (how->origin && *path)
		ckpt_remember_origin(s, ckpt_model_bottom(&s->model, top), path);
	return CKPT_DONE;
}

enum ckpt_result ckpt_volume_open(struct ckpt_store *s, const struct ckpt_volume *v,
				  const struct ckpt_open *how, char name[CKPT_DM_NAME_LEN])
{
	const struct ckpt_dm_device *d = ckpt_volume_device(s, v);
	char uuid[CKPT_DM_UUID_LEN];
	enum ckpt_result result;

	if (d)
		return ckpt_fail(&s->c->error, CKPT_BUSY, "volume %s is open already, as device %s",
				 v->name, d->name);
	if (how->name) {
		result = check_device_name(s->c, how->name, strlen(how->name));
		snprintf(name, CKPT_DM_NAME_LEN, "%s", how->name);
	} else {
		result = ckpt_volume_device_name(s, v->name, name);
	}
	if (result)
		return result;
	snprintf(uuid, sizeof(uuid), "CKPT-vol-%s", v->uuid);
	return make(s, v->uuid, v->top, v->sectors, how, false, name, uuid);
}

/* The lowest number that no view of the checkpoint has in its UUID. */
static void view_uuid(const struct ckpt_store *s, const struct ckpt_volume *v,
		      const struct ckpt_checkpoint *cp, char uuid[CKPT_DM_UUID_LEN])
{
	bool taken = true;

	for (unsigned int n = 1; taken; n++) {
		snprintf(uuid, CKPT_DM_UUID_LEN, "CKPT-view-%s-%s-%u", v->uuid, cp->uuid, n);
		taken = false;
		for (size_t i = 0; i < s->devices.count; i++)
			taken |= !strcmp(s->devices.device[i].uuid, uuid);
	}
}

enum ckpt_result ckpt_view_open(struct ckpt_store *s, const struct ckpt_volume *v,
				const struct ckpt_checkpoint *cp,
				const struct ckpt_open *how, char name[CKPT_DM_NAME_LEN])
{
	char uuid[CKPT_DM_UUID_LEN], id[2 * CKPT_UUID_LEN];
	enum ckpt_result result;
	int length;

	if (how->name)
		length = snprintf(name, CKPT_DM_NAME_LEN, "%s", how->name);
	else
		length = snprintf(name, CKPT_DM_NAME_LEN, "%s-%s-%s", s->dev->name, v->name,
				  cp->name);
	result = check_device_name(s->c, name, (size_t)length);
	if (result)
		return result;
	view_uuid(s, v, cp, uuid);
	snprintf(id, sizeof(id), "%s@%s", v->uuid, cp->uuid);
	return make(s, id, cp->layer, ckpt_model_sectors(&s->model, cp->layer), how, true,
		    name, uuid);
}

enum ckpt_result ckpt_device_remove(struct ckpt *c, const struct ckpt_dm_device *d)
{
	char users[256], what[300];
	int err;

	/* Known users stay; only others may be worth the wait for a retry. */
	ckpt_blockdev_users(d->devno, users, sizeof(users));
	if (*users)
		return ckpt_fail(&c->error, CKPT_BUSY, "device %s is in use%s; end that first",
				 d->name, users);

	err = ckpt_dm_remove(c, d->name);
	if (err == -EBUSY)
		return ckpt_fail(&c->error, CKPT_BUSY,
				 "device %s is in use: some program has it open ('fuser -v' or lsof names it); end that first",
				 d->name);
	snprintf(what, sizeof(what), "remove device %s", d->name);
	return err ? ckpt_dm_sentence(c, err, what) : CKPT_DONE;
}
