// SPDX-License-Identifier: GPL-2.0-only
/*
 * 5f60d5f6bbc1 ("move asm/unaligned.h to linux/unaligned.h"), v6.12.
 */
#include <linux/unaligned.h>

u32 probe(const void *p);
u32 probe(const void *p)
{
	return get_unaligned_le32(p);
}
