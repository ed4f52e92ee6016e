#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Going back with memory: memory and two disks are of one instant, and the guest runs on from
# there, or nothing was changed; also when ckptd is killed over it. CKPT_ROUNDS takes more
# checkpoints at random moments, CKPT_FAULT=disks-late has them taken in a wrong order, which
# has to fail.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

generation() {
	qmp query-vm-generation-id | sed -n 's/.*"guid": "\([^"]*\)".*/\1/p'
}
state() {
	ckptctl vm list -o state --no-headings | xargs
}
# One instant, and the same one as those before: at 'what' the guest is paused.
at_instant() {
	local now
	now=$(instant)
	note "$1: $now"
	ok "$1: memory and disks are of one instant" is_instant "$now"
	[ -z "${2-}" ] || is "$1: the one that was taken" "$now" "$2"
}

guest_make
ckptctl vm start -q run >/dev/null || bail 'it is not started'
ok 'the guest counts' until_true 120 counts_on

# ---- one instant ----

stop_daemon
start_daemon CKPTD_FAULT="${CKPT_FAULT-}"
for ((round = 1; round <= ${CKPT_ROUNDS:-2}; round++)); do
	sleep 0.$((RANDOM % 9))
	ckptctl vm checkpoint -q run "r$round" >/dev/null || flunk "round $round: no checkpoint"
done
ok 'the guest runs on' until_true 60 counts_on
note "it stood still for (us): $(ckptctl vm tree run --json | grep -o '"standstill_us": *[0-9]*' | tr -dc '0-9\n' | xargs)"
for ((i = round - 1; i > 0; i--)); do
	ctl 0 "round $i: back" "gone back to r$i; it is paused" apply --yes --paused run "r$i"
	at_instant "round $i"
done
at_r1=$(instant)

# ---- it runs on from there ----

first=$(generation)
ctl 0 'back, to run on' 'gone back to r1; it runs on.*no guest agent runs in it' apply --yes run r1
is 'it does' "$(status)" running
ok 'and counts' until_true 60 counts_on
ok 'the generation ID is another one' test -n "$first" -a "$(generation)" != "$first"
ctl 0 'back, with the present state saved' 'runs on' apply --save-current now run r1
ok 'it counts' until_true 60 counts_on
ctl 0 'and forth' 'paused' apply --yes --paused run now
at_instant 'forth'
ok 'that was later' test "$(ring two)" -gt "${at_r1##* }"
ctl 0 'and back once more' 'paused' apply --yes --paused run r1
at_instant 'back' "$at_r1"

# ---- what cannot be gone back to changes nothing ----

qmp cont >/dev/null
ok 'the guest runs' until_true 60 counts_on
pid=$(cat "$work/run/run.pid")
image=$(grep -l '"r1"' "$folder"/*/manifest.json)
image=${image%/*}/memory.img
cp "$image" "$work/good"
size=$(stat -c %s "$image")
damage "$image" $((size / 2)) 16
ctl 8 'a damaged image' 'checksum.*nothing was changed.*disks-only' apply --yes run r1
mv "$image" "$image.away"
ctl 3 'or one that is not there' 'nothing was changed' apply --yes run r1
ctl 4 'a name for the present state that is taken' 'already' apply --save-current now run r1
ctl 2 'nothing to be paused' 'off when it has gone back' apply --yes --disks-only --paused run r1
sed -i 's/^arg/#arg/' "$work/conf/vm/run.conf"
ctl 2 'how it is started is not known' "no 'arg'.*disks-only" apply --yes run now
sed -i 's/^#arg/arg/' "$work/conf/vm/run.conf"
ok 'the guest runs on' until_true 60 counts_on
is 'the same one' "$(cat "$work/run/run.pid")" "$pid"
is 'of which nothing is noted' "$(ls "$folder" | grep -c going)" 0
ctl 0 'without its memory' 'it is off' apply --yes --disks-only run r1
is 'the disks are back' "$(ring one two)" "${at_r1#* }"
cp "$work/good" "$image"
rm "$image.away"
sed -i 's/-m 16/-m 24/' "$work/conf/vm/run.conf"
ctl 1 'QEMU does not take it, and says why' 'is off, and its disks have gone back to r1, but.*pc.ram' apply --yes run r1
sed -i 's/-m 24/-m 16/' "$work/conf/vm/run.conf"
is 'it is off' "$(state)" off
is 'its disks are back' "$(ring one two)" "${at_r1#* }"
is 'and nothing is noted' "$(ls "$folder" | grep -c going)" 0

# ---- killed ----

# killed POINT WORD...: while it goes back to r1; and the next one has finished that.
killed() {
	local at=$1
	shift
	dies_at "$at" ckptctl vm apply --yes "$@" run r1
	start_daemon A=
	ok "killed at '$at': the next one ends" until_true 120 idle run
	is "killed at '$at': nothing is noted" "$(ls "$folder" | grep -c going)" 0
}
ctl 0 'forth' 'runs on' apply --yes run now
killed meant
is 'nothing has changed' "$(status)" running
ok 'and it counts' eval 'until_true 60 counts_on && [ "$(ring one)" -gt "${at_r1##* }" ]'
for at in $(points); do
	# Those two are a matter of their own, before and after this.
	[[ $at != @(meant|off) ]] || continue
	# Paused it shows best where it is; to run it is told after that.
	[ $at = resumed ] || killed $at --paused
	[ $at = resumed ] || at_instant "killed at '$at'" "$at_r1"
	[[ $at = @(loaded|resumed) ]] || continue
	killed $at
	is "killed at '$at': it runs" "$(status)" running
	ok "killed at '$at': and counts" until_true 60 counts_on
done

# What cannot be finished waits, and nothing else is done to the machine until it is.
dies_at off ckptctl vm apply --yes run now
ckptctl store close --all 2>/dev/null
start_daemon A=
ckptctl store open --name st "$STORE" 2>/dev/null
for disk in one two; do ckptctl volume open $disk >/dev/null 2>&1; done
ctl 4 'not started' "'ckptctl vm apply run now' does" start run
ctl 4 'nor another one taken' 'could not finish' checkpoint run c9
ctl 0 'finished by hand' 'runs on' apply --yes run now
ok 'it counts' until_true 60 counts_on
is 'nothing is noted' "$(ls "$folder" | grep -c going)" 0
grep -v 'what was half-made is left' "$work/daemon.log" | while read -r line; do note "$line"; done

guest_end
dies_at_all
done_testing
