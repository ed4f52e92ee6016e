/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine's checkpoints on disk: below its directory a folder for each, called by the
 * checkpoint's id, with
 *
 *	manifest.json	what it is, and what belongs to it
 *	memory.img	memory and devices, if it has those
 *	stopped		the guest stands still for it, or is about to (take_guest.c)
 *	frozen		its file systems are frozen for it, or about to be (take_frozen.c)
 *	config-N	the files that were to be kept with it
 *
 * The folder is made as ID.new.  Only when all that is in it is durable is it renamed to
 * ID, and only then is there a checkpoint.  To be deleted it is renamed to ID.gone first.
 * So what the daemon was killed over is told by the names alone.  (Going back leaves a
 * note of its own there, see intent.h.)
 *
 * The disks' part is a checkpoint of all volumes in the store.  It is taken under a name
 * that has the id in it, by which it is found when the daemon was killed before it could
 * note the UUID; afterwards it is called as the machine's checkpoint is.
 */
#ifndef CKPTD_MANIFEST_H
#define CKPTD_MANIFEST_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "libckpt/names.h"
#include "vm_file.h"

#define MANIFEST_KIND_BYTES	16

struct manifest {
	char id[CKPT_UUID_LEN];
	char name[CKPT_NAME_BYTES];
	char kind[MANIFEST_KIND_BYTES];	/* standard, production or offline */
	char store[CKPT_UUID_LEN];
	char group[CKPT_UUID_LEN];	/* the UUID of its part in the store; "" before that */
	char volume[VM_DISKS_MAX][CKPT_UUID_LEN];
	size_t volumes;
	size_t configs;			/* files config-0, config-1, ... */
	int64_t created;		/* seconds since 1970 */
	bool has_memory;
	bool is_paused;			/* its guest did not run when that was taken */
	uint64_t memory_bytes;		/* of memory.img */
	uint64_t standstill_us;		/* how long the guest stood still */
	uint64_t own_us;		/* of that, what disks and files took, not QEMU */
	char way[16];			/* of the memory: as of capture.h; or "" */
	char note[300];			/* why it is of another kind or way than usual; or "" */
};

struct manifests {
	struct manifest *m;		/* oldest first */
	size_t count;
	size_t damaged;			/* folders whose manifest cannot be read */
};

/* The two notes about its guest. */
#define MANIFEST_STOPPED	"stopped"
#define MANIFEST_FROZEN		"frozen"

/* What the part in the store is called until the checkpoint is complete. */
#define MANIFEST_STORE_NAME	"ckptd-%s"

enum manifest_state {
	MANIFEST_NEW,
	MANIFEST_WHOLE,
	MANIFEST_GONE,
};

/* The folder of a checkpoint, and a file in it (NULL: the folder itself). */
void manifest_path(const char *directory, const char *id, enum manifest_state state,
		   const char *file, char path[PATH_MAX]);

/* Is that note in the folder of one that is being made? */
bool manifest_is_noted(const char *directory, const char *id, const char *note);

/* Make the folder, with what is known at first; m->id is chosen here. */
enum ckpt_result manifest_begin(const char *directory, struct manifest *m,
				struct ckpt_error *e);

/* Copy what the description says is to be kept. */
enum ckpt_result manifest_copy_configs(const char *directory, struct manifest *m,
				       const struct vm_words *config, struct ckpt_error *e);

/* Write what is known, in whatever state the folder is. */
enum ckpt_result manifest_write(const char *directory, const struct manifest *m,
				enum manifest_state state, struct ckpt_error *e);

/* All in the folder is durable already but for its names: now it is a checkpoint. */
enum ckpt_result manifest_publish(const char *directory, const struct manifest *m,
				  struct ckpt_error *e);

/* It is no checkpoint any more, whatever happens. */
enum ckpt_result manifest_hide(const char *directory, const char *id, struct ckpt_error *e);

/* Remove what is new or gone; also if nothing is there. */
enum ckpt_result manifest_remove(const char *directory, const char *id,
				 enum manifest_state state, struct ckpt_error *e);

enum ckpt_result manifest_read(const char *directory, const char *id,
			       enum manifest_state state, struct manifest *m,
			       struct ckpt_error *e);

/* Those that are whole; a directory that is not there has none. */
enum ckpt_result manifest_list(const char *directory, struct manifests *list,
			       struct ckpt_error *e);
void manifest_list_free(struct manifests *list);

/* By name or id; NULL if there is none. */
const struct manifest *manifest_find(const struct manifests *list, const char *name);

/* Is there any folder in @state? */
bool manifest_any(const char *directory, enum manifest_state state);

/*
 * The next folder in @state, in no order: *@at is NULL at first and is freed here at the
 * end, which is false.
 */
bool manifest_next(const char *directory, enum manifest_state state, void **at,
		   char id[CKPT_UUID_LEN]);

#endif
