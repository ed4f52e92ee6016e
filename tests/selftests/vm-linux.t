#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux guest counts in memory, in a file on ext4 and on a raw disk; checkpoints at random
# moments, and back: all three belong to one instant, and the guest, which looks at its
# disks all the time, finds nothing wrong when it runs on. It boots in minutes where two CPUs
# are emulated, one in the other; so it is for the debug kernel's machine, or CKPT_LINUX=1.
# CKPT_ROUNDS says how many times, and CKPT_FAULT=disks-late has to fail.

[ "${CKPT_VM-}" = debug ] || [ -n "${CKPT_LINUX-}" ] ||
	{ echo '1..0 # SKIP a Linux guest takes minutes here: CKPT_LINUX=1'; exit 0; }
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

kernel=${CKPT_CACHE:-/var/cache/dm-ckpt}/kernels/6.1
rounds=${CKPT_ROUNDS:-3}
[ -e "$kernel/stamp" ] || { echo '1..0 # SKIP no kernel: scripts/kernel'; exit 0; }

# The kernel's modules in the order in which they are needed, and the program.
initramfs() {
	local n=10 f
	mkdir -p "$work/tree/modules" "$work/tree/dev"
	for f in $(modprobe -d "$kernel" -S "$(cat "$kernel/release")" -a --show-depends virtio_pci virtio_blk ext4 |
			sed -n 's/^insmod //p' | awk '!seen[$1]++'); do
		cp "$f" "$work/tree/modules/$((n++))"
	done
	gcc -O1 -Wall -static -D_GNU_SOURCE -o "$work/tree/init" "$here/linux-guest.c" &&
		(cd "$work/tree" && find . | cpio -o -H newc --quiet >"$work/initrd")
}
# numbers [MEMORY]: "<memory> <disk 1> <disk 2> <wrong>"
numbers() {
	for disk in one two; do
		dd if="$dm/st-$disk" of="$work/$disk" bs=1M iflag=direct status=none
	done
	python3 "$here/linux-guest.py" "${1:--}" "$work/one" "$work/two"
}
# The same of a guest that is paused.
look() {
	qmp pmemsave "{\"val\": 0, \"size\": $((96 << 20)), \"filename\": \"$work/memory\"}" >/dev/null
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
writes() {
	local words
	read -ra words <<<"$(numbers)"
	[[ ${words[2]} =~ ^[0-9]+$ ]] && [ "${words[2]}" -gt "$1" ]
}

initramfs || bail 'no guest'
store_mib=128 disk_mib=16
guest_args="-nodefaults -display none -m 96 -cpu max,la57=off,cx16=off -serial file:$work/serial
	-kernel $kernel/vmlinux -initrd $work/initrd -append \"console=ttyS0 loglevel=3 panic=-1 mitigations=off tsc=reliable
	no_timer_check cryptomgr.notests audit=0 random.trust_cpu=on rdinit=/init\""
guest_args=$(tr -s '\n\t' '  ' <<<"$guest_args")
guest_make
mkfs.ext4 -q -F -b 4096 "$dm/st-one" 2>/dev/null || bail 'no file system'
ckptctl vm start -q run >/dev/null || bail 'it is not started'
ok 'Linux counts' until_true 600 writes 70
[ $failures = 0 ] || note "$(numbers; tail -n 20 "$work/serial")"

stop_daemon
start_daemon CKPTD_FAULT="${CKPT_FAULT-}"
wrong=0
for ((round = 1; round <= rounds; round++)); do
	sleep $((RANDOM % 2)).$((RANDOM % 10))
	stood=$(ckptctl vm checkpoint -q run r --json | sed -n 's/.*"standstill_us": *"\{0,1\}\([0-9]*\).*/\1/p')
	sleep $((RANDOM % 2)).$((RANDOM % 10))
	ckptctl vm apply -q --yes --paused run r >/dev/null || flunk "round $round: back"
	now=$(look)
	note "round $round: $now, it stood still for $stood us"
	is_one "$now" || { wrong=$((wrong + 1)); note 'that is wrong'; }
	qmp cont >/dev/null
	read -ra words <<<"$now"
	until_true 120 writes "${words[2]}" || { wrong=$((wrong + 1)); note "it does not go on: $(numbers; tail -n 3 "$work/serial")"; }
	ckptctl vm delete -q --yes run r >/dev/null || flunk "round $round: deleted"
done
is "in $rounds rounds memory, ext4 and raw disk are of one instant, and the guest finds so too" $wrong 0
is 'the guest has found nothing wrong' "$(grep -c wrong "$work/serial")" 0

guest_end
done_testing
