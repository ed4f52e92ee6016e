#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints of a guest that runs: it runs on, also when ckptd is killed over it. (That all of
# it belongs to one instant is vm-apply.t's.) CKPT_POINTS says at which points it is killed:
# also begun and stopping.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/guest.sh"

names() {
	ckptctl checkpoint list -o volume,name --no-headings | awk '{ print $1 "@" $2 }' | sort | xargs
}

guest_make
ckptctl vm start run >/dev/null || bail 'it is not started'
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
like 'and says so' "$(ckptctl vm tree run --json)" 'production was asked for, but the guest agent does not answer'
ckptctl vm delete --yes run p1 >/dev/null

# What is killed: the guest runs, and nothing is left of it, or all is there.
before=$(names)
for at in ${CKPT_POINTS-stopped taken copied running remembered written}; do
	stop_daemon
	start_daemon CKPTD_KILL_AT=$at
	ckptctl vm checkpoint run k1 >/dev/null 2>&1
	ok "killed at '$at'" until_true 60 daemon_ended
	wait "$daemon" 2>/dev/null
	start_daemon A=
	is "killed at '$at': the guest runs" "$(status)" running
	ok "killed at '$at': and counts" until_true 60 counts_on
	is "killed at '$at': the store" "$(names)" "$before"
	is "killed at '$at': folders" "$(ls "$folder" | wc -l)" 1
done
guest_end
done_testing
