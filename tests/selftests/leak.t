#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# No volume and no view shows what stood in the store or behind the end of an origin before,
# or what a volume had that is gone: both are filled with marks first, and everything that can
# be read is searched for them, and held against a model, in which what nobody wrote is zeros.

. "$(dirname "$0")/lib.sh"

store=st
half=$((1 << 20)) whole=$((2 << 20))	# bytes
mark_before='former bytes...' mark_gone='of a volume gone'

# mark_all DEV MARK [MIB]: the mark, again and again, from there to the end.
mark_all() {
	local mib=$(($(blockdev --getsize64 "$1") >> 20))
	yes "$2" | dd of="$1" bs=1M seek="${3:-0}" count=$((mib - ${3:-0})) iflag=fullblock \
		oflag=direct status=none
}

# clean_of_marks DEV...: neither mark is on any of them.
clean_of_marks() {
	local d
	for d; do
		dd if="$d" of="$work/content" bs=1M iflag=direct status=none || return 1
		out=$(LC_ALL=C grep -aobF -m 1 -e "$mark_before" -e "$mark_gone" "$work/content" |
			head -n 1)
		[ -z "$out" ] || { out="$d: $out"; return 1; }
	done
}

# view CHECKPOINT NAME BYTES [ORIGIN]
view() {
	create "$2" $(($3 / 512)) ckpt "$dm/st $1 ${4:--}" ro || bail "no view: $err $out"
}

# grow NAME BYTES [ORIGIN]: the volume and its table; its model as well.
grow() {
	message st resize_volume "$1" $(($2 / 512)) && suspend "$1" &&
		load "$1" $(($2 / 512)) ckpt "$dm/st $1 ${3:--}" && resume "$1" && truncate -s "$2" "$work/$1"
}

# same_all BLOCK: all volumes and views are what their models are.
same_all() {
	local d
	for d in blank disk twin old_blank old_disk; do
		[ ! -b $dm/$d ] || io same $dm/$d "$work/$d" "$1" 0 || return 1
	done
}

all() {
	local d
	for d in blank disk twin old_blank old_disk; do
		[ ! -b $dm/$d ] || echo $dm/$d
	done
}

loop STORE 20
[ -z "${SELFTEST_SMALL-}" ] || : "${SELFTEST_BLOCKS:=8}"
for block in ${SELFTEST_BLOCKS:-1 8 128}; do
	b="blocks of $block"
	mark_all "$STORE" "$mark_before"
	loop ORIGIN$block 1
	declare -n ORIGIN=ORIGIN$block
	fill "$ORIGIN" 1
	store st "$STORE" 20 "5 format block_size $block journal_blocks 256"

	# Most of the store has been another's, so what follows gets its places, too.
	message st create_volume gone $((8 << 11)) || bail "$out"
	volume gone $((8 << 11)) || bail "$out"
	mark_all $dm/gone "$mark_gone"
	nok "$b: a mark is found where one is" clean_of_marks $dm/gone
	like "$b: and named" "$out" 'of a volume gone'
	remove gone
	message st delete_volume gone || bail "$out"
	settle || bail 'it does not go'

	message st create_volume blank $((half / 512)) || bail "$out"
	message st adopt_volume disk $((half / 512)) || bail "$out"
	volume blank $((half / 512)) || bail "$out"
	volume disk $((half / 512)) "$ORIGIN" || bail "$out"
	truncate -s 0 "$work/blank" && truncate -s $half "$work/blank"
	dd if="$ORIGIN" of="$work/disk" bs=1M iflag=direct status=none
	ok "$b: what is new is zeros" holds $dm/blank zeros

	ok "$b: writes of any size" io random $dm/blank "$work/blank" "$block" 2 60
	message st checkpoint c1 standard blank disk || bail "$out"
	cp --sparse=always "$work/blank" "$work/old_blank"
	cp "$work/disk" "$work/old_disk"
	ok "$b: over a checkpoint" io spread $dm/blank "$work/blank" "$block" 3 60
	ok "$b: over a base" io spread $dm/disk "$work/disk" "$block" 4 60

	# What one had written, and what stands behind the end, does not come back.
	mark_all $dm/blank "$mark_gone"
	ok "$b: all is discarded" discard $dm/blank 0 $half
	truncate -s 0 "$work/blank" && truncate -s $half "$work/blank"
	ok "$b: and written in part again" io spread $dm/blank "$work/blank" "$block" 5 40
	ok "$b: a volume grows" grow blank $whole
	resize_loop "$ORIGIN" "$work/ORIGIN$block" 2 || bail "$out"
	mark_all "$ORIGIN" "$mark_before" 1
	ok "$b: and one over a base that ends before" grow disk $whole "$ORIGIN"
	ok "$b: which is written behind that end" io spread $dm/disk "$work/disk" "$block" 6 60

	message st clone blank@c1 twin || bail "$out"
	cp --sparse=always "$work/old_blank" "$work/twin"
	volume twin $((half / 512)) || bail "$out"
	ok "$b: a clone grows" grow twin $whole
	ok "$b: and is written" io spread $dm/twin "$work/twin" "$block" 7 40
	view blank@c1 old_blank $half
	view disk@c1 old_disk $half "$ORIGIN"
	ok "$b: all is what was written, or zeros" same_all "$block"
	# shellcheck disable=SC2046
	ok "$b: nothing shows a mark" clean_of_marks $(all)

	# Another activation holds none of the windows; a merge copies, into the base and else.
	remove old_blank old_disk twin blank disk st || bail "$err $out"
	create st $((20 << 11)) ckpt-store "$STORE" || bail "$err $out"
	volume blank $((whole / 512)) || bail "$out"
	volume disk $((whole / 512)) "$ORIGIN" || bail "$out"
	volume twin $((whole / 512)) || bail "$out"
	ok "$b: after another activation" io spread $dm/blank "$work/blank" "$block" 8 40
	message st delete_checkpoint blank@c1 || bail "$out"
	message st delete_checkpoint disk@c1 || bail "$out"
	ok "$b: all merges" settle 60
	ok "$b: all is as it was" same_all "$block"
	# shellcheck disable=SC2046
	ok "$b: and nothing shows a mark" clean_of_marks $(all) "$ORIGIN"
	remove twin blank disk st || bail "$err $out"
done

done_testing
