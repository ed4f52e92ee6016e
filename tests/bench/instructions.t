#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does an I/O take more instructions than it did? tests/bench/instructions.recorded says how many
# that were, in a kernel in which dm-linear took so many; 2 % more is too much, of what it would
# be in this one. And do fsyncs take more commits than they did, by a tenth?
# `tests/bench/instructions.t --record` renews the kernel's figures, for whoever has made it longer
# on purpose, or shorter.

. "$(dirname "$0")/../../scripts/common.sh"

kernel=${CKPT_KERNEL:-6.1}
recorded=$top/tests/bench/instructions.recorded
now=$(mktemp) || exit 1
trap 'rm -f "$now"' EXIT

cd "$top" || exit 1
[ "${1:-}" = --record ] || grep -q "^$kernel " "$recorded" || {
	echo "1..0 # SKIP nothing is recorded for $kernel"
	exit 0
}
make --no-print-directory -s -C tests/bench O="$top/build/tests/bench" >&2 || exit 1
# An emulated CPU clears pages byte by byte, which no real one does: see tests/bench/run.
scripts/vm -n -k "$kernel" -t 400 -a init_on_alloc=0 -- python3 tests/bench/gate.py >"$now" || {
	echo "Bail out! the machine that counts ended with status $?"
	exit 1
}

if [ "${1:-}" = --record ]; then
	{ grep -v "^$kernel " "$recorded"; sed "s/^/$kernel /" "$now"; } >"$recorded.new" &&
		mv "$recorded.new" "$recorded"
	exit
fi

awk -v kernel="$kernel" '
	NR == FNR && $1 == kernel { was[$2] = $3 }
	NR == FNR && $1 == kernel && $2 !~ /^linear/ { cells[++nr] = $2 }
	NR != FNR { is[$1] = $2 }
	END {
		print "1.." nr
		for (n = 1; n <= nr; n++) {
			cell = cells[n]
			linear = "linear-" (cell ~ /write$/ ? "write" : "read")
			commits = cell ~ /^commits/
			wanted = was[cell] + (commits ? 0 : is[linear] - was[linear])
			more = cell in is && linear in is ? 100 * (is[cell] / wanted - 1) : 100
			fails = more > (commits ? 10 : 2)
			bad += fails
			printf "%sok %d - %s: %d %s, %+.1f %% of the %d that were recorded\n",
				(fails ? "not " : ""), n, cell, is[cell],
				(commits ? "for 1,000 fsyncs" : "instructions"), more, wanted
		}
		exit bad > 0
	}' "$recorded" "$now"
