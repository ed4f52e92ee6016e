// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "drain.h"
#include "orphan.h"

/* Of a process with threads: nothing is called here that might wait for one of them. */
static _Noreturn void drain(int pipe, int life)
{
	static char bytes[65536];
	struct pollfd p = { .fd = 4 };
	ssize_t n;

	if (dup2(pipe, 10) < 0 || dup2(life, 11) < 0 || dup2(10, 4) < 0 || dup2(11, 3) < 0)
		_exit(1);
	close_range(5, ~0u, 0);
	close_range(0, 2, 0);
	while (read(3, bytes, 1) < 0 && errno == EINTR)
		;
	p.events = POLLIN;
	for (;;) {
		n = read(4, bytes, sizeof(bytes));
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			_exit(0);
		if (n < 0)
			poll(&p, 1, -1);
	}
}

int drain_start(int pipe)
{
	int life[2], err;

	if (pipe2(life, O_CLOEXEC))
		return -1;
	switch (orphan_fork()) {
	case 0:
		drain(pipe, life[0]);
		/* It does not return. */
	case 1:
		close(life[0]);
		return life[1];
	}
	err = errno;
	close(life[0]);
	close(life[1]);
	errno = err;
	return -1;
}
