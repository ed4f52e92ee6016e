#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Slow disks: while something is under way for long, and two writers are at it, what lies below is
# suspended, gets another table, or the store and the volumes do. All ends, in time and well.
# SELFTEST_SEED: where the random numbers begin.

. "$(dirname "$0")/lib.sh"

store=st
seed=${SELFTEST_SEED:-$RANDOM}
RANDOM=$seed
note "SELFTEST_SEED=$seed"
size=$(sectors_of 64) vsize=8192
loop STORE 64
loop ORIGIN 4

# The same table once more.
reload() {
	local words
	table "$1" && read -r -a words <<<"$out" &&
		load "$1" "${words[1]}" "${words[2]}" "${words[*]:3}" && suspend "$1" && resume "$1"
}
pause() { suspend "$@" && sleep 0.2 && resume "$1"; }

create self-store "$size" delay "$STORE 0 0" && create self-origin $vsize delay "$ORIGIN 0 0" ||
	bail "$err $out"
fill $dm/self-origin 1
activate() {
	create st "$size" ckpt-store "$dm/self-store ${1-}" && volume v $vsize &&
		volume disk $vsize $dm/self-origin
}
store st $dm/self-store 64
message st create_volume v $vsize && message st adopt_volume disk $vsize || bail "$err $out"
message st create_volume spare $vsize && message st checkpoint first standard spare || bail "$err $out"
volume v $vsize && volume disk $vsize $dm/self-origin || bail "$err $out"

# One at a time is done in the background, as the agent does one thing at a time.
begin() {
	echo running >"$work/end"
	{ dmsetup message st 0 "$@" >"$work/said" 2>&1; echo $? >"$work/end"; } &
	under_way=$!
}
ended() { [ "$(cat "$work/end")" != running ]; }
# Well, or as the store was suspended.
end_well() {
	until_true 60 ended || { out="it does not end"; return 1; }
	wait $under_way
	out=$(cat "$work/said")
	[ "$(cat "$work/end")" = 0 ] || [[ $out == *busy* ]]
}

disturb() {
	case $1 in
	'the store, suspended') pause st ;;
	'the store, another table') reload st ;;
	'a volume, suspended') pause v ;;
	'a volume, suspended without a flush') pause disk noflush ;;
	'a volume, another table') reload disk ;;
	'what is below the store, suspended') pause self-store noflush nolockfs ;;
	'what is below the store, another table') slow_down self-store "$STORE" $((RANDOM % 20)) ;;
	'what is below the origin, suspended') pause self-origin noflush nolockfs ;;
	'what is below the origin, another table') slow_down self-origin "$ORIGIN" $((RANDOM % 20)) ;;
	'a volume, removed') ! remove v && [ "$err" = EBUSY ] ;;
	esac
}
disturbances=('the store, suspended' 'the store, another table' 'a volume, suspended'
	'a volume, suspended without a flush' 'a volume, another table'
	'what is below the store, suspended' 'what is below the store, another table'
	'what is below the origin, suspended' 'what is below the origin, another table'
	'a volume, removed')

start_it() {
	case $1 in
	take) begin checkpoint "c$n" standard v disk ;;
	commit) begin commit ;;
	apply) begin apply spare@first ;;
	merge)
		message st checkpoint "d$n" standard v disk || bail "$err $out"
		begin delete_checkpoint "v@d$n" "disk@d$n" ;;
	esac
}

for v in v disk; do
	python3 "$here/writer.py" $dm/$v "$work/stop" "$work/said-$v" &
	writers+=($!)
done
slow_down self-store "$STORE" 10
slow_down self-origin "$ORIGIN" 10
# In an order that is another one every time.
operations=(take commit merge apply)
n=$RANDOM
for d in $(seq 0 9 | shuf --random-source=<(yes $seed)); do
	operation=${operations[n++ % 4]}
	what="$operation: ${disturbances[d]}"
	start_it $operation
	sleep 0.$((RANDOM % 3))
	ok "$what" disturb "${disturbances[d]}"
	ok "$what: it ends" end_well
done
touch "$work/stop"
for i in 0 1; do
	ok 'a writer has what it wrote' wait "${writers[i]}"
	like 'and wrote something' "$(cat "$work/said-$(cut -d ' ' -f $((i + 1)) <<<'v disk')")" '^\.+$'
done

# ---- closed in the middle ----

fill $dm/v 5 && fill $dm/disk 6 || bail "$err $out"
pages st list || bail "$err $out"
mapfile -t taken < <(awk '$1 == "volume" { name[$3] = $4 }
	$1 == "checkpoint" && name[$5] != "spare" { print name[$5] "@" $4 }' <<<"$out")
message st merge rate 2000
ok 'all checkpoints are deleted' message st delete_checkpoint "${taken[@]}"
begun() { [[ "$(field $f_merge)" = base ]]; }
ok 'a merge into the base begins' until_true 20 begun
ok 'all is closed in the middle of it' remove v disk st
ok 'and opened' activate '2 merge_rate 2000'
ok 'they are what they were' eval 'holds $dm/v 5 && holds $dm/disk 6'
ok 'the disk is gone in the middle' eval '
	load self-origin $vsize error "" && suspend self-origin noflush nolockfs && resume self-origin'
ok 'so the merge ends, or waits' until_true 20 eval '[ "$(field $f_merge)" != base ]'
is 'the store is in order' "$(field $f_mode)" rw
slow_down self-origin "$ORIGIN" 5
slow_down self-store "$STORE" 1
remove v disk st
activate || bail "$err $out"
ok 'with the disk again all is merged' settle
ok 'the origin has it' holds $dm/self-origin 6
ok 'and the other one is what it was' holds $dm/v 5
remove v disk st
ok 'in order' ckpt_check $dm/self-store
done_testing
