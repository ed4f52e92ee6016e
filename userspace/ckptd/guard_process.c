// SPDX-License-Identifier: GPL-2.0-only
/* The guard itself: a process with one thing to do, which may wait. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "guard_inside.h"

#define ANSWER_MS	(GUARD_ANSWER_SECONDS * 1000)
#define PAUSE_MS	500u		/* before it is tried again */
#define ALONE_TRIES	6u		/* with nobody who listens: the machine has ended */

struct process {
	const char *path;
	struct agent agent;
	struct ckpt_error error;	/* the first one */
	unsigned int stay;		/* seconds for which it is tried; more if something is frozen */
	bool has_said;			/* how it ended; or there is nobody to be told */
};

static void say(struct process *p, int what, const struct ckpt_error *e)
{
	struct guard_message m;

	/* All of it goes over a socket. */
	memset(&m, 0, sizeof(m));
	m.what = what;
	if (e)
		m.error = *e;
	if (!p->has_said)
		send(GUARD_CONTROL, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
	p->has_said = what == GUARD_ENDED || p->has_said;
}

/* The first failure is what counts, those of clearing up after it do not. */
static void note(struct process *p, const struct ckpt_error *e)
{
	if (!p->error.result)
		p->error = *e;
}

/*
 * One round: @thaw, and then whether all is thawed.  True when the agent says so; *@count is
 * what the thaw returned, or -1.
 */
static bool is_thawed(struct process *p, bool thaw, int64_t *count, struct ckpt_error *e)
{
	bool is_frozen;

	*count = -1;
	if (p->agent.fd < 0 && agent_open(&p->agent, p->path, e))
		return false;
	if (thaw && agent_thaw(&p->agent, ANSWER_MS, count, e)) {
		*count = -1;
		note(p, e);
		/* Without an answer it may yet be done.  A refusal may mean that all is thawed. */
		if (!p->agent.is_in_step)
			return false;
	}
	if (agent_status(&p->agent, ANSWER_MS, &is_frozen, e))
		return false;
	if (!is_frozen)
		return true;
	p->stay = GUARD_STAY_SECONDS;
	ckpt_fail(e, CKPT_FAILED, "the guest agent says that file systems are frozen");
	return false;
}

static void say_it_lasts(struct process *p)
{
	struct ckpt_error both;

	ckpt_fail(&both, p->error.result,
		  "%.600s; and file systems of the guest may be frozen, as the agent does not say that they are thawed: it is told to for %u minutes",
		  p->error.text, GUARD_STAY_SECONDS / 60);
	say(p, GUARD_ENDED, &both);
}

/*
 * Until all is thawed, the machine has ended, or it was tried for too long.  @thaw is
 * whether the first round asks for that already.  Returns as is_thawed() does.
 */
static bool thaw_all(struct process *p, bool thaw, int64_t *count)
{
	uint64_t begin = clock_seconds();
	unsigned int alone = 0;
	struct ckpt_error e;

	while (!is_thawed(p, thaw, count, &e)) {
		note(p, &e);
		alone = p->agent.fd < 0 && e.result == CKPT_NOT_FOUND ? alone + 1 : 0;
		if (alone >= ALONE_TRIES || clock_seconds() - begin >= p->stay)
			return false;
		if (clock_seconds() - begin >= GUARD_THAW_SECONDS)
			say_it_lasts(p);
		thaw = true;
		poll(NULL, 0, PAUSE_MS);
	}
	return true;
}

/* Nothing is frozen yet, by us. */
static enum ckpt_result get_ready(struct process *p, struct ckpt_error *e)
{
	enum ckpt_result result = agent_open(&p->agent, p->path, e);
	bool is_frozen;

	if (!result)
		result = agent_ping(&p->agent, ANSWER_MS, e);
	if (!result)
		result = agent_status(&p->agent, ANSWER_MS, &is_frozen, e);
	if (!result && is_frozen)
		result = ckpt_fail(e, CKPT_BUSY,
				   "the guest's file systems are frozen already, by somebody else");
	return result;
}

/* Who asked us to is dead, or has thought better of it. */
static bool is_alone(void)
{
	struct pollfd control = { .fd = GUARD_CONTROL, .events = POLLIN };

	return poll(&control, 1, 0) > 0;
}

static enum ckpt_result freeze(struct process *p, unsigned int seconds, int64_t *count,
			       struct ckpt_error *e)
{
	enum ckpt_result result = agent_freeze(&p->agent, seconds * 1000, count, e);
	bool is_frozen;

	if (!result && !*count)
		result = ckpt_fail(e, CKPT_FAILED,
				   "the guest agent has frozen nothing: the guest has no file system that it can freeze");
	/* Also, an answer to an earlier question would not be one to this. */
	if (!result)
		result = agent_status(&p->agent, ANSWER_MS, &is_frozen, e);
	if (!result && !is_frozen)
		result = ckpt_fail(e, CKPT_FAILED,
				   "the guest agent says that it has frozen file systems, and that they are thawed");
	return result;
}

/* Frozen: until we are told, or it lasts too long. */
static enum ckpt_result hold(struct process *p, struct ckpt_error *e)
{
	struct pollfd control = { .fd = GUARD_CONTROL, .events = POLLIN };

	say(p, GUARD_FROZEN, NULL);
	if (poll(&control, 1, (int)GUARD_HOLD_SECONDS * 1000) > 0)
		return CKPT_DONE;
	return ckpt_fail(e, CKPT_TIMEOUT,
			 "the disks were not taken within %u s, which is as long as a guest may be frozen",
			 GUARD_HOLD_SECONDS);
}

static void freeze_and_thaw(struct process *p, unsigned int seconds)
{
	enum ckpt_result result = get_ready(p, &p->error);
	int64_t count = 0, thawed;

	if (!result && is_alone())
		result = ckpt_fail(&p->error, CKPT_FAILED, "it was thought better of before anything was frozen");
	if (result)
		return;
	result = freeze(p, seconds, &count, &p->error);
	if (!result)
		result = hold(p, &p->error);
	if (thaw_all(p, true, &thawed) && !p->error.result && thawed != count)
		ckpt_fail(&p->error, CKPT_FAILED,
			  "the guest has frozen %lld file systems, but %lld were frozen in the end: somebody in it has thawed some before",
			  (long long)count, (long long)thawed);
}

/* That it took more than one round is nothing to complain of, if there is nothing to hold. */
static bool is_thawed_at_last(struct process *p, bool thaw)
{
	int64_t count;

	if (!thaw_all(p, thaw, &count))
		return false;
	p->error.result = CKPT_DONE;
	return true;
}

static void set_time(struct process *p)
{
	struct timespec t;

	if (!is_thawed_at_last(p, false))
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	agent_set_clock(&p->agent, ANSWER_MS, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec, &p->error);
}

/*
 * What the daemon has sent and is not read would have it hear of that, and not of what we
 * have said: so it is the daemon that closes first.
 */
static void await_end(void)
{
	struct pollfd control = { .fd = GUARD_CONTROL, .events = POLLIN };
	char bytes[16];

	while (poll(&control, 1, GUARD_THAW_SECONDS * 1000) > 0 &&
	       recv(GUARD_CONTROL, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* A socket that the daemon cannot be at the other end of is no reason not to thaw. */
static void ignore_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_IGN);
}

int guard_main(int count, char **words)
{
	struct process p = { .agent.fd = -1, .stay = GUARD_STAY_SECONDS };

	if (count != 3)
		return CKPT_USAGE;
	p.path = words[1];
	ignore_signals();
	if (chdir("/"))
		return CKPT_FAILED;
	switch (atoi(words[0])) {
	case GUARD_FREEZE:
		freeze_and_thaw(&p, (unsigned int)atoi(words[2]));
		break;
	case GUARD_THAW:
		/* An agent that was started anew may not know that they are frozen. */
		is_thawed_at_last(&p, true);
		break;
	case GUARD_SET_TIME:
		p.stay = GUARD_THAW_SECONDS;
		set_time(&p);
		break;
	default:
		return CKPT_USAGE;
	}
	say(&p, GUARD_ENDED, &p.error);
	agent_close(&p.agent);
	await_end();
	return CKPT_DONE;
}
