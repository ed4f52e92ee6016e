// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the daemon does to a guest, by hand:
 *
 *	driver capture MONITOR IMAGE [COMMAND [CANCEL-MS]]	COMMAND runs while it stands still
 *	driver restore MONITOR IMAGE		and have it run
 *	driver paused MONITOR IMAGE		the same, but not run
 *	driver freeze AGENT SECONDS COMMAND	COMMAND runs while file systems are frozen
 *	driver thaw AGENT			as after somebody was killed who had frozen them
 *	driver set-time AGENT
 *
 * Says one line, and exits with the result.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckptd/capture.h"
#include "ckptd/guard.h"
#include "ckptd/reach.h"
#include "ckptd/restore.h"

static sd_event *event;
static const char *monitor, *command;

static enum ckpt_result disks(void *arg, struct ckpt_error *e)
{
	(void)arg;
	if (command && system(command))
		return ckpt_fail(e, CKPT_FAILED, "the disks were not taken");
	return CKPT_DONE;
}

static int reconnect(void *arg)
{
	(void)arg;
	return reach(monitor);
}

static void captured(void *arg, enum ckpt_result result, const struct capture_state *s,
		     const struct ckpt_error *e)
{
	(void)arg;
	if (result)
		printf("failed: %s\n", e->text);
	else
		printf("done: way %s early %d standstill %llu us disks %llu us stream %llu file %llu note %s\n",
		       s->way, s->is_early, (unsigned long long)s->standstill_us,
		       (unsigned long long)s->disks_us, (unsigned long long)s->stream,
		       (unsigned long long)s->file, s->note);
	sd_event_exit(event, (int)result);
}

static void restored(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	(void)arg;
	printf("%s%s\n", result ? "failed: " : "done", e->text);
	sd_event_exit(event, (int)result);
}

static int on_cancel(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	capture_cancel(arg);
	return 0;
}

static int capture(int argc, char **argv)
{
	static const struct capture_ops ops = {
		.disks = disks, .reconnect = reconnect, .done = captured,
	};
	struct capture *c;

	command = argc > 4 ? argv[4] : NULL;
	c = capture_start(event, reach(monitor), argv[3], &ops, NULL);
	if (c && argc > 5)
		sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC,
					   strtoull(argv[5], NULL, 10) * 1000, 0, on_cancel, c);
	return c ? sd_event_loop(event) : 99;
}

static int restore(char **argv)
{
	static const struct restore_ops ops = { .done = restored };

	return restore_start(event, reach(monitor), argv[3], !strcmp(argv[1], "restore"), &ops, NULL) ?
		sd_event_loop(event) : 99;
}

static struct guard *guard;

static void frozen(void *arg)
{
	(void)arg;
	if (system(command))
		printf("the command failed: ");
	guard_thaw(guard);
	/* The guard is quicker than who waits for it: what it says is not to be lost. */
	usleep(300000);
}

static void ended(void *arg, enum ckpt_result result, const struct ckpt_error *e)
{
	(void)arg;
	printf("%s%s\n", result ? "failed: " : "done", result ? e->text : "");
	guard_free(guard);
	sd_event_exit(event, (int)result);
}

static int ask_agent(int argc, char **argv)
{
	static const struct guard_handlers handlers = { frozen, ended };

	command = argc > 4 ? argv[4] : "true";
	if (!strcmp(argv[1], "thaw"))
		guard = guard_rescue(event, argv[2], &handlers, NULL);
	else if (argc > 3)
		guard = guard_freeze(event, argv[2], (unsigned int)atoi(argv[3]), &handlers, NULL);
	else
		guard = agent_set_time(event, argv[2], &handlers, NULL);
	return guard ? sd_event_loop(event) : 99;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], GUARD_OPTION))
		return guard_main(argc - 2, argv + 2);
	if (argc < 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (sd_event_default(&event) < 0)
		return 99;
	if (!strcmp(argv[1], "freeze") || !strcmp(argv[1], "thaw") || !strcmp(argv[1], "set-time"))
		return ask_agent(argc, argv);
	if (argc < 4)
		return 2;
	monitor = argv[2];
	return !strcmp(argv[1], "capture") ? capture(argc, argv) : restore(argv);
}
