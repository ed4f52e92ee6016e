#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The smallest journal, and commits that are larger than it: they go in parts, the trees are written
# back in between, whoever writes more waits for them, and all is there after a crash.

. "$(dirname "$0")/lib.sh"

store=st
f_writebacks=11
huge=$(sectors_of 8192) part=$((4 << 30))	# sectors; bytes
create self-zeros $huge zero || bail "$err $out"

# crash MIB: the disk is gone, and is there again.
crash() {
	local sectors
	sectors=$(sectors_of "$1")
	load self-store "$sectors" error '' && suspend self-store noflush nolockfs &&
		resume self-store && remove v st &&
		load self-store "$sectors" linear "$STORE 0" && suspend self-store noflush nolockfs &&
		resume self-store && create st "$sectors" ckpt-store "$dm/self-store" &&
		volume v $huge $dm/self-zeros || bail "$err $out"
}

# changed: sectors that the volume has otherwise than its checkpoint.
changed() {
	pages st diff v c1 - || bail "$err $out"
	awk '{ sum += $2 } END { printf "%d\n", sum }' <<<"$out"
}

# What bounds dirty nodes grows with the store: in the large one a commit has as much as it can,
# in the small one there are many.
for mib in 1024 64; do
	what="a store of $mib MiB"
	loop STORE $mib
	create self-store "$(sectors_of $mib)" linear "$STORE 0" || bail "$err $out"
	store st $dm/self-store $mib '5 format journal_blocks 256 commit_ms 60000'
	message st create_template golden $huge && message st clone golden v &&
		volume v $huge $dm/self-zeros && message st checkpoint c1 standard v || bail "$err $out"
	ok "$what: much is changed at once" discard $dm/v 0 $part
	ok "$what: written" fill $dm/v 1 $part 1048576
	ok "$what: and flushed" flush $dm/v
	ok "$what: the trees have been written back" [ "$(field $f_writebacks)" -gt 0 ]
	is "$what: it is all there" "$(changed)" $(((part >> 9) + 2048))
	crash $mib
	is "$what: after a crash, too" "$(changed)" $(((part >> 9) + 2048))
	ok "$what: and what was written" holds $dm/v 1 $part 1048576
	ok "$what: it can be changed back" message st delete_checkpoint v@c1
	ok "$what: and is merged" settle
	remove v st
	ok "$what: it is in order" ckpt_check $dm/self-store
	remove self-store
done
done_testing
