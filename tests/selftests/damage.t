#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Damaged stores, of every kind of damage some: the module refuses those that the tools
# refuse, with a line in the log, and reads of the others what the tools read. It neither
# crashes nor hangs. DAMAGES=<number>: so many of them; DAMAGE=<number>: that one alone.

. "$(dirname "$0")/lib.sh"

store=st
damage=$here/../../build/tests/selftests/damage
size=$(sectors_of 32) dsize=$(sectors_of 2)

loop STORE 32
loop ORIGIN 2
fill "$ORIGIN" 1
cp "$work/ORIGIN" "$work/origin"

put() { fill "$dm/$1" "${@:2}" || bail "$err $out"; }

# A store with trees and a journal, a merge in the middle, in the file "whole".
store st "$STORE" 32 '3 format journal_blocks 256'
message st adopt_volume disk "$dsize"
message st create_volume blank "$dsize"
volume disk "$dsize" "$ORIGIN" && volume blank "$dsize" || bail "$err $out"
message st checkpoint c1 standard disk blank
put disk 2 8192 303104
put blank 3 4096 700416
message st checkpoint c2 standard disk blank
put disk 4 102400 303104
discard $dm/disk 65536 131072
put blank 5 499712 700416
message st commit
message st checkpoint c3 standard blank
put blank 6 999424 200704
put disk 7 999424 4096
message st delete_checkpoint blank@c2
settle
put disk 8 1499136 65536
flush $dm/disk && flush $dm/blank || bail "$err"
cp --sparse=always "$work/STORE" "$work/whole"
remove disk blank && remove st || bail "$err $out"

count=$("$damage" "$work/whole")
ok 'there is a lot that can be damaged' [ "$count" -gt 1000 ]

# What the tools read of the damaged copy: files that are not there cannot be read.
names='disk blank disk@c1 blank@c3'
by_tools() {
	local n
	rm -f "$work"/read.*
	for n in $names; do
		ckpt_read --origin "$work/origin" "$work/copy" "$n" "$work/read.$n" >/dev/null 2>&1 ||
			rm -f "$work/read.$n"
	done
}

# The module's device of a volume or checkpoint reads as the tools' file, if there is one; if
# there is none, it cannot be opened or read.
by_module() {
	local n=$1 origin=$ORIGIN mode=rw same=1
	[[ $n == disk* ]] || origin=-
	[[ $n != *@* ]] || mode=ro
	if ! create vol "$dsize" ckpt "$dm/st $n $origin" $mode; then
		# The origin may not be the base's any more, by what the record says now.
		[ ! -e "$work/read.$n" ] || [[ $n == disk* ]] && return
		why="$n cannot be opened: $err $out"
		return 1
	fi
	if [ -e "$work/read.$n" ]; then
		same $dm/vol "$work/read.$n" 0 $((dsize * 512)) || { same=; why="$n: $out"; }
	elif md5 $dm/vol; then
		same= why="$n: the tools cannot read it, the module can"
	fi
	remove vol
	[ -n "$same" ]
}

# Damage $1 is seen alike; $why says what is wrong.
agree() {
	local n refused=
	cp --sparse=always "$work/whole" "$work/copy"
	what=$("$damage" "$work/copy" "$1") || return 1
	ckpt_read --list "$work/copy" >/dev/null 2>&1 || refused=1
	by_tools
	cp "$work/copy" "$work/STORE"
	# With a checkpoint less, say, the last one may have been merged into it.
	cp "$work/origin" "$work/ORIGIN"
	mark
	if ! create st "$size" ckpt-store "$STORE" 2>/dev/null; then
		why="the module refuses it, the tools do not: $out"
		[ -n "$refused" ] || return 1
		why='no line in the log'
		log 'ckpt: '
		return
	fi
	why='the tools refuse it, the module does not'
	if [ -z "$refused" ]; then
		why=
		pages st list || why="no list: $err $out"
		for n in $names; do by_module "$n" || break; done
	fi
	remove st || why+=" cannot be closed: $err $out"
	[ -z "$why" ]
}

[ -n "${DAMAGE-}" ] && first=$DAMAGE step=$count ||
	{ step=$((count / ${DAMAGES:-25})) first=$((RANDOM % step)); }
tried=0 wrong=0
for ((i = first; i < count; i += step)); do
	tried=$((tried + 1))
	agree $i && continue
	wrong=$((wrong + 1))
	note "damage $i, $what: $why"
done
is "module and tools agree on $tried of $count damages" $wrong 0
blkdiscard "$STORE"
done_testing
