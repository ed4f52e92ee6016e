#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest whose memory QEMU cannot write in the background, as it is shared with others: it is
# written live where there is KVM, and else while the guest stands still. Either way memory and
# both disks are of one instant, and with the disks taken in a wrong order that is seen.
# CKPT_ROUNDS takes more checkpoints at random moments, CKPT_POINTS says at which points ckptd is
# killed: also stopping and remembered.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

take() {
	sleep 0.$((RANDOM % 9))
	out=$(ckptctl vm checkpoint -q run "$1" 2>&1) || flunk "$1 is taken" "$out"
}
# The last one of: its "<way> <standstill in us> <note>".
how() {
	ckptctl vm tree run --json | python3 -c '
import json, sys
c = json.load(sys.stdin)["checkpoints"][-1]
print(c["way"], c["standstill_us"], c["note"])'
}
# is_of_one_instant NAME: the guest goes there, and runs on from there.
is_of_one_instant() {
	ctl 0 "back to $1" 'paused' apply --yes --paused run "$1"
	now=$(instant)
	note "$1: $now"
	ok "$1: memory and disks are of one instant" is_instant "$now"
	qmp cont >/dev/null
	ok 'and the guest counts on' until_true 60 counts_on
}
# Of a file on ext4, that is: of one in memory the kernel can tell when it is written to.
loop MEMORY 32
mkfs.ext4 -q -F "$MEMORY" && mkdir "$work/mnt" && mount "$MEMORY" "$work/mnt" || bail 'no place for memory'
guest_args="-nodefaults -display none -m 16 -machine pc,memory-backend=ram"
guest_args+=" -object memory-backend-file,id=ram,size=16M,share=on,mem-path=$work/mnt -accel kvm"
guest_make
if kvm_works; then
	ckptctl vm start -q run >/dev/null || bail 'it is not started'
	ok 'the guest counts' until_true 120 counts_on
	for ((i = 1; i <= ${CKPT_ROUNDS:-2}; i++)); do
		take "r$i"
		said=$(how)
		like "round $i: it is taken live, and says why" "$said" "^live [1-9][0-9]* .*ackground-snapshot"
		note "$said"
		ok 'the guest runs on' until_true 60 counts_on
	done
	for ((i--; i > 0; i--)); do
		is_of_one_instant "r$i"
	done
	for at in ${CKPT_POINTS-stopped}; do
		killed_at "$at"
	done
	stop_daemon
	start_daemon CKPTD_FAULT=disks-late
	for ((i = 1; i <= 5; i++)); do
		take "late$i"
		ckptctl vm apply -q --yes --paused run "late$i" >/dev/null || flunk "back to late$i"
		is_instant "$(instant)" || break
		qmp cont >/dev/null
	done
	ok 'disks that are taken late are found out' test $i -le 5
	stop_daemon
	start_daemon A=
	ctl 0 'it is turned off' '' stop --yes --now run
	ctl 0 'and all are deleted' '' delete --yes --subtree run r1
else
	echo "ok $((++tests)) - memory is written live # SKIP $why"
fi

sed -i '/-accel kvm/d' "$work/conf/vm/run.conf"
# Whatever the last guest has left there.
for disk in one two; do
	dd if=/dev/zero of=$dm/st-$disk bs=4096 count=16 oflag=direct status=none
done
guest_write || bail 'no guest'
ctl 0 'it is started, without KVM' '' start run
ok 'the guest counts' until_true 120 counts_on
take s1
said=$(how)
like 'it stands still for all of its memory, and says why' "$said" '^stopped [1-9][0-9]* .*ackground-snapshot.*no KVM'
note "$said"
ok 'the guest runs on' until_true 60 counts_on
is_of_one_instant s1

guest_end
done_testing
