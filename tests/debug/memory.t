#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory that fails, at each place of the module that asks for some: see memory.py.

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
lines=${CKPT_LINES:+$CKPT_LINES/memory}
[ -z "$lines" ] || mkdir -p "$lines"

# What the kernel complains of is the last point.
out=$(scripts/vm -k debug -L -t 550 ${lines:+-w "$lines"} sh -c "
	modprobe loop
	tests/debug/memory.py \$(mktemp -d -p /dev/shm)
	status=\$?
	${lines:+tests/debug/coverage gather $lines}
	exit \$status" 2>&1)
status=$?
grep -v '^1\.\.' <<<"$out" | grep -E '^(ok|not ok|#) '
n=$(grep -c -E '^(ok|not ok) ' <<<"$out")
if [ $status = 0 ] || { [ $status = 1 ] && [[ $out != *'the kernel complains'* ]]; }; then
	echo "ok $((n + 1)) - nothing is leaked, and the kernel has nothing to report"
else
	echo "not ok $((n + 1)) - nothing is leaked, and the kernel has nothing to report"
	sed 's/^/# /' <<<"status $status"$'\n'"$out"
fi
echo "1..$((n + 1))"
[ $status = 0 ]
