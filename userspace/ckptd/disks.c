// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "disks.h"
#include "libckpt/device.h"
#include "libckpt/group.h"
#include "libckpt/units.h"
#include "points.h"

static void warn(const char *sentence)
{
	fprintf(stderr, SD_WARNING "%s\n", sentence);
}


enum ckpt_result disks_open(struct disks *d, const struct vm_file *f)
{
	enum ckpt_result result;

	memset(d, 0, sizeof(*d));
	d->c.warn = warn;
	result = ckpt_dm_check(&d->c);
	if (!result)
		result = ckpt_store_find(&d->c, *f->store ? f->store : NULL, &d->s);
	if (result)
		return result;
	d->is_open = true;
	result = ckpt_store_load(&d->s);
	for (d->count = 0; !result && d->count < f->volumes.count; d->count += !result) {
		const char *name = f->volumes.word[d->count];

		d->volume[d->count] = ckpt_model_volume(&d->s.model, name);
		if (!d->volume[d->count])
			result = ckpt_fail(&d->c.error, CKPT_NOT_FOUND,
					   "store %s has no volume '%s', which is a disk of %s",
					   d->s.dev->name, name, f->name);
	}
	return result;
}

void disks_close(struct disks *d)
{
	if (d->is_open)
		ckpt_store_free(&d->s);
	d->is_open = false;
}

/* What the store holds, once more: pointers into the former model are found again. */
static enum ckpt_result reload(struct disks *d)
{
	char uuid[VM_DISKS_MAX][CKPT_UUID_LEN];
	enum ckpt_result result;

	for (size_t i = 0; i < d->count; i++)
		strcpy(uuid[i], d->volume[i]->uuid);
	result = ckpt_store_load(&d->s);
	for (size_t i = 0; !result && i < d->count; i++) {
		d->volume[i] = ckpt_model_volume(&d->s.model, uuid[i]);
		if (!d->volume[i])
			result = ckpt_fail(&d->c.error, CKPT_NOT_FOUND,
					   "store %s has lost volume %s meanwhile", d->s.dev->name,
					   uuid[i]);
	}
	return result;
}

enum ckpt_result disks_paths(struct disks *d, char path[VM_DISKS_MAX][PATH_MAX])
{
	const struct ckpt_open how = { 0 };
	enum ckpt_result result = CKPT_DONE;
	char name[CKPT_DM_NAME_LEN];

	for (size_t i = 0; !result && i < d->count; i++) {
		const struct ckpt_dm_device *device = ckpt_volume_device(&d->s, d->volume[i]);

		if (device)
			snprintf(name, sizeof(name), "%s", device->name);
		else
			result = ckpt_volume_open(&d->s, d->volume[i], &how, name);
		if (!result)
			ckpt_device_path(name, path[i]);
	}
	return result;
}

/* The part of @m that is volume @v's, by UUID or by the name that it had at first. */
static const struct ckpt_checkpoint *part_of(const struct disks *d, const struct manifest *m,
					     const struct ckpt_volume *v)
{
	char name[CKPT_NAME_BYTES];

	if (*m->group)
		return ckpt_model_checkpoint(&d->s.model, v, m->group);
	snprintf(name, sizeof(name), MANIFEST_STORE_NAME, m->id);
	return ckpt_model_checkpoint(&d->s.model, v, name);
}

/* All parts that there are, also of volumes that the machine has no more. */
static size_t parts_of(const struct disks *d, const struct manifest *m,
		       struct ckpt_part part[VM_DISKS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < m->volumes; i++) {
		const struct ckpt_volume *v = ckpt_model_volume(&d->s.model, m->volume[i]);
		const struct ckpt_checkpoint *cp = v ? part_of(d, m, v) : NULL;

		if (cp)
			part[count++] = (struct ckpt_part){ v, cp };
	}
	return count;
}

bool disks_has(const struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];

	return m->volumes && parts_of(d, m, part) == m->volumes;
}

bool disks_is_viewed(const struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	size_t count = parts_of(d, m, part);

	for (size_t i = 0; i < count; i++)
		if (part[i].checkpoint->is_viewed)
			return true;
	return false;
}

uint64_t disks_used(const struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	size_t count = parts_of(d, m, part);
	uint64_t units = 0;

	for (size_t i = 0; i < count; i++)
		units += ckpt_model_used(&d->s.model, part[i].checkpoint->layer);
	return units * d->s.status.unit_sectors * CKPT_SECTOR;
}

enum ckpt_result disks_may_name(struct disks *d, const char *name)
{
	enum ckpt_result result = ckpt_check_name(name, "checkpoint", &d->c.error);

	return result ? result : ckpt_group_may_take(&d->s, name, d->volume, d->count);
}

void disks_describe(const struct disks *d, struct manifest *m)
{
	strcpy(m->store, d->s.status.uuid);
	for (m->volumes = 0; m->volumes < d->count; m->volumes++)
		strcpy(m->volume[m->volumes], d->volume[m->volumes]->uuid);
}

enum ckpt_result disks_take(struct disks *d, struct manifest *m)
{
	char name[CKPT_NAME_BYTES], *uuid;
	enum ckpt_result result;

	snprintf(name, sizeof(name), MANIFEST_STORE_NAME, m->id);
	result = ckpt_group_take(&d->s, name, m->kind, d->volume, d->count, &uuid);
	if (!result)
		point(POINT_TAKEN);
	if (!result && !ckpt_is_uuid(uuid))
		result = ckpt_fail(&d->c.error, CKPT_FAILED,
				   "the kernel's answer to 'checkpoint' is no UUID");
	if (!result)
		strcpy(m->group, uuid);
	free(uuid);
	return result;
}

bool disks_is_named(const struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	size_t count = parts_of(d, m, part);

	for (size_t i = 0; i < count; i++)
		if (strcmp(part[i].checkpoint->name, m->name))
			return false;
	return true;
}

enum ckpt_result disks_name(struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	enum ckpt_result result = reload(d);
	size_t count;

	if (result)
		return result;
	count = parts_of(d, m, part);
	for (size_t i = 0; !result && i < count; i++)
		if (strcmp(part[i].checkpoint->name, m->name))
			result = ckpt_store_tell(&d->s, "rename the checkpoint", NULL,
						 "rename_checkpoint %s@%s %s", part[i].volume->uuid,
						 part[i].checkpoint->uuid, m->name);
	return result;
}

enum ckpt_result disks_delete(struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	enum ckpt_result result = reload(d);
	size_t count;

	if (result)
		return result;
	if (strcmp(m->store, d->s.status.uuid))
		return ckpt_fail(&d->c.error, CKPT_NOT_FOUND,
				 "checkpoint %s is in another store, %s", m->name, m->store);
	count = parts_of(d, m, part);
	return count ? ckpt_group_delete(&d->s, part, count) : CKPT_DONE;
}

enum ckpt_result disks_apply(struct disks *d, const struct manifest *m)
{
	struct ckpt_part part[VM_DISKS_MAX];
	size_t count = parts_of(d, m, part);

	if (count != m->volumes)
		return ckpt_fail(&d->c.error, CKPT_NOT_FOUND,
				 "checkpoint %s has lost %zu of its %zu disks in the store; it cannot be gone back to",
				 m->name, m->volumes - count, m->volumes);
	return ckpt_group_apply(&d->s, part, count, NULL);
}

/* What each of a list stands on, 0 for none. */
static uint32_t layer_of(const struct disks *d, const struct manifest *m)
{
	const struct ckpt_checkpoint *cp = part_of(d, m, d->volume[0]);

	return cp ? cp->layer : 0;
}

/* The last one on @number or below it, of those before @end. */
static int nearest(const struct disks *d, const uint32_t *layer, size_t count, uint32_t number,
		   size_t end)
{
	while (number) {
		const struct ckpt_layer *l = ckpt_model_layer(&d->s.model, number);

		for (size_t i = end; i-- > 0;)
			if (layer[i] == number)
				return (int)i;
		end = count;
		number = l ? l->below : 0;
	}
	return -1;
}

void disks_parents(const struct disks *d, const struct manifests *list, int *parent, int *now)
{
	uint32_t *layer = calloc(list->count + 1, sizeof(*layer));

	if (!layer)
		abort();
	for (size_t i = 0; i < list->count; i++)
		layer[i] = layer_of(d, &list->m[i]);
	for (size_t i = 0; i < list->count; i++)
		parent[i] = nearest(d, layer, list->count, layer[i], i);
	*now = nearest(d, layer, list->count, d->volume[0]->top, list->count);
	free(layer);
}
