#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of the module's parts that only a kernel can run, in the debug kernel.

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
ko=build/debug/kunit/ckpt-kunit.ko
lines=${CKPT_LINES:+$CKPT_LINES/kunit}
[ -e $ko ] || { echo "Bail out! no $ko"; exit 1; }
[ -z "$lines" ] || mkdir -p "$lines"

# The kernel has a plan for each suite; here they are all one.
results=$(scripts/vm -k debug -L -m none -t 300 ${lines:+-w "$lines"} sh -e -c "
	modprobe brd rd_nr=1 rd_size=4096
	modprobe kunit
	insmod $ko
	${lines:+tests/debug/coverage gather $lines}
	grep . /sys/kernel/debug/kunit/*/results" 2>&1)
status=$?
sed -E -n 's/^[^:]*kunit\/([a-z]+)\/results: +(ok|not ok) [0-9]+ -? *(.*)/\2 \1 \3/p' <<<"$results" |
	awk '/^not/ { sub(/^not ok/, ""); print "not ok " ++n " -" $0; next }
	     { sub(/^ok/, ""); print "ok " ++n " -" $0 }'
n=$(grep -c -E 'results: +(ok|not ok)' <<<"$results")
suites=$(grep -c -E '/results:ok 1 (copy|epoch|gate|node)$' <<<"$results")
if [ $status = 0 ] && [ "$suites" = 4 ]; then
	echo "ok $((n + 1)) - all suites pass, and the kernel has nothing to report"
else
	echo "not ok $((n + 1)) - all suites pass, and the kernel has nothing to report"
	sed 's/^/# /' <<<"status $status"$'\n'"$results"
fi
echo "1..$((n + 1))"
[ $status = 0 ] && [ "$suites" = 4 ]
