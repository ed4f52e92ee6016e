#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store with nothing left but single units, and a journal longer than what one leaf of the
# space map tells of: a slot that must move finds its place behind the journal.

. "$(dirname "$0")/lib.sh"

store=st

loop STORE 300
store st "$STORE" 300 '4 format journal_blocks 65536 error_if_no_space'
for v in v other; do
	message st create_volume $v 262144 && volume $v 262144 || bail "$err $out"
done
fill_up "$dm/v" 1 0 262144 262144
like 'the store is full' "$out" ENOSPC
bad=0
for ((i = 0; i < 512; i++)); do
	discard $dm/v $((i * 8192)) 4096 || bad=$((bad + 1))
done
is 'every second unit is discarded' $bad 0
ok 'that is durable' message st commit
for ((i = 0; i < 16; i++)); do
	for block in 0 6 30; do
		fill $dm/other $((i + 1)) $((i * 131072 + block * 4096)) 4096 || bad=$((bad + 1))
	done
done
is 'blocks of a cluster are written one by one' $bad 0
ok 'that is durable too' message st commit
for ((i = 0; i < 16; i++)); do
	for block in 0 6 30; do
		holds $dm/other $((i + 1)) $((i * 131072 + block * 4096)) 4096 || bad=$((bad + 1))
	done
done
is 'they are there' $bad 0
is 'the store is in order' "$(field $f_mode)" rw

done_testing
