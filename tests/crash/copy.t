#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The disk below store and origins is copied at some moment of the load, while
# nothing knows of it: a crash for the copy. It must have all that was flushed or
# acknowledged before, and is what the next round works on.

cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}
[ -x build/tests/model/ckpt-model ] || make -s -C tests/model >&2 ||
	{ echo "Bail out! cannot build ckpt-model"; exit 1; }
[ -e "build/$kernel/dm-ckpt/dm-ckpt.ko" ] || { echo "1..0 # SKIP no module for $kernel"; exit 0; }
exec scripts/vm -k "$kernel" -t 400 -- tests/crash/copy-rounds
