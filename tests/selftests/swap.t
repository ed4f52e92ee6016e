#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A process that may have a quarter of the memory that it uses has the rest swapped out to a volume,
# and back, while checkpoints are taken and merged: what writes pages out so that memory becomes
# free must not wait for memory.

. "$(dirname "$0")/lib.sh"

mib=96 limit=24
cgroup=$work/cgroup
store=st
skip() { echo "1..0 # SKIP $*"; rm -rf "$work"; trap - EXIT; exit 0; }
[ ! -e /dev/ram0 ] && modprobe -q brd rd_nr=1 rd_size=$((512 << 10)) && [ -b /dev/ram0 ] ||
	skip 'no disk in memory that cannot be swapped out itself'
end_swap() {
	swapoff $dm/v 2>/dev/null
	rmdir "$cgroup/small" 2>/dev/null
	umount "$cgroup" 2>/dev/null
	release
	rmmod brd
}
trap 'end_swap; at_exit' EXIT
mkdir "$cgroup" && mount -t cgroup2 none "$cgroup" 2>/dev/null &&
	echo +memory >"$cgroup/cgroup.subtree_control" && mkdir "$cgroup/small" &&
	echo ${limit}M >"$cgroup/small/memory.max" || { end_swap; skip 'no limits of memory here'; }

# Pages of an array, each with its own content, written and read again and again.
use_memory() {
	python3 - $mib "$cgroup/small/cgroup.procs" "$work/stop" <<-'EOT'
	import mmap, os, sys
	pages = int(sys.argv[1]) << 8
	memory = mmap.mmap(-1, pages << 12)
	with open(sys.argv[2], 'w') as f:
	    f.write(str(os.getpid()))
	turn = 0
	while not os.path.exists(sys.argv[3]) or turn < 2:
	    for i in range(pages):
	        at = i << 12
	        if turn and memory[at:at + 16] != b'%08d%08d' % (turn - 1, i):
	            sys.exit('page %d has %r in turn %d' % (i, memory[at:at + 16], turn))
	        memory[at:at + 16] = b'%08d%08d' % (turn, i)
	    turn += 1
	print(turn)
	EOT
}

store st /dev/ram0 512 '3 format cache_mb 8'
message st create_volume v "$(sectors_of 128)" && volume v "$(sectors_of 128)" || bail "$err $out"
mkswap $dm/v >/dev/null && swapon $dm/v || bail 'cannot swap to it'
use_memory >"$work/said" 2>&1 &
user=$!
until_true 60 eval '[ "$(awk "/^pswpout/ { print \$2 }" /proc/vmstat)" -gt 2000 ]' ||
	bail 'nothing is swapped out'
r=0
for i in {1..6}; do
	message st checkpoint c$i standard v || r=$err
	[ $i = 1 ] || message st delete_checkpoint v@c$((i - 1)) || r=$err
	sleep 0.5
done
is 'checkpoints are taken and deleted meanwhile' $r 0
touch "$work/stop"
ok 'all pages are what they were' wait $user
note "turns: $(cat "$work/said"); $(grep -E '^pswp' /proc/vmstat | tr '\n' ' ')pages"
ok 'it is swapped in' swapoff $dm/v
is 'the store is in order' "$(field $f_mode)" rw
ok 'all is merged' settle
remove v st
ok 'and has no wrong bit' eval 'ckpt_check /dev/ram0 >/dev/null'
end_swap
trap at_exit EXIT
done_testing
