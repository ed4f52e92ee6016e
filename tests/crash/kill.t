#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Machines are killed under load: see kill-rounds, which runs once for each CPU there is.
# CKPT_ROUNDS=<number>: so many kills in all.

cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}
rounds=${CKPT_ROUNDS:-10} jobs=${CKPT_JOBS:-$(nproc)}
[ -x build/tests/model/ckpt-model ] || make -s -C tests/model >&2 ||
	{ echo "Bail out! cannot build ckpt-model"; exit 1; }
[ -e "build/$kernel/dm-ckpt/dm-ckpt.ko" ] || { echo "1..0 # SKIP no module for $kernel"; exit 0; }

out=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$out"' EXIT
trap 'exit 1' INT TERM
jobs=$((jobs < rounds ? jobs : rounds))
for ((i = 0; i < jobs; i++)); do
	seed=$((${CKPT_SEED:-RANDOM * 32768 + RANDOM} + i))
	echo "# machine $i has seed $seed"
	tests/crash/kill-rounds $(((rounds + i) / jobs)) $seed >"$out/$i" &
done
wait
for ((i = 0; i < jobs; i++)); do
	sed "s/^\(\(not \)\?ok\) - /&machine $i: /" "$out/$i"
	grep -q '^ok - .* at last$' "$out/$i" || grep -q '^not ok' "$out/$i" ||
		echo "not ok - machine $i: ended before its time"
done | awk '
	/^(not )?ok - / { sub("ok", "ok " ++n) }
	/^not ok/ { bad = 1 }
	{ print }
	END { print "1.." n; exit bad }'
