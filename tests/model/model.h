/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every volume and checkpoint must contain.
 *
 * The functions here are called around what is done to the device: a _begin
 * before, an _end after.  What lies between is uncertain, and the model keeps
 * both possibilities until the device was read.  Every begin and end is an event
 * (evlog.h), and the same functions rebuild the model from the events of a run
 * that a crash ended.
 *
 * LOCKING: a volume's lock guards its maps and lists; the functions take it.
 * Checkpoints belong to the one thread that issues commands.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "evlog.h"
#include "map.h"

#define MAX_VOLS	8192
#define MAX_CKPTS	65536
#define MAX_MEMBERS	16	/* volumes or checkpoints in a command */
#define SMALL_OP	256u	/* sectors: one bio, whatever the device's limits */

enum op_type { OP_READ, OP_WRITE, OP_DISCARD, OP_ZERO, OP_TYPES };
extern const char *const op_names[OP_TYPES];

struct op {
	uint32_t id;		/* overlapping ones: in order */
	uint32_t vol;
	uint8_t type;
	uint8_t thread;
	bool first;		/* no block of it was in the volume's head before */
	bool hard;		/* a discard that must give zeros in whole blocks */
	bool failed;		/* for want of space: any part of it may be there, for ever */
	uint32_t len;
	uint64_t sector;
	uint64_t start;		/* events */
	uint64_t end;		/* 0: not yet */
	uint64_t durable;	/* 0: may be lost */
};

struct op *op_get(uint32_t id);
uint32_t op_last(void);
/* Does this operation leave zeros, data, or (partial discards) one of two? */
bool op_soft(const struct op *op, uint64_t sector);

/* A growing list of operations. */
struct oplist {
	uint32_t *id;
	uint32_t nr, room;
};

/* Collects what starts on a volume while something is looked at. */
struct watch {
	struct watch *next;
	uint64_t sector, len;
	struct oplist ops;
};

struct base {
	uint32_t id;
	bool template;
	bool taken;		/* adopted, or a template in the store */
	bool gone;		/* its volume was deleted */
	uint64_t size;
	struct map map;		/* what was on it at first */
};

struct node;			/* see tree.h */

enum vol_state { VOL_NONE, VOL_INACTIVE, VOL_ACTIVE };

struct vol {
	uint32_t id, rev;
	enum vol_state state;
	uint64_t size;
	struct base *base;	/* its chain ends there */
	bool owner;		/* adopted it */
	struct node *top;	/* its head, or its base when it passes through */

	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct map cur;		/* all that was completed */
	struct map dur;		/* the part that a flush covered */
	struct oplist maybe;	/* begun and not in dur, by id */
	struct op **busy;	/* in flight, reads too */
	unsigned int nr_busy, busy_room;
	struct watch *watches;
	uint8_t *touched;	/* blocks that were in the head since ... */
	bool pure;		/* ... it was made, and nothing merged into it */

	int fd;			/* of the device, for the I/O threads */
	uint64_t dev_size;	/* its length, which follows @size */
	unsigned int users;
	bool closing;
};

/* When can a checkpoint have been taken, by what was found in it? */
struct group {
	uint32_t id;
	uint64_t after, before;	/* events */
	uint32_t after_op, before_op;
};

struct ckpt {
	uint32_t id, rev;
	bool there;
	uint64_t size;
	struct vol *vol;
	struct group *group;
	struct map map;		/* what was completed when it was begun */
	uint64_t begun;
	struct watch watch;	/* what may be in it besides */
	unsigned int views;
	struct node *node;
};

struct model {
	pthread_mutex_t lock;	/* of the lists, of fd, users and closing */
	pthread_cond_t cond;
	struct vol *vol[MAX_VOLS];
	struct ckpt *ck[MAX_CKPTS];
	struct group *group[MAX_CKPTS];
	struct base base[8];
	uint32_t nr_vols, nr_cks, nr_groups, nr_bases;	/* ids ever given */
};

extern struct model model;
/* Not 0: the number of the event that is being replayed. */
extern uint64_t replaying;

struct vol *vol_new(uint32_t id, uint64_t size, struct base *base);
struct ckpt *ckpt_new(uint32_t id, struct vol *v, uint32_t group);
struct base *base_new(uint32_t id, uint64_t size);
void ckpt_drop(struct ckpt *ck);
/* A new operation; @id 0: the next number. */
struct op *op_define(uint32_t id, enum op_type type, uint32_t vol, uint64_t sector,
		     uint32_t len, unsigned int thread);

/* Writes, discards and zeroes; begin waits for what overlaps. */
struct op *write_begin(struct vol *v, enum op_type type, uint64_t sector, uint32_t len,
		       unsigned int thread, uint32_t id);
void write_end(struct vol *v, struct op *op, bool durable);
/* There was no space for it. */
void write_failed(struct vol *v, struct op *op);

/* Reads that hold off writes; @vals gets what must be there. */
void read_begin(struct vol *v, struct op *op, uint32_t *vals);
/* If @vals, ambiguous values are now known. */
void read_end(struct vol *v, struct op *op, const uint32_t *vals);

/* Look beside writes: @vals gets what is there, @w what may be as well. */
void watch_begin(struct vol *v, struct watch *w, uint64_t sector, uint32_t len,
		 uint32_t *vals);
/* The same for all of the volume, from the moment of this event on. */
uint64_t watch_all(struct vol *v, struct watch *w, struct map *copy,
		   const struct event *e);
void watch_end(struct vol *v, struct watch *w);

uint64_t flush_begin(struct vol *v);
void flush_end(struct vol *v, uint64_t begun);
/* All that had ended by then survives a crash. */
void durable_until(struct vol *v, uint64_t begun);

enum cmd_type {
	CMD_CREATE,	/* volume; checkpoint: cloned from it, else base, else empty */
	CMD_DELETE,	/* volume */
	CMD_TAKE,	/* volumes and new checkpoints */
	CMD_DROP,	/* checkpoints */
	CMD_APPLY,	/* volumes and checkpoints */
	CMD_RENAME,	/* volume, arg: revision */
	CMD_RENAME_CK,	/* checkpoint, arg: revision */
	CMD_GROW,	/* volume, arg: size */
	CMD_TYPES
};
extern const char *const cmd_names[CMD_TYPES];

/* The command that is under way; there is one at a time. */
struct cmd {
	enum cmd_type type;
	unsigned int nr;
	struct {
		struct vol *vol;
		struct ckpt *ck;
	} m[MAX_MEMBERS];
	uint64_t arg;
	uint32_t group;
	struct base *base;
};

void cmd_begin(struct cmd *c);
void cmd_begin_member(struct cmd *c, unsigned int i);
void cmd_end(struct cmd *c, bool ok);

void oplist_add(struct oplist *l, uint32_t id);
void oplist_free(struct oplist *l);

#endif
