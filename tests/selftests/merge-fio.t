#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fio writes and verifies three volumes, over a base, over zeros and over a template,
# while checkpoints come and go and merge; in the end all merge into the base.

. "$(dirname "$0")/lib.sh"

loop STORE 1024
loop ORIGIN 16
loop TEMPLATE 16
size=$(sectors_of 16)
fill "$ORIGIN" 1
fill "$TEMPLATE" 2
md5 "$TEMPLATE"; template_sum=$out
store=st
store st "$STORE" 1024
message st adopt_volume disk "$size"
message st create_volume blank "$size"
message st create_template golden "$size"
message st clone golden fresh
origin_of() {
	case $1 in
	disk) echo "$ORIGIN" ;;
	fresh) echo "$TEMPLATE" ;;
	*) echo - ;;
	esac
}
volumes='disk blank fresh'
for v in $volumes; do volume $v "$size" "$(origin_of $v)" || bail "$out"; done

one_pass() {
	fio --name="$1" --filename="$dm/$1" --direct=1 --ioengine=libaio --iodepth=8 --thread \
		--rw=randwrite --bsrange=4k-32k --blockalign=4k --size=16M --loops=3 --fsync=64 \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1 --serialize_overlap=1 \
		--output="$work/$1.out" >/dev/null 2>&1
}
# One after the other, until there have been enough checkpoints.
job() {
	while [ ! -e "$work/enough" ]; do
		one_pass "$1" || return 1
	done
}
declare -A job
for v in $volumes; do
	job $v &
	job[$v]=$!
done
running() { kill -0 "${job[@]}" 2>/dev/null; }

# Takes three, deletes two of three, and every eighth time all, down to the base.
wanted=100 count=0 errors=0 views=0 differ=0 base=0 kept=()
begin=$SECONDS
[ -z "${SELFTEST_SMALL-}" ] || wanted=40
while [ $count -lt $wanted ] && running && [ $((SECONDS - begin)) -lt 240 ]; do
	count=$((count + 1))
	message st checkpoint "c$count" standard $volumes || errors=$((errors + 1))
	kept+=("c$count")
	if [ $((count % 8)) = 0 ]; then
		for c in "${kept[@]}"; do
			message st delete_checkpoint disk@$c blank@$c fresh@$c || errors=$((errors + 1))
		done
		kept=()
	elif [ $((count % 3)) != 0 ] && [ ${#kept[@]} -gt 2 ]; then
		i=$((count % (${#kept[@]} - 1)))
		c=${kept[i]}
		message st delete_checkpoint disk@$c blank@$c fresh@$c || errors=$((errors + 1))
		unset "kept[i]"
		kept=("${kept[@]}")
	elif [ $((count % 7)) = 3 ]; then
		create view "$size" ckpt "$dm/st disk@c$count $ORIGIN" ro || errors=$((errors + 1))
		md5 $dm/view; sum=$out
		md5 $dm/view
		views=$((views + 1))
		[ "$sum" = "$out" ] || differ=$((differ + 1))
		remove view || errors=$((errors + 1))
	fi
	! merge_is base || base=$((base + 1))
	sleep 0.1
done
: >"$work/enough"
is 'all of them were taken while it wrote' $count $wanted
for v in $volumes; do ok "fio verifies $v" wait "${job[$v]}"; done
grep -hE 'err=|verify|WRITE:' "$work"/*.out | grep -vE 'err= 0|^ *WRITE' | sed 's/^/# /'
is "no error in $count checkpoints" $errors 0
is "$views views did not change while the volume was written" $differ 0
note "a merge into the base was seen $base times"
status st
note "$out"

ok 'it settles' settle
for v in $volumes; do
	md5 $dm/$v
	declare sum_$v="$out"
done
for c in "${kept[@]}"; do
	create view "$size" ckpt "$dm/st disk@$c $ORIGIN" ro
	md5 $dm/view; declare view_$c="$out"
	remove view
done

# All away but the latest, beside reads of it; after an activation nothing has changed.
last=${kept[-1]-}
for c in "${kept[@]}"; do
	[ "$c" = "$last" ] || message st delete_checkpoint disk@$c blank@$c fresh@$c
done
remove $volumes
remove st
create st "$(sectors_of 1024)" ckpt-store "$STORE" || bail "$out"
for v in $volumes; do volume $v "$size" "$(origin_of $v)" || bail "$out"; done
for v in $volumes; do
	md5 $dm/$v
	declare -n was=sum_$v
	is "$v, after another activation" "$out" "$was"
done
ok 'it settles' settle
if [ -n "$last" ]; then
	create view "$size" ckpt "$dm/st disk@$last $ORIGIN" ro
	md5 $dm/view
	declare -n was=view_$last
	is "checkpoint $last" "$out" "$was"
	remove view
	message st delete_checkpoint {disk,blank,fresh}@$last
	ok 'the last one merges' settle
fi
is 'each volume has one layer, but the one on the base' "$(field $f_layers)" 2
md5 "$ORIGIN"
is 'the origin has all that its volume has' "$out" "$sum_disk"
md5 $dm/blank
is 'the one over zeros has what it had' "$out" "$sum_blank"
md5 $dm/fresh
is 'so has the one over a template' "$out" "$sum_fresh"
md5 "$TEMPLATE"
is 'the template was not written' "$out" "$template_sum"

# Nothing of ours in between, and back.
load disk "$size" linear "$ORIGIN 0" && suspend disk && resume disk
md5 $dm/disk
is 'a linear device in its place has it, too' "$out" "$sum_disk"
ok 'fio verifies it there' one_pass disk
md5 $dm/disk; sum=$out
load disk "$size" ckpt "$dm/st disk $ORIGIN" && suspend disk && resume disk
md5 $dm/disk
is 'and the volume again what was written there' "$out" "$sum"

done_testing
