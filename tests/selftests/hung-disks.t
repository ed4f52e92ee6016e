#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A disk that does not answer, neither well nor with an error: commands that wait for bios in
# flight end, others are not held up, and when it answers all goes on.

. "$(dirname "$0")/lib.sh"

store=st
loop STORE 64
loop ORIGIN 8
create self-origin 16384 linear "$ORIGIN 0" && create self-store "$(sectors_of 64)" linear "$STORE 0" ||
	bail "$err $out"
store st $dm/self-store 64
message st adopt_volume disk 16384 && message st create_volume v 16384 || bail "$err $out"
volume disk 16384 $dm/self-origin && volume v 16384 || bail "$err $out"
fill $dm/v 1

# What is suspended without a flush keeps what it gets, and says nothing.
hang() { suspend "$1" noflush nolockfs || bail "$err $out"; }
running() { kill -0 "$1" 2>/dev/null; }
has_ended() { ! running "$1"; }

# ---- an origin ----

hang self-origin
dd if=/dev/zero of=$dm/disk bs=4k count=1 oflag=direct conv=notrunc status=none &
writer=$!
sleep 0.5
began=$SECONDS
nok 'a checkpoint of what writes to it fails' message st checkpoint c1 standard disk
is 'as the time is up' "$err" ETIMEDOUT
ok "after $((SECONDS - began)) s" test $((SECONDS - began)) -ge 8 -a $((SECONDS - began)) -le 60
ok 'the write waits for it, as it would without a volume' running $writer
ok 'a checkpoint of another volume does not' message st checkpoint c1 standard v
ok 'nor its writes' fill $dm/v 2
ok 'nor its flushes' flush $dm/v
ok 'nor a list' pages st list
nok 'there is no checkpoint that failed' grep -q "checkpoint .* c1 .*$(sed -n \
	's/^volume [0-9]* \([^ ]*\) disk .*/\1/p' <<<"$out")" <<<"$out"
resume self-origin
ok 'it answers: the write ends' until_true 20 has_ended $writer
ok 'well' wait $writer
ok 'and a checkpoint can be taken' message st checkpoint c1 standard disk

# ---- the store ----

hang self-store
dd if=/dev/zero of=$dm/v bs=4k count=1 oflag=direct,sync conv=notrunc status=none &
writer=$!
sleep 0.5
ok 'a write that is to be durable waits for it' running $writer
ok 'the status does not' eval 'timeout 20 dmsetup status st >/dev/null'
ok 'nor the table' eval 'timeout 20 dmsetup table st >/dev/null'
dmsetup suspend --nolockfs v >/dev/null 2>&1 &
suspender=$!
sleep 0.5
ok 'to suspend the volume does' running $suspender
kill $suspender
ok 'and can be given up' until_true 20 has_ended $suspender
info v
like 'as if nobody had tried' "$out" '^active '
ok 'nor reads of an origin' timeout 20 dd if=$dm/self-origin of=/dev/null bs=4k count=1 status=none
dmsetup message st 0 checkpoint c2 standard v >/dev/null &
taker=$!
sleep 0.5
ok 'what a command has said must be durable: it waits, too' running $taker
resume self-store
ok 'it answers: the write ends' until_true 20 has_ended $writer
ok 'well' wait $writer
ok 'the command ends' until_true 20 has_ended $taker
ok 'well' wait $taker
is 'the store can be written' "$(field $f_mode)" rw
message st delete_checkpoint v@c1 v@c2 disk@c1
settle
ok 'all is there' holds $dm/v 2 4096 8384512

done_testing
