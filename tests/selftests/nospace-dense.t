#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Layers are merged on a store that is full of clusters of all shapes (see dense.py): what is free
# lies in single units, and what is in the way has as many blocks as what needs room.
# CKPT_SEED: where the random numbers begin; CKPT_ROUNDS: how many.

. "$(dirname "$0")/lib.sh"

store=st
mib=32 clusters=170
rounds=${CKPT_ROUNDS:-2}

loop STORE $mib
store st "$STORE" $mib '2 format error_if_no_space'
for v in v0 v1 v2; do
	message st create_volume $v $((clusters * 256)) && volume $v $((clusters * 256)) ||
		bail "$err $out"
done
out=$(python3 "$here/dense.py" "$dm/st" "${CKPT_SEED:-1}" "$rounds" $dm/v0 $dm/v1 $dm/v2 2>&1)
ok "all merges end, and all data are there ($rounds rounds)" [ $? = 0 ]
echo "$out" | sed 's/^[^#]/# &/'
remove v0 v1 v2 st
ok 'the store is in order' ckpt_check "$STORE"

done_testing
