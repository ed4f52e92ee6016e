// SPDX-License-Identifier: GPL-2.0-only
/* Entries of any content, in blocks with right heads and checksums but for some. */
#include <string.h>

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An entry of a right length, whose content comes from the input. */
static void add_entry(struct fuzz_input *in)
{
	uint8_t entry[BUILD_ENTRY_MAX] __attribute__((aligned(8))) = { 0 };
	struct ckpt_entry_head *head = (void *)entry;
	unsigned int type = 1 + (unsigned int)fuzz_number(in, 1) % (BUILD_ENTRY_TYPES - 1);

	fuzz_take(in, entry + 4, build_length[type] - 4);
	head->type = cpu_to_le16(type);
	head->bytes = cpu_to_le16(build_length[type]);
	if (build_entry(fuzz_store.block, entry))
		return;
	store_commit(&fuzz_store);
	build_entry(fuzz_store.block, entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	while (in.left) {
		unsigned int how = (unsigned int)fuzz_number(&in, 1);

		if (how < 0xe0)
			add_entry(&in);
		else if (how < 0xf0)
			store_commit(&fuzz_store);
		else
			fuzz_change(&in, fuzz_store.block, 1);
	}
	store_commit(&fuzz_store);
	fuzz_try();
	return 0;
}
