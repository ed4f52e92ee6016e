#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is deleted merges into the base until the volume passes through to it, and
# what the raw origin holds is what the volume held. The models are plain files.

. "$(dirname "$0")/lib.sh"

store=st
seed=0

# Words on volume $1; its origin is $ORIGIN, its model $work/disk.
take() { message st checkpoint "$2" standard "$1" || bail "$err $out"; }
forget() { message st delete_checkpoint "$@"; }
change() { io spread "$dm/disk" "$work/disk" $block $((++seed)) "${1:-60}"; }
keep() { cp --sparse=always --reflink=never "$work/disk" "$work/$1"; }
compare() { io same "$1" "$work/$2" $block 0; }
open_disk() { volume disk "$sectors" "$ORIGIN" || bail "$err $out"; }
passthrough() { status disk && [[ $out == *' rw passthrough '* ]]; }
view_is() {
	create view "$sectors" ckpt "$dm/st disk@$1 $ORIGIN" ro || return 1
	compare $dm/view "$1"
	local r=$?
	remove view && return $r
}
event() { info st; echo "${out##* }"; }
left() { field $f_left; }

# A volume of so many MiB over an origin with data in parts of it, and a model.
new_disk() {
	sectors=$(sectors_of "$1")
	resize_loop "$ORIGIN" "$work/ORIGIN" "$1" || bail "$err $out"
	blkdiscard "$ORIGIN"
	fill "$ORIGIN" 1 0 $(($1 << 18))
	fill "$ORIGIN" 2 $(($1 << 19)) $(($1 << 17))
	cp --sparse=always --reflink=never "$work/ORIGIN" "$work/disk"
	message st adopt_volume disk "$sectors" || bail "$err $out"
	open_disk
}

# Away with it, and its base.
end_disk() {
	remove disk
	message st delete_volume disk || bail "$err $out"
	settle || bail 'it does not settle'
}

loop STORE 768
loop ORIGIN 64

# ---- head, layers and tags ----

for block in 1 8 128; do
	b="blocks of $block"
	blkdiscard "$STORE"
	store st "$STORE" 768 "3 format block_size $block"
	new_disk 24
	message st commit
	keep c1
	take disk c1
	ok "$b: write over the base" change
	ok "$b: the origin has what it had" compare "$ORIGIN" c1
	event_before=$(event)
	ok "$b: delete the only checkpoint" forget disk@c1
	ok "$b: it merges" settle
	ok "$b: it was told that it began and ended" test "$(event)" -ge $((event_before + 2))
	ok "$b: the volume passes through" passthrough
	ok "$b: the origin has all of it" compare "$ORIGIN" disk
	ok "$b: so has the volume" compare $dm/disk disk
	is "$b: no layer is left" "$(field $f_layers)" 0
	zero $dm/disk 1048576 1048576
	fill $dm/disk 3 2097152 65536
	ok "$b: it writes to the origin" eval \
		'holds "$ORIGIN" zeros 1048576 1048576 && holds "$ORIGIN" 3 2097152 65536'
	cp --sparse=always "$work/ORIGIN" "$work/disk"

	for c in c1 c2 c3 c4; do
		keep $c
		take disk $c
		change || flunk "$b: writes" "$out"
	done
	ok "$b: from below: the first" forget disk@c1
	ok "$b: it merges" settle
	is "$b: the tag of the second moved down" "$(units_of disk@c2)" base
	ok "$b: the origin has what the second had" compare "$ORIGIN" c2
	for c in c2 c3 c4; do ok "$b: $c is what it was" view_is $c; done
	ok "$b: from the middle" forget disk@c3
	ok "$b: it merges" settle
	ok "$b: that did not touch the origin" compare "$ORIGIN" c2
	ok "$b: c4 is what it was" view_is c4
	ok "$b: what is left, at once" forget disk@c4 disk@c2
	ok "$b: it merges" settle
	ok "$b: the volume passes through" passthrough
	ok "$b: the origin has all of it" compare "$ORIGIN" disk
	end_disk
	remove st
done

# ---- while it goes on ----

block=8
blkdiscard "$STORE"
store st "$STORE" 768
new_disk 32

# A head of 12 MiB at a quarter of a MiB in a second: time enough.
slow() {
	message st merge rate 256
	keep "$1"
	take disk "$1"
	fill $dm/disk $((100 + seed)) 4194304 12582912
	dd if="$dm/disk" of="$work/disk" bs=1M skip=4 seek=4 count=12 iflag=direct conv=notrunc \
		status=none
	change 30
	forget "disk@$1" || bail "$err $out"
	until_true 10 merge_is base || flunk 'a merge into the base began' "$(status st; echo "$out")"
}
full_speed() {
	message st merge rate 0
	settle
}

slow c1
was=$(left)
ok "there is much to do ($was units)" test "$was" -gt 1500
ok 'write, zero, discard, read and flush in all sizes' change 150
ok 'flush' flush $dm/disk
merge_is base || note 'it has ended too early to show anything'
ok "it is less now ($(left))" test "$(left)" -lt "$was"
ok 'the volume has what was written' compare $dm/disk disk
ok 'it ends when it may' full_speed
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk

# Discarded and zeroed as a whole, blocks that are in the layer and that are not.
slow c1
for at in 0 4194304 8388608 20971520; do
	discard $dm/disk $at 1048576
	zero $dm/disk $((at + 1572864)) 1048576
	for o in $at $((at + 1572864)); do
		dd if=/dev/zero of="$work/disk" bs=1M count=1048576 iflag=count_bytes \
			seek=$o oflag=seek_bytes conv=notrunc status=none
	done
done
ok 'what was discarded and zeroed reads as zeros' compare $dm/disk disk
ok 'it ends' full_speed
ok 'the origin has the zeros' compare "$ORIGIN" disk

# The rate is kept; what is paused does not move; what goes on, goes on.
slow c1
a=$(left) t=${EPOCHREALTIME/[.,]/}
sleep 4
c=$(left) t=$((${EPOCHREALTIME/[.,]/} - t))
ok "at 256 KiB/s: $(((a - c) * 4)) KiB in $((t / 1000)) ms" test \
	$(((a - c) * 4)) -gt 256 -a $(((a - c) * 4)) -le $((t * 256 / 1000000 + 1024))
message st merge pause
message st merge rate 0
ok 'pause' until_true 10 merge_is paused
a=$(left)
ok 'the volume can be written meanwhile' change 60
sleep 1
ok "nothing is merged then ($a, $(left))" test "$(left)" -le "$a" -a "$(left)" -gt $((a / 2))
ok 'flush' flush $dm/disk
message st merge resume
ok 'it goes on' settle
ok 'the origin has all of it' compare "$ORIGIN" disk

# Checkpoints in the middle of it.
slow c1
keep d1
ok 'a checkpoint of a volume that merges' message st checkpoint d1 standard disk
ok 'a write behind it' change 40
ok 'it has what the volume had' view_is d1
create view "$sectors" ckpt "$dm/st disk@d1 $ORIGIN" ro || bail "$out"
keep d2
ok 'another one' message st checkpoint d2 recovery disk
ok 'a write behind that' change 40
message st merge rate 0
until_true 5 merge_is idle || note "a view is open: $(status st; echo "$out")"
ok 'while it goes on the view stays what it is' compare $dm/view d1
remove view
ok 'it ends when the view is closed' settle
is 'the first tag moved down' "$(units_of disk@d1)" base
ok 'the origin has what the first had' compare "$ORIGIN" d1
ok 'the second is what it was' view_is d2
ok 'a clone of what is the base now' message st clone disk@d1 twin
volume twin "$sectors" "$ORIGIN" || bail "$out"
ok 'it has what the checkpoint has' compare $dm/twin d1
ok 'delete both' forget disk@d1 disk@d2
ok 'that is all that can be done' settle
ok 'the base has two children: it is not written' compare "$ORIGIN" d1
ok 'nor changed in the clone' compare $dm/twin d1
remove twin
message st delete_volume twin
ok 'without the clone it merges' settle
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk

# Its origin must be open.
slow c1
ok 'close the volume' remove disk
ok 'then it waits' until_true 10 merge_is wait
message st commit
a=$(left)
ok 'and says so' test "$a" -gt 0
message st merge rate 0
sleep 1
message st commit
is 'nothing goes on' "$(left)" "$a"
open_disk
ok 'the volume is what it was' compare $dm/disk disk
ok 'it goes on' settle
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk

# All of it away in the middle, and there again.
slow c1
change 40
remove disk
remove st
nok 'a wrong origin is refused' eval \
	'create st "$(sectors_of 768)" ckpt-store "$STORE" && create disk "$sectors" ckpt "$dm/st disk $STORE"'
open_disk
ok 'after an activation the volume is what it was' compare $dm/disk disk
ok 'it is written' change 40
ok 'the merge goes on by itself' settle
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk

# The module away.
slow c1
change 40
remove disk
remove st
ko=${CKPT_KO:-$here/../../build/${CKPT_VM:-6.1}/dm-ckpt/dm-ckpt.ko}
ok 'the module is unloaded in the middle' rmmod dm_ckpt
ok 'and loaded' insmod "$ko"
create st "$(sectors_of 768)" ckpt-store "$STORE" || bail "$out"
open_disk
ok 'suspend the volume while it merges' suspend disk
ok 'resume it' resume disk
ok 'suspend the store' suspend st
ok 'resume that' resume st
ok 'the volume is what it was' compare $dm/disk disk
ok 'it ends' settle
ok 'the origin has all of it' compare "$ORIGIN" disk

# dm-linear in its place.
load disk "$sectors" linear "$ORIGIN 0" && suspend disk && resume disk
ok 'a linear device over the origin instead' compare $dm/disk disk
fill $dm/disk 77 65536 65536
load disk "$sectors" ckpt "$dm/st disk $ORIGIN" && suspend disk && resume disk
ok 'and back' holds $dm/disk 77 65536 65536
ok 'it is what it was else' eval 'cp "$work/ORIGIN" "$work/disk"; compare $dm/disk disk'

# Back to a checkpoint whose layer is on its way into the base.
slow c1
keep d1
take disk d1
change 40
remove disk
ok 'apply a checkpoint that is merging' message st apply disk@d1
open_disk
ok 'the volume is what the checkpoint was' compare $dm/disk d1
cp --sparse=always "$work/d1" "$work/disk"
change 40
forget disk@d1
ok 'it ends' full_speed
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk

# ---- it comes to an end under load ----

keep c1
take disk c1
fill $dm/disk 5 0 $((32 << 20))
python3 "$here/writer.py" $dm/disk "$work/stop" "$work/said" &
writer=$!
until_true 30 test -s "$work/said" || bail 'nothing is written'
message st merge rate 2048
forget disk@c1
until_true 10 merge_is base || flunk 'it began'
grew=0 last=$(left) begin=${EPOCHREALTIME/[.,]/}
for _ in {1..200}; do
	now=$(left)
	note "$(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms: $now units are left"
	[ "$now" -le "$last" ] || grew=$((grew + 1))
	last=$now
	[ "$now" != 0 ] || break
	sleep 0.5
done
ok 'it ends while a writer writes all the time' settle 20
is 'what is left only shrinks' $grew 0
ok 'the volume passes through' passthrough
touch "$work/stop"
ok 'the writer reads what it wrote' wait $writer
ok 'the origin has it' same "$ORIGIN" $dm/disk 0 $((32 << 20))
message st merge rate 0

# ---- growing ----

end_disk
new_disk 16
take disk c1
change 40
take disk c2
resize_loop "$ORIGIN" "$work/ORIGIN" 24 || bail "$err $out"
sectors=$(sectors_of 24)
ok 'the volume grows after its origin' message st resize_volume disk "$sectors"
truncate -s 24M "$work/disk"
load disk "$sectors" ckpt "$dm/st disk $ORIGIN" && suspend disk && resume disk || bail "$err $out"
ok 'it is written there' change 60
keep c3
take disk c3
ok 'and again' change 40
ok 'all but the last' forget disk@c1 disk@c2
ok 'it merges' settle
is 'the tag moved down' "$(units_of disk@c3)" base
ok 'the origin has all that it had then' compare "$ORIGIN" c3
ok 'nothing is lost' compare $dm/disk disk
ok 'the last' forget disk@c3
ok 'it merges' settle
ok 'the volume passes through' passthrough
ok 'the origin has all of it' compare "$ORIGIN" disk
end_disk

# ---- a template ----

fill "$ORIGIN" 9
md5 "$ORIGIN"; sum=$out
message st create_template golden "$sectors"
message st clone golden fresh
volume fresh "$sectors" "$ORIGIN" || bail "$out"
fill $dm/fresh 10 65536 65536
take fresh a
fill $dm/fresh 11 131072 65536
take fresh b
forget fresh@a fresh@b
ok 'layers over a template merge' settle
is 'into one' "$(field $f_layers)" 1
md5 "$ORIGIN"
is 'the template is not written' "$out" "$sum"
ok 'the volume has both' eval \
	'holds $dm/fresh 10 65536 65536 && holds $dm/fresh 11 131072 65536 && holds $dm/fresh 9 196608 65536'
remove fresh
message st delete_volume fresh
settle
message st delete_template golden

# A base that takes its time for a flush: a write to what is being merged does not wait for it.
modprobe dm-delay
loop_origin=$ORIGIN
sectors=$(sectors_of 24)
create slow "$sectors" delay "$ORIGIN 0 0 $ORIGIN 0 0 $ORIGIN 0 3000" || bail "$err $out"
ORIGIN=$dm/slow
message st adopt_volume disk "$sectors" || bail "$err $out"
open_disk
take disk c1
fill $dm/disk 14 0 131072
message st merge pause
forget disk@c1
until_true 10 merge_is paused
copied_before=$(field $f_copied)
message st merge resume
until_true 10 eval '[ "$(field $f_copied)" -gt "$copied_before" ]'
fill $dm/disk 15 0 65536
message st commit
ok "a write beside the flush of the base ($(left) units are left)" test "$(left)" -gt 0
load slow "$sectors" linear "$loop_origin 0" && suspend slow && resume slow || bail "$err $out"
ok 'it merges' settle
ok 'the volume passes through' passthrough
ok 'it has both' eval 'holds $dm/disk 15 0 65536 && holds $dm/disk 14 65536 65536'
ok 'so has the origin' eval \
	'holds "$loop_origin" 15 0 65536 && holds "$loop_origin" 14 65536 65536'
remove disk
message st delete_volume disk
settle
remove slow
ORIGIN=$loop_origin

# A base whose volume was deleted is one as well.
new_disk 24
keep c1
take disk c1
change 40
ok 'clone' message st clone disk@c1 twin
forget disk@c1
remove disk
ok 'delete the volume that owns the base' message st delete_volume disk
volume twin "$sectors" "$ORIGIN" || bail "$out"
fill $dm/twin 12 0 65536
take twin t1
fill $dm/twin 13 4096 65536
forget twin@t1
ok 'what is above it merges' settle
ok 'it is not written' compare "$ORIGIN" c1
ok 'the clone has what was written' eval 'holds $dm/twin 12 0 4096 && holds $dm/twin 13 4096 65536'
remove twin
message st delete_volume twin
settle
message st commit
pages st list
is 'nothing is left' "$out" ''

done_testing
