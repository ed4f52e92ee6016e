/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon and the guard say to each other, over a socket of packets. */
#ifndef CKPTD_GUARD_INSIDE_H
#define CKPTD_GUARD_INSIDE_H

#include "guard.h"

/* The guard's end.  A byte from the daemon, any, means "thaw"; so does its end. */
#define GUARD_CONTROL	3

enum guard_task {
	GUARD_FREEZE,
	GUARD_THAW,
	GUARD_SET_TIME,
};

struct guard_message {
	enum {
		GUARD_FROZEN = 1,
		GUARD_ENDED,		/* with @error; nothing comes behind it */
	} what;
	struct ckpt_error error;
};

#endif
