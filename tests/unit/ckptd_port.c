// SPDX-License-Identifier: GPL-2.0-only
/* What QEMU says of its sockets, and what of that means that no agent is there. */
#include "test.h"
#include "ckptd/port.h"

#define AGENT	"/run/dm-ckpt/web.agent"

static bool is_shut(const char *text)
{
	struct json_object *answer = json_tokener_parse(text);
	bool shut = port_is_shut(answer, AGENT);

	json_object_put(answer);
	return shut;
}

#define MONITOR	"{\"label\": \"compat_monitor0\", \"filename\": \"unix:/run/dm-ckpt/web.qmp,server=on\", \"frontend-open\": false}, "
#define PORT(name, open)	"[" MONITOR "{\"label\": \"any\", \"filename\": \"" name "\", \"frontend-open\": " open "}]"

static void shut(void **state)
{
	(void)state;
	assert_true(is_shut(PORT("disconnected:unix:" AGENT ",server=on", "false")));
	assert_true(is_shut(PORT("unix:" AGENT ",server=on", "false")));
	assert_true(is_shut(PORT("unix:" AGENT, "false")));
}

static void open_or_unknown(void **state)
{
	static const char * const answers[] = {
		PORT("disconnected:unix:" AGENT ",server=on", "true"),
		PORT("unix:" AGENT "2,server=on", "false"),
		PORT("unix:/chroot" AGENT ",server=on", "false"),
		PORT("unix:/run/dm-ckpt/web", "false"),
		PORT("pty:/dev/pts/0", "false"),
		PORT("unix:" AGENT, "\"false\""),
		"[{\"filename\": \"unix:" AGENT "\"}]",
		"[{\"filename\": 7, \"frontend-open\": false}, 1, null, [], \"unix:" AGENT "\"]",
		"[]", "{}", "7", "null",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		assert_false(is_shut(answers[i]));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(shut),
	cmocka_unit_test(open_or_unknown),
};

RUN("ckptd_port", tests)
