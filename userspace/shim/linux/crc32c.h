/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CKPT_SHIM_CRC32C_H
#define CKPT_SHIM_CRC32C_H

#include <linux/types.h>

/*
 * As the kernel's: goes on from @crc, inverts nothing.  What others call the
 * CRC-32C of some bytes is ~crc32c(~0, ...).
 */
u32 crc32c(u32 crc, const void *data, size_t bytes);

#endif
