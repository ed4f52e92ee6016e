#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Devices that are not like most: with sectors of 4 KiB, without a cache to flush, with FUA, and
# an origin that cannot be written.

. "$(dirname "$0")/lib.sh"

store=st
f_commits=10
size=$(sectors_of 64) vsize=8192

checked() { ckpt_check "$@" >"$work/said" 2>&1; }
passes_through() { status disk && [[ $out == *' passthrough '* ]]; }

# crashed DEV: as its store is now, on another device, of which it is activated.
loop COPY 64
crashed() {
	dd if="$1" of="$COPY" bs=1M iflag=direct oflag=direct status=none || bail "no copy of $1"
	remove v st
	create st "$size" ckpt-store "$COPY" && volume v $vsize || bail "the copy: $err $out"
}

# ---- sectors of 4 KiB ----

without_kernel() {
	ok "$1: a volume is read without the kernel" \
		ckpt_read --origin disk="$ORIGIN" "$STORE" disk "$work/read"
	ok "$1: and is the same" cmp "$work/read" "$work/disk"
	ok "$1: it is dumped" eval 'ckpt_dump "$STORE" >"$work/text"'
	ok "$1: and repaired" ckpt_repair "$STORE" "$work/repaired"
}

# large STORE'S ORIGIN'S BLOCK: bytes of their sectors, and sectors of a block.
large() {
	local what="sectors of $1 and $2, blocks of $3"
	loop STORE 64
	loop ORIGIN 4
	loop_sectors "$STORE" "$1" && loop_sectors "$ORIGIN" "$2" || bail "$what: $err $out"
	fill "$ORIGIN" 1
	cp "$work/ORIGIN" "$work/disk"
	rm -f "$work/zeros"
	truncate -s 4M "$work/zeros"
	store st "$STORE" 64 "3 format block_size $3"
	message st create_volume zeros $vsize && message st adopt_volume disk $vsize || bail "$err $out"
	ok "$what: activate" eval 'volume zeros $vsize && volume disk $vsize "$ORIGIN"'
	is "$what: a volume has no smaller ones than what it stands on" \
		"$(blockdev --getss $dm/zeros) $(blockdev --getss $dm/disk)" "$1 4096"
	ok "$what: passed through" io random $dm/disk "$work/disk" 8 1 30
	ok "$what: over zeros" io sweep $dm/zeros "$work/zeros" "$3" 2
	ok "$what: a checkpoint" message st checkpoint c1 standard zeros disk
	cp "$work/disk" "$work/disk.c1"
	cp "$work/zeros" "$work/zeros.c1"
	ok "$what: over a base" io sweep $dm/disk "$work/disk" "$3" 3
	ok "$what: over a layer" io random $dm/zeros "$work/zeros" "$3" 4 30
	ok "$what: a view" create view $vsize ckpt "$dm/st disk@c1 $ORIGIN" ro
	ok "$what: reads as then" io same $dm/view "$work/disk.c1" "$3" 0
	remove view zeros disk st
	ok "$what: the store is in order" checked "$STORE"
	[ "$1" = 512 ] || without_kernel "$what"
	ok "$what: activate again" create st "$size" ckpt-store "$STORE"
	ok "$what: go back" message st apply zeros@c1
	ok "$what: and have both" eval 'volume zeros $vsize && volume disk $vsize "$ORIGIN"'
	ok "$what: it is back" io same $dm/zeros "$work/zeros.c1" "$3" 0
	message st delete_checkpoint zeros@c1 disk@c1
	ok "$what: what is merged" eval 'settle && passes_through'
	ok "$what: is in the origin" io same "$ORIGIN" "$work/disk" "$3" 0
	ok "$what: and in the volume" io random $dm/disk "$work/disk" 8 5 30
	remove zeros disk st
	ok "$what: still in order" checked "$STORE"
	agent unloop "$STORE" "$ORIGIN"
	rm -f "$work"/{STORE,ORIGIN,zeros,disk,read,repaired}*
}

large 4096 512 8
large 512 4096 8
large 4096 4096 128

loop STORE 64
loop ORIGIN 4
loop_sectors "$STORE" 4096
fails 'blocks that are smaller than the sectors' EINVAL 'less than a sector of the store device' \
	create st "$size" ckpt-store "$STORE 3 format block_size 1"
loop_sectors "$STORE" 512

# A store with small blocks, that is moved to a device with larger sectors, and so with its origin.
store st "$STORE" 64 '3 format block_size 1'
message st adopt_volume disk $vsize && volume disk $vsize "$ORIGIN" || bail "$err $out"
message st checkpoint c1 standard disk
dd if=/dev/urandom of=$dm/disk bs=512 seek=1 count=3 oflag=direct status=none
md5 $dm/disk
have=$out
remove disk
loop_sectors "$ORIGIN" 4096
fails 'an origin with sectors larger than blocks' EINVAL 'blocks are smaller than the sectors of the origin' \
	create disk $vsize ckpt "$dm/st disk $ORIGIN"
remove st
loop_sectors "$STORE" 4096
fails 'a store with sectors larger than blocks' EINVAL 'has blocks of 512 bytes, but its device has sectors of 4096' \
	create st "$size" ckpt-store "$STORE"
loop_sectors "$STORE" 512
loop_sectors "$ORIGIN" 512
ok 'on small ones again' eval 'create st "$size" ckpt-store "$STORE" && volume disk $vsize "$ORIGIN"'
md5 $dm/disk
is 'nothing has changed' "$out" "$have"
remove disk st

# ---- nothing to flush ----

# flushed DEV WHAT: what a flush or FUA has covered is there if all ends now; nothing is committed
# but for that.
flushed() {
	local before
	blkdiscard -z "$1"
	store st "$1" 64 '3 format commit_ms 60000'
	message st create_volume v $vsize && volume v $vsize || bail "$2: $err $out"
	before=$(field $f_commits)
	fill $dm/v 1 0 1048576
	ok "$2: a flush" flush $dm/v
	is "$2: is a commit" "$(field $f_commits)" $((before + 1))
	head -c 4096 /dev/urandom >"$work/fua"
	ok "$2: a write with FUA" dd if="$work/fua" of=$dm/v bs=4096 seek=512 oflag=direct,dsync status=none
	is "$2: is one, too" "$(field $f_commits)" $((before + 2))
	message st checkpoint c1 standard v
	fill $dm/v 2 0 65536
	flush $dm/v || bail "$2: $err $out"
	crashed "$1"
	ok "$2: then the first is there" eval 'holds $dm/v 2 0 65536 && holds $dm/v 1 65536 983040'
	ok "$2: and the second" cmp -n 4096 -i 2097152:0 $dm/v "$work/fua"
	ok "$2: and the checkpoint" eval 'create view $vsize ckpt "$dm/st v@c1" ro && holds $dm/view 1 0 1048576'
	remove view v st
	ok "$2: in order" checked "$COPY"
}

cache=/sys/block/${STORE##*/}/queue/write_cache
echo 'write through' >"$cache"
is 'a device without a cache' "$(cat "$cache")" 'write through'
flushed "$STORE" 'no cache'
echo 'write back' >"$cache"

# null NAME MIB WORD=VALUE...: a null_blk on memory that is $null then.
null() {
	local dir=/sys/kernel/config/nullb/self-$1 w
	modprobe null_blk nr_devices=0 2>/dev/null || return 1
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config || return 1
	mkdir "$dir" || return 1
	for w in size="$2" memory_backed=1 "${@:3}" power=1; do
		echo "${w#*=}" >"$dir/${w%=*}" || return 1
	done
	# Newer ones have the name that they are given.
	null=/dev/self-$1
	[ -e "$null" ] || null=/dev/nullb$(cat "$dir/index")
}

# Of a write to the device that is queued, its flags as the tracer writes them.
trace=/sys/kernel/tracing/events/block/block_bio_queue
traced() {
	local log=/sys/kernel/tracing/trace
	echo >$log
	echo 1 >$trace/enable
	"${@:2}"
	echo 0 >$trace/enable
	grep -o "block_bio_queue: $1 [A-Z]*W[A-Z]* [0-9]* + [0-9]*" $log | cut -d ' ' -f 3- |
		sed 's/ .*//' | sort | tr '\n' ' '
}

if null fua 64 cache_size=1 && [ -e $trace ]; then
	is 'a device with FUA' "$(cat "/sys/block/${null##*/}/queue/fua")" 1
	flushed "$null" FUA
	create st "$size" ckpt-store "$null 2 commit_ms 60000" && volume v $vsize || bail "$err $out"
	message st commit
	fill $dm/v 3 $((3 << 20)) 4096
	number=$(lsblk -dno MAJ:MIN "$null" | tr -d ' ' | tr : ,)
	like 'FUA: a commit is one write that flushes before and needs no flush behind' \
		"$(traced "$number" flush $dm/v)" '^FWF[A-Z]* $'
	remove v st
	echo 0 >/sys/kernel/config/nullb/self-fua/power
	rmdir /sys/kernel/config/nullb/self-fua
	modprobe -r null_blk
else
	pass 'a device with FUA # SKIP no null_blk or no tracer here'
fi

# ---- a base that is read-only ----

read_only() { blockdev --setro "$1" && [ "$(blockdev --getro "$1")" = 1 ]; }

blkdiscard -z "$STORE"
store st "$STORE" 64
fill "$ORIGIN" 1
md5 "$ORIGIN"
have=$out
message st create_template golden $vsize && message st clone golden twin || bail "$err $out"
ok 'a base is read-only' read_only "$ORIGIN"
ok 'a clone of a template' volume twin $vsize "$ORIGIN"
ok 'reads it' holds $dm/twin 1
ok 'and is written' eval 'fill $dm/twin 2 0 65536 && flush $dm/twin'
ok 'has checkpoints' message st checkpoint c1 standard twin
fill $dm/twin 3 32768 65536
ok 'and views' create view $vsize ckpt "$dm/st twin@c1 $ORIGIN" ro
ok 'which read' eval 'holds $dm/view 2 0 65536 && holds $dm/view 1 65536 1048576'
remove view
message st delete_checkpoint twin@c1
ok 'its layers are merged' settle
ok 'it has it all' eval 'holds $dm/twin 2 0 32768 && holds $dm/twin 3 32768 65536 && holds $dm/twin 1 98304 1048576'
remove twin
message st delete_volume twin && message st delete_template golden

blockdev --setrw "$ORIGIN"
message st adopt_volume disk $vsize && volume disk $vsize "$ORIGIN" || bail "$err $out"
remove disk
read_only "$ORIGIN"
fails 'a volume that would write to its base' EROFS 'is read-only, but volume disk passes writes through to it: use a read-only table' \
	create disk $vsize ckpt "$dm/st disk $ORIGIN"
ok 'with a read-only table' create disk $vsize ckpt "$dm/st disk $ORIGIN" ro
ok 'it reads' holds $dm/disk 1
nok 'and is not written' fill $dm/disk 4 0 4096
remove disk
blockdev --setrw "$ORIGIN"
volume disk $vsize "$ORIGIN" && message st checkpoint c1 standard disk || bail "$err $out"
remove disk
read_only "$ORIGIN"
ok 'one with a checkpoint writes to the store' volume disk $vsize "$ORIGIN"
ok 'as ever' eval 'fill $dm/disk 4 0 1048576 && flush $dm/disk'
mark
message st delete_checkpoint disk@c1
ok 'what is to be merged into the base waits' until_true 10 merge_is wait
ok 'and is written' eval 'fill $dm/disk 5 0 65536 && flush $dm/disk'
md5 "$ORIGIN"
is 'the base is as it was' "$out" "$have"
nok 'nothing is called damaged' log 'cannot be merged'
is 'the store is in order' "$(field $f_mode)" rw
blockdev --setrw "$ORIGIN"
message st merge resume
ok 'a base that can be written' eval 'settle && passes_through'
ok 'takes it in' eval 'holds "$ORIGIN" 5 0 65536 && holds "$ORIGIN" 4 65536 983040 && holds "$ORIGIN" 1 1048576'
remove disk
message st delete_volume disk

# What the driver itself refuses to open for writing.
is_protected() { [ "$(blockdev --getro "$1")" = "$2" ]; }
protect() {
	echo "$2" >/sys/module/scsi_debug/parameters/wp &&
		echo 1 >"/sys/block/${1##*/}/device/rescan" && until_true 5 is_protected "$1" "$2"
}
scsi_disk() {
	scsi=$(echo /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*)
	scsi=/dev/${scsi##*/}
	[ -b "$scsi" ]
}
if modprobe -a sd_mod scsi_debug 2>/dev/null; then
	until_true 10 scsi_disk || bail 'scsi_debug makes no disk'
	vsize=$(blockdev --getsz "$scsi")
	fill "$scsi" 6 || bail "$scsi: $err $out"
	message st create_template silver $vsize && message st clone silver pair || bail "$err $out"
	message st adopt_volume other $vsize || bail "$err $out"
	ok 'a disk is write-protected' protect "$scsi" 1
	fails 'a volume that would write to it' EROFS 'is read-only, but volume other passes' \
		create other $vsize ckpt "$dm/st other $scsi"
	ok 'a clone of a template on it' volume pair $vsize "$scsi"
	ok 'is read and written' eval 'holds $dm/pair 6 && fill $dm/pair 7 0 4096 && holds $dm/pair 7 0 4096'
	remove pair
	ok 'without the protection' protect "$scsi" 0
	ok 'it is written' eval 'volume other $vsize "$scsi" && fill $dm/other 8 0 4096'
	remove other
	modprobe -r scsi_debug
else
	pass 'a disk is write-protected # SKIP no scsi_debug here'
fi
remove st

done_testing
