/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checkpoints of several volumes at once: what a command and the daemon both do with
 * them.  All functions want a store whose status and model are loaded; the model is
 * that of before, also after a function that changed something.
 */
#ifndef LIBCKPT_GROUP_H
#define LIBCKPT_GROUP_H

#include "store.h"

/* A checkpoint of one volume. */
struct ckpt_part {
	const struct ckpt_volume *volume;
	const struct ckpt_checkpoint *checkpoint;
};

/* CKPT_BUSY if a volume has a checkpoint of that name, CKPT_USAGE if one is there twice. */
enum ckpt_result ckpt_group_may_take(struct ckpt_store *s, const char *name,
				     const struct ckpt_volume *const *volume, size_t count);

/*
 * Take a checkpoint of all volumes at one instant.  *@uuid is allocated; in a dry run it
 * is "".
 */
enum ckpt_result ckpt_group_take(struct ckpt_store *s, const char *name, const char *kind,
				 const struct ckpt_volume *const *volume, size_t count,
				 char **uuid);

/* All or none.  CKPT_BUSY if one is open as a view. */
enum ckpt_result ckpt_group_delete(struct ckpt_store *s, const struct ckpt_part *part,
				   size_t count);

/* Could these go back together, with the present state kept as @save (may be NULL)? */
enum ckpt_result ckpt_group_may_apply(struct ckpt_store *s, const struct ckpt_part *part,
				      size_t count, const char *save);

/*
 * Going back.  A volume that goes back must not be active, so its device is taken away,
 * which fails while anybody has it open, and made again with the same table: with or
 * without success, unless this very program is killed between.  All go back or none.
 * @save (may be NULL) is the name under which the present state is kept first.  SIGINT,
 * SIGTERM and SIGHUP wait meanwhile.
 */
enum ckpt_result ckpt_group_apply(struct ckpt_store *s, const struct ckpt_part *part,
				  size_t count, const char *save);

#endif
