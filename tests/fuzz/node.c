// SPDX-License-Identifier: GPL-2.0-only
/* Nodes of any content, with right checksums in all that refers to them but for some. */
#include <string.h>

#include "damage.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* ckpt_restore has put all nodes one behind the other. */
	const size_t first = (size_t)STORE_DATA << CKPT_SECTOR_SHIFT;
	struct fuzz_input in = { data, size };
	unsigned int how = (unsigned int)fuzz_number(&in, 1);

	while (in.left) {
		size_t node = fuzz_number(&in, 1) % 24;

		fuzz_change(&in, fuzz_store.bytes + first + node * CKPT_NODE_BYTES, 1);
	}
	if (how != 0xff)
		damage_seal(fuzz_store.bytes, STORE_SECTORS);
	fuzz_try();
	return 0;
}
