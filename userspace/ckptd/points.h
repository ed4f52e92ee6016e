/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named points at which tests have the daemon killed: CKPTD_KILL_AT=NAME in its
 * environment, as with a power cut or "kill -9" just then.  "ckptd --points" lists them.
 * Where nothing is said, a point is a comparison.
 */
#ifndef CKPTD_POINTS_H
#define CKPTD_POINTS_H

#include <stdbool.h>

#define POINTS(POINT) \
	/* taking: */ \
	POINT(BEGUN, "begun")		/* there is a folder, and nothing in the store */ \
	POINT(FREEZING, "freezing")	/* the agent is to be told to freeze now */ \
	POINT(FROZEN, "frozen")		/* it has, nothing is taken */ \
	POINT(THAWING, "thawing")	/* all is taken, and it is to thaw now */ \
	POINT(THAWED, "thawed")		/* it has; or did not freeze */ \
	POINT(HELD, "held")		/* the guest runs, and QEMU waits to write its memory */ \
	POINT(STOPPING, "stopping")	/* the guest runs, and is to be stopped now */ \
	POINT(STOPPED, "stopped")	/* it stands still, nothing is taken */ \
	POINT(TAKEN, "taken")		/* the store has it, the folder does not say so */ \
	POINT(COPIED, "copied")		/* the configuration is there */ \
	POINT(RUNNING, "running")	/* it runs again, its memory is not all there */ \
	POINT(REMEMBERED, "remembered")	/* its memory is */ \
	POINT(WRITTEN, "written")	/* all is durable, but for its name */ \
	POINT(PUBLISHED, "published")	/* it is a checkpoint */ \
	POINT(NAMED, "named")		/* and called so in the store */ \
	/* deleting: */ \
	POINT(HIDDEN, "hidden")		/* it is none any more, and the store still has it */ \
	POINT(UNTIED, "untied")		/* the store has it no more */ \
	/* renaming: */ \
	POINT(RENAMED, "renamed")	/* the manifest, and not yet the store */ \
	/* going back: */ \
	POINT(MEANT, "meant")		/* that is noted, and nothing done */ \
	POINT(OFF, "off")		/* the machine that ran has ended */ \
	POINT(BACK, "back")		/* the disks are those of the checkpoint */ \
	POINT(RETURNED, "returned")	/* and that is noted */ \
	POINT(WAITING, "waiting")	/* QEMU waits for the memory */ \
	POINT(LOADED, "loaded")		/* it has it all, and the guest is yet to run */ \
	POINT(RESUMED, "resumed")	/* it runs */

#define POINT_ID(id, name) POINT_##id,
enum point {
	POINTS(POINT_ID)
	POINT_COUNT
};
#undef POINT_ID

extern const char *const point_names[POINT_COUNT];

/* Die here, if that is wanted. */
void point(enum point p);

/*
 * What tests have done wrong on purpose, by CKPTD_FAULT=NAME, to see that they would find it:
 *
 *	disks-late	a guest's disks are taken when its memory is written
 */
bool point_fault(const char *name);

#endif
