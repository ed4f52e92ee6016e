#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A head that is merged into its base, slowly: what its volume writes over goes to the base, and its
# places are there for others, also those of clusters of which the layer still has a part.

. "$(dirname "$0")/lib.sh"

store=st
clusters=128

loop STORE 32
loop ORIGIN 16
store st "$STORE" 32 '2 format error_if_no_space'
message st adopt_volume disk $((clusters * 256)) && message st create_volume other 8388608 ||
	bail "$err $out"
volume disk $((clusters * 256)) "$ORIGIN" && volume other 8388608 || bail "$err $out"
message st checkpoint c1 standard disk
fill_up $dm/disk 1 0 131072 131072
is 'all of each cluster' "$out" "$clusters end"

begun() { [ "$(field $f_left)" -lt $((clusters * 32)) ]; }
message st commit
message st merge rate 64
ok 'a checkpoint is deleted' message st delete_checkpoint disk@c1
ok 'its merge begins' until_true 20 begun
message st merge pause
ok 'and is paused' until_true 20 merge_is paused
before=$(used) left=$(field $f_left)
# All but the last block of each.
fill_up $dm/disk 2 0 131072 126976
is 'most of each cluster is written over' "$out" "$clusters end"
ok 'and flushed' flush $dm/disk
message st commit
freed=$((before - $(used)))
ok "$freed of $left units are free again" test $freed -ge $((left * 3 / 4))
# Single blocks: what is free lies in rows that have less than a cluster.
fill_up $dm/other 3 0 131072 4096
like 'somebody else takes the space' "$out" ' ENOSPC$'
blocks=${out% *}
ok 'nothing has been merged meanwhile' merge_is paused
ok "all of it ($blocks blocks)" test "$blocks" -ge $((freed + freed / 4))
ok 'nothing is set aside any more' test "$(field $f_reserved)" -le 64

intact() {
	is "$1: what was written over" \
		"$(filled $dm/disk 2 $clusters 0 131072 126976; echo "$out")" $clusters
	is "$1: what was not" "$(filled $dm/disk 1 $clusters 126976 131072 4096; echo "$out")" $clusters
	is "$1: what somebody else wrote" \
		"$(filled $dm/other 3 "$blocks" 0 131072 4096; echo "$out")" "$blocks"
}
intact 'before'
message st merge rate 0
message st merge resume
ok 'the merge goes on' settle
intact 'behind'
remove disk other st
ok 'the store is in order' ckpt_check "$STORE"

done_testing
