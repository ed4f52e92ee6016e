#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fio writes and verifies while checkpoints come and go ten times a second.

. "$(dirname "$0")/lib.sh"

loop STORE 2048
loop ORIGIN 16
size=$(sectors_of 16)
fill "$ORIGIN" 1
store=st
store st "$STORE" 2048
message st adopt_volume disk "$size"
message st create_volume blank "$size"
volume disk "$size" "$ORIGIN" && volume blank "$size" || bail "$out"
message st checkpoint first standard disk blank

job() {
	fio --name="$1" --filename="$dm/$1" --direct=1 --ioengine=libaio --iodepth=8 --thread \
		--rw=randwrite --bsrange=4k-32k --blockalign=4k --size=16M --loops=3 \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1 --serialize_overlap=1 \
		--output="$work/$1.out" >/dev/null 2>&1
}

job disk &
one=$!
job blank &
two=$!

# The four latest stay; of some a sum is taken at once, and again at the end.
count=0 errors=0 sums=0 differ=0 kept=()
running() { kill -0 $one 2>/dev/null || kill -0 $two 2>/dev/null; }
begin=$SECONDS
while running && [ $((SECONDS - begin)) -lt 60 ]; do
	count=$((count + 1))
	message st checkpoint "c$count" standard disk blank || errors=$((errors + 1))
	kept+=("c$count")
	if [ $((count % 16)) = 5 ]; then
		create view "$size" ckpt "$dm/st disk@c$count $ORIGIN" ro || errors=$((errors + 1))
		md5 $dm/view
		sum=$out
		md5 $dm/view
		sums=$((sums + 1))
		[ "$sum" = "$out" ] || differ=$((differ + 1))
		remove view || errors=$((errors + 1))
	fi
	if [ ${#kept[@]} -gt 4 ]; then
		message st delete_checkpoint "disk@${kept[0]}" "blank@${kept[0]}" ||
			errors=$((errors + 1))
		kept=("${kept[@]:1}")
	fi
	sleep 0.1
done
ok 'fio verifies what it wrote over a base' wait $one
ok 'and over zeros' wait $two
grep -hE 'err=|verify|WRITE:' "$work"/*.out | grep -vE 'err= 0|^ *WRITE' | sed 's/^/# /'
is "no error in $count checkpoints" $errors 0
ok 'there were some' test $count -ge 10
is "$sums views did not change while the volume was written" $differ 0
ok 'the first checkpoint' create view "$size" ckpt "$dm/st disk@first $ORIGIN" ro
ok 'has what the origin had' holds $dm/view 1
remove view
ok 'the first of the other one' create view "$size" ckpt "$dm/st blank@first" ro
ok 'has zeros' holds $dm/view zeros
remove view

# The same after all has been read back from the store.
md5 $dm/disk; disk_sum=$out
md5 $dm/blank; blank_sum=$out
declare -A view_sum
for c in "${kept[@]}"; do
	create view "$size" ckpt "$dm/st disk@$c $ORIGIN" ro
	md5 $dm/view; view_sum[$c]=$out
	remove view
done
is 'what stays are the latest' "$(field $f_checkpoints)" $((2 * ${#kept[@]} + 2))
ok 'layers that nobody needs are freed' until_true 30 nothing_freeing
remove disk blank st
create st "$(sectors_of 2048)" ckpt-store "$STORE" || bail "$out"
volume disk "$size" "$ORIGIN" && volume blank "$size" || bail "$out"
md5 $dm/disk
is 'one volume, after another activation' "$out" "$disk_sum"
md5 $dm/blank
is 'the other' "$out" "$blank_sum"
for c in "${kept[@]}"; do
	create view "$size" ckpt "$dm/st disk@$c $ORIGIN" ro
	md5 $dm/view
	is "checkpoint $c" "$out" "${view_sum[$c]}"
	remove view
done

done_testing
