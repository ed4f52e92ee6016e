// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dm-ckpt/codec.h"
#include "dm-ckpt/owner.h"
#include "guard.h"

#define BOOT_PATH "/sys/module/dm_ckpt/parameters/guard_boot"
#define SECOND 1000000000u

void ckpt_guard_read(const struct ckpt_source *source, const uint8_t *uuid,
		     struct ckpt_guard_facts *facts)
{
	/* A whole node: nothing less can be read from some devices. */
	union {
		struct ckpt_guard_block block;
		uint8_t node[CKPT_NODE_BYTES];
	} u;

	memset(facts, 0, sizeof(*facts));
	facts->says = CKPT_GUARD_IS_DAMAGED;
	facts->watch_seconds = ckpt_owner_watch_ms(CKPT_GUARD_INTERVAL_MAX) / 1000;
	if (source->read(source->arg, &u, CKPT_GUARD_PLACE << CKPT_SECTOR_SHIFT, sizeof(u))) {
		facts->why = "it cannot be read";
		return;
	}
	if (ckpt_owner_absent(&u.block)) {
		facts->says = CKPT_GUARD_SAYS_NOTHING;
		return;
	}
	facts->why = ckpt_owner_verify(&u.block, uuid);
	if (facts->why)
		return;
	facts->says = le32_to_cpu(u.block.state) == CKPT_GUARD_CLEAN ? CKPT_GUARD_SAYS_CLOSED :
								       CKPT_GUARD_SAYS_OPEN;
	memcpy(facts->host, u.block.host, sizeof(facts->host));
	ckpt_uuid_format(u.block.boot, facts->boot);
	facts->since = le64_to_cpu(u.block.since) / SECOND;
	facts->written = le64_to_cpu(u.block.written) / SECOND;
	facts->watch_seconds = ckpt_owner_watch_ms(le32_to_cpu(u.block.interval)) / 1000;
}

static void put_time(uint64_t seconds, char *text, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(text, size, "(an impossible time)");
}

void ckpt_guard_sentence(const struct ckpt_guard_facts *facts, char *text, size_t size)
{
	char since[32], written[32];

	put_time(facts->since, since, sizeof(since));
	put_time(facts->written, written, sizeof(written));
	snprintf(text, size,
		 "host %s has had the store open since %s, and its last sign of life is of %s",
		 facts->host, since, written);
}

bool ckpt_guard_waits(const struct ckpt_guard_facts *facts)
{
	char boot[CKPT_UUID_LEN] = "";
	FILE *f;

	if (facts->says == CKPT_GUARD_IS_DAMAGED)
		return true;
	if (facts->says != CKPT_GUARD_SAYS_OPEN)
		return false;
	f = fopen(BOOT_PATH, "re");
	if (f) {
		if (!fgets(boot, sizeof(boot), f))
			*boot = '\0';
		fclose(f);
	}
	return strcmp(boot, facts->boot) != 0;
}
