#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a guest can do as often as it likes floods neither the kernel's log nor whoever waits for
# events: to write and discard about the low-water mark, to read below a damaged node, to have
# errors of its own.

. "$(dirname "$0")/lib.sh"

store=st
f_space=26
rounds=24
mark=2048		# units; the way back is an eighth more, 256

space_is() { [ "$(field $f_space)" = "$1" ]; }
event() { info st; echo "${out##* }"; }
# lines REGEX: how many the log has since mark.
lines() { counted "$1"; echo "$out"; }

# ---- about the low-water mark ----

loop STORE 32
store st "$STORE" 32 "3 format low_water $mark"
message st create_volume v 262144 && volume v 262144 || bail "$err $out"

# turn N: one cluster is written, or discarded; the commit has whoever looks at space look.
turn() {
	"$1" $dm/v ${3:+$3} $(($2 * 131072)) 131072 && flush $dm/v || bail "$err $out"
}
# The events of a turn come a moment after its commit.
seen() {
	message st commit
	sleep 0.05
}

fill $dm/v 1 0 19922944
at=152
while space_is ok && [ $at -lt 240 ]; do
	turn fill $at 1
	at=$((at + 1))
	seen
done
ok "the store is low with $at clusters" space_is low
mark
before=$(event)
for ((i = 0; i < rounds; i++)); do
	turn discard $((at - 1))
	seen
	turn fill $((at - 1)) 2
	seen
done
# What nodes take comes and goes, too, and may be what the mark was crossed by.
ok "$rounds turns about the mark are told of $(($(event) - before)) times" \
	test $(($(event) - before)) -le 1
ok 'and make no more lines than that' test "$(lines 'short of space|has space again')" -le 1
ok 'the store is low' space_is low
before=$(event)
for ((i = 1; i <= 5; i++)); do turn discard $((at - i)); done
seen
ok 'with less than an eighth of the mark more it still is' space_is low
for ((i = 6; i <= 12; i++)); do turn discard $((at - i)); done
ok 'with more than that it is not' until_true 10 space_is ok
is 'that was told once' "$(event)" $((before + 1))
is 'and has a line' "$(lines 'the store has space again')" 1
for ((i = 12; i >= 1; i--)); do turn fill $((at - i)) 1; done
ok 'it is low again by the mark itself' until_true 10 space_is low
is 'and told of' "$(event)" $((before + 2))
message st low_water 0
ok 'without a mark it is not' until_true 10 space_is ok
# Less is free at the best than an eighth more than this.
message st low_water 6500
ok 'a mark that is nearly all of the store' until_true 10 space_is low
discard $dm/v 0 $((at * 131072)) && flush $dm/v
ok 'an empty one is not low by that' until_true 10 eval 'message st commit; space_is ok'
remove v st

# ---- below a damaged node ----

loop WHOLE 32
store st "$WHOLE" 32
message st create_volume v 262144 && volume v 262144 || bail "$err $out"
fill $dm/v 1 0 65536
fill $dm/v 2 67108864 65536		# in another leaf
message st commit && remove v st || bail "$err $out"
# leaf INDEX: the sector of that leaf's node.
leaf() {
	ckpt_dump --nodes "$work/WHOLE" |
		sed -n "s/^# node layer [0-9]* level 0 index $1 sector \([0-9]*\).*/\1/p" | head -n 1
}
sector=$(leaf 0) other=$(leaf 2)
damage "$WHOLE" $((sector * 512 + 8)) 4 || bail "$err $out"
create st "$(sectors_of 32)" ckpt-store "$WHOLE" && volume v 262144 || bail "$err $out"
mark
refused=0 began=$SECONDS
for ((i = 0; i < 60; i++)); do holds $dm/v 1 $((i % 16 * 4096)) 4096 || refused=$((refused + 1)); done
is 'no read of what is below it is answered' $refused 60
n=$(lines "node at sector $sector is damaged")
most=$((10 * ((SECONDS - began) / 5 + 2)))
ok "60 reads make $n lines, and no more than 10 in 5 seconds" test "$n" -ge 1 -a "$n" -le $most
ok 'what is below others is read' holds $dm/v 2 67108864 65536
damage "$WHOLE" $((other * 512 + 8)) 4 || bail "$err $out"
ok 'and goes on being read when the disk changes: what was judged is in memory' \
	holds $dm/v 2 67108864 65536
is 'the store goes on' "$(field $f_mode)" rw
remove v st
create st "$(sectors_of 32)" ckpt-store "$WHOLE" && volume v 262144 || bail "$err $out"
nok 'loaded anew it is judged anew' holds $dm/v 2 67108864 65536
remove v st

# ---- errors of its own ----

loop BASE 8
loop OTHER 32
create self-origin 16384 linear "$BASE 0" && create self-store "$(sectors_of 32)" linear "$OTHER 0" ||
	bail "$err $out"
store st $dm/self-store 32
message st create_volume v 16384 && message st adopt_volume disk 16384 || bail "$err $out"
volume v 16384 && volume disk 16384 $dm/self-origin || bail "$err $out"
fill $dm/v 1 0 1048576
message st commit
before=$(event)

# below NAME TARGET: what the device is from now on.
below() {
	local from
	from=$([ "$1" = self-origin ] && echo "$BASE" || echo "$OTHER")
	load "$1" "$(blockdev --getsz "$from")" "$2" "$([ "$2" = error ] || echo "$from 0")" &&
		suspend "$1" noflush nolockfs && resume "$1" || bail "$err $out"
}
below self-store error
below self-origin error
mark
failed=0
for ((i = 0; i < 20; i++)); do
	holds $dm/v 1 $((i * 4096)) 4096 || failed=$((failed + 1))
	fill $dm/v 2 $((i * 4096)) 4096 || failed=$((failed + 1))
	fill $dm/v 2 $((4194304 + i * 131072)) 4096 || failed=$((failed + 1))
	holds $dm/disk zeros $((i * 4096)) 4096 || failed=$((failed + 1))
	fill $dm/disk 2 $((i * 4096)) 4096 || failed=$((failed + 1))
done
is 'each I/O of data fails with its disk' $failed 100
below self-store linear
below self-origin linear
is 'none of it makes a line' "$(lines 'ckpt')" 0
is 'nor an event' "$(event)" "$before"
is 'the store can be written' "$(field $f_mode)" rw
ok 'what was there is' holds $dm/v 1 0 1048576
ok 'it can be written over' fill $dm/v 3 0 1048576
ok 'and flushed' flush $dm/v

done_testing
