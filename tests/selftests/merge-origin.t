#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Origins and what merges into them. A merge is interrupted: the base has changed since it was
# sampled, and still no other device is taken for it. An origin says that it takes the command
# for zeros, and refuses it.

. "$(dirname "$0")/lib.sh"

f_merge=20 f_left=23
size=$(sectors_of 96)
loop STORE 256
loop ORIGIN 96
loop OTHER 96
fill "$ORIGIN" 7 0 $((64 << 20))
fill "$OTHER" 8 0 $((64 << 20))
store=st
store st "$STORE" 256
message st adopt_volume v "$size"
volume v "$size" "$ORIGIN" || bail "$out"
message st checkpoint c1 standard v
fill $dm/v 1 0 $((40 << 20)) || bail "$err $out"
message st merge rate 4000
message st delete_checkpoint v@c1
begun() { [ "$(field $f_left)" -lt 9000 ]; }
ok 'a merge begins' until_true 20 begun
fill $dm/v 2 $((3 << 20)) 1234944
md5 $dm/v
want=$out
suspend v
resume v
md5 $dm/v
is 'the volume is the same behind a suspend' "$out" "$want"
remove v
waits() { [ "$(field $f_merge)" = wait ]; }
ok 'the merge waits without the volume' until_true 10 waits
like 'and is not through' "$(field $f_left)" '^[1-9]'
fails 'another origin' EINVAL 'does not hold what the base of volume v did' \
	create v "$size" ckpt "$dm/st v $OTHER"
ok 'the origin' volume v "$size" "$ORIGIN"
md5 $dm/v
is 'the volume is the same' "$out" "$want"
remove v
remove st
create st "$(sectors_of 256)" ckpt-store "$STORE 2 merge_rate 4000" || bail "$out"
like 'not through in another activation' "$(field $f_left)" '^[1-9]'
fails 'another origin' EINVAL 'does not hold what the base of volume v did' \
	create v "$size" ckpt "$dm/st v $OTHER"
ok 'the origin' volume v "$size" "$ORIGIN"
message st merge rate 0
idle() { [ "$(field $f_merge)" = idle ] && [ "$(field $f_left)" = 0 ]; }
ok 'the merge ends' until_true 30 idle
md5 "$ORIGIN"
is 'the origin has it all' "$out" "$want"
remove v
message st delete_volume v

# A loop device on memory refuses zeros that keep their space, and from then on says so; what is
# stacked on it does not know (before 6.12 it never says so).
create self-low "$size" linear "$ORIGIN 0" || bail "$err $out"
message st adopt_volume v "$size"
volume v "$size" $dm/self-low || bail "$out"
message st checkpoint c1 standard v
zero $dm/v $((8 << 20)) $((4 << 20)) || bail "$err $out"
fill $dm/v 3 $((16 << 20)) $((1 << 20)) || bail "$err $out"
zero "$ORIGIN" $((90 << 20)) 65536
message st delete_checkpoint v@c1
ok 'a merge with zeros for an origin that refuses them' settle 30
passes_through() { status v && [[ $out == *' passthrough '* ]]; }
ok 'ends' passes_through
ok 'the zeros are there' holds "$ORIGIN" zeros $((8 << 20)) $((4 << 20))
ok 'and the rest' holds "$ORIGIN" 3 $((16 << 20)) $((1 << 20))
remove v
message st delete_volume v
remove st self-low

done_testing
