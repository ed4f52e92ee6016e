# SPDX-License-Identifier: GPL-2.0-only
#
# For the tests of power cuts, on the host: what is recorded, and how.
# shellcheck shell=bash disable=SC2034

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}
jobs=${CKPT_JOBS:-$(nproc)}
states=build/tests/crash/crash-states
model=$PWD/build/tests/model/ckpt-model
recorder=build/$kernel/recorder/dm-recorder.ko
folder=${CKPT_CRASH:-$PWD/build/crash}/$kernel
n=0 bad=0

build() {
	[ -x $states ] && [ -x "$model" ] || make -s -C tests/crash >&2 ||
		{ echo "Bail out! cannot build"; exit 1; }
	[ -e "$recorder" ] && [ -e "$1" ] ||
		{ echo "1..0 # SKIP no $recorder or no $1"; exit 0; }
}

# result STATUS NAME: a point of TAP. $bad says whether any has failed.
result() {
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	bad=1
	return 1
}

# Loads in turn, by number: many volumes; one that merges into its base all the time; with
# small blocks, and so many volumes that a group takes more than one block of the journal;
# with large ones. In the last two, space is short. Sets $layout, for those who read it as well,
# and $load and $origins.
kind_of_load() {
	local block
	case $(($1 % 4)) in
	0) origins=3 block=4096 load="--checkpoints 8 --volumes 5" ;;
	1) origins=1 block=4096 load="--checkpoints 2 --volumes 1 --threads 6" ;;
	2) origins=3 block=512 load="--checkpoints 12 --volumes 7 --low" ;;
	3) origins=1 block=65536 load="--checkpoints 6 --volumes 3 --low" ;;
	esac
	layout="--size 1 --block-size $block"
}

# record_run FOLDER NUMBER SECONDS: a line for a script in the machine.
record_run() {
	kind_of_load "$2"
	mkdir -p "$1"
	rm -rf "${1:?}"/*
	echo "CKPT_ORIGINS=$origins tests/crash/record $1 $layout $load --seed $2 --seconds $3 --ops 100000000 >$1/out 2>&1 || echo failed >$1/failed"
}

# in_machine MODULE FOLDER SCRIPT
in_machine() {
	scripts/vm -k "$kernel" -t 560 -m "$1" -m "$recorder" -w "$2" -l "$2/console" -- bash "$3"
}

# The states of what was recorded there, with these options; what they say is in $figures.
try_states() {
	local run=$1 number=$2 status
	shift 2
	kind_of_load "$number"
	# shellcheck disable=SC2086
	"$states" $layout --origins "$origins" --jobs "$jobs" --save "$run/states" "$@" \
		"$run/trace" "$run/events" >"$run/found" 2>&1
	status=$?
	figures=$(tail -n 1 "$run/found")
	return $status
}
