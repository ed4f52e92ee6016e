/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands: one at a time, on the device and in the model.
 */
#ifndef MODEL_ADMIN_H
#define MODEL_ADMIN_H

#include "model.h"
#include "util.h"

/* These report what fails. */
struct vol *admin_create(uint64_t sectors);
struct vol *admin_adopt(struct base *b);
struct vol *admin_clone(struct ckpt *ck);
struct vol *admin_clone_template(struct base *b);
bool admin_template(struct base *b);
bool admin_take(struct vol **v, unsigned int nr, struct ckpt **ck);
bool admin_apply(struct ckpt **ck, unsigned int nr);
bool admin_drop(struct ckpt **ck, unsigned int nr);
/* With its checkpoints. */
bool admin_delete(struct vol *v);
bool admin_rename(struct vol *v);
bool admin_rename_ck(struct ckpt *ck);
bool admin_grow(struct vol *v, uint64_t sectors);
/* All devices away, and there again. */
bool admin_cycle(bool by_uuid);
/* The store's mode is in order. */
bool admin_status(void);
/* What there is to say after a failure. */
void admin_autopsy(void);

/* While held, no command begins; one that has begun goes on. */
void admin_hold(bool hold);

/* Volumes and checkpoints, from @i on; NULL at the end. */
struct vol *next_vol(uint32_t *i);
struct ckpt *next_ck(uint32_t *i);
#define each_vol(v)	(uint32_t i_ = 0; ((v) = next_vol(&i_)); i_++)
#define each_ck(ck)	(uint32_t i_ = 0; ((ck) = next_ck(&i_)); i_++)

#endif
