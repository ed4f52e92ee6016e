// SPDX-License-Identifier: GPL-2.0-only
/* Control: compiles with any kernel. If it does not, the probing is broken. */
#include <linux/device-mapper.h>

int probe(struct dm_target *ti);
int probe(struct dm_target *ti)
{
	return dm_set_target_max_io_len(ti, 8);
}
