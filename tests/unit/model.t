#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The model test tested: on an emulated target it passes, and each kind of fault
# is found, also those that only a crash shows. Needs no module.

. "$(dirname "$0")/../model/lib.sh"
need
n=0

check() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		sed 's/^/# /' "$work/out" 2>/dev/null | tail -n 30
		echo "not ok $n - $name"
	fi
}

# fake OPTION...: on a new emulated store.
fake() {
	rm -rf "$work/store"
	mkdir "$work/store"
	again "$@"
}

again() {
	run --fake "$work/store" --origins 3 --size 6 "$@" >"$work/out" 2>&1
}

# found PATTERN OPTION...: the run fails, and says why. Time bounds it, not a number of
# operations: how many commands fit between those is up to the machine.
found() {
	local pattern=$1
	shift
	! fake --ops 20000000 --seconds 60 "$@" && grep -q "^# FAILURE: .*$pattern" "$work/out"
}

check "passes without a fault" fake --ops 20000 --seconds 20
check "passes in one thread" fake --ops 4000 --seconds 20 --threads 0
check "passes with volumes of terabytes" fake --ops 5000 --seconds 20 --huge
check "passes a chain of checkpoints" fake --chain 64 --ops 2000 --checkpoints 300

# What is not what it should be may also be seen first as a group that lacks an earlier write
# than one that it has.
for fault in lost-write wrong-sector lost-zero leak half-checkpoint stale-apply; do
	check "finds $fault" found '\(is wrong\|no single instant\)' --inject $fault
done
check "finds torn-write" found "" --inject torn-write
check "finds a group that is not one instant" found "no single instant" \
	--inject group-order

# crashes OPTION...: some rounds of crash, recovery, and more load.
crashes() {
	rm -f "$work/log"
	truncate -s 64M "$work/log"
	fake --log "$work/log" --ops 1000000 --seconds 1 --die "$@" || return 1
	for _ in 1 2 3; do
		again --log "$work/log" --ops 1000000 --seconds 1 --die --resume "$@" || return 1
	done
	again --log "$work/log" --verify-only
}

check "passes after crashes" crashes
not_all_there() {
	! crashes "$@" && grep -q "after the crash of .* is wrong" "$work/out"
}
check "finds flushed data that a crash took" not_all_there --inject lost-at-crash
echo "1..$n"
