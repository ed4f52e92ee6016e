#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Groups of volumes at one instant; volumes that are large, and what grows.

. "$(dirname "$0")/lib.sh"

loop STORE 256
loop ORIGIN 8
size=$(sectors_of 256)
vsize=$(sectors_of 8)
store=st
store st "$STORE" 256

# ---- one instant ----

message st adopt_volume a "$vsize"
for v in b c; do message st create_volume $v "$vsize"; done
volume a "$vsize" "$ORIGIN" && volume b "$vsize" && volume c "$vsize" || bail "$out"
origin_of() { if [ "$1" = a ]; then echo "$ORIGIN"; else echo -; fi; }

python3 "$here/ordered.py" "$work/stop" "$work/said" $dm/{a,b,c} &
writer=$!
until_true 30 test -s "$work/said" || bail 'nothing is written'
r=0
for i in {1..6}; do
	message st checkpoint "g$i" standard a b c || r=1
	sleep 0.1
done
is 'groups are taken while they are written' $r 0
r=0
for i in 7 8; do
	suspend a && suspend b && suspend c || r=1
	message st checkpoint "g$i" production c a b || r=1
	resume a && resume b && resume c || r=1
	sleep 0.1
done
is 'and while they are suspended' $r 0
touch "$work/stop"
ok 'the writer had no error' wait $writer
pages st list
is 'parts know how many they are' "$(grep -c '^checkpoint .* 3 idle$' <<<"$out")" 24
is 'and share their UUID' "$(awk '$1 == "checkpoint" { print $3 }' <<<"$out" | sort -u | wc -l)" 8

last=0
for i in {1..8}; do
	for v in a b c; do
		create view-$v "$vsize" ckpt "$dm/st $v@g$i $(origin_of $v)" ro || bail "$out"
	done
	counters $dm/view-{a,b,c}
	read -r a b c <<<"$out"
	ok "g$i is of one instant ($out)" test \
		"$a" -ge "$b" -a "$b" -ge "$c" -a "$c" -ge $((a - 1)) -a "$a" -ge $last
	last=$a
	[ "$i" != 3 ] || g3=$out
	remove view-{a,b,c}
done

# ---- back together ----

remove a b c
ok 'apply a group' message st apply a@g3 b@g3 c@g3
volume a "$vsize" "$ORIGIN" && volume b "$vsize" && volume c "$vsize" || bail "$out"
counters $dm/{a,b,c}
is 'all of them are back' "$out" "$g3"
for v in a b c; do
	create view "$vsize" ckpt "$dm/st $v@g3 $(origin_of $v)" ro
	ok "$v has what the checkpoint has" same $dm/$v $dm/view
	remove view
done

# ---- volumes that grow ----

sum() { md5 "$@" && echo "$out"; }
before=$(sum $dm/b 0 $((vsize * 512)))
ok 'grow a volume in use' message st resize_volume b $((vsize * 2))
ok 'its table' load b $((vsize * 2)) ckpt "$dm/st b"
ok 'resume' resume b
is 'it is larger' "$(blockdev --getsz $dm/b)" $((vsize * 2))
is 'it has what it had' "$(sum $dm/b 0 $((vsize * 512)))" "$before"
ok 'and zeros behind' holds $dm/b zeros $((vsize * 512)) $((vsize * 512))
ok 'that can be written' fill $dm/b 5 $((vsize * 512 - 4096)) 65536
ok 'and are there' holds $dm/b 5 $((vsize * 512 - 4096)) 65536
ok 'a view of a checkpoint has its size' create view "$vsize" ckpt "$dm/st b@g1" ro
fails 'and no more' EINVAL 'longer than' create view2 $((vsize * 2)) ckpt "$dm/st b@g1" ro
remove view
remove b
ok 'back to a checkpoint of before' message st apply b@g8
fails 'is back to its size' EINVAL 'longer than' volume b $((vsize * 2))
ok 'with which it can be activated' volume b "$vsize"

# An adopted one over its origin, which stays as it is.
ok 'grow an adopted volume' message st resize_volume a $((vsize * 2))
load a $((vsize * 2)) ckpt "$dm/st a $ORIGIN" && resume a
is 'it is larger' "$(blockdev --getsz $dm/a)" $((vsize * 2))
ok 'behind the origin are zeros' holds $dm/a zeros $((vsize * 512)) $((vsize * 512))
ok 'across the end of the origin' fill $dm/a 6 $((vsize * 512 - 1536)) 4096
ok 'it is there' holds $dm/a 6 $((vsize * 512 - 1536)) 4096
ok 'not on the origin' holds "$ORIGIN" zeros $((vsize * 512 - 4096)) 4096

# One that passes through grows with its origin.
loop GROWS 4
message st adopt_volume g "$(sectors_of 4)"
volume g "$(sectors_of 4)" "$GROWS"
fill $dm/g 7
resize_loop "$GROWS" "$work/GROWS" 6
ok 'grow a volume that passes through' message st resize_volume g "$(sectors_of 6)"
load g "$(sectors_of 6)" ckpt "$dm/st g $GROWS" && resume g
ok 'write it at its end' fill $dm/g 8 $((5 << 20)) 1048576
ok 'that is on the origin' holds "$GROWS" 8 $((5 << 20)) 1048576
ok 'a checkpoint' message st checkpoint g1 standard g
ok 'write it again' fill $dm/g 9 $((3 << 20)) $((2 << 20))
remove g
ok 'activate it again' volume g "$(sectors_of 6)" "$GROWS"
ok 'what was written' holds $dm/g 9 $((3 << 20)) $((2 << 20))
ok 'before it' holds $dm/g 7 0 $((3 << 20))
ok 'behind it' holds $dm/g 8 $((5 << 20)) 1048576

# Back to a checkpoint of before, and grown by less, while its origin stays what it is.
loop LARGER 4
message st adopt_volume k "$(sectors_of 4)"
volume k "$(sectors_of 4)" "$LARGER" && message st checkpoint k1 standard k || bail "$err $out"
resize_loop "$LARGER" "$work/LARGER" 6
message st resize_volume k "$(sectors_of 6)"
remove k
message st apply k@k1 || bail "$err $out"
ok 'it grows by less than its origin did' message st resize_volume k "$(sectors_of 5)"
ok 'and is activated' volume k "$(sectors_of 5)" "$LARGER"
resize_loop "$LARGER" "$work/LARGER" 8
ok 'its origin grows by more' message st resize_volume k "$(sectors_of 7)"
remove k
ok 'and is activated' volume k "$(sectors_of 7)" "$LARGER"
remove k
resize_loop "$LARGER" "$work/LARGER" 9
fails 'an origin that is larger than it ever was for this' EINVAL 'has 18432 sectors, but' \
	volume k "$(sectors_of 7)" "$LARGER"

# ---- a store that grows ----

total() { local u; u=$(field $f_used); echo "${u#*/}"; }
is 'units of the store' "$(total)" 65536
resize_loop "$STORE" "$work/STORE" 320
mark
ok 'a longer table' load st "$(sectors_of 320)" ckpt-store "$STORE"
ok 'resume' resume st
ok 'the log says so' log 'store has 655360 sectors now'
is 'units of the store' "$(total)" 81920
ok 'volumes go on' fill $dm/c 10 0 1048576
remove a b c g st
ok 'it keeps its size' create st "$(sectors_of 320)" ckpt-store "$STORE"
is 'units of the store' "$(total)" 81920
ok 'its volumes are there' volume c "$vsize"
ok 'with what they had' holds $dm/c 10 0 1048576
remove c

# ---- large volumes ----

# NAME TIB
large() {
	local name=$1 sectors=$(($2 << 31)) end=$(($2 << 40))
	ok "$2 TiB: create" message st create_volume "$name" $sectors
	ok "$2 TiB: activate" volume "$name" $sectors
	is "$2 TiB: its size" "$(blockdev --getsize64 $dm/"$name")" $end
	for at in 0 $((end / 2 - 65536)) $((end - 131072)); do
		ok "$2 TiB: zeros at $at" holds $dm/"$name" zeros $at 131072
		ok "$2 TiB: write at $at" fill $dm/"$name" 1 $at 131072
	done
	ok "$2 TiB: checkpoint" message st checkpoint c1 standard "$name"
	for at in 0 $((end / 2)) $((end - 65536)); do
		ok "$2 TiB: write at $at again" fill $dm/"$name" 2 $at 65536
	done
	pages st diff "$name" c1 -
	is "$2 TiB: the difference" "$out" \
		"0 128"$'\n'"$((sectors / 2)) 128"$'\n'"$((sectors - 128)) 128"
	remove "$name"
	ok "$2 TiB: activate again" volume "$name" $sectors
	ok "$2 TiB: view" create view $sectors ckpt "$dm/st $name@c1" ro
	for at in 0 $((end / 2)) $((end - 65536)); do
		ok "$2 TiB: read at $at" holds $dm/"$name" 2 $at 65536
		ok "$2 TiB: in the checkpoint" holds $dm/view 1 $at 65536
	done
	ok "$2 TiB: between them" holds $dm/"$name" zeros $((end / 4 - 65536)) 131072
	remove view
}
large big 16
large huge 64
fails 'more than 64 TiB' EINVAL 'cannot be' message st create_volume x $(((64 << 31) + 8))
fails 'a volume of 64 TiB does not grow' EINVAL 'cannot be' message st resize_volume huge $(((64 << 31) + 8))
ok 'discard 1 TiB of it' timeout 60 blkdiscard -o $((63 << 40)) -l $((1 << 40)) $dm/huge
ok 'that reads as zeros' holds $dm/huge zeros $(((64 << 40) - 131072)) 131072
ok 'not before' holds $dm/huge 2 $((32 << 40)) 65536

# Quick natively; it takes minutes where the machine is emulated.
if [ -n "${SELFTEST_FULL-}" ]; then
	ok 'a file system of 16 TiB' mkfs.ext4 -q -E lazy_itable_init=1,nodiscard $dm/big
	mkdir "$work/mnt"
	ok 'mount it' mount $dm/big "$work/mnt"
	ok 'write a file' cp "$here/agent.py" "$work/mnt/"
	ok 'suspend freezes it' suspend big
	ok 'checkpoint' message st checkpoint c2 production big
	ok 'resume' resume big
	ok 'unmount it' umount "$work/mnt"
	ok 'check it' fsck.ext4 -fn $dm/big
fi

done_testing
