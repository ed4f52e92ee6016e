/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of a store in more than one place. */
#ifndef CKPTCTL_STORE_TEXT_H
#define CKPTCTL_STORE_TEXT_H

#include <limits.h>

#include "cli.h"

/* The path of the device that a store is on. */
void store_path(const struct ckpt_store *s, char path[PATH_MAX]);

/* "rw", or a mode with what it means. */
const char *store_mode_text(const char *mode);

#endif
