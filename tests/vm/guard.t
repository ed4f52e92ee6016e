#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Two hosts that share a disk: two machines with one image.  A store is active on one of them;
# when that one dies, or stands still for longer than its lease, the other takes it over after
# the time that is documented, and whoever wakes up then writes nothing any more.

cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}
[ -e "build/$kernel/dm-ckpt/dm-ckpt.ko" ] || { echo "1..0 # SKIP no module for $kernel"; exit 0; }

# What is said goes through a folder that machines see, which /dev/shm is not.
work=$(mktemp -d "$PWD/build/hosts.XXXXXX") && image=$(mktemp /dev/shm/ckpt-hosts.XXXXXX) || exit 1
declare -A vm emulator n
clean() {
	for p in "${emulator[@]}"; do kill -KILL "$p" 2>/dev/null; done
	for p in "${vm[@]}"; do kill "$p" 2>/dev/null; done
	wait
	rm -rf "$work" "$image"
}
trap clean EXIT
trap 'exit 1' INT TERM
tests=0 bad=0

# ok NAME COMMAND...; what a host has said is in $work/out.
ok() {
	local what=$1
	shift
	tests=$((tests + 1))
	if "$@"; then
		echo "ok $tests - $what"
	else
		echo "not ok $tests - $what"
		sed 's/^/# /' "$work/out"
		bad=1
	fi
}

not() { ! "$@"; }

# host NAME: start a small machine.
host() {
	n[$1]=0
	scripts/vm -x -k "$kernel" -c 1 -r 384M -t 280 -l "$work/$1.console" -w "$work" \
		-d "$image,name=store,shared" -- tests/vm/guard-host "$work" "$1" \
		>"$work/$1.log" 2>&1 &
	vm[$1]=$!
}

# on NAME COMMAND: have it done there; its status is that of the command.
on() {
	local end=$((SECONDS + 150)) answer
	n[$1]=$((n[$1] + 1))
	echo "$2" >"$work/new"
	answer=$work/$1.${n[$1]}.done
	mv "$work/new" "$work/$1.${n[$1]}"
	until [ -e "$answer" ]; do
		if [ $SECONDS -ge $end ] || ! kill -0 "${vm[$1]}" 2>/dev/null; then
			tail -n 30 "$work/$1.log" | sed 's/^/# /'
			echo "Bail out! host $1 does not answer"
			exit 1
		fi
		sleep 0.1
	done
	cp "$work/$1.out" "$work/out"
	return "$(cat "$answer")"
}

says() { grep -Eq "$1" "$work/out"; }

# The image but for the guard's block.
content() {
	{ head -c $((512 << 10)) "$image"; tail -c +$((516 * 1024 + 1)) "$image"; } | md5sum
}

truncate -s 32M "$image"
size=$((32 << 11))
store="dmsetup create st --table '0 $size ckpt-store /dev/disk/store 4 guard_interval 1 commit_ms 60000'"
volume="dmsetup create v --table '0 16384 ckpt /dev/mapper/st v -'"
fill() { echo "yes $1 | dd of=/dev/mapper/v bs=64k count=${2:-4} iflag=fullblock oflag=direct status=none ${3-}"; }
holds() { echo "cmp -n 262144 /dev/mapper/v <(yes $1)"; }
state="dmsetup status st | cut -d' ' -f5,31 | grep -x"

host first
host second
ok 'one host makes a store' on first "
	${store/4 guard/5 format guard} && dmsetup message st 0 create_volume v 16384 && $volume &&
	$(fill first) conv=fsync && dmsetup status st"
ok 'and holds it' on first "$state 'rw held'"
ok 'the other cannot open it' not on second "$store"
on second 'dmesg | tail -n 5'
ok 'and is told where it is open' says 'the store is active on host first, since '
ok 'which the first does not mind' on first "$state 'rw held' && $(fill first) conv=fsync"
# Not durable yet, when it is held up.
ok 'it writes something new' on first "$(fill lost 4 seek=8)"

for h in first second; do
	emulator[$h]=$(pgrep -P "${vm[$h]}" qemu-system)
done
kill -STOP "${emulator[first]}"
begun=$SECONDS
ok 'it stands still, and the other takes over' on second "$store"
took=$((SECONDS - begun))
echo "# after $took s"
ok 'not before the documented time' test $took -ge 5
on second 'dmesg | tail -n 5'
ok 'which it says' says 'host first has given no sign of life for 5 seconds and counts as dead'
ok 'it finds what was durable, and writes' on second "$volume && $(holds first) && $(fill second) conv=fsync"
before=$(content)
kill -CONT "${emulator[first]}"
ok 'the one that was held up writes nothing more' not on first "$(fill late) conv=fsync"
ok 'nor what it had not written before' not on first "timeout 20 dmsetup message st 0 commit"
ok 'it is read-only' on first "$state 'ro lost'"
on first 'dmesg | tail -n 20'
ok 'and says why' says 'host second has opened the store: the store is in mode ro now'
ok 'it closes' on first 'dmsetup remove v st'
ok 'nothing has reached the disk' test "$(content)" = "$before"
ok 'the other has not noticed' on second "$state 'rw held' && $(holds second)"

kill -KILL "${emulator[second]}"
begun=$SECONDS
ok 'it is killed, and the first takes over' on first "$store"
took=$((SECONDS - begun))
echo "# after $took s"
ok 'again not before the documented time' test $took -ge 5
ok 'what was durable is there' on first "$volume && $(holds second)"
ok 'it closes' on first 'dmsetup remove v st'

echo "1..$tests"
exit $bad
