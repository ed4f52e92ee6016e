#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What needs no data may need metadata, of which a full store has not much: it ends with an error
# before what is left is needed to write back what there is, and the store stays as it was.

. "$(dirname "$0")/lib.sh"

store=st
leaves=600			# of 32 MiB each

# each COMMAND DEVICE: a block in each leaf, written or discarded; how many, and the error.
each() {
	python3 - "$@" $leaves <<-'EOT'
	import errno, fcntl, mmap, os, struct, sys
	what, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
	fd = os.open(path, os.O_RDWR | os.O_DIRECT)
	page = mmap.mmap(-1, 4096)
	for i in range(count):
	    try:
	        page[:] = i.to_bytes(2, 'little') * 2048 if what == 'write' else bytes(4096)
	        if what == 'discard':
	            fcntl.ioctl(fd, 0x1277, struct.pack('QQ', i << 25, 4096))
	        elif what == 'write':
	            os.pwrite(fd, page, i << 25)
	        else:
	            os.preadv(fd, [page], i << 25)
	            if page[:] not in (bytes(4096), i.to_bytes(2, 'little') * 2048):
	                sys.exit('leaf %d is not what was written' % i)
	    except OSError as e:
	        print(i, errno.errorcode[e.errno])
	        break
	else:
	    print(count, 'end')
	EOT
}

loop STORE 16
store st "$STORE" 16 '4 format error_if_no_space commit_ms 60000'
new_volume v $((leaves << 16))
new_volume big 16777216
is 'a block in each leaf' "$(each write $dm/v)" "$leaves end"
message st checkpoint c standard v || bail "$out"
until_true 20 given_back || bail 'windows are not given back'
fill_up $dm/big 5 0 131072 131072
like 'clusters until there is no space' "$out" ' ENOSPC$'
units=$(used)
# Nodes do not move, so what is free between them may be of no use.
ok "that is when the store is nearly full ($units units of 4096)" [ "$units" -gt 3072 ]
fill_up $dm/big 6 1073741824 4096 4096
like 'and blocks' "$out" ' ENOSPC$'
gone=$(each discard $dm/v)
# How many there is space for depends on what data have left.
like "discards need leaves, as many as there is space for ($gone)" "$gone" ' (ENOSPC|end)$'
for i in 1 2 3 4 5; do
	message st commit || bail "$err $out"
	message st checkpoint "d$i" standard v big && message st delete_checkpoint "v@d$i" "big@d$i" ||
		bail "$err $out"
done
ok 'checkpoints come and go, and are merged' settle 60
is 'nothing has happened to the store' "$(field $f_mode)" rw
is 'all reads as it was' "$(each read $dm/v)" "$leaves end"
# Nodes have what they had taken from data first.
discard $dm/big 0 $((32 * 131072)) || bail "$out"
ok 'what has been discarded just now can be written at once' fill $dm/big 7 $((1 << 31)) 131072
discard $dm/big 0 $((16777216 * 512)) || bail "$out"
like 'what is discarded of the other volume is space for that' "$(each discard $dm/v)" ' end$'
is 'as it is for blocks' "$(each write $dm/v)" "$leaves end"
remove v big st
ok 'the store is in order' ckpt_check "$STORE"

done_testing
