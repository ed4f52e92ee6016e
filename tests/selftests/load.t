#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Hours in a minute: 32 volumes of the largest size with 1,000 checkpoints, and everything at once
# (see load.py).  Then the store is in order, and the module has given all of its memory back.
# CKPT_SECONDS: how long, once there are so many checkpoints; SELFTEST_SEED: where the random
# numbers begin.

. "$(dirname "$0")/lib.sh"

seconds=${CKPT_SECONDS:-20}
seed=${SELFTEST_SEED:-$RANDOM}
note "SELFTEST_SEED=$seed"
store=st
mib=1536 huge=$((64 << 20))	# MiB; only what is written of them takes memory

# KiB that the kernel has for itself and cannot give back. Free pages that each CPU keeps at hand,
# which may be many, are not among MemFree.
kernel_memory() {
	sync
	# What RCU and work queues have still to do is done soon.
	sleep 2
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "count:" { m["MemFree:"] += 4 * $2; next }
		{ m[$1] += $2 }
		END { print m["MemTotal:"] - m["MemFree:"] - m["Buffers:"] - m["Cached:"] - \
			m["AnonPages:"] - m["SReclaimable:"] }' /proc/zoneinfo /proc/meminfo
}
load_py() { err= out=$(python3 "$here/load.py" "$@" 2>&1); }

loop STORE $mib
for i in 0 1 2 3; do loop ORIGIN$i $huge; done
store st "$STORE" $mib
remove st
before=$(kernel_memory)
create st "$(sectors_of $mib)" ckpt-store "$STORE" || bail "$err $out"
ok 'everything at once' load_py run "$work" "$seconds" "$seed" "$ORIGIN0" "$ORIGIN1" "$ORIGIN2" "$ORIGIN3"
grep '^#' <<<"$out"
[ $failures = 0 ] || bail 'what is left is of no use'
is 'the store is in order' "$(field $f_mode)" rw
ok "there are $(field $f_checkpoints) checkpoints" [ "$(field $f_checkpoints)" -ge 1000 ]
note "$(used) units are used, $(field $f_moved) were moved, $(field $f_copied) copied, $(field $f_freed) freed"
remove st
ok 'closed, it has no wrong bit' eval 'out=$(ckpt_check "$STORE" 2>&1)'
after=$(kernel_memory)
ok "memory is back ($((after - before)) KiB more)" [ $((after - before)) -le 6144 ]
is 'nobody holds the module' "$(cat /sys/module/dm_ckpt/refcnt)" 0
create st "$(sectors_of $mib)" ckpt-store "$STORE" || bail "$err $out"
ok 'activated again all is there' load_py check "$work" 0 "$seed"
load_py open "$work" 0 "$seed" || bail "$out"
opened=$out
ok 'and what is left to be merged is' settle 300 || { status st; note "$out"; }
# shellcheck disable=SC2086
remove $opened
ok 'after which it is there as well' load_py check "$work" 0 "$seed"
remove st
ok 'and there is no wrong bit' eval 'out=$(ckpt_check "$STORE" 2>&1)'
done_testing
