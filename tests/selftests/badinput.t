#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Wrong tables, messages, sizes, devices and superblocks: each is refused, the
# log says why, and nothing changes.

. "$(dirname "$0")/lib.sh"

loop STORE 64
loop ORIGIN 2
loop OTHER 64
loop SMALL 1
loop TINY 3
size=$(sectors_of 64)
osize=$(sectors_of 2)
fill "$ORIGIN" 1
store=st

# A table that is wrong leaves no device behind.
no_device() {
	fails "$1" "$2" "$3" create x "$4" "$5" "$6" "${7-}"
	nok "$1: no device" info x && return
	remove x	# so that one mistake stays one
}

# ---- tables of a store ----

table() {
	no_device "store: $1" "$2" "$3" "${5:-$size}" ckpt-store "$4"
}
table 'nothing' EINVAL 'store device is missing' ''
table 'no such device' '*' 'cannot be opened' /dev/loop999999
table 'not a device' '*' 'cannot be opened' "$work"
table 'negative count' EINVAL 'number of feature arguments is wrong' "$OTHER -1 format"
table 'no count' EINVAL 'number of feature arguments is wrong' "$OTHER format"
table 'count too large' EINVAL 'number of feature arguments is wrong|not enough' "$OTHER 2 format"
table 'count too small' EINVAL 'more words' "$OTHER 0 format"
table 'unknown feature' EINVAL 'unknown feature' "$OTHER 1 frmt"
table 'unknown feature behind a known one' EINVAL 'unknown feature' "$OTHER 2 format x"
for v in 0 3 256 -8 8x 4294967304 999999999999999999999 ''; do
	table "block_size '$v'" EINVAL 'power of two from 1 to 128' \
		"$OTHER $((${#v} ? 3 : 2)) format block_size $v"
done
for v in 0 255 262145 x; do
	table "journal_blocks $v" EINVAL 'from 256 to' "$OTHER 3 format journal_blocks $v"
done
for v in 0 7 1048577; do
	table "cache_mb $v" EINVAL 'from 8 to' "$OTHER 3 format cache_mb $v"
done
for v in 0 9 60001; do
	table "commit_ms $v" EINVAL 'from 10 to 60000' "$OTHER 3 format commit_ms $v"
done
table 'block_size without format' EINVAL 'go with format' "$OTHER 2 block_size 16"
table 'journal_blocks without format' EINVAL 'go with format' "$OTHER 2 journal_blocks 512"
table 'format and read_only' EINVAL 'exclude each other' "$OTHER 2 format read_only"
table 'longer than the device' EINVAL 'smaller than the table' "$OTHER 1 format" $((size + 8))
table 'far longer than the device' EINVAL 'smaller than the table' "$OTHER 1 format" $((1 << 53))
table 'too small for anything' EINVAL 'size is impossible' "$SMALL 1 format" 2048
table 'too small for a journal' EINVAL 'size is impossible' "$TINY 1 format" 6144
table 'too small for that journal' EINVAL 'size is impossible' "$OTHER 3 format journal_blocks 65536"
table 'no store there' ENODEV 'there is no store on this device' "$OTHER"
ok 'nothing was written' holds "$OTHER" zeros

store st "$STORE" 64
message st adopt_volume disk "$osize"
message st create_volume blank 4096
message st create_template golden "$osize"
message st clone golden fresh
volume disk "$osize" "$ORIGIN" || bail "$out"
message st checkpoint c1 standard disk blank
fill $dm/disk 2 0 65536
watch=st

table 'format over a store' '*' 'there is a store|in use by another store target' "$STORE 1 format"
table 'a second target' EBUSY 'in use by another store target' "$STORE"
fails 'reload with format' EBUSY 'active and cannot be formatted' load st $size ckpt-store "$STORE 1 format"
fails 'two targets in a table' '*' 'must appear alone|singleton' \
	eval 'dmsetup create x >/dev/null 2>&1 <<<"0 8 zero"$'"'\\n'"'"8 $size ckpt-store $OTHER 1 format"'

# Refused when it is loaded or when it is resumed; then the right one must be loaded.
reload() {
	load st "$@" && resume st
}
refused() {
	remember st
	fails "$1" "$2" "$3" reload "${@:4}"
	load st $size ckpt-store "$STORE" && resume st || bail "cannot go back: $out"
	ok "$1: nothing has changed" unchanged st
}
watch=
refused 'a shorter table' '*' 'cannot have only|shorter than the store' $((size - 8)) ckpt-store "$STORE"
refused 'read_only' EBUSY 'read_only cannot change' $size ckpt-store "$STORE 1 read_only"
watch=st

# ---- tables of a volume ----

vtable() {
	no_device "volume: $1" "$2" "$3" "${5:-4096}" ckpt "$4" "${6-}"
}
vtable 'nothing' EINVAL 'it goes:' ''
vtable 'no volume' EINVAL 'it goes:' $dm/st
vtable 'no such store' '*' "store's device cannot be opened" "$dm/nosuch blank"
vtable 'store is no dm device' EINVAL 'is not a device-mapper device' "$OTHER blank"
vtable 'store is a volume' EINVAL 'has no ckpt-store target' "$dm/disk blank"
create self-linear 4096 linear "$OTHER 0"
vtable 'store is something else' EINVAL 'has no ckpt-store target' "$dm/self-linear blank"
vtable 'no such volume' ENOENT 'no such volume' "$dm/st nosuch"
vtable 'no such checkpoint' ENOENT 'no such checkpoint' "$dm/st blank@nosuch" 4096 ro
vtable 'empty checkpoint' ENOENT 'no such checkpoint' "$dm/st blank@" 4096 ro
vtable 'empty volume' ENOENT 'no such volume' "$dm/st @c1" 4096 ro
vtable 'template instead of a volume' ENOENT 'no such volume' "$dm/st golden $OTHER" "$osize"
vtable 'options' EINVAL 'no options' "$dm/st blank - 1 x"
vtable 'options that are not counted' EINVAL 'no options' "$dm/st blank - 0 x"
vtable 'count is not a number' EINVAL 'no options' "$dm/st blank - x"
vtable 'longer than the volume' EINVAL 'longer than the volume' "$dm/st blank" 4104
vtable 'far longer' EINVAL 'longer than the volume' "$dm/st blank" $((1 << 53))
vtable 'superfluous origin' EINVAL 'has no origin' "$dm/st blank $OTHER"
vtable 'missing origin' EINVAL 'origin, which must be given' "$dm/st fresh" "$osize"
vtable "missing origin, '-'" EINVAL 'origin, which must be given' "$dm/st fresh -" "$osize"
vtable 'no such origin' '*' 'origin cannot be opened' "$dm/st fresh /dev/loop999999" "$osize"
vtable 'origin is the store device' EINVAL 'origin is the store' "$dm/st fresh $STORE" "$osize"
vtable 'origin is the store target' EINVAL 'origin is the store' "$dm/st fresh $dm/st" "$osize"
vtable 'origin too large' EINVAL 'has 131072 sectors' "$dm/st fresh $OTHER" "$osize"
vtable 'origin too small' EINVAL 'has 2048 sectors' "$dm/st fresh $SMALL" 2048
vtable 'view without an origin' EINVAL 'origin, which must be given' "$dm/st disk@c1" "$osize" ro
vtable 'view with a table that can be written' EROFS 'can only be viewed' "$dm/st blank@c1"
vtable 'active already' EBUSY 'active already' "$dm/st disk $ORIGIN" "$osize"
ok 'a view' create view "$osize" ckpt "$dm/st disk@c1 $ORIGIN" ro
nok 'a message to a volume' message disk list

# ---- messages ----

m() {
	local what="$4 ${*:5}"
	fails "message ${1:+$1: }${what:0:60}" "$2" "$3" message st "${@:4}"
}
e=EINVAL
m '' $e "no message 'nosuch'" nosuch
m '' $e "no message 'LIST'" LIST
m '' $e "no message 'lis'" lis
for words in create_volume 'create_volume a' 'create_volume a 8 8' adopt_volume create_template \
	'clone golden' 'clone golden a b' 'resize_volume blank' 'rename_volume blank' \
	'rename_volume blank a b' rename_template delete_volume 'delete_volume blank fresh' \
	delete_template checkpoint 'checkpoint c2' 'checkpoint c2 standard' \
	'rename_checkpoint disk@c1' apply delete_checkpoint 'list 0 0' diff 'diff disk c1' \
	'diff disk c1 - 0 0' estimate 'estimate disk@c1 0 0' 'commit now'; do
	# shellcheck disable=SC2086
	m 'wrong number of words' $e 'message .* goes:' $words
done
for number in abc -1 +8 1e6 0x1000 8.0 4096s 18446744073709551616 99999999999999999999999999; do
	m '' $e 'is not a number' create_volume a $number
done
m '' $e 'is not a number' resize_volume blank x
m '' $e 'is not a number' list x
m '' $e 'is not a number' list -1
m '' $e 'is not a number' diff disk c1 - x
m '' $e 'is not a number' estimate disk@c1 x
for number in 0 4 4097 137438953480 9223372036854775808 18446744073709551608 18446744073709551615; do
	m '' $e 'sectors cannot be' create_volume a $number
done
m '' $e 'sectors cannot be' adopt_volume a 1
m '' $e 'sectors cannot be' create_template a 137438953480
m '' $e 'number of units, 4294967295 at most' low_water 4294967296
m 'smaller' $e 'cannot shrink' resize_volume blank 4088
m 'smaller' $e 'sectors cannot be' resize_volume blank 0
m 'unaligned' $e 'sectors cannot be' resize_volume blank 4100
m 'too large' $e 'sectors cannot be' resize_volume blank 137438953480
m '' ENOENT 'no volume nosuch' resize_volume nosuch 4096
m '' ENOENT 'no volume nosuch' rename_volume nosuch a
m '' ENOENT 'no volume golden' rename_volume golden a
m '' ENOENT 'no template disk' rename_template disk a
m '' ENOENT 'no volume nosuch' rename_checkpoint nosuch@c1 a
m '' ENOENT 'no checkpoint nosuch' rename_checkpoint disk@nosuch a
for name in disk @c1 disk@ @ '@@'; do
	m '' $e 'is not <volume>@<checkpoint>' rename_checkpoint $name a
	m '' $e 'is not <volume>@<checkpoint>' apply $name
	m '' $e 'is not <volume>@<checkpoint>' delete_checkpoint blank@c1 $name
done
m '' ENOENT 'no template disk' clone disk a
m '' ENOENT 'no template nosuch' clone nosuch a
m '' ENOENT 'no checkpoint nosuch' clone disk@nosuch a
m '' ENOENT 'no volume golden' clone golden@c1 a
m '' $e 'is not <volume>@<checkpoint>' clone disk@ a
m '' ENOENT 'no volume nosuch' delete_volume nosuch
m 'active' EBUSY 'is active' delete_volume disk
m 'it has a checkpoint' EBUSY 'has 1 checkpoints' delete_volume blank
m '' ENOENT 'no template nosuch' delete_template nosuch
m 'needed' EBUSY 'is needed' delete_template golden
m '' $e 'is not a kind' checkpoint c2 Standard disk
m '' $e 'is not a kind' checkpoint c2 '' disk blank
m '' ENOENT 'no volume nosuch' checkpoint c2 standard nosuch
m 'the last of a group' ENOENT 'no volume nosuch' checkpoint c2 standard disk blank nosuch
m 'twice' $e 'named twice' checkpoint c2 standard disk blank disk
m 'one has it' EEXIST 'has a checkpoint c1 already' checkpoint c1 standard fresh disk
# shellcheck disable=SC2046
m 'too many' $e '200 volumes' checkpoint c2 standard $(printf 'v%d ' {1..201})
m 'active' EBUSY 'is active' apply disk@c1
m 'one of them is active' EBUSY 'is active' apply blank@c1 disk@c1
m 'twice' $e 'named twice' apply blank@c1 blank@c1
m '' ENOENT 'no checkpoint c2' apply blank@c2
m 'the second' ENOENT 'no volume nosuch' apply blank@c1 nosuch@c1
# shellcheck disable=SC2046
m 'too many' $e '200 volumes' apply $(printf 'v%d@c ' {1..201})
m 'viewed' EBUSY 'active as a view' delete_checkpoint disk@c1
m 'one of them is viewed' EBUSY 'active as a view' delete_checkpoint blank@c1 disk@c1
m 'twice' $e 'twice' delete_checkpoint blank@c1 blank@c1
m 'the second' ENOENT 'no checkpoint c3' delete_checkpoint blank@c1 blank@c3
# shellcheck disable=SC2046
m 'too many' $e '200 volumes' delete_checkpoint $(printf 'v%d@c ' {1..201})
m '' ENOENT 'no volume nosuch' diff nosuch - -
m '' ENOENT 'no checkpoint nosuch' diff disk nosuch -
m '' ENOENT 'no checkpoint nosuch' diff disk c1 nosuch
# What is far behind the end is no error, and no trap.
ok 'a list from far behind' message st list 18446744073709551615
is 'is at its end' "$out" end
for cursor in 18446744073709551615 9223372036854775808 137438953472 4096 1; do
	ok "a diff from $cursor on" message st diff disk c1 - $cursor
	ok "an estimate from $cursor on" message st estimate disk@c1 $cursor
done

# ---- stores that cannot be changed ----

remove self-linear view disk
suspend st
watch=
fails 'a message to a suspended store' EBUSY 'ckpt: .*suspended' message st create_volume a 8
resume st
watch=st
ok 'resumed, nothing has changed' message st list
remove st
create st $size ckpt-store "$STORE 1 read_only" || bail "$out"
is 'a store that is read-only says so' "$(field $f_mode)" ro
for words in 'create_volume a 8' 'rename_volume blank b' 'delete_checkpoint blank@c1' \
	'checkpoint c3 standard blank' 'apply blank@c1' commit; do
	# shellcheck disable=SC2086
	fails "read-only: $words" EROFS 'ckpt: ' message st $words
done
ok 'a volume of it can be activated' volume disk "$osize" "$ORIGIN"
ok 'and read' holds $dm/disk 2 0 65536
nok 'not written' fill $dm/disk 3 0 4096
ok 'still the same' holds $dm/disk 2 0 65536
remove disk st

# ---- wrong origins ----

create st $size ckpt-store "$STORE"
message st checkpoint c2 standard fresh
cp --reflink=never "$work/ORIGIN" "$work/copy"
damage "$ORIGIN" 1048576 1
damage "$ORIGIN" 0 1
fails 'another content of the origin' EINVAL 'does not hold what the base' volume disk "$osize" "$ORIGIN"
fails 'in a view, too' EINVAL 'does not hold what the base' \
	create view "$osize" ckpt "$dm/st disk@c1 $ORIGIN" ro
damage "$ORIGIN" 0 1
damage "$ORIGIN" 1048576 1
ok 'mended' volume disk "$osize" "$ORIGIN"
ok 'it has what it had' holds $dm/disk 1 65536 $((osize * 512 - 65536))

# One so small that all of it is looked at.
create self-small 1024 linear "$SMALL 0" || bail "$err $out"
message st adopt_volume small 1024 && volume small 1024 $dm/self-small &&
	message st checkpoint c1 standard small && remove small || bail "$err $out"
damage $dm/self-small 300000 1
fails 'another content of a small origin' EINVAL 'does not hold what the base' \
	volume small 1024 $dm/self-small
damage $dm/self-small 300000 1
ok 'mended, too' volume small 1024 $dm/self-small
remove small
message st delete_checkpoint small@c1 && message st delete_volume small || bail "$err $out"
remove self-small

# The device of a live store cannot be exchanged.
watch=
refused "another device's table" '*' '.' $size ckpt-store "$OTHER 1 format"
ok 'and so does its volume' timeout 20 dd if=$dm/disk of=/dev/null bs=4k count=16 iflag=direct status=none
remove disk st
watch=

# ---- a store that is not active ----

create self-idle $size linear "$OTHER 0" && load self-idle $size ckpt-store "$OTHER" || bail "$err $out"
fails 'it is not resumed' ENODEV 'there is no store on this device' resume self-idle
status self-idle
is 'its status says nothing' "$out" "0 $size ckpt-store -"
fails 'it has no message' ENODEV 'not active: resume its device first' message self-idle list
no_device 'nor volumes' EINVAL 'has no ckpt-store target' 4096 ckpt "$dm/self-idle blank"
remove self-idle

# ---- wrong sizes ----

no_device 'a table shorter than the store' EINVAL 'so its table cannot have only' \
	$((size - 8)) ckpt-store "$STORE"
most=4398046511104
create self-huge $size linear "$STORE 0" &&
	load_pieces self-huge 0 $size linear "$STORE 0" $size $((most + 8 - size)) zero '' &&
	resume self-huge || bail "$err $out"
no_device 'more than a store can be' EINVAL "a store has $most sectors at most" \
	$((most + 8)) ckpt-store $dm/self-huge
remove self-huge

store st "$OTHER" 64 '3 format block_size 1'
message st adopt_volume o 2048
loop_sectors "$SMALL" 4096
no_device 'an origin with sectors larger than blocks' EINVAL 'smaller than the sectors of the origin' \
	2048 ckpt "$dm/st o $SMALL"
loop_sectors "$SMALL" 512
remove st
loop_sectors "$OTHER" 4096
no_device 'a store with sectors larger than blocks' EINVAL 'belongs on one with smaller sectors' \
	$size ckpt-store "$OTHER"
no_device 'nor is it made' EINVAL 'less than a sector of the store device' \
	$size ckpt-store "$OTHER 3 format block_size 1"
loop_sectors "$OTHER" 512

# ---- superblocks ----

create st $size ckpt-store "$STORE" || bail "$out"
pages st list
list=$out
remove st

# MESSAGE: the store is as it was.
whole() {
	ok "$1" create st $size ckpt-store "$STORE"
	pages st list
	is "$1: all is there" "$(sed 's/inactive$//;s/active$//' <<<"$out")" "$(sed 's/inactive$//;s/active$//' <<<"$list")"
}
B=1048576
damage "$STORE" 100 1
mark
whole 'superblock A is damaged, B serves'
ok 'the log says so' log 'first superblock is damaged'
remove st
mark
whole 'after that A is whole again'
nok 'the log is quiet' log 'superblock is damaged'
remove st
damage "$STORE" $((B + 100)) 1
whole 'superblock B is damaged'
remove st
for at in 100 $((B + 100)); do damage "$STORE" $at 1; done
no_device 'both are damaged' EIO 'both superblocks are damaged' $size ckpt-store "$STORE"
no_device 'and are not formatted over' '*' 'there is a store' $size ckpt-store "$STORE 1 format"
for at in 100 $((B + 100)); do damage "$STORE" $at 1; done
whole 'mended'
remove st
cp --sparse=always --reflink=never "$work/STORE" "$work/copy"
patched() {
	patch_super "$STORE" "$2" "$3"
	no_device "$1" '*' "$4" $size ckpt-store "$STORE"
	dd if="$work/copy" of="$STORE" bs=1M count=2 conv=fsync status=none
}
patched 'another version' 20 02000000 'cannot be used here: .*version that is not known'
patched 'an unknown incompatible feature' 56 0000000000000080 'cannot be used here: .*features that are not known'
patched 'an impossible block size' 80 03000000 'block size'
patched 'a journal that is too long' 84 ffffffff 'journal'
patched 'a size beyond reason' 72 ffffffffffffffff 'size is impossible'
patched 'a size beyond the device' 72 0000100000000000 'cut off'
patched 'records outside the store' 112 0000ffffffff0000 'outside the store'
patched 'records inside the journal' 112 0010000000000000 'outside the store'
patched 'records that are something else' 112 0018000000000000 'ckpt: '
patched 'space map outside the store' 128 00f0ffffff000000 'outside the store'
patched 'records with another checksum' 120 12345678 'ckpt: '
patch_super "$STORE" 48 0000000000000080
create st $size ckpt-store "$STORE"
is 'an unknown feature that forbids writing: read-only' "$(field $f_mode)" ro
ok 'suspended and resumed' eval 'suspend st && resume st'
is 'it is that still' "$(field $f_mode)" ro
ok 'its table is loaded again' eval 'load st $size ckpt-store "$STORE" && suspend st && resume st'
is 'and changes nothing' "$(field $f_mode)" ro
fails 'nor can anything else' EROFS 'ckpt: ' message st create_volume a 8
remove st
dd if="$work/copy" of="$STORE" bs=1M count=2 conv=fsync status=none
patch_super "$STORE" 40 0000000000000080
create st $size ckpt-store "$STORE"
is 'an unknown compatible feature: no matter' "$(field $f_mode)" rw
remove st
dd if="$work/copy" of="$STORE" bs=1M count=2 conv=fsync status=none
whole 'as it was'
remove st

resize_loop "$STORE" "$work/STORE" 32
no_device 'a device that was cut off' '*' 'cut off' $((size / 2)) ckpt-store "$STORE"

done_testing
