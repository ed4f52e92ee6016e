#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest of the demo counts, and stands still once it has loaded what an upgrade has put in the
# place of its operating system.

cd "$(dirname "$0")/../.." || exit 1
images=build/tests/vm/demo
work=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT

lines() { cat "$work/serial" 2>/dev/null | wc -l; }

# until_true COMMAND...: it succeeds within a minute.
until_true() {
	local end=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

has_lines() { [ "$(lines)" -ge "$1" ]; }
stands_still() {
	local before
	before=$(lines)
	sleep 2
	[ "$(lines)" = "$before" ]
}

tests=0 bad=0
# ok NAME COMMAND...
ok() {
	tests=$((tests + 1))
	if "${@:2}"; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		head -n 5 "$work/serial" | sed 's/^/# /'
		bad=1
	fi
}

cp $images/guest "$work/disk" && truncate -s 4M "$work/disk" || exit 1
qemu-system-x86_64 -accel tcg -nodefaults -display none -m 64 -serial "file:$work/serial" \
	-drive "file=$work/disk,format=raw,if=virtio" 2>"$work/errors" &
ok 'it says a hundred numbers' until_true has_lines 100
ok 'which are the first ones' cmp -n 900 "$work/serial" <(printf '%08x\n' {1..100})
dd if=$images/upgrade of="$work/disk" bs=4k conv=notrunc status=none
ok 'upgraded, it stands still' until_true stands_still
echo "1..$tests"
exit $bad
