#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel asks for memory again and again while stores with many nodes in memory are
# used and closed.

. "$(dirname "$0")/lib.sh"

# So many leaves, of 32 MiB each; the store keeps them dirty until it is closed.
leaves=400
store=st

scatter() {
	python3 - "$1" $leaves <<-'EOT'
	import os, sys
	fd = os.open(sys.argv[1], os.O_RDWR)
	for i in range(int(sys.argv[2])):
	    os.pwrite(fd, i.to_bytes(2, 'little') * 2048, i << 25)
	os.fsync(fd)
	EOT
}

scattered() {
	python3 - "$1" $leaves <<-'EOT'
	import os, sys
	fd = os.open(sys.argv[1], os.O_RDONLY)
	sys.exit(any(os.pread(fd, 4096, i << 25) != i.to_bytes(2, 'little') * 2048
	             for i in range(int(sys.argv[2]))))
	EOT
}

loop STORE 256
store st "$STORE" 256
message st create_volume v $((leaves << 16)) || bail "$out"
remove st

# 4: without a word in the log; 2: whatever can be reclaimed.
echo 4 >/proc/sys/vm/drop_caches
while :; do echo 2 >/proc/sys/vm/drop_caches; done &
reclaim=$!
for ((i = 1; i <= ${SELFTEST_RECLAIMS:-4}; i++)); do
	create st "$(sectors_of 256)" ckpt-store "$STORE" && volume v $((leaves << 16)) ||
		bail "$err $out"
	[ $i = 1 ] || ok "$i: it has what was written" scattered $dm/v
	ok "$i: it can be written" scatter $dm/v
	ok "$i: it can be closed" remove v st
done
kill $reclaim
wait $reclaim 2>/dev/null

done_testing
