#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store that is full is suspended again and again while writers look for space in it: they
# wait until it is resumed, and the only error is that there is no space.

. "$(dirname "$0")/lib.sh"

store=st
loop STORE 24
store st "$STORE" 24 '2 format error_if_no_space'
message st create_volume v 1048576 && volume v 1048576 || bail "$err $out"
fill_up $dm/v 1 0 65536 4096
like 'it is full' "$out" ' ENOSPC$'
for i in 1 2 3 4; do
	"$here/pressed.py" $dm/v "$i" "$work/stop" >"$work/said$i" 2>&1 &
	writer[i]=$!
done
bad=0
for _ in {1..15}; do
	timeout 20 dmsetup suspend --nolockfs st || bad=$((bad + 1))
	sleep 0.1
	dmsetup resume st || bad=$((bad + 1))
	sleep 0.05
done
is 'it is suspended and resumed' $bad 0
: >"$work/stop"
for i in 1 2 3 4; do
	ok "writer $i ends" until_true 20 eval '! kill -0 ${writer[i]} 2>/dev/null'
	like 'and had no other error' "$(cat "$work/said$i")" '^[1-9][0-9]* without space;$'
done
remove v st
ok 'the store is in order' ckpt_check "$STORE"

done_testing
