// SPDX-License-Identifier: GPL-2.0-only
#include <blkid/blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "super.h"

/* No device has more; a wipe that changes nothing must end all the same. */
#define SIGNATURES_MAX	256

static blkid_probe new_probe(int fd, struct ckpt_error *e)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0)) {
		ckpt_fail_errno(e, errno, "libblkid cannot look at the device");
		blkid_free_probe(probe);
		return NULL;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_USAGE | BLKID_SUBLKS_LABEL |
					  BLKID_SUBLKS_UUID | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
	return probe;
}

static const char *value(blkid_probe probe, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(probe, name, &text, NULL) ? "" : text;
}

static struct ckpt_signature *add(struct ckpt_signatures *found)
{
	struct ckpt_signature *grown;

	grown = reallocarray(found->signature, found->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	found->signature = grown;
	grown += found->count++;
	memset(grown, 0, sizeof(*grown));
	return grown;
}

static bool add_blkid(struct ckpt_signatures *found, blkid_probe probe)
{
	struct ckpt_signature *s = add(found);
	const char *name;

	if (!s)
		return false;
	if (*value(probe, "TYPE")) {
		name = *value(probe, "LABEL") ? value(probe, "LABEL") : value(probe, "UUID");
		snprintf(s->type, sizeof(s->type), "%s", value(probe, "TYPE"));
		snprintf(s->usage, sizeof(s->usage), "%s", value(probe, "USAGE"));
		snprintf(s->name, sizeof(s->name), "%s", name);
		s->offset = strtoull(value(probe, "SBMAGIC_OFFSET"), NULL, 10);
	} else {
		snprintf(s->type, sizeof(s->type), "%s", value(probe, "PTTYPE"));
		snprintf(s->usage, sizeof(s->usage), "partitions");
		s->offset = strtoull(value(probe, "PTMAGIC_OFFSET"), NULL, 10);
	}
	return true;
}

static bool add_own(struct ckpt_signatures *found, int fd)
{
	static const uint64_t places[] = { CKPT_SUPER_A, CKPT_SUPER_B };
	struct ckpt_signature *s;

	for (int i = 0; i < 2; i++) {
		if (!ckpt_super_magic_at(fd, places[i]))
			continue;
		s = add(found);
		if (!s)
			return false;
		snprintf(s->type, sizeof(s->type), "dm-ckpt store");
		snprintf(s->usage, sizeof(s->usage), "store");
		s->offset = places[i] << CKPT_SECTOR_SHIFT;
	}
	return true;
}

enum ckpt_result ckpt_probe(int fd, struct ckpt_signatures *found, struct ckpt_error *e)
{
	blkid_probe probe = new_probe(fd, e);
	int ret = 0;

	memset(found, 0, sizeof(*found));
	if (!probe)
		return e->result;

	while (found->count < SIGNATURES_MAX && (ret = blkid_do_probe(probe)) == 0)
		if (!add_blkid(found, probe)) {
			errno = ENOMEM;
			ret = -1;
			break;
		}
	blkid_free_probe(probe);

	if (ret < 0 || !add_own(found, fd)) {
		ckpt_signatures_free(found);
		return ckpt_fail_errno(e, errno, "the device cannot be searched for signatures");
	}
	return CKPT_DONE;
}

void ckpt_signatures_free(struct ckpt_signatures *found)
{
	free(found->signature);
	memset(found, 0, sizeof(*found));
}

enum ckpt_result ckpt_probe_wipe(int fd, struct ckpt_error *e)
{
	blkid_probe probe = new_probe(fd, e);
	struct ckpt_signatures left;
	enum ckpt_result result;
	int i;

	if (!probe)
		return e->result;
	/* A step back after each, as some formats have copies of their magic. */
	for (i = 0; i < SIGNATURES_MAX && blkid_do_probe(probe) == 0; i++) {
		if (blkid_do_wipe(probe, 0))
			break;
		blkid_probe_step_back(probe);
	}
	blkid_free_probe(probe);

	result = ckpt_super_erase(fd, e);
	if (result)
		return result;
	if (fsync(fd))
		return ckpt_fail_errno(e, errno, "the device cannot be written");

	result = ckpt_probe(fd, &left, e);
	if (!result && left.count)
		result = ckpt_fail(e, CKPT_FAILED,
				   "the %s signature at byte %llu cannot be erased; 'wipefs --all' may help",
				   left.signature->type,
				   (unsigned long long)left.signature->offset);
	ckpt_signatures_free(&left);
	return result;
}
