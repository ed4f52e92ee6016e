#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Production checkpoints: a real guest agent freezes a real file system, ext4 on a volume. Agent
# and file system are in this machine, the guest is firmware that finds nothing to start.
# (tests/vm/agent.t has agents that mean no good, tests/vm/linux.t an agent in a guest.)

. "$(dirname "$0")/lib.sh"

. "$here/daemon.sh"

loop STORE 64
folder=$work/state/vm/run socket=$work/agent mnt=$work/mnt

agent=
# start_agent [HOW]: qemu-ga, or one that is as bad-agent.py says.
start_agent() {
	rm -f "$socket"
	if [ $# = 0 ]; then
		mkdir -p "$work/ga"
		qemu-ga -m unix-listen -p "$socket" -t "$work/ga" -f "$work/ga/pid" 2>>"$work/agent.log" &
	else
		python3 "$here/../vm/bad-agent.py" "$socket" "$1" &
	fi
	agent=$!
	until_true 60 test -S "$socket"
}
stop_agent() {
	kill -CONT "$agent" 2>/dev/null
	kill "$agent" 2>/dev/null
	wait "$agent" 2>/dev/null
}
end() {
	stop_daemon
	[ -z "$agent" ] || stop_agent
	# Whatever went wrong, the file system must not stay frozen.
	fsfreeze --unfreeze "$mnt" 2>/dev/null
	start_daemon A=
	ckptctl vm stop --yes --now run >/dev/null 2>&1
	stop_daemon
	at_exit
}
trap end EXIT

# Does it take writes? Who writes to one that is frozen cannot be killed, so it is thawed then.
can_write() {
	dd if=/dev/zero of="$mnt/probe" bs=4096 count=1 conv=fsync status=none &
	local pid=$! failed=
	until_true 20 eval '! kill -0 $pid 2>/dev/null' || { failed=1; fsfreeze --unfreeze "$mnt"; }
	wait $pid && [ -z "$failed" ]
}
# of CHECKPOINT: "<kind> <memory?> <note>" from its manifest.
of() {
	python3 - "$folder" "$1" <<-'END'
		import glob, json, sys
		for path in glob.glob(sys.argv[1] + "/*/manifest.json"):
		    m = json.load(open(path))
		    if m["name"] == sys.argv[2]:
		        print(m["kind"], m["memory"], m["note"])
	END
}
# state_of CHECKPOINT: how ext4 was left on that: "clean", or "journal" if there is something in it.
state_of() {
	create self-view "$(sectors_of 24)" ckpt "$dm/st fs@$1" ro || bail "no view: $err $out"
	dumpe2fs -h $dm/self-view 2>/dev/null | awk '
		/^Filesystem features:/ { journal = /needs_recovery/ } END { print journal ? "journal" : "clean" }'
	remove self-view
}
take() {
	out=$(ckptctl vm checkpoint --kind "$1" run "$2" 2>&1)
}

ckptctl store create --yes --name st "$STORE" 2>/dev/null || bail 'no store'
ckptctl volume create --open fs 24M >/dev/null 2>&1 || bail 'no volume'
ckptctl volume create --open data 4M >/dev/null 2>&1 || bail 'no volume'
mkdir -p "$mnt"
mkfs.ext4 -q -F -J size=4 $dm/st-fs || bail 'no file system'
start_daemon A=
ckptctl vm add run fs data --args '-nodefaults -display none -m 16' >/dev/null || bail 'no machine'
ckptctl vm start run >/dev/null || bail 'it is not started'
# QEMU has the socket that leads into the guest; ours leads to this machine.
sed -i -e "s|^agent.*|agent = $socket|" -e 's/^freeze_seconds.*/freeze_seconds = 20/' "$work/conf/vm/run.conf"
mount $dm/st-fs "$mnt" || bail 'it is not mounted'

# ---- nobody to ask ----

take production-only n1
like 'production-only without an agent is refused' "$? $out" '^3 .*there is no guest agent.*standard'
is 'and leaves nothing' "$(checkpoints) $(ls "$folder" | wc -l)" ' 0'
ok 'production without an agent is taken' take production n2
like 'as a standard one, which says why' "$(of n2)" '^standard True production was asked for, but there is no guest agent'

# ---- a real one ----

start_agent
can_write
ok 'production with an agent' take production-only p1
is 'it is one' "$(of p1)" 'production False None'
is 'without memory and notes' "$(ls "$folder" | wc -l) $(find "$folder" -name memory.img | wc -l) $(find "$folder" -name frozen | wc -l)" '2 1 0'
ok 'the file system takes writes again' can_write
is 'it was frozen: its journal is empty' "$(state_of p1)" clean
sync
can_write
ok 'a standard one' take standard s1
is 'of a file system that was not' "$(state_of s1)" journal

kill -STOP "$agent"
take production-only n3
like 'an agent that does not answer: refused' "$? $out" '^7 .*does not answer'
kill -CONT "$agent"
ok 'and it has frozen nothing' can_write

# ---- what is killed ----

before=$(checkpoints)
folders=$(ls "$folder" | wc -l)
for at in $(points); do
	dies_at "$at" take production-only k1
	ok "killed at '$at': thawed" can_write
	if [ "$at" = freezing ]; then
		# The guard was killed as well, as far as the next one can tell.
		fsfreeze --freeze "$mnt"
	fi
	start_daemon A=
	ok "killed at '$at': thawed by the next one" can_write
	ok "killed at '$at': it clears up" until_true 60 idle run
	is "killed at '$at': store and folders" "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"
done

# ---- bad ones: what was taken goes, or a standard one comes instead ----

stop_agent
start_agent partial
take production-only b1
like 'some were thawed before: refused' "$? $out" '^1 .*2 were frozen in the end'
is 'and what was taken is gone' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"
ok 'some were thawed before: production' take production b2
like 'is standard' "$(of b2)" '^standard True .*2 were frozen in the end'
is 'and that alone is there' "$(checkpoints)" "$(xargs -n1 <<<"$before data@b2 fs@b2" | sort | xargs)"
stop_agent
start_agent late
take production-only b3 &
until_true 20 test -e "$socket.frozen"
ok 'it can be cancelled' ckptctl vm cancel run
wait $!
is 'what is cancelled is not there' "$(checkpoints | grep -c b3)" 0
ok 'and is thawed' until_true 20 eval '[ ! -e "$socket.frozen" ]'
stop_agent
agent=

# ---- back ----

echo later >"$mnt/probe"
umount "$mnt"
ok 'back to production' ckptctl vm apply --yes run p1
like 'leaves it off' "$(ckptctl vm list --json)" '"state": ?"off"'
is 'and its file system as it was' "$(e2fsck -fn $dm/st-fs >/dev/null 2>&1; echo $?)" 0
dies_at_all
done_testing
