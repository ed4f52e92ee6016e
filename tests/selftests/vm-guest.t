#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints of a guest that runs: its two disks belong to one instant, and it runs on, also
# when ckptd is killed over it. CKPT_ROUNDS takes more of them; CKPT_POINTS says at which points
# it is killed: also begun, stopping, copied, remembered and written.

. "$(dirname "$0")/lib.sh"

export CKPT_CONFDIR=$work/conf CKPT_STATEDIR=$work/state CKPT_RUNDIR=$work/run NO_COLOR=1 LC_ALL=C.UTF-8
unset CKPT_STORE
loop STORE 64
folder=$work/state/vm/run

daemon=
start_daemon() {
	env "$@" ckptd 2>>"$work/daemon.log" &
	daemon=$!
	until_true 60 eval 'ckptctl vm list >/dev/null 2>&1 || ! kill -0 $daemon 2>/dev/null'
}
stop_daemon() {
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
}
end() {
	stop_daemon
	start_daemon A=
	ckptctl vm stop --yes --now run >/dev/null 2>&1
	stop_daemon
	at_exit
}
trap end EXIT

# The guest counts; each number goes into memory, into disk 1 and then into disk 2. There it is
# the next of a ring of 64 sectors, as one sector alone would look right in any order.
guest() {
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
# ring DISK: the last number on it; nothing if those before it are not all there.
ring() {
	dd if="$dm/st-$1" bs=4096 count=10 iflag=direct status=none | od -A n -v -t u4 -j 8192 -N 32768 -w512 |
		awk '{ n[NR - 1] = $1; if ($1 > last) last = $1 }
		     END {
			for (i = 0; i < 64; i++)
				if (n[i] % 64 != i && n[i] || n[i] && n[i] + 64 <= last || !n[i] && last >= 64)
					exit
			print last
		     }'
}
counts_on() {
	local before
	before=$(ring one)
	[ "${before:-0}" -gt 64 ] || return 1
	sleep 0.5
	[ "$(ring one)" != "$before" ]
}
names() {
	ckptctl checkpoint list -o volume,name --no-headings | awk '{ print $1 "@" $2 }' | sort | xargs
}
status() {
	python3 - "$work/run/run.qmp" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(30)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()
		for command in "qmp_capabilities", "query-status":
		    print(json.dumps({"execute": command}), file=f, flush=True)
		    while "return" not in (answer := json.loads(f.readline())):
		        pass
		print(answer["return"]["status"])
	END
}

ckptctl store create --yes --name st "$STORE" 2>/dev/null || bail 'no store'
for disk in one two; do
	ckptctl volume create --open $disk 4M >/dev/null 2>&1 || bail 'no volume'
	dd if=/dev/zero of=$dm/st-$disk bs=4096 count=16 oflag=direct status=none
done
guest || bail 'no guest'
start_daemon A=
ckptctl vm add run one two --args '-nodefaults -display none -m 16' >/dev/null || bail 'no machine'
ckptctl vm start run >/dev/null || bail 'it is not started'
ok 'the guest counts' until_true 120 counts_on

for ((round = 1; round <= ${CKPT_ROUNDS:-2}; round++)); do
	sleep 0.$((RANDOM % 9))
	ok "round $round: a checkpoint" ckptctl vm checkpoint run "r$round"
	ok "round $round: the guest runs on" until_true 60 counts_on
done
tree=$(ckptctl vm tree run --json)
note "$tree"
like 'they are standard ones, of a way, and say how long it stood still' "$tree" \
	'"kind": ?"standard".*"standstill_us": ?[1-9].*"way": ?"(background|stopped)"'
is 'folders hold the memory, and no note of a guest that stands still' \
	"$(ls "$folder"/*/memory.img | wc -l) $(ls "$folder"/*/stopped 2>/dev/null | wc -l)" \
	"$((round - 1)) 0"

out=$(ckptctl vm checkpoint --kind production run p1 2>&1)
like 'production is standard as yet' "$? $out" '^0 '
like 'and says so' "$(ckptctl vm tree run --json)" 'production was asked for'
out=$(ckptctl vm checkpoint --kind production-only run p2 2>&1)
like 'or refused' "$? $out" '^1 .*cannot be frozen yet'
ckptctl vm delete --yes run p1 >/dev/null

# What is killed: the guest runs, and nothing is left of it, or all is there.
before=$(names)
for at in ${CKPT_POINTS-stopped taken running}; do
	stop_daemon
	start_daemon CKPTD_KILL_AT=$at
	ckptctl vm checkpoint run k1 >/dev/null 2>&1
	ok "killed at '$at'" until_true 60 eval '! kill -0 $daemon 2>/dev/null'
	wait "$daemon" 2>/dev/null
	start_daemon A=
	is "killed at '$at': the guest runs" "$(status)" running
	ok "killed at '$at': and counts" until_true 60 counts_on
	is "killed at '$at': the store" "$(names)" "$before"
	is "killed at '$at': folders" "$(ls "$folder" | wc -l)" $((round - 1))
done

for ((i = round - 1; i > 0; i--)); do
	ckptctl vm apply --yes run "r$i" >/dev/null || flunk "round $i: going back"
	one=$(ring one) two=$(ring two)
	note "round $i: $one $two"
	ok "round $i: disks of one instant" test $((${one:-0} - ${two:-9})) -ge 0 -a $((${one:-9} - ${two:-0})) -le 1
done
done_testing
