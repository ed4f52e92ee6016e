#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# 256 checkpoints in a row: all of them read right, also when half of them are
# gone, and after an activation.

. "$(dirname "$0")/lib.sh"
need_target
ram 2 384
run --store /dev/ram0 --origin /dev/ram1 --chain "${CKPT_CHAIN:-256}" --size 2 \
	--ops 5000 --checkpoints 300
