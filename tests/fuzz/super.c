// SPDX-License-Identifier: GPL-2.0-only
/* Superblocks of any content, with right checksums but for some. */
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned int how = (unsigned int)fuzz_number(&in, 1);
	struct ckpt_super *a = (void *)fuzz_store.bytes;
	struct ckpt_super *b = (void *)(fuzz_store.bytes + (CKPT_SUPER_B << CKPT_SECTOR_SHIFT));

	fuzz_change(&in, a, how & 1 ? 4 : 64);
	if (!(how & 2))
		ckpt_super_seal(a);
	if (how & 4)
		memcpy(b, a, sizeof(*b));
	else
		fuzz_change(&in, b, 64);
	if (!(how & 8))
		ckpt_super_seal(b);
	fuzz_try();
	return 0;
}
