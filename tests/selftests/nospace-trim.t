#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Layers that cannot be merged, as the store is full of slots of many blocks that fit nowhere else:
# what has been deleted costs no space all the same, and the merge ends when there is some.

. "$(dirname "$0")/lib.sh"

store=st
clusters=60

# layer TAG OFFSET BYTES: those of each cluster, and a checkpoint below.
layer() {
	message st checkpoint "c$1" standard v
	until_true 20 given_back || bail 'windows are not given back'
	fill_up $dm/v "$1" "$2" 131072 "$3"
	is "layer $1" "$out" "$clusters end"
}

# rest VOLUME TAG STRIDE BYTES: fill what is left with slots of sixteen blocks.
rest() {
	fill_up $dm/"$1" "$2" 0 "$3" "$4"
	like "$1 is between them" "$out" ' ENOSPC$'
}

has() {
	is "$1: volume $2" "$(filled $dm/"$2" "${@:3}"; echo "$out")" "$4"
}

intact() {
	has "$1" v 1 $clusters 114688 131072 4096
	has "$1" v 2 $clusters 0 131072 65536
	has "$1" v 3 $clusters 65536 131072 49152
	has "$1" runs 4 "$runs" 0 131072 65536
	has "$1" combs 5 "$combs" 0 8192 4096
	has "$1" last 6 "$last" 0 131072 4096
}

# used_less UNITS: less than $before.
used_less() {
	message st commit
	[ "$(used)" -le $((before - $1)) ]
}

loop STORE 32
store st "$STORE" 32 '2 format error_if_no_space'
new_volume v $((clusters * 256))
for v in runs combs last; do
	new_volume $v 16777216
done

# So that slots are not packed for each other.
message st merge pause
# Every second block of each cluster; then half of a cluster, and then most of the other half.
fill_up $dm/v 1 0 8192 4096
is 'layer 1' "$out" "$((clusters * 16)) end"
layer 2 0 65536
layer 3 65536 49152
message st checkpoint c4 standard v
until_true 20 given_back || bail 'windows are not given back'
rest runs 4 131072 65536
runs=${out% *}
rest combs 5 8192 4096
combs=${out% *}
rest last 6 131072 4096
last=${out% *}
intact 'before'

# Eight blocks of each cluster in the lowest layer, or fourteen with what both hide; what is left of
# it is in new nodes.
message st commit
before=$(used)
ok 'a checkpoint is deleted' message st delete_checkpoint v@c2
ok 'and the next one' message st delete_checkpoint v@c3
ok 'merges go on' message st merge resume
ok 'what is hidden in what was deleted is free' until_true 60 used_less $((clusters * 13))
fill_up $dm/last 7 4294967296 131072 4096
# Also while merges look for room, with some of it in their hands.
like 'somebody else takes the space' "$out" ' ENOSPC$'
# But for nodes, and for up to 64 units that are set aside: less is not worth taking back.
ok "all of it (${out% *} blocks)" test "${out% *}" -ge $((clusters * 13 - 64 - 32))
intact 'full again'
remove v runs combs last st
ok 'the store is in order' ckpt_check "$STORE"

create st "$(sectors_of 32)" ckpt-store "$STORE 1 error_if_no_space" || bail "$out"
volume v $((clusters * 256)) || bail "$out"
for v in runs combs last; do
	volume $v 16777216 || bail "$out"
done
intact 'activated again'
ok 'there is space' discard $dm/runs 0 $((16777216 * 512))
runs=0
ok 'the merge ends' settle 120
is 'no layer is left' "$(field $f_hidden)" 0
intact 'merged'
remove v runs combs last st
ok 'the store is in order then' ckpt_check "$STORE"

done_testing
