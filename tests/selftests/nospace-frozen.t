#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Windows of what was frozen, while the background worker is busy and does not come to give them
# back: a write that finds no space takes them.

. "$(dirname "$0")/lib.sh"

store=st
clusters=128

loop STORE 32
loop ORIGIN 8
create self-origin 16384 linear "$ORIGIN 0" || bail "$err $out"
store st "$STORE" 32 '2 format error_if_no_space'
message st adopt_volume disk 16384 && message st create_volume v $((clusters * 256)) &&
	message st create_volume other 65536 || bail "$err $out"
volume disk 16384 $dm/self-origin && volume v $((clusters * 256)) && volume other 65536 ||
	bail "$err $out"

ok 'a checkpoint' message st checkpoint c1 standard disk
fill $dm/disk 1 0 1048576
suspend self-origin noflush nolockfs || bail "$err $out"
ok 'is deleted' message st delete_checkpoint disk@c1
ok 'its merge begins, and waits for the origin' until_true 20 merge_is base

fill_up $dm/v 2 0 131072 4096
is 'a block of each cluster' "$out" "$clusters end"
ok 'is frozen' message st checkpoint c1 standard v
ok 'with what is set aside' test "$(field $f_reserved)" -ge $((clusters * 31))
fill_up $dm/other 3 0 4096 4096
like 'somebody else takes the space' "$out" ' ENOSPC$'
blocks=${out% *}
ok 'the worker has not come by' merge_is base
ok "nothing is set aside any more ($blocks blocks)" test "$(field $f_reserved)" -le 64

resume self-origin
ok 'the origin answers: the merge ends' settle
is 'what was frozen is there' "$(filled $dm/v 2 $clusters 0 131072 4096; echo "$out")" $clusters
is 'and what was written' "$(filled $dm/other 3 "$blocks" 0 4096 4096; echo "$out")" "$blocks"
ok 'and what was merged' holds $dm/disk 1 0 1048576
remove disk v other st self-origin
ok 'the store is in order' ckpt_check "$STORE"

done_testing
