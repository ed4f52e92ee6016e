#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store that is full: writes that need space wait or fail, all else goes on, and
# when there is space again, by whatever, what waits goes on by itself.

. "$(dirname "$0")/lib.sh"

store=st
mib=64			# of the store
n='[0-9]+'
f_space=26 f_queued=27

space_is() { [ "$(field $f_space)" = "$1" ]; }
queued() { [ "$(field $f_queued)" -gt 0 ]; }
none_queued() { [ "$(field $f_queued)" = 0 ]; }
event() { info st; echo "${out##* }"; }
full_volume() {
	message st create_volume "$1" 262144 && volume "$1" 262144 || bail "$err $out"
}
forget() { message st delete_checkpoint "$@"; }
grow() {
	mib=$((mib + 32))
	resize_loop "$STORE" "$work/STORE" $mib &&
		load st "$(sectors_of $mib)" ckpt-store "$STORE${1:+ $1}" && suspend st && resume st
}

# write_behind VOLUME MIB COUNT: write so many MiB there, without waiting for it; its
# number is in $writer.
head -c 8M /dev/urandom >"$work/data"
write_behind() {
	dd if="$work/data" of="$dm/$1" bs=64k count=$(($3 * 16)) seek=$(($2 * 16)) oflag=direct \
		conv=notrunc 2>"$work/dd.$1" &
	writer=$!
}
running() { kill -0 "$1" 2>/dev/null; }
has_ended() { ! running "$1"; }
# ends SECONDS PID: it does by itself, or is made to.
ends() {
	until_true "$1" has_ended "$2" && return
	message st no_space error
	until_true 20 has_ended "$2" || bail 'a write waits and does not end'
	return 1
}
wrote() {
	dd if="$dm/$1" bs=1M skip="$2" count="$3" iflag=direct status=none |
		cmp -s - <(head -c "$3M" "$work/data")
}

# Fill the volume until there is no space: how much is in $full (256 KiB each). The
# store must not queue.
fill_all() {
	fill_up "$dm/$1" "$2" 0 262144 262144
	full=${out% *}
	[ "${out#* }" = ENOSPC ]
}

loop STORE $mib
loop ORIGIN 16
store st "$STORE" $mib '3 format low_water 2048'

# ---- errors at once ----

is 'a new store has space' "$(field $f_space)" ok
table st
like 'the low-water mark is in the table' "$out" ' low_water 2048'
ok 'no waiting' message st no_space error
table st
like 'is in the table, too' "$out" ' error_if_no_space'
full_volume v
full_volume other
fill $dm/other 9 0 1048576
event_before=$(event)
ok 'fill it' fill_all v 1
ok "with $((full / 4)) of $mib MiB" test $full -gt $((mib * 4 / 2))
# That calms down when nobody has failed for a quarter of a second, if single units are free.
ok 'it says that it is full' until_true 10 eval 'space_is full || { fill_all v 1; space_is full; }'
is 'nothing waits' "$(field $f_queued)" 0
ok 'low, then full: that was told' test "$(event)" -ge $((event_before + 2))
is 'it can be written' "$(field $f_mode)" rw
ok 'what was completed is there' holds $dm/v 1 0 $((full * 262144))
ok 'what is there can be written' fill $dm/v 2 0 1048576
ok 'and flushed' flush $dm/v
ok 'a checkpoint is taken' message st checkpoint c1 standard other
ok 'and deleted' forget other@c1
ok 'a part is discarded' discard $dm/v 0 16777216
ok 'then there is space again' until_true 10 eval 'message st commit; ! space_is full'
ok 'that can be written' fill $dm/other 3 8388608 4194304
ok 'it is there' holds $dm/other 3 8388608 4194304
ok 'what was not discarded, too' holds $dm/v 1 16777216 $((full * 262144 - 16777216))

# ---- waiting ----

# until_full VOLUME: no space is left, then writes wait.
until_full() {
	message st no_space error
	fill_all "$1" 4
	message st no_space queue "${2:-0}"
}
until_full v
ok 'waiting is in the table, if it is not the usual time' eval \
	'message st no_space queue 20; table st; [[ $out == *" no_space_timeout 20"* ]]'
message st no_space queue 0
write_behind other 32 4
ok 'a write waits' until_true 10 queued
ok 'it says that it is full' space_is full
ok 'reads do not' holds $dm/other 3 8388608 4194304
ok 'nor writes of what is there' fill $dm/other 5 8388608 1048576
ok 'nor flushes' flush $dm/other
ok 'nor messages' message st checkpoint c1 standard v
ok 'it still waits' running $writer
event_before=$(event)
ok 'the store grows' grow
ok 'then it goes on' ends 20 $writer
ok 'without an error' wait $writer
ok 'with what it wrote' wrote other 32 4
ok 'nothing waits any more' none_queued
# A quarter of a second after the last write that found none.
ok 'that is told' until_true 10 eval '[ "$(event)" -gt "$event_before" ]'
forget v@c1
settle

until_full v
write_behind other 40 4
ok 'a write waits' until_true 10 queued
discard $dm/v 0 16777216
ok 'something is discarded: it goes on' ends 20 $writer
ok 'without an error' wait $writer
ok 'with what it wrote' wrote other 40 4

# A checkpoint is deleted of whose layer much has been written over.
message st no_space error
fill_all v 4
discard $dm/other 33554432 12582912	# of the writes above
until_true 10 eval 'message st commit; ! space_is full'
message st checkpoint c2 standard v
fill_all v 6
ok "with $((full / 4)) MiB written over" test $full -gt 8
message st checkpoint c3 standard v
message st no_space queue 0
write_behind other 48 2
ok 'a write waits' until_true 10 queued
ok 'a checkpoint is deleted, what its layer hides is freed' forget v@c2
ok 'the write goes on' ends 30 $writer
ok 'without an error' wait $writer
ok 'with what it wrote' wrote other 48 2
ok 'it settles' settle
forget v@c3
ok 'a full store merges as well' settle

until_full v
write_behind other 56 2
ok 'a write waits' until_true 10 queued
remove v
ok 'a volume is deleted' message st delete_volume v
ok 'the write goes on' ends 30 $writer
ok 'without an error' wait $writer
ok 'with what it wrote' wrote other 56 2
settle

# ---- not for ever ----

full_volume v
until_full v 4
t=${EPOCHREALTIME/[.,]/}
write_behind other 60 2
ok 'a write waits' until_true 10 queued
ends 30 $writer
t=$(((${EPOCHREALTIME/[.,]/} - t) / 1000))
nok 'after the time it fails' wait $writer
like 'there is no space' "$(cat "$work/dd.other")" 'No space left'
ok "after $t ms" test $t -ge 3000 -a $t -le 15000
ok 'nothing waits' none_queued
ok 'now writes fail at once' eval 't=$SECONDS; ! fill $dm/other 7 62914560 2097152 && [ $((SECONDS - t)) -le 2 ]'
is 'no space' "$err" ENOSPC
ok 'asked again' message st no_space queue 0
write_behind other 60 2
ok 'they wait again' until_true 10 queued
ok 'not to wait' message st no_space error
ends 10 $writer
nok 'ends the waiting' wait $writer

# ---- suspended, loaded anew, removed ----

message st no_space queue 0
write_behind other 60 2
ok 'a write waits' until_true 10 queued
ok 'suspend the volume without a flush' timeout 20 dmsetup suspend --noflush --nolockfs other
load other 262144 ckpt "$dm/st other"
ok 'another table' dmsetup resume other
ok 'it waits on' eval 'until_true 10 queued && running $writer'
ok 'suspend the store' timeout 20 dmsetup suspend --nolockfs st
ok 'and resume it' dmsetup resume st
ok 'it waits on' eval 'until_true 10 queued && running $writer'
ok 'the store grows' grow
ok 'it goes on' ends 20 $writer
ok 'without an error' wait $writer
ok 'with what it wrote' wrote other 60 2

until_full v
write_behind other 64 2
ok 'a write waits' until_true 10 queued
ok 'suspend the volume with a flush: that does not wait for space' \
	timeout 20 dmsetup suspend --nolockfs other
resume other
until_true 10 eval 'has_ended $writer || queued'
message st no_space error
ends 10 $writer
wait $writer && note 'the write succeeded' || note 'the write failed'
message st no_space queue 0

write_behind other 64 2
ok 'a write waits' until_true 10 queued
ok 'force the volume away' timeout 20 dmsetup wipe_table --force --noflush --nolockfs other
ok 'the writer ends' ends 20 $writer
nok 'with an error' wait $writer
remove other v
ok 'remove the store' remove st
create st "$(sectors_of $mib)" ckpt-store "$STORE 1 error_if_no_space" || bail "$out"
volume other 262144 || bail "$out"
volume v 262144 || bail "$out"
ok 'what was completed is there' eval 'wrote other 60 2 && wrote other 48 2'
ok 'after an activation it does what the table says' eval '! fill_all v 8 || space_is full'

# ---- a limit for a volume ----

remove v
message st delete_volume v
settle
ok 'there is space again' until_true 20 eval '! space_is full'
full_volume v
ok 'a limit' message st limit_volume v 1024
pages st list
like 'is in the list' "$out" "volume $n [^ ]* v 262144 $n $n active 0 1024"
fill_up $dm/v 1 0 65536 65536
like 'the volume ends there' "$out" ' ENOSPC$'
full=${out% *}
ok "after $((full * 16)) units" test $((full * 16)) -le 1024 -a $((full * 16)) -ge 992
ok "not the store ($(field $f_space))" eval '! space_is full'
ok 'other volumes do not' fill $dm/other 10 67108864 1048576
ok 'what it has can be written' fill $dm/v 2 0 1048576
message st checkpoint c1 standard v
fill_up $dm/v 3 0 65536 65536
like 'its layers count together' "$out" '^0 ENOSPC$'
remove v other st
create st "$(sectors_of $mib)" ckpt-store "$STORE 1 error_if_no_space" || bail "$out"
volume v 262144 && volume other 262144 || bail "$out"
fill_up $dm/v 3 0 65536 65536
like 'it is kept over an activation' "$out" '^0 ENOSPC$'
ok 'a larger one' message st limit_volume v 2048
fill_up $dm/v 3 0 65536 65536
like 'gives it more' "$out" "^6[0-4] ENOSPC\$"
ok 'none' message st limit_volume v 0
fill_up $dm/v 4 16777216 65536 65536
ok 'gives it all' test "${out% *}" -gt 64
watch=st
fails 'a limit that is none' EINVAL . message st limit_volume v much
fails 'a volume that there is not' ENOENT . message st limit_volume nobody 5
watch=
forget v@c1
settle

# ---- words ----

watch=st
fails 'a way that there is not' EINVAL . message st no_space hope
fails 'a time that is none' EINVAL . message st no_space queue soon
fails 'a mark that is none' EINVAL . message st low_water high
watch=
message st low_water 0
table st
like 'no mark' "$out" ' low_water 0'

# ---- layers are put together where there is no space for that ----

remove v other
message st delete_volume v
message st delete_volume other
settle
message st no_space error
message st create_volume v 65536 && volume v 65536 || bail "$out"
message st create_volume other 8388608 && volume other 8388608 || bail "$out"
# One block of each cluster in one layer, another one in the other, and the rest of their windows
# is other volumes' space.
fill_up $dm/v 1 12288 131072 4096
is 'a block in each cluster' "$out" '256 end'
message st checkpoint c1 standard v
fill_up $dm/v 2 20480 131072 4096
is 'and another one' "$out" '256 end'
message st checkpoint c2 standard v
until_true 20 eval '[ "$(field $f_reserved)" -le 64 ]' || note 'windows are not given back'
fill_all other 3
fill_up $dm/other 3 $((1 << 30)) 131072 65536
fill_up $dm/other 3 $((2 << 30)) 131072 4096
like 'not one block is free' "$out" 'ENOSPC$'
copied=$(field $f_copied)
rested=0
merged() {
	! merge_is wait || rested=1
	merge_is idle && nothing_freeing
}
ok 'the lower layer is garbage' forget v@c1
ok 'it merges' until_true 60 merged
is 'without a rest, as what one batch has borrowed is there for the next' $rested 0
copied=$(($(field $f_copied) - copied))
ok "copies were needed ($copied units)" test $copied -ge 256
fill_up $dm/other 3 $((3 << 30)) 131072 4096
like 'there is still no space' "$out" '^0 ENOSPC$'
filled $dm/v 1 256 12288 131072 4096
is 'what was in the one is there' "$out" 256
filled $dm/v 2 256 20480 131072 4096
is 'and what was in the other' "$out" 256
forget v@c2
settle

# ---- a base takes what is in the way ----

remove v other
message st delete_volume v
message st delete_volume other
settle
fill "$ORIGIN" 1
message st adopt_volume disk 32768
volume disk 32768 "$ORIGIN" || bail "$out"
full_volume v
message st checkpoint c1 standard disk
fill $dm/disk 2
md5 $dm/disk; sum=$out
message st no_space error
fill_all v 3
message st no_space queue 0
write_behind v 124 4
ok 'a write waits' until_true 10 queued
forget disk@c1
ok 'a merge into the base makes space' ends 30 $writer
ok 'the write has no error' wait $writer
ok 'and is there' wrote v 124 4
ok 'it settles' settle
md5 "$ORIGIN"
is 'the origin has what the volume had' "$out" "$sum"

# Sixteen writers who all wait, and a checkpoint of them.
message st no_space error
fill_all v 4
message st no_space queue 0
message st create_volume many 262144
volume many 262144 || bail "$out"
writers=()
for i in {0..15}; do
	write_behind many $((i * 8)) 1
	writers+=($writer)
done
ok 'many wait' until_true 10 eval '[ "$(field $f_queued)" -ge 8 ]'
ok 'a checkpoint of what waits' message st checkpoint c1 standard many
ok 'the store grows' grow
bad=0
for w in "${writers[@]}"; do
	ends 20 $w && wait $w || bad=$((bad + 1))
done
is 'all go on' $bad 0
for i in {0..15}; do wrote many $((i * 8)) 1 || bad=$((bad + 1)); done
is 'with what they wrote' $bad 0

done_testing
