#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# First writes behind a checkpoint: where its volume was written before, they need not wait for a
# leaf of the new head.

. "$(dirname "$0")/lib.sh"

leaf=$((32 << 20))
loop STORE 512
store=st
store st "$STORE" 512
for v in a b; do
	message st create_volume $v "$(sectors_of 96)"
	volume $v "$(sectors_of 96)" || bail "$out"
	fill $dm/$v 1 0 65536
	fill $dm/$v 1 $((2 * leaf)) 65536
	nok "$v: what waits for a leaf is noticed" nowait $dm/$v 9 $leaf
	is "$v: by an error of its own" "$err" EAGAIN
done

ok 'a checkpoint of one' message st checkpoint c1 standard a
ok 'its first write goes on' nowait $dm/a 2 0
ok 'in the other leaf too' nowait $dm/a 2 $((2 * leaf + 4096))
nok 'not where nothing was written' nowait $dm/a 9 $leaf
ok 'a checkpoint of both' message st checkpoint c2 standard a b
ok 'a goes on' nowait $dm/a 3 $((2 * leaf + 8192))
ok 'b goes on' nowait $dm/b 3 $((2 * leaf + 8192))
ok 'a checkpoint of what was not written since' message st checkpoint c3 standard a
ok 'goes on' nowait $dm/a 4 12288

for part in 2:0 2:$((2 * leaf + 4096)) 3:$((2 * leaf + 8192)) 4:12288; do
	ok "a has it ($part)" holds $dm/a "${part%:*}" "${part#*:}" 4096
done
ok 'and what was there' holds $dm/a 1 16384 49152
ok 'and nothing else' holds $dm/a zeros $leaf $leaf
ok 'b has it' holds $dm/b 3 $((2 * leaf + 8192)) 4096

for c in c1 c2 c3; do ok "delete $c" message st delete_checkpoint a@$c; done
settle
ok 'a has all of it when they are gone' holds $dm/a 4 12288 4096

done_testing
