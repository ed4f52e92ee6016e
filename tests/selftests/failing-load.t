#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Each place that an activation reads fails in turn: of the store, and of the origin.  It fails with
# an error and a line in the log, also for a superblock, as that is written then; nothing is left of
# it, and the next one, with the disk in order, finds all there is.  The tracer tells what is read.

. "$(dirname "$0")/lib.sh"

trace=/sys/kernel/tracing/events/block/block_bio_queue
[ -e $trace ] || { echo '1..0 # SKIP no tracer here'; trap - EXIT; exit 0; }

store=st
size=$(sectors_of 16) vsize=8192
loop STORE 16
loop ORIGIN 4

# linear NAME DEVICE: all is well; holed NAME DEVICE START SECTORS: but there it cannot be read.
put() {
	load_pieces "$@" && suspend "$1" noflush nolockfs && resume "$1" || bail "$err $out"
}
linear() { put "$1" 0 "$(blockdev --getsz "$2")" linear "$2 0"; }
holed() {
	local end=$(($3 + $4)) all pieces=()
	all=$(blockdev --getsz "$2")
	[ "$3" = 0 ] || pieces+=(0 "$3" linear "$2 0")
	pieces+=("$3" "$4" error '')
	[ $end -ge "$all" ] || pieces+=($end $((all - end)) linear "$2 $end")
	put "$1" "${pieces[@]}"
}

# reads DEV COMMAND...: "<sector> <sectors>" of what it reads there, each once.
reads() {
	local number log=/sys/kernel/tracing/trace
	number=$(lsblk -dno MAJ:MIN "$1" | tr -d ' ' | tr : ,)
	echo >$log
	echo 1 >$trace/enable
	"${@:2}" || bail "${*:2}: $err $out"
	echo 0 >$trace/enable
	sed -n "s/.*block_bio_queue: $number R[A-Z]* \([0-9]*\) + \([0-9]*\) .*/\1 \2/p" $log | sort -nu
}

objects() { pages st list && awk '/^(volume|checkpoint)/ { print $1, $3, $4 }' <<<"$out" | sort; }
activate() { create st "$size" ckpt-store "$dm/self-store"; }
closed() { local d; for d in v twin st; do remove $d; done; }
refs() { cat /sys/module/dm_ckpt/refcnt; }

create self-store "$size" linear "$STORE 0" && create self-origin $vsize linear "$ORIGIN 0" ||
	bail "$err $out"
fill $dm/self-origin 1
store st $dm/self-store 16 '3 format journal_blocks 256'
message st create_volume v $vsize && message st create_template golden $vsize &&
	message st clone golden twin && volume v $vsize && volume twin $vsize $dm/self-origin ||
	bail "$err $out"
fill $dm/v 2 0 1048576
message st checkpoint c1 standard v twin
fill $dm/v 3 524288 1048576
fill $dm/twin 4 0 65536
message st commit
have=$(objects)
# Something in the journal as well, as a crash leaves it: closing writes the trees back.
fill $dm/v 5 0 4096
flush $dm/v
dd if=$dm/self-store of="$work/crashed" bs=1M iflag=direct status=none
remove v twin st

crash() { dd if="$work/crashed" of=$dm/self-store bs=1M oflag=direct conv=fsync status=none; }
is_whole() {
	[ "$(objects)" = "$have" ] && volume v $vsize && volume twin $vsize $dm/self-origin &&
		holds $dm/v 5 0 4096 && holds $dm/v 2 4096 520192 && holds $dm/v 3 524288 1048576 &&
		holds $dm/twin 4 0 65536 && holds $dm/twin 1 65536 1048576
}

# ---- the store ----

# try WHAT ERROR LINE: it is not activated, and the log has that line; with the disk in order it is.
try() {
	local bad=
	mark
	if activate; then
		bad="it succeeds"
		closed
	else
		[ "$err" = "$2" ] || bad="the error is $err: $out"
		log "ckpt: .*: $3" || bad+=" $out"
	fi
	[ "$(refs)" = "$idle" ] || bad+=" something is left of it"
	linear self-store "$STORE"
	activate || bad+=" it is not activated then: $err $out"
	is_whole || bad+=" nor as it was: $err $out"
	closed
	if [ -z "$bad" ]; then pass "$1"; else flunk "$1" "$bad"; fi
}

crash
mapfile -t places < <(reads $dm/self-store activate)
note "it reads ${#places[@]} places: ${places[*]}"
remove st
ok 'superblocks, journal and trees are read' [ ${#places[@]} -gt 5 ]
idle=$(refs)
for place in "${places[@]}"; do
	read -r start sectors <<<"$place"
	case $start in
	0|2048) line='superblock cannot be written' ;;
	1024) line="the guard's block cannot be read" ;;
	*) line='(journal cannot be read at block|node at sector .* cannot be read)' ;;
	esac
	crash
	holed self-store "$STORE" "$start" "$sectors"
	try "without sector $start" EIO "$line"
done

crash
put self-store 0 4096 error '' 4096 $((size - 4096)) linear "$STORE 4096"
try 'without any superblock' EIO 'the superblock at sector 2048 cannot be read'
crash
put self-store 0 "$size" flakey "$STORE 0 0 1 1 error_writes"
try 'with a disk that is not written' EIO "the guard's block cannot be read or written"

crash
holed self-store "$STORE" 0 8
ok 'without the first superblock it can be read' \
	create st "$size" ckpt-store "$dm/self-store 1 read_only"
is 'and has what it had' "$(objects)" "$have"
remove st
linear self-store "$STORE"

# ---- an origin ----

activate || bail "$err $out"
with_origin() { volume twin $vsize $dm/self-origin; }
mapfile -t places < <(reads $dm/self-origin with_origin)
remove twin
ok 'samples of the origin are read' [ ${#places[@]} -gt 100 ]
bad=
for place in "${places[0]}" "${places[40]}" "${places[-1]}"; do
	# shellcheck disable=SC2086
	holed self-origin "$ORIGIN" $place
	mark
	! with_origin || bad+=" $place: it succeeds"
	[ "$err" = EIO ] || bad+=" $place: $err"
	log 'ckpt: .*: origin .* cannot be read' || bad+=" $place: $out"
	linear self-origin "$ORIGIN"
	with_origin && holds $dm/twin 4 0 65536 && holds $dm/twin 1 65536 1048576 ||
		bad+=" $place: then $err $out"
	remove twin
done
is 'each of them fails' "$bad" ''
is 'the store is in order' "$(field $f_mode)" rw
remove st
ok 'and has no wrong bit' eval 'ckpt_check $dm/self-store >/dev/null'
done_testing
