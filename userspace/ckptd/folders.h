/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the daemon has its things; the environment may say otherwise. */
#ifndef CKPTD_FOLDERS_H
#define CKPTD_FOLDERS_H

#include <stdlib.h>

static inline const char *folder_of(const char *variable, const char *usual)
{
	const char *said = getenv(variable);

	return said && *said == '/' ? said : usual;
}

/* Descriptions of machines, below it. */
static inline const char *folder_config(void)
{
	return folder_of("CKPT_CONFDIR", "/etc/dm-ckpt");
}

/* Checkpoints, unless a machine's description says otherwise. */
static inline const char *folder_state(void)
{
	return folder_of("CKPT_STATEDIR", "/var/lib/dm-ckpt");
}

/* Sockets: gone after a boot. */
static inline const char *folder_run(void)
{
	return folder_of("CKPT_RUNDIR", "/run/dm-ckpt");
}

#endif
