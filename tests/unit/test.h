/* SPDX-License-Identifier: GPL-2.0-only */
/* What every test of the pure functions begins with. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "geometry.h"
#include "random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* One geometry for each block size there can be. */
#define BLOCK_SHIFTS 8

static inline struct ckpt_geometry geometry(unsigned int block_shift)
{
	return (struct ckpt_geometry) {
		.sectors = 1ull << 30,
		.journal_blocks = CKPT_JOURNAL_BLOCKS_MIN,
		.block_shift = (u8)block_shift,
		.cluster_shift = (u8)(block_shift + 5),
	};
}

/* main(): the tests of the array @tests, as TAP. */
#define RUN(name, tests)						\
	int main(void)							\
	{								\
		cmocka_set_message_output(CM_OUTPUT_TAP);		\
		random_begin();						\
		return cmocka_run_group_tests_name(name, tests, NULL, NULL); \
	}

#endif
