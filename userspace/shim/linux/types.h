/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * userspace/shim: what the files of dm-ckpt/ that are pure functions include of
 * the kernel's headers, so that programs compile the very same files.  Put this
 * folder before the system's with -I; nothing here is meant for other code.
 */
#ifndef CKPT_SHIM_TYPES_H
#define CKPT_SHIM_TYPES_H

/* The system's header has the types that the kernel shows to programs. */
#include_next <linux/types.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define le16_to_cpu(x)	((u16)le16toh(x))
#define le32_to_cpu(x)	((u32)le32toh(x))
#define le64_to_cpu(x)	((u64)le64toh(x))
#define cpu_to_le16(x)	((__le16)htole16(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define cpu_to_le64(x)	((__le64)htole64(x))

#endif
