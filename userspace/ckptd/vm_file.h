/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The description of a virtual machine: a small file of lines "key = value", one for
 * each machine, CKPT_CONFDIR/vm/NAME.conf (by default below /etc/dm-ckpt).  A '#' at
 * the beginning of a line makes it a comment.
 *
 *	store = st			its store; not needed while one is open only
 *	volume = disk			a disk; once for each, in the guest's order
 *	policy = standard		or production, production-only, disabled
 *	qmp = /run/dm-ckpt/web.qmp	QEMU's monitor
 *	agent = /run/dm-ckpt/web.agent	the guest agent's socket
 *	freeze_seconds = 30		that the agent has to freeze file systems
 *	directory = /var/lib/dm-ckpt/vm/web	where its checkpoints' memory goes
 *	config = /etc/vms/web.xml	a file to keep with each checkpoint; any number
 *	qemu = qemu-system-x86_64	what runs it
 *	arg = -m 1G -smp 2		words for QEMU; any number; "" around blanks
 *
 * Only volume is needed; what is left away has the value shown, "store" and "config"
 * excepted.  Without "arg" ckptd does not start the machine itself.
 */
#ifndef CKPTD_VM_FILE_H
#define CKPTD_VM_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "libckpt/error.h"
#include "libckpt/names.h"

#define VM_NAME_BYTES	65	/* with the NUL */
#define VM_SOCKET_BYTES	108	/* as sun_path */
#define VM_DISKS_MAX	32u
#define VM_WORDS_MAX	256u
#define VM_FREEZE_SECONDS_MAX	300u
#define VM_FILE_MAX	65536u	/* bytes; no description is longer */

enum vm_policy {
	VM_STANDARD,		/* memory as well */
	VM_PRODUCTION,		/* file systems frozen; falls back to standard */
	VM_PRODUCTION_ONLY,	/* or fails */
	VM_DISABLED,		/* no checkpoints */
};

struct vm_words {
	char *word[VM_WORDS_MAX];
	size_t count;
};

struct vm_file {
	char name[VM_NAME_BYTES];
	char store[CKPT_NAME_BYTES];	/* "": the only one that is open */
	struct vm_words volumes, config, args;
	enum vm_policy policy;
	unsigned int freeze_seconds;
	char qmp[VM_SOCKET_BYTES], agent[VM_SOCKET_BYTES];
	char directory[PATH_MAX];
	char qemu[PATH_MAX];
};

/* May a machine be called so?  CKPT_USAGE and a sentence if not. */
enum ckpt_result vm_check_name(const char *name, struct ckpt_error *e);

/* "standard", ...; NULL if there is no such policy. */
const char *vm_policy_name(enum vm_policy policy);
enum ckpt_result vm_policy_parse(const char *text, enum vm_policy *policy, struct ckpt_error *e);

/*
 * What a machine called @name has unless its file says otherwise; the name is taken as
 * it is.
 */
void vm_file_default(struct vm_file *f, const char *name);

/*
 * One "key = value", as from a line.  CKPT_USAGE and a sentence if that makes no sense.
 */
enum ckpt_result vm_file_set(struct vm_file *f, const char *key, const char *value,
			     struct ckpt_error *e);

/* All that is wrong with the whole, not with a line: no volume, libvirt's monitor, ... */
enum ckpt_result vm_file_check(const struct vm_file *f, struct ckpt_error *e);

/*
 * The text of a file; @path is for sentences, which name the line as well.  @f is to be
 * freed after a failure too.
 */
enum ckpt_result vm_file_parse(struct vm_file *f, const char *name, const char *path,
			       const char *text, size_t length, struct ckpt_error *e);
enum ckpt_result vm_file_read(struct vm_file *f, const char *name, struct ckpt_error *e);

/* CKPT_BUSY if there is one of that name.  It is durable, or not there. */
enum ckpt_result vm_file_write(const struct vm_file *f, struct ckpt_error *e);
enum ckpt_result vm_file_remove(const char *name, struct ckpt_error *e);

void vm_file_free(struct vm_file *f);

/* CKPT_CONFDIR/vm and CKPT_CONFDIR/vm/NAME.conf. */
void vm_file_folder(char path[PATH_MAX]);
void vm_file_path(const char *name, char path[PATH_MAX]);

#endif
