#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints of a guest that runs: it runs on, also when ckptd is killed over it. (That all of
# it belongs to one instant is vm-apply.t's.)

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

guest_make --error-if-no-space
ckptctl vm start -q run >/dev/null || bail 'it is not started'
ok 'the guest counts' until_true 120 counts_on
ok 'a checkpoint' ckptctl vm checkpoint run r1
ok 'the guest runs on' until_true 60 counts_on
tree=$(ckptctl vm tree run --json)
note "$tree"
like 'it is a standard one, of a way, and says how long it stood still' "$tree" \
	'"kind": ?"standard".*"standstill_us": ?[1-9].*"way": ?"(background|stopped)"'
is 'folders hold the memory, and no note of a guest that stands still' \
	"$(ls "$folder"/*/memory.img | wc -l) $(ls "$folder"/*/stopped 2>/dev/null | wc -l)" '1 0'

out=$(ckptctl vm checkpoint --kind production run p1 2>&1)
like 'production of a guest without an agent is standard' "$? $out" '^0 '
like 'and says so' "$(ckptctl vm tree run --json)" 'production was asked for, but no guest agent runs in it'
ckptctl vm delete --yes run p1 >/dev/null

# What is killed: the guest runs, and nothing is left of it, or all is there.
before=$(checkpoints)
for at in $(points); do
	killed_at "$at"
	is "killed at '$at': folders" "$(ls "$folder" | wc -l)" 1
done
# What does not fit where memory is kept: nothing is left of it.
mkdir "$work/mnt-small"
mount -t tmpfs -o size=32k none "$work/mnt-small"
sed -i "s|^directory = .*|directory = $work/mnt-small|" "$work/conf/vm/run.conf"
out=$(ckptctl vm checkpoint run k1 2>&1)
like 'memory that does not fit' "$? $out" '^1 .*space'
is 'the guest runs' "$(status)" running
ok 'and counts' until_true 60 counts_on
is 'nothing is left of it' "$(checkpoints) $(ls "$work/mnt-small")" "$before "
sed -i "s|^directory = .*|directory = $folder|" "$work/conf/vm/run.conf"

# A store that is full under the guest: each of its writes needs space after a checkpoint.
fill_store() {
	! dd if=/dev/zero of=$dm/st-more bs=4096 seek="$at" oflag=direct conv=notrunc status=none 2>/dev/null
	at=$((at + 100))
}
paused_by_io() {
	fill_store
	[ "$(status)" = io-error ]
}
ckptctl volume create --open more 200M >/dev/null 2>&1 || flunk 'no volume'
at=0
fill_store
ok 'a checkpoint with the store full' ckptctl vm checkpoint run full
at=20000
# It may have taken a window by now, with room for all that it writes; the next one it finds taken.
qmp stop >/dev/null
ok 'both disks begin anew' ckptctl checkpoint create -q anew one two
for _ in 1 2 3 4 5; do fill_store; sleep 0.3; done
qmp cont >/dev/null
ok 'QEMU pauses the guest' until_true 60 paused_by_io
resize_loop "$STORE" "$work/STORE" 32
ok 'the store grows' ckptctl store grow
qmp cont >/dev/null
is 'told to it runs' "$(status)" running
ok 'and counts' until_true 60 counts_on
ok 'on both disks' test "$(ring two)" -gt 64
ok 'that goes' ckptctl checkpoint delete -q --yes one@anew two@anew

# ---- given up, and QEMU killed ----

before=$(checkpoints)
folders=$(ls "$folder" | wc -l)
pid=$(cat "$work/run/run.pid")
kill -STOP "$pid"
ckptctl vm checkpoint run k1 >"$work/said" 2>&1 &
waiting=$!
ok 'a checkpoint waits for QEMU' until_true 60 eval '[[ $(ckptctl vm progress run) == *checkpoint* ]]'
ctl 0 'it is cancelled' 'given up' cancel run
kill -CONT "$pid"
wait $waiting
like 'which is said' "$? $(cat "$work/said")" '^1 .*cancelled'
is 'nothing is left of it' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"
ok 'and the guest counts on' until_true 60 counts_on

# A monitor that another program holds, as libvirt does, and QEMU greets nobody else.
python3 - "$work/run/run.qmp" "$work/held" <<-'END' &
	import socket, sys, time
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	s.recv(1000)
	open(sys.argv[2], "w")
	time.sleep(600)
END
owner=$!
ok 'another program has the monitor' until_true 60 test -e "$work/held"
ctl 4 'a checkpoint is refused, and says that' 'another program .libvirt.. owns it, and it is left alone' checkpoint run k1
ctl 4 'nor is it ended to go back' 'owns it, and it is left alone' apply --yes run r1
ok 'the guest counts on' until_true 60 counts_on
kill $owner
is 'and nothing is left of it' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"

# ---- a guest that stands still, and a QEMU that does not answer ----

ckptctl volume create --open third 4M >/dev/null 2>&1 || flunk 'no volume'
ctl 0 'another machine, which is off' '' add other third
runs() { [ "$(status)" = running ]; }
# The guest is where one is left whose QEMU has not come as far as to have it run by itself.
left_paused() {
	dies_at stopped ckptctl vm checkpoint run k1
	ok 'killed while it stands still: QEMU goes on by itself, and has it run' until_true 60 runs
	qmp stop >/dev/null
}
left_paused
is 'the guest stands still' "$(status)" paused
kill -STOP "$pid"
start_daemon A=
ctl 0 'the next one is at having it run' 'what: *rescue' progress run
ctl 4 'nothing else is done to that machine' "'rescue' is being done" checkpoint run k2
ctl 0 'and no other one has to wait for it' 'offline' checkpoint other o1
ctl 0 'while it is at that' 'what: *rescue' progress run
kill -CONT "$pid"
ok 'when QEMU answers that is done' until_true 90 idle run
ok 'and the guest counts on' until_true 60 counts_on
ctl 0 'the other one goes' '' delete --yes other o1
is 'nothing is left of it' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"
left_paused
# It knows of no such machine when it starts.
mv "$work/conf/vm/run.conf" "$work/away"
start_daemon A=
is 'nobody has told it to run' "$(status)" paused
mv "$work/away" "$work/conf/vm/run.conf"
ctl 0 'whoever asks for something has it run first' 'taken' checkpoint run k2
is 'it runs' "$(status)" running
ctl 0 'and that goes' '' delete --yes run k2
is 'nothing is left of the first' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"

# While ckptd is held up, as soon as the guest is going to stand still for the disks.
kill_in_the_middle() {
	python3 - "$folder" "$daemon" "$pid" <<-'END'
		import glob, os, signal, subprocess, sys, time
		daemon, qemu = map(int, sys.argv[2:])
		end = time.monotonic() + 60
		taking = subprocess.Popen(["ckptctl", "vm", "checkpoint", "run", "k1"])
		while not glob.glob(sys.argv[1] + "/*.new/stopped") and time.monotonic() < end:
		    pass
		os.kill(daemon, signal.SIGSTOP)
		os.kill(qemu, signal.SIGKILL)
		os.kill(daemon, signal.SIGCONT)
		sys.exit(taking.wait())
	END
}
out=$(kill_in_the_middle 2>&1)
like 'QEMU is killed in the middle' "$? $out" '^1 .*(ended|reached)'
is 'of that nothing is left' "$(checkpoints) $(ls "$folder" | wc -l)" "$before $folders"
ctl 0 'the machine is off' 'run  *off' list
ctl 0 'and can be started' 'runs' start run

# ---- turned off, whoever is at the monitor ----

# crowd SOCKET NAME [listen]: as many wait there as there is room for, or for somebody who listens to nobody.
crowd() {
	python3 - "$1" "$work/$2" "${3-}" <<-'END' &
		import socket, sys, time
		path, ready, listen = sys.argv[1:]
		if listen:
		    server = socket.socket(socket.AF_UNIX)
		    server.bind(path)
		    server.listen(0)
		clients = []
		try:
		    while True:
		        clients.append(socket.socket(socket.AF_UNIX))
		        clients[-1].setblocking(False)
		        clients[-1].connect(path)
		        time.sleep(0.1)
		except BlockingIOError:
		    open(ready, "w")
		time.sleep(600)
	END
	others+=" $!"
	until_true 60 test -e "$work/$2" || flunk "$2: there is a crowd"
}
others=
crowd "$work/run/run.qmp" crowd
ctl 4 'nobody can tell it to shut down' 'takes nobody else.*another program' stop run
ctl 0 'but it is turned off' 'is off' stop --yes --now run
like 'that it is' "$(ckptctl vm list -o name,state --no-headings)" 'run  *off'
# Not one of ours, whatever number its file says.
sleep 600 &
others+=" $!"
echo $! >"$work/run/other.pid"
crowd "$work/run/other.qmp" strangers listen
ctl 4 'what others have started is not' 'left alone' stop --yes --now other
ok 'nor whose number that is' kill -0 "$(cat "$work/run/other.pid")"
kill $others

guest_end
dies_at_all
done_testing
