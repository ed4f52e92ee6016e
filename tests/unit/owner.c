// SPDX-License-Identifier: GPL-2.0-only
/* What the guard's block says, and what those who come, and those who are there, make of it. */
#include "owner.h"
#include "test.h"
#include "random.h"

static const u8 uuid[CKPT_UUID_BYTES] = "the store's own", boot[CKPT_UUID_BYTES] = "this kernel";
static const u8 nobody[CKPT_UUID_BYTES];
static struct ckpt_guard_block a, b;

static void make(struct ckpt_guard_block *block, enum ckpt_guard_state state)
{
	memset(block, 0, sizeof(*block));
	block->magic = cpu_to_le32(CKPT_GUARD_MAGIC);
	memcpy(block->uuid, uuid, sizeof(uuid));
	memset(block->id, 0x11, sizeof(block->id));
	memset(block->boot, 0x22, sizeof(block->boot));
	block->sequence = cpu_to_le64(7);
	block->state = cpu_to_le32(state);
	block->interval = cpu_to_le32(2);
	ckpt_owner_name(block, "a.host");
	ckpt_owner_seal(block);
}

static enum ckpt_owner_first first(bool alone)
{
	return ckpt_owner_first(&a, uuid, boot, alone);
}

static void every_byte_counts(void **state)
{
	u8 *bytes = (u8 *)&a;
	unsigned int i;

	(void)state;
	make(&a, CKPT_GUARD_ACTIVE);
	assert_null(ckpt_owner_verify(&a, uuid));
	for (i = 0; i < sizeof(a); i++) {
		u8 damage = (u8)(1 << below(8));

		bytes[i] ^= damage;
		assert_non_null(ckpt_owner_verify(&a, uuid));
		assert_int_equal(first(true), CKPT_OWNER_WATCH);
		assert_int_equal(ckpt_owner_interval(&a, uuid), CKPT_GUARD_INTERVAL_MAX);
		bytes[i] ^= damage;
	}
	assert_int_equal(ckpt_owner_interval(&a, uuid), 2);
}

/* With a right checksum. */
static void nonsense_is_refused(void **state)
{
	(void)state;
	make(&a, 0);
	assert_string_equal(ckpt_owner_verify(&a, uuid), "it has a state that is not known here");
	make(&a, 4);
	assert_non_null(ckpt_owner_verify(&a, uuid));
	make(&a, CKPT_GUARD_CLEAN);
	assert_string_equal(ckpt_owner_verify(&a, nobody), "it is another store's");
	a.interval = 0;
	ckpt_owner_seal(&a);
	assert_string_equal(ckpt_owner_verify(&a, uuid), "its interval is impossible");
	a.interval = cpu_to_le32(CKPT_GUARD_INTERVAL_MAX + 1);
	ckpt_owner_seal(&a);
	assert_non_null(ckpt_owner_verify(&a, uuid));
	a.interval = cpu_to_le32(CKPT_GUARD_INTERVAL_MAX);
	ckpt_owner_seal(&a);
	assert_null(ckpt_owner_verify(&a, uuid));
}

static void names_of_hosts(void **state)
{
	static const char *const bad[] = { "", "a b", "\n", "a\x80", "\x7f" };
	unsigned int i;
	char name[200];

	(void)state;
	for (i = 0; i < COUNT_OF(bad); i++) {
		make(&a, CKPT_GUARD_ACTIVE);
		memset(a.host, 0, sizeof(a.host));
		memcpy(a.host, bad[i], strlen(bad[i]));
		ckpt_owner_seal(&a);
		assert_string_equal(ckpt_owner_verify(&a, uuid), "its host has an impossible name");
		ckpt_owner_name(&a, bad[i]);
		ckpt_owner_seal(&a);
		assert_null(ckpt_owner_verify(&a, uuid));
	}
	/* One that does not end, and one that goes on behind its end. */
	memset(a.host, 'x', sizeof(a.host));
	ckpt_owner_seal(&a);
	assert_non_null(ckpt_owner_verify(&a, uuid));
	a.host[5] = 0;
	ckpt_owner_seal(&a);
	assert_non_null(ckpt_owner_verify(&a, uuid));
	memset(name, 'y', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	ckpt_owner_name(&a, name);
	ckpt_owner_seal(&a);
	assert_null(ckpt_owner_verify(&a, uuid));
	assert_int_equal(strlen((char *)a.host), CKPT_GUARD_HOST_BYTES - 1);
}

static void who_comes(void **state)
{
	enum ckpt_guard_state s;

	(void)state;
	memset(&a, 0, sizeof(a));
	assert_true(ckpt_owner_absent(&a));
	assert_int_equal(first(true), CKPT_OWNER_FREE);
	assert_int_equal(first(false), CKPT_OWNER_FREE);
	for (s = CKPT_GUARD_CLEAN; s <= CKPT_GUARD_ACTIVE; s++) {
		enum ckpt_owner_first others = s == CKPT_GUARD_CLEAN ? CKPT_OWNER_FREE :
								       CKPT_OWNER_WATCH;

		make(&a, s);
		assert_false(ckpt_owner_absent(&a));
		assert_int_equal(first(true), others);
		assert_int_equal(first(false), others);
		memcpy(a.boot, boot, sizeof(boot));
		ckpt_owner_seal(&a);
		assert_int_equal(first(true), s == CKPT_GUARD_CLAIM ? CKPT_OWNER_WATCH :
								      CKPT_OWNER_OURS);
		/* Somebody else here has it, or a copy of it: no short cut. */
		assert_int_equal(first(false), others);
	}
}

static enum ckpt_owner_found found(const u8 *former)
{
	return ckpt_owner_found(&b, &a, &a, former);
}

static void who_is_there(void **state)
{
	struct ckpt_guard_block tried;
	u8 other[CKPT_UUID_BYTES];

	(void)state;
	memset(other, 0x33, sizeof(other));
	make(&a, CKPT_GUARD_ACTIVE);
	b = a;
	assert_int_equal(found(nobody), CKPT_OWNER_SAME);

	/* A write that failed may have reached the disk all the same. */
	tried = a;
	tried.sequence = cpu_to_le64(8);
	ckpt_owner_seal(&tried);
	assert_int_equal(ckpt_owner_found(&a, &a, &tried, nobody), CKPT_OWNER_SAME);
	assert_int_equal(ckpt_owner_found(&tried, &a, &tried, nobody), CKPT_OWNER_SAME);
	/* One of ours that we have not written is a copy of this machine. */
	b = tried;
	assert_int_equal(found(nobody), CKPT_OWNER_LOST);
	assert_int_equal(found(a.id), CKPT_OWNER_LOST);

	make(&b, CKPT_GUARD_ACTIVE);
	memcpy(b.id, other, sizeof(other));
	ckpt_owner_seal(&b);
	assert_int_equal(found(nobody), CKPT_OWNER_LOST);
	assert_int_equal(found(other), CKPT_OWNER_AGAIN);
	b.state = cpu_to_le32(CKPT_GUARD_CLEAN);
	ckpt_owner_seal(&b);
	assert_int_equal(found(nobody), CKPT_OWNER_LOST);
	b.state = cpu_to_le32(CKPT_GUARD_CLAIM);
	ckpt_owner_seal(&b);
	assert_int_equal(found(nobody), CKPT_OWNER_AGAIN);
	b.sequence = cpu_to_le64(9);	/* the checksum is wrong now */
	assert_int_equal(found(nobody), CKPT_OWNER_AGAIN);
	memset(&b, 0, sizeof(b));
	assert_int_equal(found(nobody), CKPT_OWNER_AGAIN);
}

/* What the argument in owner.h rests on, for each interval. */
static void times(void **state)
{
	u32 i;

	(void)state;
	assert_true(CKPT_SETTLE_MS > CKPT_CLAIM_MS);
	for (i = CKPT_GUARD_INTERVAL_MIN; i <= CKPT_GUARD_INTERVAL_MAX; i++) {
		assert_true(ckpt_owner_lease_ms(i) > 1000 * i);
		assert_true(ckpt_owner_lease_ms(i) > CKPT_SETTLE_MS);
		assert_true(ckpt_owner_watch_ms(i) > 2 * ckpt_owner_lease_ms(i));
	}
	assert_int_equal(ckpt_owner_watch_ms(2), 9000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_byte_counts),
	cmocka_unit_test(nonsense_is_refused),
	cmocka_unit_test(names_of_hosts),
	cmocka_unit_test(who_comes),
	cmocka_unit_test(who_is_there),
	cmocka_unit_test(times),
};

RUN("owner", tests)
