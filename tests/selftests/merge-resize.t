#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A volume grows while its head is merged into its base, and writes go through to that.

. "$(dirname "$0")/lib.sh"

small=$(sectors_of 32) large=$(sectors_of 48)
loop STORE 128
loop ORIGIN 32
fill "$ORIGIN" 7
store=st
store st "$STORE" 128
message st adopt_volume v "$small"
volume v "$small" "$ORIGIN" || bail "$out"
message st checkpoint c1 standard v
fill $dm/v 1 0 $((16 << 20))
message st merge rate 2000
message st delete_checkpoint v@c1
begun() { [ "$(field $f_merge)" = base ] && [ "$(field $f_left)" -lt 4000 ]; }
ok 'a merge begins' until_true 30 begun
fill $dm/v 2 $((12 << 20)) $((8 << 20))
md5 $dm/v
want=$out
ok 'the origin grows' resize_loop "$ORIGIN" "$work/ORIGIN" 48
ok 'and the volume' message st resize_volume v "$large"
suspend v
ok 'a larger table is loaded' load v "$large" ckpt "$dm/st v $ORIGIN"
ok 'and resumed' resume v
md5 $dm/v 0 $((32 << 20))
is 'what it had it has' "$out" "$want"
ok 'what has come are zeros' holds $dm/v zeros $((32 << 20)) $((16 << 20))
fill $dm/v 3 $((40 << 20)) $((4 << 20))
md5 $dm/v
want=$out
message st merge rate 0
ok 'the merge ends' settle 60
status v
like 'and the volume passes through' "$out" ' passthrough '
md5 "$ORIGIN"
is 'the origin has it all' "$out" "$want"

done_testing
