// SPDX-License-Identifier: GPL-2.0-only
/*
 * ckptd: whole virtual machines' checkpoints.  One thread, one event loop; what is done
 * to the kernel's devices is done between two events.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "durable.h"
#include "folders.h"
#include "guard.h"
#include "operations.h"
#include "points.h"
#include "rescue.h"

#ifndef CKPT_RELEASE
#define CKPT_RELEASE "unknown"
#endif

#define END_SECONDS 20u		/* for answers that are due, when it is to end */

static int usage(FILE *to)
{
	fprintf(to, "usage: ckptd [--socket PATH]\n\n"
		"The daemon behind 'ckptctl vm'; see ckptd(8).\n\n"
		"  --socket PATH   listen there, if no socket was passed on; by default %s/ckptd.sock\n"
		"  --points        list the points at which CKPTD_KILL_AT=NAME kills it\n"
		"  -h, --help      say how it is used\n"
		"  -V, --version   say which release this is\n", folder_run());
	return to == stdout ? 0 : 2;
}

static int list_points(void)
{
	for (int i = 0; i < POINT_COUNT; i++)
		puts(point_names[i]);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	(void)usec;
	return sd_event_exit(daemon->event, 0);
}

static int on_idle(sd_event_source *source, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	if (!server_is_busy(daemon->server))
		return sd_event_exit(daemon->event, 0);
	return 0;
}

/* No more is taken on; what is being done is finished, within bounds. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	(void)info;
	sd_notify(0, "STOPPING=1");
	server_stop(daemon->server);
	if (!server_is_busy(daemon->server))
		return sd_event_exit(daemon->event, 0);
	if (sd_event_add_post(daemon->event, NULL, on_idle, daemon) < 0 ||
	    sd_event_add_time_relative(daemon->event, NULL, CLOCK_MONOTONIC,
				       END_SECONDS * 1000000ull, 0, on_late, daemon) < 0)
		return sd_event_exit(daemon->event, 1);
	return 0;
}

static int make_loop(struct daemon *daemon)
{
	static const int ends[] = { SIGTERM, SIGINT };
	sigset_t set;
	int err;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	err = sd_event_default(&daemon->event);
	for (unsigned int i = 0; err >= 0 && i < 2; i++)
		err = sd_event_add_signal(daemon->event, NULL, ends[i], on_signal, daemon);
	if (err >= 0)
		err = sd_event_set_watchdog(daemon->event, true);
	return err;
}

/* The socket that systemd has made, or -1; below -1 there is more than one. */
static int passed_socket(void)
{
	int count = sd_listen_fds(1);

	if (count == 1 && sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) > 0)
		return SD_LISTEN_FDS_START;
	return count ? -2 : -1;
}

static enum ckpt_result run(const char *path, struct ckpt_error *e)
{
	struct daemon daemon = { 0 };
	enum ckpt_result result;
	int err, fd = passed_socket();

	if (fd < -1)
		return ckpt_fail(e, CKPT_USAGE, "what was passed on is not one listening socket");
	err = make_loop(&daemon);
	if (err < 0)
		return ckpt_fail_errno(e, -err, "there is no event loop");
	result = durable_folder(folder_run(), 0755, e);
	if (!result)
		result = server_new(&daemon.server, daemon.event, fd, path, operation_any, &daemon, e);
	if (result)
		return result;
	/* What was half-made is out of the way, or its machine is busy, before anybody is answered. */
	rescue_all(&daemon);
	sd_notify(0, "READY=1");
	err = sd_event_loop(daemon.event);
	server_free(daemon.server);
	sd_event_unref(daemon.event);
	return err < 0 ? ckpt_fail_errno(e, -err, "the event loop failed") : CKPT_DONE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "points", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	char path[PATH_MAX];
	struct ckpt_error e;
	int got;

	if (argc > 1 && !strcmp(argv[1], GUARD_OPTION))
		return guard_main(argc - 2, argv + 2);
	snprintf(path, sizeof(path), "%s/ckptd.sock", folder_run());
	while ((got = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (got) {
		case 's':
			snprintf(path, sizeof(path), "%s", optarg);
			break;
		case 'p':
			return list_points();
		case 'h':
			return usage(stdout);
		case 'V':
			puts("ckptd " CKPT_RELEASE);
			return 0;
		default:
			return usage(stderr);
		}
	}
	if (optind < argc)
		return usage(stderr);
	umask(022);
	if (run(path, &e)) {
		fprintf(stderr, SD_ERR "ckptd: %s\n", e.text);
		return (int)e.result;
	}
	return 0;
}
