#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Disks that fail at random moments of each kind of operation: see failing.py.
# SELFTEST_SEED: where the random numbers begin; CKPT_ROUNDS: how often all of it.

. "$(dirname "$0")/lib.sh"

seed=${SELFTEST_SEED:-$RANDOM}
note "SELFTEST_SEED=$seed"
for d in STORE ORIGIN OTHER; do loop $d 64; done
while IFS= read -r line; do
	case $line in
	*$'\t'*) is "${line%%$'\t'*}" "${line#*$'\t'}" '' ;;
	*) note "$line" ;;
	esac
done < <(python3 "$here/failing.py" "$work" "$seed" "${CKPT_ROUNDS:-1}" "$STORE" "$ORIGIN" "$OTHER" 2>&1 ||
	printf 'all rounds\tfailing.py ended with status %d\n' $?)
ok 'the store is in order' ckpt_check $dm/self-store
done_testing
