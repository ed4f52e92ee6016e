#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Those tests of guests that want KVM, in a machine of their own: an emulated processor has
# virtualization, too, and KVM on it is slow, but real. The machine has one CPU, as with two
# it died of that once. CKPT_ROUNDS=<number>: so many checkpoints in each of the two, half a minute
# each; CKPT_SECONDS=<number> (560): so long the machine may take.

shopt -s extglob
cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.12}
module=build/$kernel/dm-ckpt/dm-ckpt.ko
[ -e "$module" ] || { echo "1..0 # SKIP no $module"; exit 0; }
console=build/logs/nested-console.log
mkdir -p build/logs
trap 'kill $! 2>/dev/null; wait' EXIT
trap 'exit 1' INT TERM

# Each test's points become some of ours; one that is skipped is one point, and so is one that
# does not come to its end, or the machine's.
points() {
	local file='' planned=1 n=0 bad=0 line
	# point TEXT: "ok" or "not ok", and what is behind the number
	point() {
		n=$((n + 1))
		echo "${1/ok /ok $n }"
		[[ $1 == ok* ]] || bad=1
	}
	end() {
		[ -n "$planned" ] || point "not ok - $file comes to its end"
		planned=
	}
	while IFS= read -r line; do
		case $line in
		'file: '*) end; file=${line#* }; echo "# $file" ;;
		'1..0 # SKIP'*) point "ok - $file # SKIP${line#*SKIP}"; planned=1 ;;
		1..[0-9]*) planned=1 ;;
		'status: 0') end; point "ok - the machine lives" ;;
		'status: '*) end; point "not ok - the machine lives (status ${line#* } of scripts/vm)" ;;
		'ok '*|'not ok '*) point "${line/ok +([0-9])/ok}" ;;
		*) echo "# ${line#\# }" ;;
		esac
	done
	echo "1..$n"
	return $bad
}

{
	# shellcheck disable=SC2016
	scripts/vm -k "$kernel" -c 1 -t "${CKPT_SECONDS:-560}" -e CKPT_KVM=1 -l "$console" -- \
		bash -c 'for file; do echo "file: $file"; "$file"; done; exit 0' - \
		tests/selftests/vm-live.t tests/selftests/vm-linux.t 2>&1 </dev/null
	echo "status: $?"
} | points &
wait $!
