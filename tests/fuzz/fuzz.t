#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Superblocks, journals and nodes of any content are loaded, read, compared, checked and repaired, in
# userspace, by code that the module shares or follows; and what is none is unpacked. A fixed number of inputs, which
# FUZZ_RUNS changes; FUZZ_SECONDS: for so long, with what was found last left in build/fuzz.

cd "$(dirname "$0")/../.." || exit 1
bin=build/tests/fuzz
runs=${FUZZ_RUNS:-2000}
n=0

echo 1..4
for target in super journal node pack; do
	n=$((n + 1))
	work=build/fuzz/$target
	mkdir -p "$work"
	if [ -n "${FUZZ_SECONDS-}" ]; then
		limit=-max_total_time=$((FUZZ_SECONDS / 4))
	else
		limit="-runs=$runs -seed=1"
		rm -f "$work"/*
	fi
	# What is new goes to the first folder, and what fails beside it.
	# shellcheck disable=SC2086
	if $bin/fuzz-$target $limit -max_len=4096 -timeout=60 -rss_limit_mb=2048 \
		-artifact_prefix="$work-" -print_final_stats=1 "$work" tests/fuzz/corpus/$target \
		>"$work.log" 2>&1; then
		echo "ok $n - $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work.log") inputs"
	else
		echo "not ok $n - $target"
		tail -n 40 "$work.log" | sed 's/^/# /'
	fi
done
