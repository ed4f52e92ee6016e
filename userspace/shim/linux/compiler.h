/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_COMPILER_H
#define CKPT_SHIM_COMPILER_H

/* Nobody else changes what the tools look at. */
#define READ_ONCE(x) (x)

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#endif
