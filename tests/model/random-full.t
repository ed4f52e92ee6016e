#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations and commands on a store that is too small for them: writes find no
# space, fail or wait for it, and all else goes on.

. "$(dirname "$0")/lib.sh"
need_target
ram 2 18
loop 56
run --store "$loop" --origin /dev/ram0 --origin /dev/ram1 --full --block-size 4096 \
	--ops 20000 --seconds 15
