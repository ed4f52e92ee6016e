#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A disk that fails: errors where they belong and nowhere else, and a way back.

. "$(dirname "$0")/lib.sh"

store=st
loop STORE 64
size=$(sectors_of 64)

# below NAME DEVICE linear|flakey: have the disk behave, or let it read only.
below() {
	local params="$2 0" target=$3
	[ "$target" != flakey ] || params="$params 0 1 1 error_writes"
	load "$1" "$(blockdev --getsz "$2")" "$target" "$params" &&
		suspend "$1" noflush nolockfs && resume "$1" || bail "$err $out"
}

create self-store "$size" linear "$STORE 0" || bail "$err $out"
store st $dm/self-store 64
message st create_volume v 16384 && volume v 16384 || bail "$err $out"

# ---- the store cannot be flushed ----

fill $dm/v 1
message st commit
fill $dm/v 2		# where those were: there is nothing to commit
mark
below self-store "$STORE" flakey
nok 'a flush fails with the disk' flush $dm/v
ok 'the log says why' log 'it cannot be flushed: the store is in mode ro'
below self-store "$STORE" linear
nok 'a later one does not say that all is well: the disk may have forgotten what was written' \
	flush $dm/v
is 'the store is read-only' "$(field $f_mode)" ro
ok 'what it has is read' holds $dm/v 2
remove v st
create st "$size" ckpt-store "$dm/self-store" || bail "$err $out"
volume v 16384 || bail "$err $out"
is 'activated again it is in order' "$(field $f_mode)" rw
ok 'and flushed' flush $dm/v

done_testing
