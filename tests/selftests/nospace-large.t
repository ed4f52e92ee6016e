#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store with blocks of 64 KiB that is all but full. A slot has free places around it, but that
# of the block which is wanted has gone to another volume, and for a move there is not enough
# space: the write is told so, and does not take and give back what is free for ever.

. "$(dirname "$0")/lib.sh"

store=st
block=65536
sectors=$(sectors_of 64)

# blocks VOLUME CLUSTER FIRST NUMBER: write them, one after the other.
blocks() {
	local i
	for ((i = $3; i < $3 + $4; i++)); do
		fill "$dm/$1" "$2" $((($2 * 32 + i) * block)) $block || return 1
	done
}
has_ended() { ! kill -0 "$writer" 2>/dev/null; }

loop STORE 16
store st "$STORE" 16 '4 format block_size 128 error_if_no_space'
for v in v other; do
	message st create_volume $v "$sectors" || bail "$err $out"
done
volume v "$sectors" && blocks v 0 7 3 && blocks v 0 12 1 || bail "$err $out"
remove v && remove st || bail "$err $out"
create st "$(sectors_of 16)" ckpt-store "$STORE 1 error_if_no_space" || bail "$err $out"
volume other "$sectors" && volume v "$sectors" || bail "$err $out"

# Four whole windows, the rest of the store, and then what is free around the slot.
ok 'another volume writes' fill $dm/other 1 0 $((4 * 32 * block))
ok 'to the end of the store' blocks other 20 5 1
ok 'once more' blocks other 21 5 1
ok 'and where it begins' blocks other 22 5 6
ok 'of that one block stays' discard $dm/other $(((22 * 32 + 5) * block)) $((5 * block))
message st commit
hung=0 full=0
for ((i = 6; i < 30; i++)); do
	dd if=/dev/zero of=$dm/other bs=$block count=1 seek=$((20 * 32 + i)) oflag=direct \
		conv=notrunc 2>"$work/dd" &
	writer=$!
	until_true 30 has_ended || { hung=1; break; }
	wait $writer || full=$((full + 1))
done
is 'each write around the first block ends' $hung 0
[ $hung = 0 ] || bail 'one does not'
ok 'for some there is no space' [ $full -gt 0 ]
ok 'space comes back' discard $dm/other 0 $((64 * block))
message st commit
ok 'now all are written' blocks other 20 6 24
ok 'and those of the other volume' blocks v 0 0 32
ok 'they are there' holds $dm/v 0 0 $((32 * block))
ok 'so are these' holds $dm/other 20 $(((20 * 32 + 5) * block)) $((25 * block))
is 'the store is in order' "$(field $f_mode)" rw

done_testing
