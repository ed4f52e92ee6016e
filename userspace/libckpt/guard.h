/* SPDX-License-Identifier: GPL-2.0-only */
/* What a store's guard says: who has it open, or had it last.  See dm-ckpt/owner.h. */
#ifndef LIBCKPT_GUARD_H
#define LIBCKPT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"
#include "source.h"

enum ckpt_guard_says {
	CKPT_GUARD_SAYS_NOTHING,	/* never open, or made by a tool */
	CKPT_GUARD_SAYS_CLOSED,
	CKPT_GUARD_SAYS_OPEN,		/* or about to be */
	CKPT_GUARD_IS_DAMAGED,
};

struct ckpt_guard_facts {
	enum ckpt_guard_says says;
	const char *why;		/* it is damaged */
	char host[64];
	char boot[CKPT_UUID_LEN];	/* of the host's kernel */
	uint64_t since, written;	/* seconds since 1970 */
	uint32_t watch_seconds;		/* that another host waits if it is open */
};

/* The guard of the store with that UUID.  What cannot be read is damaged. */
void ckpt_guard_read(const struct ckpt_source *source, const uint8_t *uuid,
		     struct ckpt_guard_facts *facts);

/* "host x has the store open since ..., its last sign of life is of ...", for one that is open. */
void ckpt_guard_sentence(const struct ckpt_guard_facts *facts, char *text, size_t size);

/* Would an activation in this kernel watch that guard first?  Not if the kernel has written it. */
bool ckpt_guard_waits(const struct ckpt_guard_facts *facts);

#endif
