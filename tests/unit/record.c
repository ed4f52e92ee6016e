// SPDX-License-Identifier: GPL-2.0-only
#include "build.h"
#include "test.h"

#define NUMBER 77u

static union ckpt_record record;

static const char *verify(unsigned int block_shift)
{
	struct ckpt_geometry g = geometry(block_shift);

	return ckpt_record_verify(&g, &record, NUMBER);
}

static void good_ones(void **state)
{
	unsigned int shift, type;

	(void)state;
	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		for (type = CKPT_RECORD_BASE; type <= CKPT_RECORD_CHECKPOINT; type++) {
			build_record(&record, type, NUMBER);
			assert_null(verify(shift));
		}
	}
}

static void heads(void **state)
{
	unsigned int type;

	(void)state;
	for (type = CKPT_RECORD_BASE; type <= CKPT_RECORD_CHECKPOINT; type++) {
		build_record(&record, type, NUMBER + 1);
		assert_string_equal(verify(3), "it has another record's number");
	}
	for (type = 0; type < 65536; type++) {
		build_record(&record, CKPT_RECORD_VOLUME, NUMBER);
		record.head.type = cpu_to_le16(type);
		if (type < CKPT_RECORD_BASE || type > CKPT_RECORD_CHECKPOINT)
			assert_string_equal(verify(3), "its type is not known");
	}
}

/* @le is a field of the record that build_record() makes. */
static void check_sizes(u32 type, __le64 *le)
{
	unsigned int shift;

	for (shift = 0; shift < BLOCK_SHIFTS; shift++) {
		u64 block = 1ull << shift;
		const struct {
			u64 sectors;
			bool good;
		} cases[] = {
			{ 0, false }, { block, true }, { 5 * block, true },
			{ CKPT_VOLUME_SECTORS_MAX, true },
			{ CKPT_VOLUME_SECTORS_MAX + block, false },
			{ CKPT_VOLUME_SECTORS_MAX - block, true },
			{ 1ull << 63, false }, { ~0ull, false },
			{ 6 * block + 1, shift == 0 }, { 7 * block - 1, shift == 0 },
			{ 6 * block + block / 2, shift == 0 },
		};
		unsigned int i;

		for (i = 0; i < COUNT_OF(cases); i++) {
			build_record(&record, type, NUMBER);
			*le = cpu_to_le64(cases[i].sectors);
			if (cases[i].good)
				assert_null(verify(shift));
			else
				assert_string_equal(verify(shift), "its size is impossible");
		}
	}
}

static void sizes(void **state)
{
	(void)state;
	check_sizes(CKPT_RECORD_BASE, &record.base.sectors);
	check_sizes(CKPT_RECORD_BASE, &record.base.origin_sectors);
	check_sizes(CKPT_RECORD_LAYER, &record.layer.sectors);
	check_sizes(CKPT_RECORD_VOLUME, &record.volume.sectors);
}

static void check_names(u32 type, __u8 *name)
{
	static const char bad[] = "its name is not one";

	build_record(&record, type, NUMBER);
	name[0] = 0;
	assert_string_equal(verify(3), bad);
	build_record(&record, type, NUMBER);
	name[1] = '@';
	assert_string_equal(verify(3), bad);
	/* No NUL: it must not be looked for behind the field. */
	build_record(&record, type, NUMBER);
	memset(name, 'x', CKPT_NAME_BYTES);
	assert_string_equal(verify(3), bad);
	name[CKPT_NAME_BYTES - 1] = 0;
	assert_null(verify(3));
}

static void names(void **state)
{
	(void)state;
	check_names(CKPT_RECORD_BASE, record.base.name);
	check_names(CKPT_RECORD_VOLUME, record.volume.name);
	check_names(CKPT_RECORD_CHECKPOINT, record.checkpoint.name);
	/* A base that is no template has none. */
	build_record(&record, CKPT_RECORD_BASE, NUMBER);
	record.head.flags = 0;
	memset(record.base.name, 0, sizeof(record.base.name));
	assert_null(verify(3));
}

static void maps_of_layers(void **state)
{
	struct ckpt_geometry g = geometry(3);
	const struct {
		u64 where;
		bool good;
	} cases[] = {
		{ 0, true }, { 6144, true }, { 6136, false }, { 6148, false }, { 8, false },
		{ g.sectors - 8, true }, { g.sectors, false }, { 1ull << 47 | 8192, false },
		/* Above the address stands a part of the count. */
		{ 1ull << 48 | 8192, true }, { 0xffffull << 48 | 6144, true },
		{ 0xffffull << 48 | 6136, false }, { 1ull << 48 | 6148, false },
		{ 1ull << 63, false },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT_OF(cases); i++) {
		build_record(&record, CKPT_RECORD_LAYER, NUMBER);
		record.layer.root.where = cpu_to_le64(cases[i].where);
		if (cases[i].good)
			assert_null(verify(3));
		else
			assert_string_equal(verify(3), "its map is outside the store");
	}
}

/* Whatever the volume a layer belongs to and a volume's limit: those are the caller's to check. */
static void what_is_not_checked_here(void **state)
{
	static const u64 any[] = { 0, 1, NUMBER, CKPT_RECORD_MAX, 1ull << 31, ~0ull };
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT_OF(any); i++) {
		build_record(&record, CKPT_RECORD_LAYER, NUMBER);
		record.layer.volume = cpu_to_le32((u32)any[i]);
		assert_null(verify(3));
		build_record(&record, CKPT_RECORD_VOLUME, NUMBER);
		record.volume.limit = cpu_to_le64(any[i]);
		assert_null(verify(3));
	}
}

static void kinds_of_checkpoints(void **state)
{
	unsigned int kind;

	(void)state;
	for (kind = 0; kind < 8; kind++) {
		build_record(&record, CKPT_RECORD_CHECKPOINT, NUMBER);
		record.checkpoint.kind = cpu_to_le32(kind);
		if (kind < CKPT_KINDS)
			assert_null(verify(3));
		else
			assert_string_equal(verify(3), "its kind is not known");
	}
	record.checkpoint.kind = cpu_to_le32(~0u);
	assert_non_null(verify(3));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(good_ones),
	cmocka_unit_test(heads),
	cmocka_unit_test(sizes),
	cmocka_unit_test(names),
	cmocka_unit_test(maps_of_layers),
	cmocka_unit_test(what_is_not_checked_here),
	cmocka_unit_test(kinds_of_checkpoints),
};

RUN("record", tests)
