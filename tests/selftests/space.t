#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the space goes: scattered writes, what is given back, and a store that
# is full.

. "$(dirname "$0")/lib.sh"

# Six thousand writes show nearly what a hundred thousand do, which take a minute where the
# machine is emulated: those are for one kernel.
scattered=${SELFTEST_SCATTERED:-6000}
mib=$((scattered / 5))		# of the store: 128 KiB are set aside for a cluster
store=st
n='[0-9]+'

# Units of the layers of a kind, by the list.
layers() {
	pages st list
	awk -v k="$1" '$1 == "layer" && $5 == k { n += $6 } END { print n + 0 }' <<<"$out"
}

# ---- scattered ----

loop STORE $mib
store st "$STORE" $mib
message st create_volume wide $((1 << 31))
volume wide $((1 << 31)) || bail "$out"
message st commit
before=$(used)
ok "$scattered writes of 4 KiB on 1 TiB" \
	fio --name=scattered --filename=$dm/wide --direct=1 --rw=randwrite --bs=4k --size=1T \
	--number_ios=$scattered --ioengine=libaio --iodepth=32 --randrepeat=1 --norandommap=0 \
	--random_generator=lfsr --output="$work/fio.out"
message st commit
is 'the head has as many units' "$(layers head)" $scattered
status wide
like 'by its status, too' "$out" " rw layered 1 $scattered 2147483648\$"
# A leaf of the map for each, at most; inner nodes for each 8 GiB; a leaf of the
# space map for each 128 MiB; and what write-back has not given up yet.
nodes() { echo $(($1 + 128 + 3 + mib / 128 + 64)); }
taken=$(($(used) - before))
ok "metadata take $((taken - scattered)) units" test $taken -ge $scattered -a \
	$taken -le $((scattered + $(nodes $scattered)))
note "reserved: $(field $f_reserved) units"
ok 'checkpoint' message st checkpoint c1 standard wide
settled() { [ "$(field $f_reserved)" -le 64 ]; }
ok 'what was set aside goes back' until_true 60 settled
note "reserved: $(field $f_reserved) units"
is 'the frozen layer has what was written' "$(layers frozen)" $scattered
taken=$(($(used) - before))
ok "$taken units are used" test $taken -le $((scattered + $(nodes $scattered)))
ok 'delete the checkpoint' message st delete_checkpoint wide@c1
remove wide
ok 'and the volume' message st delete_volume wide
ok 'that is freed' until_true 60 nothing_freeing
message st commit
# But for leaves of the space map that there were none of.
ok "units are back ($before, $(used))" test "$(used)" -le $((before + 64 + mib / 128))

# ---- discarded ----

message st create_volume thin $((1 << 27))
volume thin $((1 << 27))
before=$(used)
fill_up $dm/thin 1 0 $((128 << 20)) 65536
is '64 KiB in each 128 MiB' "$out" '512 end'
message st commit
is 'the head has them' "$(layers head)" 8192
ok 'discard everything' discard $dm/thin 0 $((1 << 36))
message st commit
is 'nothing is left in the head' "$(layers head)" 0
ok "units are back ($before, $(used))" until_true 20 eval \
	'message st commit; test "$(used)" -le $((before + 512 + 64))'
ok 'it reads as zeros' holds $dm/thin zeros $((63 << 30)) 1048576
remove thin
message st delete_volume thin
ok 'delete it' until_true 20 nothing_freeing
remove st
agent unloop "$STORE"

# ---- full ----

loop STORE2 64
store st "$STORE2" 64 "2 format error_if_no_space"
message st create_volume keep 32768
message st create_volume full $((1 << 20))
volume keep 32768 && volume full $((1 << 20)) || bail "$out"
fill $dm/keep 1
k=262144	# written at once
message st checkpoint c1 standard keep
fill $dm/keep 2 0 $((8 << 20))
message st commit
free=$((16384 - $(used)))
fill_up $dm/full 3 0 $k $k
count=${out% *}
like 'a store that is full: no space' "$out" "^$n ENOSPC\$"
ok "it is full: $((count * 64)) of $free units" test $((count * 64)) -ge $((free * 9 / 10 - 350))
is 'its mode is rw' "$(field $f_mode)" rw
filled $dm/full 3 "$count" 0 $k $k
is 'what was completed is there' "$out" "$count"
ok 'it can be written over' fill $dm/full 4 0 $((count * k / 2))
ok 'and read' holds $dm/full 4 0 $((count * k / 2))
ok 'and flushed' flush $dm/full
fill_up $dm/full 3 $((count * k)) $k $k
like 'no new blocks' "$out" '^[0-9] ENOSPC$'
ok 'a checkpoint of a full store' message st checkpoint c1 standard full
fill_up $dm/full 5 0 $k $k
like 'has no room for new blocks' "$out" "^$n ENOSPC\$"
new=$((${out% *} + 1))		# the last of them in part, perhaps
ok 'go on without it' message st delete_checkpoint full@c1
ok 'the store can be written' message st commit
remove full keep
remove st
create st "$(sectors_of 64)" ckpt-store "$STORE2 1 error_if_no_space" || bail "$out"
volume keep 32768 && volume full $((1 << 20)) || bail "$out"
ok 'after another activation all is there' holds $dm/full 4 $((new * k)) $((count * k / 2 - new * k))
ok 'in the other volume, too' holds $dm/keep 2 0 $((8 << 20))
remove keep
ok 'delete the other volume' message st delete_checkpoint keep@c1
ok 'all of it' message st delete_volume keep
ok 'that is freed' until_true 20 nothing_freeing
roomy() { fill_up $dm/full 6 $((count * k)) $k $k && [ "${out% *}" -ge 50 ]; }
ok 'new blocks can be written' until_true 20 roomy
note "$out"
remove full
message st delete_volume full
ok 'delete the volume' until_true 20 nothing_freeing

# A volume without checkpoints: what is discarded can be written at once.
message st create_volume again $((1 << 20))
volume again $((1 << 20)) || bail "$out"
fill_up $dm/again 7 0 $k $k
count=${out% *}
like 'full once more' "$out" "^$n ENOSPC\$"
discard $dm/again 0 $((1 << 29))
message st commit
ok 'discard all: as many again' until_true 20 eval \
	'fill_up $dm/again 7 0 $k $k && [ "${out% *}" -ge $((count - 4)) ]'
note "$out, $count before"
discard $dm/again 0 $((1 << 29))
message st commit

# Each write begins another cluster, for which a whole window is set aside, until space is
# short: then those are taken back.
until_true 20 eval '[ "$(used)" -lt 1500 ]' || note 'not all has gone back'
free=$((16384 - $(used)))
fill_up $dm/again 8 0 131072 4096
scattered=${out% *}
is 'scattered blocks: no error before the end' "${out#* }" end
note "$scattered of 4096 blocks of 4 KiB with $free units free"
filled $dm/again 8 "$scattered" 0 131072 4096
is 'what was completed is there' "$out" "$scattered"

remove again
remove st
agent unloop "$STORE2"

# ---- passed down to the device ----

blocks() { stat -c %b "$work/STORE3"; }
# Write 32 MiB, and delete them.
come_and_go() {
	message st create_volume v 65536 && volume v 65536 && fill $dm/v 1 && flush $dm/v ||
		bail "$err $out"
	before=$(blocks)
	remove v
	message st delete_volume v
	until_true 20 nothing_freeing
	message st commit
}

loop STORE3 64
store st "$STORE3" 64
come_and_go
ok "what is freed stays on the device ($before, $(blocks) sectors)" \
	test "$before" -ge 65536 -a "$(blocks)" -ge "$before"
remove st
create st "$(sectors_of 64)" ckpt-store "$STORE3 1 discard_passdown" || bail "$out"
come_and_go
ok "but is discarded there if asked for ($before)" \
	until_true 20 eval '[ "$(blocks)" -le $((before - 60000)) ]'
note "$(blocks) sectors are left"

done_testing
