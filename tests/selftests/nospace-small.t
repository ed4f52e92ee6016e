#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store with blocks smaller than a unit that has nothing left but single units: blocks that
# touch two of them find no space, and are told so.

. "$(dirname "$0")/lib.sh"

store=st
small_write() {
	dd if=/dev/urandom of="$dm/$1" bs="$3" count=1 seek="$2" oflag=direct,seek_bytes \
		conv=notrunc 2>"$work/dd" &
	writer=$!
}
has_ended() { ! kill -0 "$writer" 2>/dev/null; }
ended() { until_true 30 has_ended || bail 'a write does not end'; }

loop STORE 16
store st "$STORE" 16 '4 format block_size 1 error_if_no_space'
for v in v other; do
	message st create_volume $v 65536 && volume $v 65536 || bail "$err $out"
done
# Else slots would be packed so that rows come free.
message st merge pause
fill_up "$dm/v" 1 0 262144 262144
like 'large pieces find no space any more' "$out" ENOSPC
fill_up "$dm/other" 1 1048576 4096 4096
like 'nor do small ones' "$out" ENOSPC
bad=0
for ((i = 0; i < 256; i++)); do
	discard $dm/v $((i * 8192)) 4096 || bad=$((bad + 1))
done
is 'every second unit is discarded' $bad 0
ok 'that is durable' message st commit
fill_up "$dm/other" 1 16777216 16384 8192
like 'what is left in a row is filled' "$out" ENOSPC
small_write other 3584 1024
ended
nok 'two blocks of two units find no space' wait $writer
small_write other 3584 512
ended
ok 'one finds some' wait $writer
is 'the store is in order' "$(field $f_mode)" rw

done_testing
