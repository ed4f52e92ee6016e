#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whatever the debug kernel finds fails the run that it was found in: each kind of
# bug is committed once, on purpose.

top=$(cd "$(dirname "$0")/../.." && pwd)
ko=$top/build/debug/bugs/ckpt-bugs.ko
tests=0 failures=0

# boots WHAT STATUS REGEX BUG [OPTION...]: a machine in which the bug is committed ends
# with that status, and says why.
boots() {
	local out status
	out=$("$top/scripts/vm" "${@:5}" -k debug -m none -t 300 sh -c \
		"echo 10 >/proc/sys/kernel/hung_task_timeout_secs; insmod '$ko' bug=$4" 2>&1)
	status=$?
	tests=$((tests + 1))
	if [ $status = "$2" ] && [[ $out =~ $3 ]]; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		failures=$((failures + 1))
		printf 'the status is %s, and it says:\n%s\n' "$status" "$out" | sed 's/^/# /'
	fi
}

[ -e "$ko" ] || { echo "Bail out! no $ko"; exit 1; }
boots 'without a bug it passes' 0 '' none -L
boots 'memory used after it was freed' 126 'KASAN: .*use-after-free' use-after-free
boots 'memory used behind its end' 126 'KASAN: .*out-of-bounds' out-of-bounds
boots 'locks in the wrong order' 126 'possible circular locking' lock-order
boots 'sleep with a spinlock held' 126 'sleeping function called from invalid' sleep-in-atomic
boots 'a pointer of RCU read without its lock' 126 'suspicious RCU usage' rcu-without-lock
boots 'an entry taken from a list twice' 125 'list_del corruption' list-twice
boots 'a timer freed that runs' 126 'ODEBUG: free active' timer-freed
boots 'a shift by too much' 126 'UBSAN: shift-out-of-bounds' shift
boots 'memory that nobody has any more' 126 'memory has been leaked.*unreferenced object.*leaked' leak -L
boots 'a task that hangs' 125 'blocked for more than' hang
boots 'a warning' 126 'ckpt-bugs: a warning' warn
echo "1..$tests"
[ $failures = 0 ]
