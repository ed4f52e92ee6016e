#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the tools say of a store that the module has made: of a copy that was taken from below
# it while it was active, with a journal that nobody has replayed, and of the store itself
# afterwards. And what the module says of a store that they have made.

. "$(dirname "$0")/lib.sh"

store=st
seed=0

# Words on volumes and their models, plain files below $work.
change() { io random "$dm/$1" "$work/$1" $block $((++seed)) "${2:-40}" || bail "$out"; }
keep() { cp --sparse=always "$work/$1" "$work/$2" || bail 'no place in memory'; }
take() {
	local v
	message st checkpoint "$1" standard "${@:2}" || bail "$err $out"
	for v in "${@:2}"; do keep "$v" "$v@$1"; done
	for v in "${@:2}"; do names="$names $v@$1"; done
}

# A tool, with its output in $out and its status in $err.
tool() {
	out=$("$@" 2>&1)
	err=$?
	[ $err = 0 ]
}

# Each volume and checkpoint of a store in a file reads as its model.
reads() {
	local n
	for n in ${2:-$names}; do
		rm -f "$work/out"
		tool ckpt_read --origin disk="$work/origin" "$1" "$n" "$work/out" || return 1
		out=$(cmp "$work/out" "$work/$n" 2>&1) || { out="$n: $out"; return 1; }
	done
}

# What is on the store now, after a flush: the module writes past caches, and nothing is under way.
copy_store() {
	local v
	for v in disk blank twin; do [ ! -e "$dm/$v" ] || flush "$dm/$v" || bail "$err"; done
	cp --sparse=always "$work/STORE" "$work/copy"
}

# All that can be said of a store in a file, which is whole. Of stores with unusual blocks only
# what they read as, and what is made of them.
is_whole() {
	ok "$2: it is whole" tool ckpt_check "$1"
	ok "$2: all volumes and checkpoints read as they ought to" reads "$1"
	if [ $block != 8 ]; then
		[ "$1" = "$work/STORE" ] || return
		rm -f "$work/again"
		ckpt_dump "$1" >"$work/text" || flunk "$2: it can be dumped"
		cp --sparse=always "$1" "$work/again"
		ok "$2: it is restored" tool ckpt_restore --force "$work/text" "$work/again"
		return
	fi
	ckpt_dump "$1" >"$work/text" || flunk "$2: it can be dumped"
	cp --sparse=always "$1" "$work/again"
	ok "$2: it is restored" tool ckpt_restore --force "$work/text" "$work/again"
	ok "$2: the text is the same then" eval 'ckpt_dump "$work/again" | cmp - "$work/text"'
	ok "$2: it is whole again" tool ckpt_check "$work/again"
	ok "$2: and reads the same" reads "$work/again"
	rm -f "$work/packed" "$work/unpacked"
	ok "$2: metadata are packed" tool ckpt_pack "$1" "$work/packed"
	ok "$2: and unpacked" tool ckpt_unpack "$work/packed" "$work/unpacked"
	ok "$2: they are the same" eval 'ckpt_dump "$work/unpacked" | cmp - "$work/text"'
	rm -f "$work/repaired"
	ok "$2: nothing is to be repaired" tool ckpt_repair "$1" "$work/repaired"
	ok "$2: what was repaired is whole" tool ckpt_check "$work/repaired"
	ok "$2: and reads the same" reads "$work/repaired"
}

# The tool's ranges, joined, are the module's.
same_delta() {
	pages st diff disk "$1" "$2" || return 1
	sed '/^\(next\|end\)/d' <<<"$out" >"$work/ranges"
	ckpt_delta "$work/copy" "${3:-disk@$1}" "${4:-disk@$2}" | awk 'NR > 1 {
		if ($1 != end) { if (end) print start / 512, (end - start) / 512; start = $1 }
		end = $1 + $2
	} END { if (end) print start / 512, (end - start) / 512 }' | cmp - "$work/ranges"
}

loop STORE 192
loop ORIGIN 8
loop OTHER 192

for block in 1 8 128; do
	b="blocks of $block"
	names='disk blank'
	dsize=$(sectors_of 8) bsize=$(sectors_of 4)
	blkdiscard "$STORE"
	blkdiscard "$ORIGIN"
	fill "$ORIGIN" 1
	rm -f "$work"/{disk,blank,twin}*
	keep ORIGIN origin
	keep ORIGIN disk
	truncate -s 4M "$work/blank"
	store st "$STORE" 192 "3 format block_size $block"
	copy_store
	ok "$b: an empty store is whole" tool ckpt_check "$work/copy"
	message st adopt_volume disk "$dsize"
	message st create_volume blank "$bsize"
	volume disk "$dsize" "$ORIGIN" && volume blank "$bsize" || bail "$err $out"

	# ---- layers, checkpoints, a clone ----

	take c1 disk blank
	change disk
	change blank
	take c2 disk
	change disk
	copy_store
	is_whole "$work/copy" "$b, with a journal"
	message st commit
	take c3 disk blank
	change disk 20
	change blank 20
	message st clone disk@c1 twin || bail "$err $out"
	keep disk@c1 twin
	volume twin "$dsize" "$ORIGIN" || bail "$err $out"
	names="$names twin"
	change twin
	copy_store
	is_whole "$work/copy" "$b, with trees and a journal"
	ok "$b: what has changed between checkpoints is what the module says" same_delta c1 c3
	ok "$b: and the other way round" same_delta c3 c2
	ok "$b: and since one" same_delta c2 - '' disk
	ok "$b: and since the base" same_delta - c2 -

	# ---- in the middle of a merge ----

	message st merge rate 64
	message st delete_checkpoint disk@c2 || bail "$err $out"
	names=${names/ disk@c2/}
	until_true 20 eval '[ "$(field $f_moved)" -gt 0 ] || [ "$(field $f_copied)" -gt 0 ] || merge_is idle'
	message st merge pause
	until_true 20 eval 'status st && [ "$(field $f_merge)" != merging ]'
	copy_store
	is_whole "$work/copy" "$b, in the middle of a merge"
	message st merge rate 0
	message st merge resume
	settle || bail 'it does not settle'
	copy_store
	is_whole "$work/copy" "$b, after a merge"

	# ---- what is live, and what is not any more ----

	nok "$b: a live store is refused" tool ckpt_check "$STORE"
	like "$b: that is said" "$err $out" '^4 .*in use'
	nok "$b: and so is the file below it" tool ckpt_dump "$work/STORE"
	like "$b: that is said" "$err $out" '^4 .*live as /dev/loop'
	nok "$b: nothing is restored to it" tool ckpt_restore --force "$work/text" "$STORE"
	nok "$b: and nothing repaired to it" tool ckpt_repair --force "$work/copy" "$STORE"
	remove disk blank twin && remove st || bail "$err $out"
	is_whole "$work/STORE" "$b, closed"
	ok "$b: the device, too" tool ckpt_check "$STORE"

	# ---- what the tools have made ----

	for made in again $([ $block != 8 ] || echo repaired); do
		cp "$work/$made" "$work/OTHER"
		create st "$(sectors_of 192)" ckpt-store "$OTHER" || flunk "$b, $made: $err $out"
		volume disk "$dsize" "$ORIGIN" && volume blank "$bsize" &&
			volume twin "$dsize" "$ORIGIN" || flunk "$b, $made: $err $out"
		for v in disk blank twin; do
			ok "$b, $made: the module reads $v as it ought to" \
				io same "$dm/$v" "$work/$v" $block 0
		done
		create view "$dsize" ckpt "$dm/st disk@c1 $ORIGIN" ro
		ok "$b, $made: and a checkpoint" io same $dm/view "$work/disk@c1" $block 0
		remove view
		keep blank before
		change blank 30
		remove disk blank twin && remove st || bail "$err $out"
		ok "$b, $made: it is whole after that" tool ckpt_check "$work/OTHER"
		ok "$b, $made: and has what was written" reads "$work/OTHER" blank
		keep before blank
	done

	# ---- damage ----

	n=$(ckpt_dump "$work/STORE" | sed -n 's/^volume .* name=blank .* top=\([0-9]*\) .*/\1/p')
	sector=$(ckpt_dump --nodes "$work/STORE" |
		sed -n "s/^# node layer $n level 0 index [0-9]* sector \([0-9]*\).*/\1/p" | head -n 1)
	cp --sparse=always "$work/STORE" "$work/copy"
	damage "$work/copy" $((sector * 512 + 100)) 4
	nok "$b: a damaged node is found" tool ckpt_check "$work/copy"
	like "$b: it is said which" "$err $out" "^8 .*node at sector $sector is damaged"
	rm -f "$work/out"
	nok "$b: the volume cannot be read" tool ckpt_read "$work/copy" blank "$work/out"
	like "$b: it is said why" "$err $out" "^8 .*node at sector $sector is damaged"
	rm -f "$work/repaired"
	nok "$b: not all can be saved" tool ckpt_repair "$work/copy" "$work/repaired"
	like "$b: it is said what not" "$err $out" '^8 .*not saved: volume blank: '
	ok "$b: what is saved is whole" tool ckpt_check "$work/repaired"
	ok "$b: and reads as it did" reads "$work/repaired" "${names/ blank / }"
	keep blank@c3 blank
	ok "$b: the volume is what its latest checkpoint was" reads "$work/repaired" blank
	cp "$work/repaired" "$work/OTHER"
	create st "$(sectors_of 192)" ckpt-store "$OTHER" || flunk "$b: $err $out"
	volume disk "$dsize" "$ORIGIN" && volume blank "$bsize" || flunk "$b: $err $out"
	ok "$b: the module reads the one" io same "$dm/disk" "$work/disk" $block 0
	ok "$b: and the other" io same "$dm/blank" "$work/blank" $block 0
	remove disk blank && remove st || bail "$err $out"
done

done_testing
