// SPDX-License-Identifier: GPL-2.0-only
#include <linux/crc32c.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "owner.h"

static u32 crc_of(const struct ckpt_guard_block *block)
{
	const size_t at = offsetof(struct ckpt_guard_block, crc);
	static const __u8 zero[sizeof(block->crc)];
	const __u8 *bytes = (const __u8 *)block;
	u32 crc = crc32c(~0u, bytes, at);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, bytes + at + sizeof(zero), sizeof(*block) - at - sizeof(zero));
}

void ckpt_owner_seal(struct ckpt_guard_block *block)
{
	block->crc = cpu_to_le32(crc_of(block));
}

bool ckpt_owner_absent(const struct ckpt_guard_block *block)
{
	const __u8 *bytes = (const __u8 *)block;
	size_t i;

	for (i = 0; i < sizeof(*block); i++)
		if (bytes[i])
			return false;
	return true;
}

static bool is_printable(__u8 c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_name(const __u8 *host)
{
	unsigned int i, end = 0;

	while (end < CKPT_GUARD_HOST_BYTES && is_printable(host[end]))
		end++;
	for (i = end; i < CKPT_GUARD_HOST_BYTES; i++)
		if (host[i])
			return false;
	return end && end < CKPT_GUARD_HOST_BYTES;
}

const char *ckpt_owner_verify(const struct ckpt_guard_block *block, const __u8 *uuid)
{
	u32 state = le32_to_cpu(block->state), interval = le32_to_cpu(block->interval);

	if (le32_to_cpu(block->magic) != CKPT_GUARD_MAGIC)
		return "it is none";
	if (le32_to_cpu(block->crc) != crc_of(block))
		return "its checksum is wrong";
	if (memcmp(block->uuid, uuid, CKPT_UUID_BYTES))
		return "it is another store's";
	if (state < CKPT_GUARD_CLEAN || state > CKPT_GUARD_ACTIVE)
		return "it has a state that is not known here";
	if (interval < CKPT_GUARD_INTERVAL_MIN || interval > CKPT_GUARD_INTERVAL_MAX)
		return "its interval is impossible";
	if (!is_name(block->host))
		return "its host has an impossible name";
	return NULL;
}

void ckpt_owner_name(struct ckpt_guard_block *block, const char *name)
{
	unsigned int i;

	memset(block->host, 0, sizeof(block->host));
	for (i = 0; i < sizeof(block->host) - 1 && name[i]; i++)
		block->host[i] = is_printable((__u8)name[i]) ? (__u8)name[i] : '?';
	if (!i)
		block->host[0] = '?';
}

u32 ckpt_owner_interval(const struct ckpt_guard_block *block, const __u8 *uuid)
{
	return ckpt_owner_verify(block, uuid) ? CKPT_GUARD_INTERVAL_MAX :
						le32_to_cpu(block->interval);
}

enum ckpt_owner_first ckpt_owner_first(const struct ckpt_guard_block *block, const __u8 *uuid,
				       const __u8 *boot, bool alone)
{
	if (ckpt_owner_absent(block))
		return CKPT_OWNER_FREE;
	/* A claim that is left over came so late that it has gone over another's block. */
	if (ckpt_owner_verify(block, uuid) || le32_to_cpu(block->state) == CKPT_GUARD_CLAIM)
		return CKPT_OWNER_WATCH;
	if (alone && !memcmp(block->boot, boot, CKPT_UUID_BYTES))
		return CKPT_OWNER_OURS;
	return le32_to_cpu(block->state) == CKPT_GUARD_CLEAN ? CKPT_OWNER_FREE : CKPT_OWNER_WATCH;
}

enum ckpt_owner_found ckpt_owner_found(const struct ckpt_guard_block *found,
				       const struct ckpt_guard_block *mine,
				       const struct ckpt_guard_block *tried, const __u8 *former)
{
	if (!memcmp(found, mine, sizeof(*found)) || !memcmp(found, tried, sizeof(*found)))
		return CKPT_OWNER_SAME;
	if (ckpt_owner_verify(found, mine->uuid))
		return CKPT_OWNER_AGAIN;
	/* One of our own that we have not written: this machine has been copied while it ran. */
	if (!memcmp(found->id, mine->id, CKPT_UUID_BYTES))
		return CKPT_OWNER_LOST;
	if (le32_to_cpu(found->state) == CKPT_GUARD_CLAIM ||
	    !memcmp(found->id, former, CKPT_UUID_BYTES))
		return CKPT_OWNER_AGAIN;
	return CKPT_OWNER_LOST;
}
