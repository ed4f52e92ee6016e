/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_COMPILER_H
#define CKPT_SHIM_COMPILER_H

/* Nobody else changes what the tools look at. */
#define READ_ONCE(x) (x)

#endif
