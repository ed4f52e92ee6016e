// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "libckpt/blockdev.h"
#include "libckpt/paths.h"
#include "libckpt/super.h"
#include "libckpt/units.h"
#include "origin.h"

static enum ckpt_result check_new(struct ckpt_store *s, const char *path,
				  const struct ckpt_blockdev *b)
{
	char known[PATH_MAX];
	struct ckpt_blockdev other;
	struct ckpt_error e;
	bool same;

	for (size_t i = 0; i < s->model.base_count; i++) {
		if (ckpt_paths_origin(s->status.uuid, s->model.bases[i].uuid, known, &e) ||
		    ckpt_blockdev_open(known, O_RDONLY, &other, &e))
			continue;
		ckpt_blockdev_close(&other);
		same = other.devno.major == b->devno.major && other.devno.minor == b->devno.minor;
		if (same)
			return ckpt_fail(&s->c->error, CKPT_BUSY,
					 "%s is the origin of base %s already", path,
					 *s->model.bases[i].name ? s->model.bases[i].name :
					 s->model.bases[i].uuid);
	}
	return CKPT_DONE;
}

enum ckpt_result origin_check(struct ckpt_store *s, const char *path, uint64_t *sectors)
{
	uint64_t block = s->status.block_sectors;
	struct ckpt_error *e = &s->c->error;
	char text[CKPT_TEXT_LEN];
	struct ckpt_blockdev b;
	enum ckpt_result result;

	/* What has it now would write to it behind the volume's back. */
	result = ckpt_blockdev_open(path, O_RDONLY | O_EXCL, &b, e);
	if (result)
		return result;
	*sectors = b.sectors;
	if (b.sectors % block)
		result = ckpt_fail(e, CKPT_USAGE,
				   "%s has %llu sectors, which is no multiple of the store's block of %s; make it %llu sectors, or use a store of smaller blocks",
				   path, (unsigned long long)b.sectors,
				   ckpt_human(block * CKPT_SECTOR, text),
				   (unsigned long long)(b.sectors - b.sectors % block));
	else if (block * CKPT_SECTOR < b.logical_bytes)
		result = ckpt_fail(e, CKPT_USAGE,
				   "the sectors of %s (%u bytes) are larger than the store's blocks; use a store made with --block-size %u",
				   path, b.logical_bytes, b.logical_bytes);
	else if (ckpt_super_magic_at(b.fd, CKPT_SUPER_A))
		result = ckpt_fail(e, CKPT_USAGE,
				   "%s is a dm-ckpt store itself and cannot be an origin", path);
	ckpt_blockdev_close(&b);
	return result ? result : check_new(s, path, &b);
}

static int base_exists(void *arg, const char *base)
{
	const struct ckpt_model *m = arg;

	for (size_t i = 0; i < m->base_count; i++)
		if (!strcmp(m->bases[i].uuid, base))
			return 1;
	return 0;
}

void origin_forget_gone(struct ckpt_store *s)
{
	struct ckpt_error e;

	if (!s->c->is_dry && !ckpt_store_load(s))
		if (ckpt_paths_prune(s->status.uuid, base_exists, &s->model, &e))
			s->c->warn(e.text);
}
