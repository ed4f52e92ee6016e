/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_STRING_H
#define CKPT_SHIM_STRING_H

#include <string.h>

#endif
