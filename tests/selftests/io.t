#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Reads, writes, FUA, discards and zeroes of every kind of size and place, held
# against a plain file: with small, usual and large blocks, over a base, over
# zeros, passed through, and over what a checkpoint froze.

. "$(dirname "$0")/lib.sh"

store=st
# Block sectors and MiB of a volume: one leaf of the map, and some more.
kinds='1:6 8:34 128:514'

# The model of a volume: a sparse copy.
model() {
	cp --sparse=always --reflink=never "$1" "$work/$2"
}

loop STORE 2048
for kind in $kinds; do
	block=${kind%:*} mib=${kind#*:}
	b="blocks of $block"
	sectors=$(sectors_of "$mib")
	blkdiscard "$STORE"
	store st "$STORE" 2048 "3 format block_size $block"
	loop ORIGIN$block "$mib"
	declare -n ORIGIN=ORIGIN$block
	cluster=$((block * 32 * 512)) leaf=$((block * 8192 * 512))
	# A base has data where the boundaries are, and holes elsewhere.
	fill "$ORIGIN" 1 0 $((cluster * 3))
	fill "$ORIGIN" 1 $((leaf - 2 * cluster)) $((4 * cluster))
	fill "$ORIGIN" 1 $((mib * 1048576 - 1048576)) 1048576
	flush "$ORIGIN"
	model "$work/ORIGIN$block" base
	truncate -s "${mib}M" "$work/zeros"

	message st create_volume zeros "$sectors"
	message st adopt_volume base "$sectors"
	ok "$b: activate" volume zeros "$sectors"
	ok "$b: activate over a base" volume base "$sectors" "$ORIGIN"

	ok "$b: sweep over zeros" io sweep $dm/zeros "$work/zeros" "$block" 1
	ok "$b: random over zeros" io random $dm/zeros "$work/zeros" "$block" 2 60

	# What is discarded there is the origin's affair.
	content=$(head -c 70001 /dev/urandom | base64 -w0 | head -c $((67 * 512)))
	printf %s "$content" | dd of=$dm/base bs=512 seek=3 oflag=direct iflag=fullblock status=none
	printf %s "$content" | dd of="$work/base" bs=512 seek=3 conv=notrunc iflag=fullblock status=none
	zero $dm/base $((cluster + 512)) $((cluster - 1024))
	dd if=/dev/zero of="$work/base" bs=512 seek=$((cluster / 512 + 1)) \
		count=$((cluster / 512 - 2)) conv=notrunc status=none
	ok "$b: passed through" same $dm/base "$work/base" 0 $((cluster * 4))
	ok "$b: to the origin" same "$ORIGIN" "$work/base" 0 $((cluster * 4))

	ok "$b: checkpoint" message st checkpoint c1 standard zeros base
	model "$work/zeros" zeros.c1
	model "$work/base" base.c1
	ok "$b: sweep over a checkpoint" io sweep $dm/zeros "$work/zeros" "$block" 3
	ok "$b: sweep over a base" io sweep $dm/base "$work/base" "$block" 4
	ok "$b: random over a base" io random $dm/base "$work/base" "$block" 5 60
	message st checkpoint c2 standard zeros base
	ok "$b: random over two layers" io random $dm/zeros "$work/zeros" "$block" 6 60
	ok "$b: random over a layer and a base" io random $dm/base "$work/base" "$block" 7 60

	for v in zeros base; do
		origin=-
		[ $v = zeros ] || origin=$ORIGIN
		ok "$b: view $v" create view "$sectors" ckpt "$dm/st $v@c1 $origin" ro
		ok "$b: $v@c1 has not changed" io same $dm/view "$work/$v.c1" "$block" 0
		remove view
	done

	# The same after all of it has been read back from the store.
	remove zeros base st
	create st $((2048 * 2048)) ckpt-store "$STORE"
	volume zeros "$sectors"
	volume base "$sectors" "$ORIGIN"
	ok "$b: zeros after another activation" io random $dm/zeros "$work/zeros" "$block" 8 60
	ok "$b: base after another activation" io random $dm/base "$work/base" "$block" 9 60

	# All discarded: nothing is left of it.
	discard $dm/base 0 $((mib * 1048576))
	truncate -s 0 "$work/base"
	truncate -s "${mib}M" "$work/base"
	ok "$b: a volume that is discarded reads as zeros" io same $dm/base "$work/base" "$block" 0
	remove zeros base st
	agent unloop "$ORIGIN"
	rm "$work"/{zeros,base}* "$work/ORIGIN$block"
done

done_testing
