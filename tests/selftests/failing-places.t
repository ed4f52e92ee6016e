#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store's device fails to write in one place: either superblock, the journal, or the rest, while
# each kind of thing is done.  What was flushed is there afterwards, what was asked for was done or
# not, as a whole, and whoever put the disk right activates the store again.

. "$(dirname "$0")/lib.sh"

store=st
size=$(sectors_of 64)
journal=2048	# sectors: 256 blocks
loop STORE 64
loop ORIGIN 8

# broken START SECTORS: there it cannot be written, and can be everywhere else; none: all is well.
broken() {
	local end=$(($1 + ${2:-0})) pieces=()
	[ "$1" = 0 ] || pieces+=(0 "$1" linear "$STORE 0")
	[ -z "${2:-}" ] || pieces+=("$1" "$2" flakey "$STORE $1 0 1 1 error_writes")
	[ $end -ge "$size" ] || pieces+=($end $((size - end)) linear "$STORE $end")
	load_pieces self-store "${pieces[@]}" && suspend self-store noflush nolockfs &&
		resume self-store || bail "$err $out"
}
whole() { broken "$size"; }

activate() {
	create st "$size" ckpt-store "$dm/self-store" && volume v 16384 &&
		volume disk 16384 "$ORIGIN"
}
again() {
	local d
	for d in disk v st; do remove $d; done
	whole
	activate || bail "activated again: $err $out"
}
event() { info st; echo "${out##* }"; }
checkpoints() { pages st list && grep '^checkpoint' <<<"$out" | cut -d ' ' -f 4 | sort | tr '\n' ' '; }

create self-store "$size" linear "$STORE 0" || bail "$err $out"
store st $dm/self-store 64 '3 format journal_blocks 256'
fill "$ORIGIN" 3
message st create_volume v 16384 && message st adopt_volume disk 16384 || bail "$err $out"
volume v 16384 && volume disk 16384 "$ORIGIN" || bail "$err $out"
fill $dm/v 1 0 2097152
message st checkpoint kept standard v
fill $dm/v 2 0 1048576
flush $dm/v

# Each has something to do, and none of them touches the first two MiB of v.
seed=10
do_flush() { fill $dm/v $((++seed)) 4194304 262144 && flush $dm/v; }
do_commit() { fill $dm/v $((++seed)) 5242880 262144 && message st commit; }
do_take() { message st checkpoint new standard v disk; }
do_apply() { remove v && message st apply v@kept; }
do_merge() {
	fill $dm/v $((++seed)) 3145728 65536 && message st checkpoint m standard v &&
		fill $dm/v $((++seed)) 3178496 65536 && message st delete_checkpoint v@m &&
		until_true 3 eval 'merge_is idle && nothing_freeing'
}
do_close() { fill $dm/v $((++seed)) 6291456 262144 && remove disk v st; }

# try PLACE START SECTORS OPERATION: errors are those of a disk or of a store that is read-only;
# its mode has changed at most once, and a merge begun and ended, each told by one event, and by one
# line what went wrong.
mode_line='is in mode ro now'
try() {
	local what="$4, without $1" before after r=0 bad= mode lines events
	before=$(checkpoints)
	events=$(event)
	mark
	broken "$2" "$3"
	do_"$4" || r=$err
	case $r in 0|EIO|EROFS|FAIL|EAGAIN) ;; *) bad="the error is $r: $out" ;; esac
	if status st; then
		mode=$(field $f_mode)
		counted "$mode_line" && lines=$out
		[ "$mode $lines" = 'rw 0' ] || [ "$mode $lines" = 'ro 1' ] || bad+=" mode $mode, told $lines times"
		counted 'cannot be merged'
		events="$(($(event) - events)) events, $out merges failed"
		case $4,$mode,$events in
		# It begins, and ends well or not; what goes read-only may do so before, between and after.
		merge,rw,'2 events, '[01]*|merge,ro,[123]' events, 0 '*) ;;
		# The write before it failed.
		merge,rw,'0 events, 0 '*) [ "$r" = EIO ] || bad+=" no merge has begun" ;;
		[!m]*,rw,'0 events, 0 '*|[!m]*,ro,'1 events, 0 '*) ;;
		*) bad+=" mode $mode: $events" ;;
		esac
		[ "$1 $mode" != 'journal rw' ] || bad+=" mode $mode with a journal that cannot be written"
		if [ "$mode" = ro ]; then
			nok "$what: a disk that is passed through is not written any more" \
				fill $dm/disk 4 0 4096
			ok "$what: but is read" holds $dm/disk 3 0 65536
		fi
	fi
	holds $dm/v 2 0 1048576 || [ "$4" = apply ] || [ "$4" = close ] || bad+=" what was flushed is not read: $out"
	again
	[ "$4" = apply ] || holds $dm/v 2 0 1048576 || bad+=" what was flushed is lost: $out"
	[ "$4" != apply ] || holds $dm/v 2 0 1048576 || holds $dm/v 1 0 1048576 ||
		bad+=" neither before nor after"
	[ "$r $4" != '0 take' ] || checkpoints | grep -q new || bad+=" it is lost"
	holds $dm/v 1 1048576 1048576 || bad+=" the checkpoint has changed: $out"
	after=$(checkpoints)
	case $after in
	"$before"|"kept new new "|"kept m ") ;;
	*) bad+=" checkpoints: $before, $after" ;;
	esac
	if [ -z "$bad" ]; then pass "$what: $r"; else flunk "$what" "$r: $bad"; fi
	# As before, for the next one.
	for c in 'delete_checkpoint v@new disk@new' 'delete_checkpoint v@m'; do
		# shellcheck disable=SC2086
		message st $c
	done
	fill $dm/v 2 0 1048576 && fill $dm/disk 3 0 1048576 && flush $dm/v && flush $dm/disk || bail "$err $out"
	settle || bail "it does not settle"
}

for operation in flush commit take merge apply close; do
	try 'superblock A' 0 8 $operation
	try 'superblock B' 2048 8 $operation
	try journal 4096 $journal $operation
	try data $((4096 + journal)) $((size - 4096 - journal)) $operation
done
remove disk v st
ok 'the store is in order' ckpt_check $dm/self-store
done_testing
