/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices of a run: below, the store and the origins; above, volumes and
 * views.  And the words in which the targets are spoken to.
 */
#ifndef MODEL_STACK_H
#define MODEL_STACK_H

#include "model.h"

#define NAME_LEN	64

struct view {
	struct ckpt *ck;
	char name[NAME_LEN];
	int fd;
};

const char *vol_name(char *buf, const struct vol *v);
const char *ck_name(char *buf, const struct ckpt *ck);		/* <volume>@<name> */
const char *vol_dev(char *buf, const struct vol *v);
const char *store_dev(void);
const char *base_name(char *buf, const struct base *b);
#define VOL_NAME(v)	vol_name((char[NAME_LEN]){ 0 }, v)
#define CK_NAME(ck)	ck_name((char[NAME_LEN]){ 0 }, ck)
#define VOL_DEV(v)	vol_dev((char[NAME_LEN]){ 0 }, v)
#define BASE_NAME(b)	base_name((char[NAME_LEN]){ 0 }, b)

/* Store and origins.  False: it failed, and that was reported. */
bool stack_up(bool format);
void stack_down(void);
/* Origins only: before the store is there, to write their first content. */
bool origins_up(void);
bool origins_down(void);
bool origin_grow(const struct base *b, uint64_t sectors);
bool lower_up(void);
const char *lower_dev(void);
bool store_grow(void);

/* A message to the store; the error if it failed. */
int send_message(char **answer, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* All pages of an answer in one. */
char *send_paged(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A volume's device.  Closing waits until the I/O threads are out of it. */
bool vol_activate(struct vol *v, bool by_uuid);
bool vol_deactivate(struct vol *v);
bool vol_reload(struct vol *v, bool by_uuid);
/* The same device, but linear over its origin; vol_reload() brings it back. */
bool vol_linear(struct vol *v);

bool view_open(struct view *w, struct ckpt *ck);
bool view_close(struct view *w);

#endif
