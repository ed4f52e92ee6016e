/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every file of the model test needs: random numbers, allocation that does
 * not fail, and the options of the run.
 */
#ifndef MODEL_UTIL_H
#define MODEL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_SHIFT	9
#define SECTOR_SIZE	512u
#define MIB_SECTORS	2048u

#define MAX_ORIGINS	8
#define MAX_THREADS	16

/* Each argument counts once: one of them may draw a random number. */
#define min(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ > b_ ? a_ : b_; })
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* A part of a block device. */
struct slice {
	char		dev[256];
	uint64_t	start;		/* sectors */
	uint64_t	len;
};

struct config {
	uint32_t	seed;
	uint64_t	ops;		/* I/O operations of all threads */
	unsigned int	seconds;	/* bound of the random phase, 0: none */
	unsigned int	block;		/* sectors */
	unsigned int	volumes;	/* to keep around */
	unsigned int	checkpoints;	/* of all volumes, at most */
	unsigned int	threads;	/* 0: I/O and commands by turns, in one thread */
	unsigned int	chain;
	unsigned int	size_mib;	/* first size of a volume's dense window */
	bool		huge;		/* volumes of many terabytes as well */
	bool		low;		/* the store counts as short of space */
	bool		full;		/* the store may have no space for a write */

	struct slice	store;
	struct slice	origin[MAX_ORIGINS];
	unsigned int	origins;
	const char	*prefix;	/* of the names of devices */

	const char	*fake;		/* directory of the emulated target */
	const char	*inject;	/* fault of the emulated target */
	bool		die;		/* emulated target: end in the middle of it all */

	const char	*log;		/* events, to survive the crash */
	bool		resume;		/* there was a crash: hold it against the log */
	bool		verify_only;
	const char	*disk;		/* store and origins are slices of it */
	const char	*copy_to;	/* copy of the disk under load */
	const char	*marks;		/* recorder that gets a mark for what ended */
	const char	*contents;	/* file for what was found after a crash */
	uint64_t	cut_ack;	/* a crash in the middle of the log, see evlog.h */
	uint64_t	cut_start;

	bool		keep;		/* leave the devices there after a failure */
	bool		verbose;
};

extern struct config cfg;

/* All of a device, which must be there. */
void config_slice(struct slice *s, const char *dev);
/* The options are complete: where everything is, and which windows of volumes are looked at. */
void config_lay_out(void);

struct rng {
	uint64_t s;
};

void rng_init(struct rng *r, uint64_t seed);
uint32_t rng_u32(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);	/* 0 if n is 0 */
static inline bool rng_chance(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

void *xmalloc(size_t n);
void *xzalloc(size_t n);
void *xrealloc(void *p, size_t n);
void *xbuffer(size_t n);		/* aligned for O_DIRECT */

uint32_t crc32c(uint32_t crc, const void *data, size_t len);
uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

#endif
