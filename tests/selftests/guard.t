#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store is active on one host only: what the guard's block says, and what is made of what
# others have written there, who are played by this test.  Two real hosts: tests/vm/guard.t.

. "$(dirname "$0")/lib.sh"

loop STORE 32
size=$(sectors_of 32)
store=st
file=$work/STORE
other=id=0123456789abcdef0123456789abcdef
boot=boot=fedcba9876543210fedcba9876543210

# open [FEATURES]: activate it, and say how many ms that took.
open() {
	local begun=${EPOCHREALTIME/[.,]/}
	create st "$size" ckpt-store "$STORE ${1-}"
	local r=$?
	took=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
	return $r
}

# The agent would wait for it; dmsetup's node is to be removed.
in_background() {
	dmsetup create st --table "0 $size ckpt-store $STORE" >/dev/null 2>&1 &
}

held_by() {
	guard "$file" || bail "$out"
	[[ $out =~ $1 ]]
}

status_is() { [ "$(field $f_guard)" = "$1" ]; }
mode_is() { [ "$(field $f_mode)" = "$1" ]; }
at_least() { [ "$took" -ge "$1" ] || { out="it took $took ms"; false; }; }
at_most() { [ "$took" -le "$1" ] || { out="it took $took ms"; false; }; }

# moves SECONDS: it is written in that time.
moves() {
	local was
	guard "$file"
	was=$out
	until_true "$1" eval 'guard "$file"; [ "$out" != "$was" ]'
}

# writes: v can be written, and the write is durable.
writes() {
	fill $dm/v "$1" 0 65536 && flush $dm/v
}

# ---- the owner ----

store st "$STORE" 32 "3 format guard_interval 1"
ok 'it is held' status_is held
guard "$file"
like 'the block says by whom' "$out" "^3 [0-9]+ 1 $(uname -n) [0-9a-f]{32}$"
ok 'it gives signs of life' moves 8
table st
like 'the table has the interval' "$out" ' 2 guard_interval 1$'
watch=st
fails 'it stays for as long as the store is active' EBUSY 'guard cannot change' \
	load st "$size" ckpt-store "$STORE"
fails 'as does that there is one' EBUSY 'guard cannot change' \
	load st "$size" ckpt-store "$STORE 3 guard_interval 1 no_guard"
watch=
for n in 0 61 -1 x; do
	fails "an interval of $n" EINVAL 'guard_interval is a number of seconds from 1 to 60' \
		create other "$size" ckpt-store "$STORE 2 guard_interval $n"
done
suspend st
ok 'signs of life while it is suspended' moves 8
resume st
create self-path "$size" linear "$STORE 0" || bail "$out"
fails 'not by another way to the same disk' EBUSY "active on host $(uname -n)" \
	create other "$size" ckpt-store "$dm/self-path"
remove self-path
ok 'close' remove st
guard "$file"
like 'the block says so' "$out" "^1 [0-9]+ 1 $(uname -n) "
ok 'this kernel opens it again' open '2 guard_interval 1'
ok 'at once' at_most 1400

# ---- one who comes and sees ----

remove st
guard "$file" "$boot" "$other" host=far.away
ok 'closed by another host' open
ok 'a claim has to settle' at_least 1500
remove st

guard "$file" none
ok 'never open anywhere' open
ok 'a claim there, too' at_least 1500
remove st

guard "$file" "$boot" "$other" state=3 host=far.away interval=1
touch "$work/beats"
beat "$file" "$work/beats"
fails 'active on another host' EBUSY 'active on host far.away, since ....-..-.. ..:..:.. UTC' open
fails 'also to read it only' EBUSY 'active on host far.away, since' open '1 read_only'
nok 'nor by the command' eval 'said=$(ckptctl store open "$STORE" --name st 2>&1)'
like 'which says that it is going to watch' "$said" \
	'host far.away has had the store open since .* UTC; whether that is so is watched for 5 seconds'
like 'and who has it' "$said" 'last sign of life is of [^;]*; close it there first'
ok 'the block stays his' held_by "^3 .* far.away ${other#*=}$"
rm "$work/beats"
sleep 0.5
mark
ok 'a dead one is followed' open '2 guard_interval 1'
ok 'after it has been watched' at_least 5000
ok 'which is told' log 'host far.away may have the store open; that is watched for 5 seconds'
ok 'and that it counts as dead' log 'host far.away has given no sign of life for 5 seconds'
ok 'by us' held_by "^3 [0-9]+ 1 $(uname -n) "
remove st

guard "$file" "$boot" "$other" state=3 host=far.away interval=60
mark
in_background
ok 'a long wait' until_true 10 log 'host far.away may have .* 241 seconds'
kill -KILL $!
wait $! 2>/dev/null
rm -f $dm/st
ok 'ends with who waits' until_true 10 remove st
ok 'and nothing was written' held_by "^3 .* far.away ${other#*=}$"

cp "$file" "$work/copy"
ckpt_dump "$work/copy" >"$work/text" || bail 'no dump'
nok 'no tool writes over it unasked' eval 'said=$(ckpt_restore "$work/text" "$work/copy" 2>&1)'
like 'and says what it is' "$said" 'a store: host far.away has had .*; --force overwrites it'
ok 'when it is told to, it does' eval 'said=$(ckpt_restore --force "$work/text" "$work/copy" 2>&1)'
guard "$work/copy"
like 'and nobody has that one open' "$out" '^0 0 0 '

ok 'without a guard' open '1 no_guard'
ok 'it is opened at once' at_most 1400
ok 'the status says so' status_is off
table st
like 'and the table' "$out" ' 1 no_guard$'
remove st
ok 'and the block is left' held_by "^3 .* far.away ${other#*=}$"

guard "$file" state=1
ok 'one that is closed is read' open '1 read_only'
ok 'at once' at_most 1400
remove st
ok 'and the block is left' held_by "^1 .* far.away ${other#*=}$"

guard "$file" damaged
mark
in_background
ok 'a damaged block' until_true 10 log 'block cannot be used: its checksum is wrong; .* 241 seconds'
ok 'a table that is loaded meanwhile' load st "$size" ckpt-store "$STORE 1 no_guard"
guard "$file" state=1
wait $!
ok 'is left alone when somebody mends it' status_is held
fails 'and that table is refused' EBUSY 'guard cannot change while the store is active' resume st
rm -f $dm/st

# ---- one who is overtaken ----

remove st
create self-path "$size" linear "$STORE 0" || bail "$out"
reopen() {
	create st "$size" ckpt-store "$dm/self-path 2 guard_interval 1" || bail "$err $out"
}
reopen
message st create_volume v 16384 && volume v 16384 || bail "$err $out"

ok 'a write' writes 1
guard "$file" "$boot" "$other" state=2 host=far.away
ok "another's claim is written over" until_true 10 held_by "^3 .* $(uname -n) "
ok 'and it is still held' status_is held
ok 'a write after that' writes 2

# Nothing reaches the disk, or comes from it, for longer than the lease.
suspend self-path noflush nolockfs
ok 'a disk that does not answer: late' until_true 10 status_is late
resume self-path
ok 'a write looks first' writes 3
ok 'and it is held' until_true 10 status_is held

suspend self-path noflush nolockfs
until_true 10 status_is late
epoch=$(od -An -tx1 -j88 -N8 "$file" | tr -d ' \n')
patch_super "$file" 88 7700000000000000
mark
resume self-path
nok 'somebody has had it meanwhile: no write' writes 4
ok 'read-only' until_true 10 mode_is ro
ok 'lost' status_is lost
ok 'the log says why' log 'another host has had the store open: the store is in mode ro now'
ok 'what was durable is there' holds $dm/v 3 0 65536
remove v st
patch_super "$file" 88 "$epoch"
reopen
volume v 16384 || bail "$err $out"

# It stands still between reading the block and writing that it is closed: longer than its lease,
# after which somebody may have taken over.
remove v st
create st "$size" ckpt-store "$dm/self-path 2 guard_interval 2" || bail "$err $out"
ok 'a sign of life' moves 8
load self-path "$size" delay "$STORE 0 5000 $STORE 0 0" && suspend self-path noflush nolockfs &&
	resume self-path || bail "$err $out"
mark
ok 'closed with a disk that takes longer than the lease' remove st
ok 'that it is closed is not written any more' held_by "^3 [0-9]+ 2 $(uname -n) "
ok 'which is told' log 'that the store is closed cannot be written (.*): other hosts will wait'
load self-path "$size" linear "$STORE 0" && suspend self-path noflush nolockfs && resume self-path ||
	bail "$err $out"
reopen
volume v 16384 || bail "$err $out"

info st
events=${out##* }
guard "$file" "$boot" "$other" state=3 host=far.away
mark
ok 'another has opened it: read-only' until_true 10 mode_is ro
ok 'lost, too' status_is lost
ok 'with his name in the log' log 'host far.away has opened the store: the store is in mode ro now'
info st
ok 'and an event' test "${out##* }" -gt "$events"
nok 'no write' writes 5
remove v st
ok 'and the block is his' held_by "^3 .* far.away ${other#*=}$"
remove self-path

done_testing
