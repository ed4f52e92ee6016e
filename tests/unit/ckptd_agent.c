// SPDX-License-Identifier: GPL-2.0-only
/* What a guest agent may say, and what of that is an answer. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "ckptd/agent.h"

#define SOON	200u		/* ms: for what does not come */
#define LONG	60000u		/* for what does */
#define IN_STEP	"\xff{\"return\": 42}\n"	/* the answer to the first sync of talk_to() */
#define SIZED(text) text, sizeof(text) - 1

/* An agent that says these things, one to each question, in pieces of @step bytes. */
struct said {
	const char *bytes;
	size_t size;
};

struct peer {
	struct agent a;
	struct said say[4];
	size_t step;
	int fd;
	pthread_t thread;
	char heard[4096];
};

static void *run(void *arg)
{
	struct peer *p = arg;
	size_t heard = 0;
	ssize_t n = 1;

	for (size_t i = 0; i < COUNT_OF(p->say) && p->say[i].bytes; i++) {
		do {
			n = read(p->fd, p->heard + heard, sizeof(p->heard) - 1 - heard);
			heard += n > 0 ? (size_t)n : 0;
		} while (n > 0 && p->heard[heard - 1] != '\n');
		for (size_t at = 0; at < p->say[i].size; at += p->step) {
			size_t now = p->say[i].size - at;

			if (send(p->fd, p->say[i].bytes + at, now < p->step ? now : p->step,
				 MSG_NOSIGNAL) < 0)
				return NULL;
		}
	}
	/* Nothing more is said; with a step of 1 the socket is closed as well. */
	if (p->step == 1)
		shutdown(p->fd, SHUT_RDWR);
	return NULL;
}

static void talk_to(struct peer *p, size_t step)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	agent_use(&p->a, ends[0]);
	p->a.id = 41;
	p->fd = ends[1];
	p->step = step;
	assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void end(struct peer *p)
{
	agent_close(&p->a);
	pthread_join(p->thread, NULL);
	close(p->fd);
}

/* Another one's answers come first, and noise; each sync has another number. */
static void into_step(void **state)
{
	static const struct said noise[] = {
		{ SIZED(IN_STEP) },
		{ SIZED("{\"return\": 42}\n" IN_STEP) },
		{ SIZED("garb\xff\xff\xff" IN_STEP) },
		{ SIZED("\xff{\"return\": 41}\n\xff{\"return\": {}}\n" IN_STEP) },
		{ SIZED("\xff{\"return\": \xff{\"return\":42}\r\n") },
		{ SIZED("\xff[]\0\xff}{\xff {\"error\": {\"desc\": \"late\"}}\n" IN_STEP) },
	};
	struct ckpt_error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(noise); i++)
		for (size_t step = 1; step < 40; step += 19) {
			struct peer p = { .say = { noise[i] } };

			talk_to(&p, step);
			assert_int_equal(agent_sync(&p.a, LONG, &e), CKPT_DONE);
			assert_true(p.a.is_in_step);
			end(&p);
			assert_string_equal(p.heard,
					    "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":42}}\n");
		}
}

static void never_in_step(void **state)
{
	static const struct {
		struct said say;
		const char *sentence;
	} bad[] = {
		{ { SIZED("") }, "does not answer 'guest-sync-delimited' in time" },
		{ { SIZED("{\"return\": 42}\n") }, "but says something else" },
		{ { SIZED("\xff{\"return\": 41}\n") }, "but says something else" },
		{ { SIZED("\xff{\"return\": \"42\"}\n") }, "but says something else" },
		{ { SIZED("\xff{\"return\": 42") }, "but says something else" },
		{ { SIZED(IN_STEP "{\"return\": 1}\n") }, "but says something else" },
	};
	struct ckpt_error e;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct peer p = { .say = { bad[i].say } };

		talk_to(&p, 4000);
		assert_int_equal(agent_sync(&p.a, SOON, &e), CKPT_TIMEOUT);
		assert_non_null(strstr(e.text, bad[i].sentence));
		assert_false(p.a.is_in_step);
		end(&p);
	}
}

static void answers(void **state)
{
	struct peer p = { .say = {
		{ SIZED(IN_STEP) }, { SIZED("{\"return\": 3}\n") },
		{ SIZED(" {\"return\": \"frozen\"}\r\n") }, { SIZED("{\"return\": {}, \"id\": 7}") },
	} };
	bool is_frozen = false;
	struct ckpt_error e;
	int64_t count;

	(void)state;
	talk_to(&p, 7);
	assert_int_equal(agent_thaw(&p.a, LONG, &count, &e), CKPT_DONE);
	assert_int_equal(count, 3);
	assert_int_equal(agent_status(&p.a, LONG, &is_frozen, &e), CKPT_DONE);
	assert_true(is_frozen);
	assert_int_equal(agent_set_clock(&p.a, LONG, 1234567890123456789, &e), CKPT_DONE);
	assert_true(p.a.is_in_step);
	end(&p);
	assert_non_null(strstr(p.heard, "{\"execute\":\"guest-fsfreeze-thaw\"}\n"));
	assert_non_null(strstr(p.heard, "\"arguments\":{\"time\":1234567890123456789}}\n"));
}

static void refused(void **state)
{
	struct peer p = { .say = {
		{ SIZED(IN_STEP) },
		{ SIZED("{\"error\": {\"class\": \"GenericError\", \"desc\": \"not\\u001b[2J now\"}}\n") },
		{ SIZED("{\"error\": 1}\n") },
	} };
	struct ckpt_error e;
	int64_t count;

	(void)state;
	talk_to(&p, 7);
	assert_int_equal(agent_freeze(&p.a, LONG, &count, &e), CKPT_FAILED);
	assert_string_equal(e.text, "the guest agent refuses 'guest-fsfreeze-freeze': not [2J now");
	assert_true(p.a.is_in_step);
	assert_int_equal(agent_freeze(&p.a, LONG, &count, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "does not say why"));
	end(&p);
}

static void no_answers(void **state)
{
	static const struct {
		struct said say;
		enum ckpt_result result;
		const char *sentence;
	} bad[] = {
		{ { SIZED("") }, CKPT_TIMEOUT, "does not answer 'guest-fsfreeze-freeze' in time" },
		{ { SIZED("{\"return\": 1") }, CKPT_TIMEOUT, "in time" },
		{ { SIZED("HTTP/1.1 400\r\n") }, CKPT_FAILED, "not JSON" },
		{ { SIZED("\xff{\"return\": 42}\n") }, CKPT_FAILED, "not JSON" },
		{ { SIZED("{\"return\": 1}{\"return\": 2}") }, CKPT_FAILED, "more than once" },
		{ { SIZED("{\"return\": {}}\n") }, CKPT_FAILED, "earlier question" },
		{ { SIZED("{\"return\": -1}\n") }, CKPT_FAILED, "less than nothing" },
		{ { SIZED("{\"return\": null}\n") }, CKPT_FAILED, "earlier question" },
		{ { SIZED("{\"event\": \"x\"}\n") }, CKPT_FAILED, "neither answers nor refuses" },
		{ { SIZED("{\"return\": \0001}\n") }, CKPT_FAILED, "not JSON" },
	};
	struct ckpt_error e;
	int64_t count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct peer p = { .say = { { SIZED(IN_STEP) }, bad[i].say } };

		talk_to(&p, 4000);
		assert_int_equal(agent_sync(&p.a, LONG, &e), CKPT_DONE);
		assert_int_equal(agent_freeze(&p.a, SOON, &count, &e), bad[i].result);
		assert_non_null(strstr(e.text, bad[i].sentence));
		assert_false(p.a.is_in_step);
		end(&p);
	}
}

/* What was not asked for; and then all is well again, with the next sync. */
static void late(void **state)
{
	struct peer p = { .say = {
		{ SIZED(IN_STEP) }, { SIZED("") },
		{ SIZED("{\"return\": 5}\n\xff{\"return\": 43}\n") }, { SIZED("{\"return\": 6}\n") },
	} };
	struct ckpt_error e;
	int64_t count;

	(void)state;
	talk_to(&p, 4000);
	assert_int_equal(agent_freeze(&p.a, SOON, &count, &e), CKPT_TIMEOUT);
	assert_int_equal(agent_thaw(&p.a, LONG, &count, &e), CKPT_DONE);
	assert_int_equal(count, 6);
	assert_int_equal(send(p.fd, SIZED("{\"return\": {}}\n"), 0), 15);
	assert_int_equal(agent_ping(&p.a, LONG, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "earlier question"));
	end(&p);
}

static void gone(void **state)
{
	struct peer p = { .say = { { SIZED(IN_STEP) }, { SIZED("{\"ret") } } };
	struct ckpt_error e;
	struct agent a;

	(void)state;
	talk_to(&p, 1);
	assert_int_equal(agent_ping(&p.a, LONG, &e), CKPT_FAILED);
	assert_string_equal(e.text, "the guest agent has closed its socket before it answered 'guest-ping'");
	assert_int_equal(agent_ping(&p.a, LONG, &e), CKPT_FAILED);
	end(&p);
	assert_int_equal(agent_open(&a, "/nobody/is/here", &e), CKPT_NOT_FOUND);
	agent_close(&a);
}

/* One that never ends its answer is given up by its length, and not by the deadline. */
static void endless(void **state)
{
	size_t size = 3u << 20;
	char *much = malloc(size);
	struct peer p = { .say = { { SIZED(IN_STEP) }, { much, size } } };
	struct peer q = { .say = { { much, size } } };
	struct ckpt_error e;
	int64_t count;

	(void)state;
	memset(much, ' ', size);
	memcpy(much, "{\"", 2);
	talk_to(&p, 65536);
	assert_int_equal(agent_freeze(&p.a, LONG, &count, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "says too much"));
	end(&p);
	talk_to(&q, 65536);
	assert_int_equal(agent_sync(&q.a, LONG, &e), CKPT_FAILED);
	assert_non_null(strstr(e.text, "says too much"));
	end(&q);
	free(much);
}

/* Nobody reads what is asked. */
static void deaf(void **state)
{
	struct peer p = { 0 };
	char fill[65536] = "";
	struct ckpt_error e;

	(void)state;
	talk_to(&p, 4000);
	while (send(p.a.fd, fill, sizeof(fill), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(agent_sync(&p.a, SOON, &e), CKPT_TIMEOUT);
	end(&p);
}

static void noise(void **state)
{
	static const char letters[] = "{}[]\":,\\ 1an\n\xff\xff";
	char bytes[300];
	struct ckpt_error e;
	int64_t count;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct peer p = { .say = { { SIZED(IN_STEP) }, { bytes, sizeof(bytes) } } };

		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = letters[below(sizeof(letters) - 1)];
		memcpy(bytes, "{\"return\":", (size_t)(i % 11));
		talk_to(&p, 1);
		if (i % 3)
			agent_freeze(&p.a, LONG, &count, &e);
		agent_sync(&p.a, LONG, &e);
		end(&p);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(into_step),
	cmocka_unit_test(never_in_step),
	cmocka_unit_test(answers),
	cmocka_unit_test(refused),
	cmocka_unit_test(no_answers),
	cmocka_unit_test(late),
	cmocka_unit_test(gone),
	cmocka_unit_test(endless),
	cmocka_unit_test(deaf),
	cmocka_unit_test(noise),
};

RUN("ckptd_agent", tests)
