#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A tree of six checkpoints of a machine with two disks, two of them with memory: to and fro
# between all of them, and two in the middle are deleted while the guest runs.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

# "CHILD<PARENT ...", and what the machine sits on.
shape() {
	ckptctl vm tree run --json | python3 -c '
import json, sys
tree = json.load(sys.stdin)
name = {c["id"]: c["name"] for c in tree["checkpoints"]}
print(*sorted(c["name"] + "<" + name.get(c["parent"], "") for c in tree["checkpoints"]),
      "now<" + name.get(tree["now"], ""))'
}
# What the guest does not touch, on both disks: the number of the checkpoint that is next.
mark() {
	for disk in one two; do
		yes "$1$disk" | dd of="$dm/st-$disk" bs=4096 count=1 seek=500 iflag=fullblock oflag=direct status=none
	done
}
marks() {
	for disk in one two; do
		dd if="$dm/st-$disk" bs=4096 count=1 skip=500 iflag=direct status=none | head -n 1
	done | xargs
}
declare -A was
# take NAME: with the memory of a guest that runs, and else with what is on the disks.
take() {
	mark "$1"
	ckptctl vm checkpoint run "$1" >/dev/null 2>&1 || flunk "$1 is taken"
}
take_off() {
	take "$1"
	was[$1]="$(ring one two)"
}
# visit NAME [paused]: the machine goes there, and all is as it was.
visit() {
	local how=${2-} now
	ckptctl vm apply -q --yes ${how:+--paused} run "$1" >/dev/null || flunk "to $1"
	now="$(ring one two)"
	[ -z "$how" ] || now=$(instant)
	[ -z "$how" ] || is_instant "$now" || flunk "$1 is of one instant" "$now"
	is "at $1" "$now $(marks)" "${was[$1]-$now} $1one $1two"
	was[$1]=$now
}
off() {
	ckptctl vm stop -q --yes --now run >/dev/null || flunk 'turned off'
}

guest_make
ckptctl vm start -q run >/dev/null || bail 'it is not started'
ok 'the guest counts' until_true 120 counts_on
take c1
off
take_off c2
take_off c3
visit c1 paused
qmp cont >/dev/null
ok 'the guest runs on' until_true 60 counts_on
take c4
off
take_off c5
ckptctl vm apply -q --yes --disks-only run c4 >/dev/null || flunk 'to the disks of c4'
take_off c6
is 'a tree' "$(shape)" 'c1< c2<c1 c3<c2 c4<c1 c5<c4 c6<c4 now<c6'
note "$(ckptctl vm tree run)"
for name in c3 c1 c5 c2 c6 c4; do
	how=
	[[ $name != c[14] ]] || how=paused
	visit $name $how
done
is 'the same tree' "$(shape)" 'c1< c2<c1 c3<c2 c4<c1 c5<c4 c6<c4 now<c4'

qmp cont >/dev/null
ok 'the guest runs' until_true 60 counts_on
ok 'one in the middle is deleted' ckptctl vm delete -q --yes run c2
ok 'and the one that it sits on' ckptctl vm delete -q --yes run c4
ok 'the guest does not notice' until_true 60 counts_on
ok 'that merges' ckptctl store wait -t 120
is 'four are left' "$(shape)" 'c1< c3<c1 c5<c1 c6<c1 now<c1'
is 'with the memory of one' "$(ls "$folder"/*/memory.img | wc -l)" 1
ok 'and it counts' until_true 60 counts_on
for name in c6 c3 c5 c1; do
	how=
	[ $name != c1 ] || how=paused
	visit $name $how
done
ok 'all are deleted' ckptctl vm delete -q --yes --subtree run c1
is 'to the last' "$(shape)" 'now<'
is 'nothing is kept' "$(ls "$folder" | wc -l)" 0
ok 'nor in the store' ckptctl store wait -t 120
qmp cont >/dev/null
ok 'and the guest counts' until_true 60 counts_on

guest_end
done_testing
