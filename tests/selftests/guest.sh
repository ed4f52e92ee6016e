# SPDX-License-Identifier: GPL-2.0-only
#
# For tests of ckptd with a guest that runs; after lib.sh, and it brings daemon.sh. The machine is
# called "run", and its disks are the volumes one and two of the store st. The guest counts; each
# number goes into memory, into disk 1 and then into disk 2. There it is the next of a ring of 64
# sectors, as one sector alone would look right in any order.
#
#	guest_make [WORD...]		store (with these options), volumes, guest, daemon and machine;
#					it is not started
#	guest_end			before done_testing
#	ring DISK...			the last number on each; '-' if those before it are not there
#	counts_on			the number on disk 1 gets larger
#	qmp COMMAND [JSON]		what QEMU answers, in JSON
#	status				running, paused, ...
#	instant				"<memory> <disk 1> <disk 2>": the numbers of a guest that is paused
#	is_instant WORDS		do these three belong to one instant?
#	killed_at POINT			ckptd is killed over a checkpoint: the guest runs on, and the store has
#					what it had
#	kvm_works			are there guests with -accel kvm? An emulated processor has virtualization
#					of its own, and KVM there is slow, but real; sometimes the whole
#					machine dies of it, so it is only used with CKPT_KVM=1; $why not

. "$here/daemon.sh"

folder=$work/state/vm/run
store_mib=24 disk_mib=4 guest_args='-nodefaults -display none -m 16'

# Nothing of it runs any more.
guest_end() {
	stop_daemon
	start_daemon A=
	ckptctl vm stop --yes --now run >/dev/null 2>&1
	stop_daemon
}
trap 'guest_end; at_exit' EXIT

guest_write() {
	gcc -c -x assembler -o "$work/guest.o" - <<-'END' || return
		.code16
		xor %ax, %ax
		mov %ax, %ds
		mov %ax, %ss
		mov $0x7c00, %sp
		movl $0, 0x7e00
	next:	incl 0x7e00
		mov 0x7e00, %ax
		and $63, %ax
		add $16, %ax
		mov %ax, packet + 8
		mov $0x80, %dl
		call put
		mov $0x81, %dl
		call put
		jmp next
	put:	mov $0x4300, %ax
		mov $packet, %si
		int $0x13
		ret
	packet:	.byte 16, 0
		.word 1, 0x7e00, 0
		.quad 0
		.org 510
		.word 0xaa55
	END
	ld -m elf_x86_64 --oformat binary -Ttext 0x7c00 -o "$work/guest" "$work/guest.o" 2>/dev/null || return
	truncate -s 4096 "$work/guest"
	dd if="$work/guest" of=$dm/st-one bs=4096 oflag=direct status=none
}

guest_make() {
	loop STORE "$store_mib"
	ckptctl store create --yes --name st "$@" "$STORE" 2>/dev/null || bail 'no store'
	for disk in one two; do
		ckptctl volume create --open $disk ${disk_mib}M >/dev/null 2>&1 || bail 'no volume'
		dd if=/dev/zero of=$dm/st-$disk bs=4096 count=16 oflag=direct status=none
	done
	guest_write || bail 'no guest'
	start_daemon A=
	ckptctl vm add -q run one two --args "$guest_args" >/dev/null || bail 'no machine'
}

# ckptd is killed at that point of a checkpoint, and started anew.
killed_at() {
	local before
	before=$(checkpoints)
	dies_at "$1" ckptctl vm checkpoint run k1
	start_daemon A=
	ok "killed at '$1': the next one clears up" until_true 90 idle run
	is "killed at '$1': the guest runs" "$(status)" running
	ok "killed at '$1': and counts" until_true 60 counts_on
	is "killed at '$1': the store" "$(checkpoints)" "$before"
}

kvm_works() {
	why='KVM on an emulated processor is only used with CKPT_KVM=1, see tests/vm/nested.t'
	[ -n "${CKPT_KVM-}" ] || ! grep -q 'QEMU TCG' /proc/cpuinfo || return 1
	why='there is no /dev/kvm: the processor here has no virtualization'
	modprobe kvm-amd 2>/dev/null || modprobe kvm-intel 2>/dev/null
	[ -w /dev/kvm ] || return 1
	why=$(timeout 60 qemu-system-x86_64 -accel kvm -nodefaults -display none -m 16 -S -qmp stdio 2>&1 >/dev/null \
		<<<'{"execute": "qmp_capabilities"} {"execute": "quit"}') && return
	why="QEMU cannot use /dev/kvm: $why"
	return 1
}

ring() {
	agent ring "${@/#/$dm/st-}" && echo "$out"
}
counts_on() {
	local before after
	before=$(ring one)
	[ "${before/-/0}" -gt 64 ] || return 1
	sleep 0.5
	# Read while it writes, they may not be all there.
	after=$(ring one)
	[ "${after/-/0}" -gt "$before" ]
}

qmp() {
	agent qmp "$work/run/run.qmp" "$@" && echo "$out"
}
status() {
	qmp query-status | sed -n 's/.*"status": "\([a-z-]*\)".*/\1/p'
}

# The memory's number, as QEMU's own debugger sees it.
instant() {
	local memory
	memory=$(qmp human-monitor-command '{"command-line": "xp /1wd 0x7e00"}' | sed -n 's/.*7e00: *\([0-9]*\).*/\1/p')
	echo "${memory:-none} $(ring one two)"
}
is_instant() {
	local words
	read -ra words <<<"$1"
	[[ ${words[*]} =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]] && [ "${words[0]}" -gt 64 ] &&
		[ $((words[0] - words[1])) -ge 0 ] && [ $((words[1] - words[2])) -ge 0 ] &&
		[ $((words[0] - words[2])) -le 1 ]
}
