// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orphan.h"

int orphan_fork(void)
{
	int status = 0;
	pid_t pid = fork(), got;

	if (pid < 0)
		return -1;
	if (!pid) {
		pid = fork();
		if (pid)
			_exit(pid < 0 ? errno : 0);
		setsid();
		return 0;
	}
	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got == pid && WIFEXITED(status) && !WEXITSTATUS(status))
		return 1;
	errno = got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
	return -1;
}
