#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux guest with a real agent counts in memory, in a file on ext4 and on a raw disk (tests/vm/
# linux-guest.c). Checkpoints at random moments, and back: all three belong to one instant, and the
# guest, which looks at its disks all the time, finds nothing wrong when it runs on; with the disks
# taken in a wrong order that is seen. Without KVM it boots in minutes where two CPUs are emulated,
# one in the other; so it is for machines with KVM (see kvm_works), for the debug kernel's, or
# CKPT_LINUX=1.
# CKPT_ROUNDS says how many times.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

skip() { echo "1..0 # SKIP $*"; trap - EXIT; at_exit; exit 0; }

linux=$here/../vm/linux.py
rounds=${CKPT_ROUNDS:-1}
accel=
if kvm_works; then
	accel=' -accel kvm'
elif [ "${CKPT_VM-}" != debug ] && [ -z "${CKPT_LINUX-}" ]; then
	skip "without KVM a Linux guest takes minutes here (CKPT_LINUX=1), and $why"
fi
[ -e "$here/../../build/tests/vm/linux.img" ] || skip 'no kernel for a guest: scripts/kernel 6.1'

# numbers [MEMORY]: "<memory> <disk 1> <disk 2> <wrong>"
numbers() {
	for disk in one two; do
		dd if="$dm/st-$disk" of="$work/$disk" bs=1M iflag=direct status=none
	done
	python3 "$linux" numbers "${1:--}" "$work/one" "$work/two"
}
# The same of a guest that is paused.
look() {
	qmp pmemsave "{\"val\": 0, \"size\": $((memory << 20)), \"filename\": \"$work/memory\"}" >/dev/null
	numbers "$work/memory"
	rm "$work/memory"
}
is_one() {
	local words
	read -ra words <<<"$1"
	[[ ${words[*]} =~ ^[0-9]+\ [0-9]+\ [0-9]+\ 0$ ]] && [ "${words[0]}" -gt 64 ] &&
		[ $((words[0] - words[1])) -ge 0 ] && [ $((words[1] - words[2])) -ge 0 ] &&
		[ $((words[0] - words[2])) -le 1 ]
}
# said: "<count> <seconds>", the latest on its serial line
said() {
	tr -d '\r' <"$work/serial" | grep -E '^[0-9]+ [0-9]+$' | tail -n 1
}
# A QEMU that was started anew has begun another file.
counts_beyond() {
	local count
	count=$(said)
	[ "${count%% *}" -gt "$1" ] 2>/dev/null
}
clock_is_right() {
	local clock
	clock=$(said)
	clock=$((${clock##* } - $(date +%s)))
	[ ${clock#-} -lt 120 ]
}
a_while() {
	sleep $((RANDOM % 2)).$((RANDOM % 10))
}
# round NAME: a checkpoint and back, and what it was like there is in $now; $stood (us) is how long it stood still.
round() {
	a_while
	stood=$(ckptctl vm checkpoint -q run "$1" --json | sed -n 's/.*"standstill_us": *"\{0,1\}\([0-9]*\).*/\1/p')
	a_while
	ckptctl vm apply -q --yes --paused run "$1" >/dev/null || flunk "back to $1"
	now=$(look)
	note "$1: $now, it stood still for $stood us"
	ckptctl vm delete -q --yes run "$1" >/dev/null || flunk "$1 is deleted"
}

store_mib=128 disk_mib=16
guest_args=$(python3 "$linux" words "$work/serial")$accel
memory=$(grep -o -- "-m [0-9]*" <<<"$guest_args" | tr -dc 0-9)
guest_make
mkfs.ext4 -q -F -b 4096 "$dm/st-one" 2>/dev/null || bail 'no file system'
ckptctl vm start -q run >/dev/null || bail 'it is not started'
ok 'Linux counts' until_true 600 counts_beyond 70
[ $failures = 0 ] || note "$(tail -n 20 "$work/serial")"

# ---- its agent ----

ctl 0 'production, with the agent in it' '' checkpoint --kind production-only run p1
like 'is that' "$(ckptctl vm tree run --json)" '"kind": ?"production"'
count=$(said)
ok 'it counts on' until_true 60 counts_beyond "${count%% *}"
nok 'its clock is one of long ago' clock_is_right
ctl 0 'a standard one, and how far it is' '[0-9] %, .* of ' checkpoint run s1
out=$(ckptctl vm apply --yes run s1 2>&1)
like 'back, and nothing is said of its clock' "$? $out" '^0 .*it runs on$'
ok 'which is set' until_true 60 clock_is_right
ctl 0 'and both are deleted' '' delete --yes --subtree run p1

# ---- one instant ----

wrong=0
for ((i = 1; i <= rounds; i++)); do
	round "r$i"
	is_one "$now" || { wrong=$((wrong + 1)); note 'that is wrong'; }
	qmp cont >/dev/null
	until_true 120 counts_beyond "${now%% *}" || { wrong=$((wrong + 1)); note "it does not go on: $(tail -n 3 "$work/serial")"; }
done
is "in $rounds rounds memory, ext4 and raw disk are of one instant, and the guest finds so too" $wrong 0
is 'the guest has found nothing wrong' "$(grep -c wrong "$work/serial")" 0

stop_daemon
start_daemon CKPTD_FAULT=disks-late
for ((i = 1; i <= 5; i++)); do
	round "late$i"
	is_one "$now" || break
	qmp cont >/dev/null
	until_true 20 counts_beyond "${now%% *}" || break
done
ok 'disks that are taken late are found out' test $i -le 5

guest_end
done_testing
