/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be asked of the daemon.  Each takes a request over and answers it, now or
 * later.
 */
#ifndef CKPTD_OPERATIONS_H
#define CKPTD_OPERATIONS_H

#include "jobs.h"

/* Whatever the request asks for. */
void operation_any(struct request *r, void *daemon);

/* describe.c: {"vm", "volume": [...], and what else a description may have}; {"vm"} */
void operation_add(struct request *r, struct daemon *daemon);
void operation_remove(struct request *r, struct daemon *daemon);
/* power.c: {"vm"}; {"vm", "force"?} */
void operation_start(struct request *r, struct daemon *daemon);
void operation_stop(struct request *r, struct daemon *daemon);
/* power.c: {"vm"}; {"vm"}: what is being done to it, whatever that is */
void operation_progress(struct request *r, struct daemon *daemon);
void operation_cancel(struct request *r, struct daemon *daemon);
/* take.c: {"vm", "name", "kind"?}; kind is standard, production or production-only. */
void operation_take(struct request *r, struct daemon *daemon);
/* back.c: {"vm", "checkpoint", "save_current"?, "disks_only"?, "paused"?} */
void operation_apply(struct request *r, struct daemon *daemon);
/* show.c: {}; {"vm"}; {"vm"} */
void operation_list(struct request *r, struct daemon *daemon);
void operation_show(struct request *r, struct daemon *daemon);
void operation_tree(struct request *r, struct daemon *daemon);
/* change.c: {"vm", "checkpoint", "subtree"?}; {"vm", "checkpoint", "name"} */
void operation_delete(struct request *r, struct daemon *daemon);
void operation_rename(struct request *r, struct daemon *daemon);

#endif
