#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory for metadata is bounded by cache_mb, for all volumes of a store together, whatever they
# read and write.

. "$(dirname "$0")/lib.sh"

store=st
leaves=1200		# of 32 MiB each: 10 MiB of nodes, and more, for two volumes
part=200

# each DEVICE write|read FROM COUNT: 4 KiB of so many leaves.
each() {
	python3 - "$@" <<-'EOT'
	import mmap, os, sys
	path, how, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
	fd = os.open(path, os.O_RDWR | os.O_DIRECT)
	page = mmap.mmap(-1, 4096)
	for i in range(first, first + count):
	    content = i.to_bytes(2, 'little') * 2048
	    if how == 'write':
	        page[:] = content
	        os.pwrite(fd, page, i << 25)
	    else:
	        os.preadv(fd, [page], i << 25)
	        if page[:] != content:
	            sys.exit('leaf %d is not what was written' % i)
	EOT
}
# "<KiB in use>/<bound>" of the status.
cached() { field 9; }
# within SLACK: the cache is within its bound and so many KiB; the most that was seen is its peak.
peak=0
within() {
	local words
	words=$(cached)
	[ "${words%/*}" -le $peak ] || peak=${words%/*}
	[ "${words%/*}" -le $((${words#*/} + $1)) ]
}

loop STORE 96
store st "$STORE" 96 '3 format cache_mb 8'
for v in a b; do
	message st create_volume $v $((leaves << 16)) && volume $v $((leaves << 16)) || bail "$err $out"
done
ok 'the bound is in the status' test "$(cached | cut -d/ -f2)" = 8192
most=0
for ((i = 0; i < leaves; i += part)); do
	for v in a b; do
		each $dm/$v write $i $part || bail 'it cannot be written'
		# What is not durable is kept; when it is written back, nothing is left of that.
		message st commit || bail "$err $out"
		until_true 10 within 0 || most=$(cached)
	done
done
is 'written back, it is within it, each time' "$most" 0
most=0
for ((i = 0; i < leaves; i += part)); do
	for v in a b; do
		each $dm/$v read $i $part || bail 'it is not what was written'
		# A walk makes room for what it loads before it does: one node a level.
		within 128 || most=$(cached)
	done
done
is 'reading all of it never takes more' "$most" 0
ok 'and it is within it when that is done' until_true 10 within 0
# Later the kernel may have asked for some of it, as the debug kernel does.
ok "that was a bound: $peak KiB were in use, and all would be more" test $peak -gt 6000
remove a b st

# The map of space has a node for each 128 MiB. When a checkpoint has come to rest whole windows are
# looked for; on a large store that is not to load all of them.
loop HUGE 8388608
store st "$HUGE" 8388608 '3 format cache_mb 256'
new_volume c $((leaves << 16))
for i in 1 2 3; do
	each $dm/c write $i 1 && message st checkpoint c$i standard c || bail "$err $out"
	settle 60 || bail 'it does not come to rest'
done
used=$(cached)
ok "on 8 TiB little is in memory at rest (${used%/*} KiB)" test "${used%/*}" -lt 1024

done_testing
