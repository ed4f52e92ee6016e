#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The deliberate faults of dm-ckpt/fault.h: each must be found in the crash states. Those of
# the module are recorded, one run for each, and those of loading are the reader's. And where
# slots are packed all the time, which is none, merges come to an end and nothing is found.
# CKPT_FAULTS=all: also those that break something only where a merge into the base, or a
# cluster that is used again, meets a cut: a run may not have that. Or some, with the kind of
# their load: CKPT_FAULTS="drops 1".

. "$(dirname "$0")/lib.sh"
module=build/$kernel/faults/dm-ckpt.ko
[ "$kernel" = 6.1 ] || [ -n "${CKPT_FAULTS:-}" ] ||
	{ echo "1..0 # SKIP one kernel is enough for this"; exit 0; }
build "$module"
seed=${CKPT_SEED:-$((RANDOM * 32768 + RANDOM))}
seed=$((seed - seed % 4))
echo "# seed $seed"

# fault, kind of load: see kind_of_load()
often="no-flush 0 early-commit 0 super-first 0 one-super 0 node-reuse 0"
seldom="early-reuse 0 merge-no-flush 1 take-no-flush 1 drops 1"
faults=${CKPT_FAULTS:-$often}
[ "$faults" != all ] || faults="$often $seldom"
loading="partial 2 epoch 2 old-super 2"
out=$folder/faults
mkdir -p "$out"
script() {
	while [ $# -gt 0 ]; do
		echo "echo $1 >/sys/module/dm_ckpt/parameters/fault"
		# What needs a merge into the base in the midst of it comes less often.
		record_run "$out/$1" $((seed + $2)) $(($2 == 1 ? 20 : 5))
		shift 2
	done
	echo "echo packs >/sys/module/dm_ckpt/parameters/fault"
	record_run "$out/packs-0" "$seed" 8
	record_run "$out/packs-2" $((seed + 2)) 8
	echo "echo none >/sys/module/dm_ckpt/parameters/fault"
	record_run "$out/none-2" $((seed + 2)) 8
}

# found FAULT NUMBER FOLDER OPTION...: with it, some state is wrong.
found() {
	local fault=$1 number=$2 run=$3
	shift 3
	try_states "$run" "$number" --states 20000 --seed "$number" "$@"
	[ $? = 1 ] && grep -q '^# state .* is wrong' "$run/found"
	result $? "$fault is found: ${figures%% *} states" || sed 's/^/# /' "$run/found"
	sed -n '/^# smallest/,/^# FAILURE/p' "$run/found" | head -n 12
}

# shellcheck disable=SC2086
script $faults >"$out/script"
in_machine "$module" "$out" "$out/script" >"$out/out" 2>&1
# 126: the kernel has complained, as it may.
status=$?
[ $status = 0 ] || [ $status = 126 ] && ! ls "$out"/*/failed >/dev/null 2>&1
result $? "runs with faults are recorded" || sed 's/^/# /' "$out"/out "$out"/*/out
# shellcheck disable=SC2086
set -- $faults
while [ $# -gt 0 ]; do
	found "$1" $((seed + $2)) "$out/$1"
	shift 2
done
# shellcheck disable=SC2086
set -- $loading
while [ $# -gt 0 ]; do
	found "$1" $((seed + $2)) "$out/none-2" --fault "$1"
	shift 2
done
for run in packs-0 packs-2 none-2; do
	try_states "$out/$run" $((seed + ${run#*-})) --states 2000 --seed 1
	result $? "$run: nothing is wrong in ${figures%% *} states" || sed 's/^/# /' "$out/$run/found"
done
[ $bad = 1 ] || rm -rf "$out"
echo "1..$n"
