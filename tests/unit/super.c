// SPDX-License-Identifier: GPL-2.0-only
/* Superblocks that are damaged, torn, strange, or older than one another. */
#include "build.h"
#include "test.h"

static struct ckpt_super a, b;

/* Verify @a as it stands, but with a right checksum. */
static const char *sealed(void)
{
	ckpt_super_seal(&a);
	return ckpt_super_verify(&a);
}

static void a_whole_one(void **state)
{
	struct ckpt_geometry g;

	(void)state;
	build_super(&a);
	assert_true(ckpt_super_present(&a));
	assert_null(ckpt_super_verify(&a));
	ckpt_super_geometry(&a, &g);
	assert_int_equal(g.sectors, 1u << 21);
	assert_int_equal(g.journal_blocks, CKPT_JOURNAL_BLOCKS_MIN);
	assert_int_equal(g.block_shift, 3);
	assert_int_equal(g.cluster_shift, 8);
}

static void every_byte_counts(void **state)
{
	u8 *bytes = (u8 *)&a;
	unsigned int i;

	(void)state;
	build_super(&a);
	for (i = 0; i < sizeof(a); i++) {
		u8 damage = (u8)(1 << below(8));

		bytes[i] ^= damage;
		assert_string_equal(ckpt_super_verify(&a), i < sizeof(a.magic) ?
				    "there is no store here" : "its checksum is wrong");
		assert_int_equal(ckpt_super_present(&a), i >= sizeof(a.magic));
		bytes[i] ^= damage;
	}
	assert_null(ckpt_super_verify(&a));
}

/* Whatever a right checksum covers: refused, or nothing bad can come of it. */
static void nonsense_is_refused_or_harmless(void **state)
{
	unsigned int round, accepted = 0;

	(void)state;
	for (round = 0; round < 30000; round++) {
		struct ckpt_geometry g;
		unsigned int at;

		build_super(&a);
		at = 16 + (unsigned int)below(160 - 16);
		random_bytes((u8 *)&a + at, 1 + below(160 - at > 8 ? 8 : 160 - at));
		if (sealed())
			continue;
		accepted++;
		ckpt_super_geometry(&a, &g);
		assert_in_range(g.block_shift, 0, 7);
		assert_int_equal(g.cluster_shift, g.block_shift + 5);
		assert_in_range(g.journal_blocks, CKPT_JOURNAL_BLOCKS_MIN, CKPT_JOURNAL_BLOCKS_MAX);
		assert_true(g.sectors <= CKPT_STORE_SECTORS_MAX);
		assert_true(ckpt_store_units(&g) > ckpt_first_free_unit(&g));
		assert_true(!a.records.where || ckpt_ref_valid(&g, ckpt_ref_where(&a.records)));
		assert_true(!a.space.where || ckpt_ref_valid(&g, ckpt_ref_where(&a.space)));
		assert_int_equal(le64_to_cpu(a.features_incompat), 0);
		assert_int_equal(le32_to_cpu(a.version), CKPT_VERSION);
	}
	assert_true(accepted > round / 4 && accepted < round);
}

#define STRANGE "it is of a version that is not known here"
#define FEATURE "it uses features that are not known here"
#define BLOCK "its block size is not a power of two from 1 to 128 sectors"
#define JOURNAL "its journal has an impossible length"
#define SIZE "its size is impossible"
#define RECORDS "its tree of records is outside the store"
#define SPACE "its space map is outside the store"

/* One field of a good superblock, its new value, and what is said of it. */
#define FIELD(field, value, why) \
	{ offsetof(struct ckpt_super, field), sizeof(a.field), value, why }

static void fields(void **state)
{
	static const struct {
		size_t at, bytes;
		u64 value;
		const char *why;
	} cases[] = {
		FIELD(version, 0, STRANGE), FIELD(version, 2, STRANGE),
		FIELD(features_incompat, 1, FEATURE),
		FIELD(features_incompat, 1ull << 63, FEATURE),
		FIELD(features_compat, ~0ull, NULL),
		/* The caller opens it read-only. */
		FIELD(features_ro, ~0ull, NULL),
		FIELD(block_sectors, 0, BLOCK), FIELD(block_sectors, 3, BLOCK),
		FIELD(block_sectors, 256, BLOCK), FIELD(block_sectors, 1u << 31, BLOCK),
		FIELD(block_sectors, 1, NULL), FIELD(block_sectors, 128, NULL),
		FIELD(journal_blocks, 0, JOURNAL), FIELD(journal_blocks, 255, JOURNAL),
		FIELD(journal_blocks, (1u << 18) + 1, JOURNAL),
		FIELD(journal_blocks, ~0u, JOURNAL),
		/* A journal longer than the store. */
		FIELD(journal_blocks, 1u << 18, SIZE),
		/* The trees would stand in a longer journal. */
		FIELD(journal_blocks, 513, RECORDS), FIELD(journal_blocks, 512, NULL),
		FIELD(sectors, 0, SIZE), FIELD(sectors, 1ull << 48, SIZE),
		FIELD(sectors, (1ull << 42) + 8, SIZE), FIELD(sectors, 1ull << 42, NULL),
		FIELD(sectors, ~0ull, SIZE), FIELD(sectors, 6144, SIZE),
		FIELD(sectors, 6151, SIZE), FIELD(sectors, 6152, RECORDS),
		FIELD(sectors, 8200, SPACE), FIELD(sectors, 8207, SPACE),
		FIELD(sectors, 8208, NULL),
		FIELD(records.where, 0, NULL), FIELD(records.where, 8, RECORDS),
		FIELD(records.where, 6136, RECORDS), FIELD(records.where, 6144, NULL),
		FIELD(records.where, 6145, RECORDS),
		FIELD(records.where, (1u << 21) - 8, NULL),
		FIELD(records.where, 1u << 21, RECORDS),
		/* Above the address stands a part of the count. */
		FIELD(records.where, 1ull << 48 | 8192, NULL),
		FIELD(records.where, 1ull << 47 | 8192, RECORDS),
		FIELD(records.where, 1ull << 48, RECORDS),
		FIELD(records.where, 1ull << 48 | 8193, RECORDS),
		FIELD(records.used, ~0u, NULL),
		FIELD(space.where, 0, NULL), FIELD(space.where, 6136, SPACE),
		FIELD(space.where, 8204, SPACE), FIELD(space.where, 1ull << 63 | 8192, NULL),
		FIELD(space.where, 1ull << 63 | 6136, SPACE),
		FIELD(space.where, 0xffffull << 48 | 8200, NULL),
		FIELD(space.where, ~7ull, SPACE),
		FIELD(uuid, 0, NULL), FIELD(sequence, ~0ull, NULL), FIELD(epoch, 0, NULL),
		FIELD(created, ~0ull, NULL), FIELD(reserved[0], 1, NULL),
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT_OF(cases); i++) {
		__le64 value = cpu_to_le64(cases[i].value);
		const char *why;

		build_super(&a);
		memcpy((u8 *)&a + cases[i].at, &value, cases[i].bytes < 8 ? cases[i].bytes : 8);
		why = sealed();
		if (cases[i].why) {
			assert_non_null(why);
			assert_string_equal(why, cases[i].why);
		} else if (why) {
			fail_msg("case %u: %s", i, why);
		}
	}
}

static enum ckpt_super_choice choose(const char *expected)
{
	const char *why = "untouched";
	enum ckpt_super_choice which = ckpt_super_choose(&a, &b, &why);

	if (expected)
		assert_string_equal(why, expected);
	else
		assert_null(why);
	return which;
}

static void both(void)
{
	build_super(&a);
	b = a;
}

static void a_counts_if_it_is_whole(void **state)
{
	(void)state;
	both();
	assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
	b.sequence = cpu_to_le64(6);	/* between the two writes */
	ckpt_super_seal(&b);
	assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
	b.sequence = cpu_to_le64(8);	/* never so, and not to be guessed at */
	ckpt_super_seal(&b);
	assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
	memset(&b, 0, sizeof(b));
	assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
	random_bytes(&b, sizeof(b));
	assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
}

static void b_counts_if_a_is_damaged(void **state)
{
	(void)state;
	both();
	a.epoch ^= cpu_to_le64(1);
	assert_int_equal(choose("its checksum is wrong"), CKPT_SUPER_CHOOSE_B);
	memset(&a, 0, sizeof(a));
	assert_int_equal(choose("there is no store here"), CKPT_SUPER_CHOOSE_B);
	b.crc ^= cpu_to_le32(1);
	assert_int_equal(choose("there is no store here"), CKPT_SUPER_DAMAGED);
	both();
	a.crc = b.crc ^= cpu_to_le32(1);
	assert_int_equal(choose("its checksum is wrong"), CKPT_SUPER_DAMAGED);
	memset(&b, 0, sizeof(b));
	assert_int_equal(choose("its checksum is wrong"), CKPT_SUPER_DAMAGED);
	memset(&a, 0, sizeof(a));
	assert_int_equal(choose("there is no store here"), CKPT_SUPER_ABSENT);
}

/*
 * An A that is whole and not for us is no reason to open the B of before: those
 * who wrote it may have gone on.
 */
static void b_does_not_stand_in_for_a_strange_a(void **state)
{
	(void)state;
	both();
	a.version = cpu_to_le32(CKPT_VERSION + 1);
	ckpt_super_seal(&a);
	assert_int_equal(choose(STRANGE), CKPT_SUPER_STRANGE);
	both();
	a.features_incompat = cpu_to_le64(1ull << 40);
	ckpt_super_seal(&a);
	assert_int_equal(choose(FEATURE), CKPT_SUPER_STRANGE);
	both();
	a.block_sectors = 0;
	ckpt_super_seal(&a);
	assert_int_equal(choose(BLOCK), CKPT_SUPER_STRANGE);
}

/* What is wrong is not the damage, as mending A would not help. */
static void b_is_strange_where_a_is_damaged(void **state)
{
	(void)state;
	both();
	a.crc ^= cpu_to_le32(1);
	b.features_incompat = cpu_to_le64(1ull << 40);
	ckpt_super_seal(&b);
	assert_int_equal(choose(FEATURE), CKPT_SUPER_STRANGE);
	memset(&a, 0, sizeof(a));
	assert_int_equal(choose(FEATURE), CKPT_SUPER_STRANGE);
}

/* The power fails while A is written over: some sectors are new, some are old. */
static void torn_copies(void **state)
{
	struct ckpt_super new;
	unsigned int mask;

	(void)state;
	for (mask = 0; mask < 256; mask++) {
		unsigned int i;

		both();
		/* So that each sector differs. */
		for (i = 160; i < sizeof(a); i += 512)
			((u8 *)&a)[i]++;
		a.sequence = cpu_to_le64(8);
		ckpt_super_seal(&a);
		new = a;
		for (i = 0; i < 8; i++)
			if (!(mask >> i & 1))
				memcpy((u8 *)&a + i * 512, (u8 *)&b + i * 512, 512);
		if (mask == 0 || mask == 255)
			assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
		else
			assert_int_equal(choose("its checksum is wrong"), CKPT_SUPER_CHOOSE_B);
		a = new;
		assert_int_equal(choose(NULL), CKPT_SUPER_CHOOSE_A);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_whole_one),
	cmocka_unit_test(every_byte_counts),
	cmocka_unit_test(nonsense_is_refused_or_harmless),
	cmocka_unit_test(fields),
	cmocka_unit_test(a_counts_if_it_is_whole),
	cmocka_unit_test(b_counts_if_a_is_damaged),
	cmocka_unit_test(b_does_not_stand_in_for_a_strange_a),
	cmocka_unit_test(b_is_strange_where_a_is_damaged),
	cmocka_unit_test(torn_copies),
};

RUN("super", tests)
