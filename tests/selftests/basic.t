#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that there is to do with volumes, checkpoints, views, clones and
# templates; what they hold is checked after each step.

. "$(dirname "$0")/lib.sh"

uuid='[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
n='[0-9]+'
U=$((1 << 19))	# everything is placed at multiples of this
whole=16384 part=8192	# sectors of a volume, and of the template

loop STORE 128
loop ORIGIN 8
loop TEMPLATE 4
fill "$ORIGIN" 1
fill "$TEMPLATE" 2
md5 "$TEMPLATE"
template_sum=$out
store=st
store st "$STORE" 128

status st
like 'status of a store' "$out" \
	"^0 262144 ckpt-store $uuid rw 8 8 $n/32768 $n $n/$n $n/$n $n/65536 $n $n 0 0 0 0 0 0 0 $n (idle|free) - - 0 0 50 ok 0 held\$"

# The trees have their first nodes after this.
message st create_volume warm 2048
message st delete_volume warm
until_true 20 nothing_freeing
message st commit
used_at_first=$(used)

# ---- three kinds of volumes ----

ok 'adopt an origin' message st adopt_volume disk $whole
like 'its UUID is the answer' "$out" "^$uuid\$"
disk_uuid=$out
ok 'create a volume' message st create_volume blank $whole
ok 'create a template' message st create_template golden $part
ok 'clone the template' message st clone golden fresh
for v in "disk $whole $ORIGIN" "blank $whole -" "fresh $part $TEMPLATE"; do
	read -r name sectors origin <<<"$v"
	ok "activate $name" volume "$name" "$sectors" "$origin"
done
status disk
like 'a volume without checkpoints passes through' "$out" "^0 16384 ckpt $disk_uuid rw passthrough 0 0 16384\$"
status blank
like 'status of an empty volume' "$out" "^0 16384 ckpt $uuid rw layered 1 0 16384\$"

ok 'an adopted volume has what the origin has' holds $dm/disk 1
ok 'a new volume reads as zeros' holds $dm/blank zeros
ok 'a clone of a template has what the template has' holds $dm/fresh 2

fill $dm/disk 3 0 $U
ok 'a passed-through volume writes its origin' holds "$ORIGIN" 3 0 $U
fill $dm/blank 4 $((3 * U)) $((2 * U))
fill $dm/fresh 5 $U 65536
md5 "$TEMPLATE"
is 'a template is not written' "$out" "$template_sum"
ok 'a clone of a template has what was written' holds $dm/fresh 5 $U 65536
ok 'and else what the template has' holds $dm/fresh 2 0 $U

# ---- checkpoints and views ----

ok 'checkpoint of the adopted volume' message st checkpoint c1 standard disk
like 'its UUID is the answer' "$out" "^$uuid\$"
ok 'checkpoint of the empty one' message st checkpoint c1 production blank
ok 'checkpoint of the clone' message st checkpoint c1 offline fresh
status disk
like 'a volume with a checkpoint is layered' "$out" "^0 16384 ckpt $disk_uuid rw layered 1 0 16384\$"
fill $dm/disk 6 $((U / 2)) $U
flush $dm/disk
message st estimate disk@c1
is 'to delete what is below copies what is above' "$out" "$((U / 4096)) $((U / 4096))"$'\nend'
fill $dm/blank 7 $((4 * U)) $((2 * U))
fill $dm/fresh 8 $((U + 4096)) 4096
ok 'the second checkpoint' message st checkpoint c2 recovery disk
fill $dm/disk 9 0 8192
discard $dm/disk $((8 * U)) $U

view() {
	create "$1" "$2" ckpt "$dm/st $3 $4" ro
}
ok 'view disk@c1' view d1 $whole disk@c1 "$ORIGIN"
ok 'view disk@c2' view d2 $whole disk@c2 "$ORIGIN"
ok 'view disk@c1 a second time' view d1b $whole disk@c1 "$ORIGIN"
ok 'view blank@c1' view b1 $whole blank@c1 -
ok 'view fresh@c1' view f1 $part fresh@c1 "$TEMPLATE"
for d in d1 d1b; do
	ok "$d: what was written before" holds $dm/$d 3 0 $U
	ok "$d: the rest" holds $dm/$d 1 $U $((15 * U))
done
ok 'd2: before c1' holds $dm/d2 3 0 $((U / 2))
ok 'd2: between c1 and c2' holds $dm/d2 6 $((U / 2)) $U
ok 'd2: the rest' holds $dm/d2 1 $((3 * U / 2)) $((29 * U / 2))
ok 'disk: after c2' holds $dm/disk 9 0 8192
ok 'disk: before c1' holds $dm/disk 3 8192 $((U / 2 - 8192))
ok 'disk: between c1 and c2' holds $dm/disk 6 $((U / 2)) $U
ok 'disk: discarded' holds $dm/disk zeros $((8 * U)) $U
ok 'disk: the rest' holds $dm/disk 1 $((9 * U)) $((7 * U))
ok 'b1 has what blank had' holds $dm/b1 4 $((3 * U)) $((2 * U))
ok 'b1 has zeros elsewhere' holds $dm/b1 zeros $((5 * U)) $((11 * U))
ok 'blank has both' holds $dm/blank 7 $((4 * U)) $((2 * U))
ok 'f1 has what fresh had' holds $dm/f1 5 $U 65536
ok 'fresh has what it has now' holds $dm/fresh 8 $((U + 4096)) 4096
nok 'a view cannot be written' fill $dm/d1 1 0 4096
ok 'but flushed' sync $dm/d1
nok 'nor can a store' fill $dm/st 1 0 4096
ok 'which reads as zeros' holds $dm/st zeros 0 4096
like 'it is read-only' "$(blockdev --getro $dm/d1)" 1
status d2
like 'status of a view' "$out" "^0 16384 ckpt $disk_uuid ro layered 1 $n 16384\$"
md5 $dm/disk; disk_sum=$out
md5 $dm/d2; d2_sum=$out

# ---- the list ----

ok 'commit' message st commit
pages st list
list=$out
is 'three volumes, all active' "$(grep -cE "^volume $n $uuid (disk|blank|fresh) $n $n $n active $n 0\$" <<<"$list")" 3
is 'four checkpoints, all viewed' "$(grep -cE "^checkpoint $n $uuid c[12] $uuid $n (standard|production|offline|recovery) $n 1 viewed\$" <<<"$list")" 4
is 'two bases' "$(grep -cE "^base $n $uuid (- 16384 owned $disk_uuid|golden 8192 template -)\$" <<<"$list")" 2
is 'three heads' "$(grep -cE "^layer $n $n $n head $n $n kept\$" <<<"$list")" 3
is 'three frozen layers' "$(grep -cE "^layer $n ($n|-) $n frozen $n $n kept\$" <<<"$list")" 3
is 'and nothing else' "$(wc -l <<<"$list")" 15
is 'the status counts the same' "$(field $f_volumes) $(field $f_checkpoints) $(field $f_layers) $(field $f_hidden) $(field $f_freeing)" '3 4 6 0 0'
layer=$(awk '$1 == "checkpoint" && $4 == "c2" { print $6 }' <<<"$list")
is 'c2 uses the units that were written' "$(awk -v l="$layer" '$1 == "layer" && $2 == l { print $6 }' <<<"$list")" 128

pages st diff disk c1 c2
is 'diff of two checkpoints' "$out" '512 1024'
pages st diff disk c2 -
is 'diff of a checkpoint and now' "$out" $'0 16\n8192 1024'
pages st diff blank - c1
is 'diff of nothing and a checkpoint' "$out" '3072 2048'

# ---- tables ----

roundtrip() {
	local name=$1 opt=$2 table again sum sum_again
	sum=$(md5 "$dm/$name"; echo "$out")
	table=$(dmsetup table "$name")
	ok "$name: its own table loads" dmsetup load $opt "$name" --table "$table"
	ok "$name: and resumes" dmsetup resume "$name"
	again=$(dmsetup table "$name")
	is "$name: it has the same table" "$again" "$table"
	sum_again=$(md5 "$dm/$name"; echo "$out")
	is "$name: and the same content" "$sum_again" "$sum"
}
roundtrip st ''
for d in disk blank fresh; do roundtrip $d ''; done
for d in d1 b1 f1; do roundtrip $d --readonly; done
unchanged_list() { pages st list && [ "$(grep -vE '^layer' <<<"$out")" = "$(grep -vE '^layer' <<<"$list")" ]; }
ok 'the list is what it was' unchanged_list

# ---- clones and branches ----

ok 'clone a checkpoint' message st clone disk@c2 twin
ok 'activate the clone' volume twin $whole "$ORIGIN"
ok 'it has what the checkpoint has' same $dm/twin $dm/d2
fill $dm/twin 10 $((2 * U)) 131072
ok 'checkpoint of the clone' message st checkpoint t1 standard twin
fill $dm/twin 11 $((2 * U)) 65536
ok 'a clone of it' message st clone twin@t1 third
ok 'activate that' volume third $whole "$ORIGIN"
ok 'third: from the clone' holds $dm/third 10 $((2 * U)) 131072
ok 'third: from below' same $dm/third $dm/d2 0 $((2 * U))
fill $dm/third 12 0 4096
ok 'twin does not see what third wrote' same $dm/twin $dm/d2 0 $((2 * U))
md5 $dm/disk
is 'the first volume sees nothing of it' "$out" "$disk_sum"
md5 $dm/d2
is 'nor does the checkpoint' "$out" "$d2_sum"

# ---- names ----

ok 'rename a volume that is active' message st rename_volume twin zwilling
ok 'rename a checkpoint' message st rename_checkpoint zwilling@t1 eins
ok 'rename a template' message st rename_template golden 'vergoldet-ä'
pages st list
like 'the list has the new names' "$out" $' zwilling .* eins '
like 'and that of the template' "$out" ' vergoldet-ä 8192 template'
roundtrip twin ''
ok 'close it' remove twin
ok 'activate it by its new name' create twin $whole ckpt "$dm/st zwilling $ORIGIN"
ok 'still the same' holds $dm/twin 11 $((2 * U)) 65536
remove twin
ok 'activate it by its UUID' create twin $whole ckpt \
	"$dm/st $(awk '$1 == "volume" && $4 == "zwilling" { print $3 }' <<<"$out$(pages st list; echo "$out")") $ORIGIN"

# ---- back ----

remove disk
ok 'apply a checkpoint' message st apply disk@c1
ok 'activate the volume' volume disk $whole "$ORIGIN"
ok 'it has what the checkpoint has' same $dm/disk $dm/d1
fill $dm/disk 13 $((5 * U)) 8192
ok 'the checkpoint still has what it had' holds $dm/d1 1 $((5 * U)) 8192
ok 'and the later one' same $dm/d2 $dm/third $((3 * U)) $((13 * U))

# ---- away ----

remove d1 d1b d2 b1 f1
# A layer below others loses its name only: what sits on it reads on.
md5 $dm/twin; twin_sum=$out
ok 'delete a checkpoint below a clone' message st delete_checkpoint disk@c2
md5 $dm/twin
is 'the clone reads on' "$out" "$twin_sum"
remove twin third disk blank fresh
ok 'delete several checkpoints' message st delete_checkpoint disk@c1 blank@c1 fresh@c1 zwilling@eins
for v in zwilling third disk blank fresh; do
	ok "delete $v" message st delete_volume $v
done
ok 'what nobody needs is freed soon' until_true 20 nothing_freeing
ok 'delete the template' message st delete_template 'vergoldet-ä'
message st commit
pages st list
is 'the list is empty' "$out" ''
used_at_last=$(used)
ok "used units have gone back ($used_at_first, $used_at_last)" test "$used_at_last" -le $((used_at_first + 4))
ok "nothing is set aside ($(field $f_reserved) units)" test "$(field $f_reserved)" -le 64
md5 "$TEMPLATE"
is 'the template is what it was' "$out" "$template_sum"

done_testing
