#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Layers are merged on a store without a free unit, where no window has room for a merged cluster but
# those that are spare, of which there are few; nospace-dense.t is for when those are used up.

. "$(dirname "$0")/lib.sh"

store=st
clusters=700

loop STORE 32
store st "$STORE" 32 '2 format error_if_no_space'
message st create_volume v $((clusters * 256)) && volume v $((clusters * 256)) || bail "$err $out"
message st create_volume other 16777216 && volume other 16777216 || bail "$err $out"

# One block of each cluster in one layer, another one in the other; and all else, the rest of their
# windows too, is single blocks of another volume, in two layers.
fill_up $dm/v 1 12288 131072 4096
is 'a block in each cluster' "$out" "$clusters end"
message st checkpoint c1 standard v
fill_up $dm/v 2 20480 131072 4096
is 'and another one' "$out" "$clusters end"
message st checkpoint c2 standard v
until_true 20 eval '[ "$(field $f_reserved)" -le 64 ]' || note 'windows are not given back'
fill_up $dm/other 3 0 262144 4096
like 'another volume has all the rest' "$out" ' ENOSPC$'
lower=${out% *}
ok 'some is given back' discard $dm/other 0 $((lower / 8 * 262144))
until_true 20 eval 'message st commit; [ "$(field $f_reserved)" -le 64 ]'
message st checkpoint k standard other
fill_up $dm/other 4 131072 262144 4096
like 'and takes it again, in another layer' "$out" ' ENOSPC$'
upper=${out% *}

intact() {
	is "$1: what the one layer had" "$(filled $dm/v 1 $clusters 12288 131072 4096; echo "$out")" \
		$clusters
	is "$1: and the other" "$(filled $dm/v 2 $clusters 20480 131072 4096; echo "$out")" $clusters
	is "$1: what was in the way" "$(filled $dm/other 3 $((lower - lower / 8)) \
		$((lower / 8 * 262144)) 262144 4096; echo "$out")" $((lower - lower / 8))
	is "$1: in both layers" "$(filled $dm/other 4 $upper 131072 262144 4096; echo "$out")" $upper
}
intact 'before'

copied=$(field $f_copied)
ok 'the lower layer is garbage' message st delete_checkpoint v@c1
ok 'it merges' settle 120
copied=$(($(field $f_copied) - copied))
ok "more was moved than what was merged ($copied units)" test $copied -gt $((clusters * 3 / 2))
is 'the layer is gone' "$(field $f_hidden)" 0
fill_up $dm/other 5 4294967296 131072 4096
like 'there was no space for that' "$out" '^[0-9] ENOSPC$'
intact 'merged'
remove v other st
create st "$(sectors_of 32)" ckpt-store "$STORE 1 error_if_no_space" || bail "$out"
volume v $((clusters * 256)) && volume other 16777216 || bail "$out"
intact 'activated again'
remove v other st
ok 'the store is in order' ckpt_check "$STORE"

done_testing
