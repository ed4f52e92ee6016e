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

# again: all of it is activated anew, as whoever puts things right would do.
again() {
	remove disk v st
	create st "$size" ckpt-store "$dm/self-store" || bail "$err $out"
	volume v 16384 && volume disk 16384 $dm/self-origin || bail "$err $out"
}
event() { info st; echo "${out##* }"; }

loop ORIGIN 8
create self-origin 16384 linear "$ORIGIN 0" || bail "$err $out"
fill $dm/self-origin 3
message st adopt_volume disk 16384 && volume disk 16384 $dm/self-origin || bail "$err $out"

# ---- the store cannot be written ----

fill $dm/v 4 0 1048576
ok 'what is flushed is there' flush $dm/v
before=$(event)
mark
below self-store "$STORE" flakey
nok 'a write of what has a place fails' fill $dm/v 5 0 4096
nok 'a checkpoint fails' message st checkpoint c1 standard v
is 'the store is read-only' "$(field $f_mode)" ro
is 'that was told once' "$(event)" $((before + 1))
ok 'and says why' log 'the journal cannot be written: the store is in mode ro'
ok 'what it has is read' holds $dm/v 4 1044480 4096
watch=st
fails 'nothing is changed' EROFS . message st checkpoint c1 standard disk
watch=
below self-store "$STORE" linear
again
is 'activated again it is in order' "$(field $f_mode)" rw
ok 'with what was flushed' holds $dm/v 4 4096 1044480
pages st list
nok 'and no checkpoint that failed' grep -q ^checkpoint <<<"$out"

# ---- the store is gone ----

ok 'a checkpoint' message st checkpoint c1 standard disk v
fill $dm/disk 6 0 1048576
flush $dm/disk
load self-store "$size" error '' && suspend self-store noflush nolockfs && resume self-store ||
	bail "$err $out"
nok 'what is in it is not read' holds $dm/disk 6 0 4096
ok 'what is below, is' holds $dm/disk 3 1048576 4194304
nok 'nothing is flushed' eval 'fill $dm/disk 7 0 4096 && flush $dm/disk'
below self-store "$STORE" linear
again
ok 'it is back, with all that was flushed' holds $dm/disk 6 4096 1044480
ok 'and below that' holds $dm/disk 3 1048576

# ---- an origin fails ----

below self-origin "$ORIGIN" flakey
ok 'one with a checkpoint is only read' fill $dm/disk 8 2097152 1048576
ok 'so its volume is written' flush $dm/disk
mark
before=$(event)
message st delete_checkpoint v@c1
ok 'another is merged' settle
is 'that it begins and ends was told' "$(event)" $((before + 2))
message st delete_checkpoint disk@c1
ok 'a merge into it fails' until_true 20 log 'cannot be merged'
ok 'and is not tried again' until_true 20 merge_is idle
is 'that it begins and ends was told' "$(event)" $((before + 4))
counted 'cannot be merged'
is 'and once why' "$out" 1
ok 'nothing is lost' holds $dm/disk 8 2097152 1048576
is 'nor is the store' "$(field $f_mode)" rw
ok 'other volumes go on' eval 'fill $dm/v 9 && flush $dm/v'
below self-origin "$ORIGIN" linear
again
ok 'activated again it is merged' settle
remove disk
ok 'the origin has it all' holds $dm/self-origin 8 2097152 1048576
volume disk 16384 $dm/self-origin || bail "$err $out"

# ---- it fails while its volume writes through to it ----

message st checkpoint c2 standard disk
fill $dm/disk 6 0 4194304
message st merge rate 2000
message st delete_checkpoint disk@c2
ok 'a merge into it begins' until_true 20 merge_is base
# So that no batch of it flushes what is written now.
message st merge pause
ok 'and is paused' until_true 20 merge_is paused
ok 'what is written goes there' fill $dm/disk 7 3145728 65536
below self-origin "$ORIGIN" flakey
nok 'nothing is flushed' flush $dm/disk
nok 'nor written' fill $dm/disk 8 3211264 4096
ok 'what was, is read' holds $dm/disk 7 3145728 65536
below self-origin "$ORIGIN" linear
ok 'then it is flushed' flush $dm/disk
is 'the store has nothing to do with it' "$(field $f_mode)" rw
again
ok 'activated again it is merged' settle
ok 'and all is there' eval 'holds $dm/disk 6 0 3145728 && holds $dm/disk 7 3145728 65536 &&
	holds $dm/disk 6 3215360 978944'

# ---- it is gone when its volume is closed, or opened ----

message st checkpoint c3 standard disk
load self-origin 16384 error '' && suspend self-origin noflush nolockfs && resume self-origin ||
	bail "$err $out"
ok 'its volume is closed all the same' remove disk
fails 'without it its volume is not opened' EIO 'cannot be read, so whether it is that of volume disk' \
	volume disk 16384 $dm/self-origin
below self-origin "$ORIGIN" linear
ok 'and with it is' volume disk 16384 $dm/self-origin
message st delete_checkpoint disk@c3
ok 'it passes through again' settle

# ---- it fails while its volume passes through to it ----

below self-origin "$ORIGIN" flakey
nok 'one that is passed through to fails as it does itself' fill $dm/disk 1 0 4096
nok 'and its flush' flush $dm/disk
ok 'the others' flush $dm/v
below self-origin "$ORIGIN" linear
ok 'then it works as before' eval 'fill $dm/disk 1 0 4096 && flush $dm/disk'
ok 'all in order' eval '[ "$(field $f_mode)" = rw ]'

done_testing
