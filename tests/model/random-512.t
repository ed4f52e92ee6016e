#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations and commands, blocks of 512 bytes, the store on a loop device.

. "$(dirname "$0")/lib.sh"
need_target
ram 2 18
loop 384
run --store "$loop" --origin /dev/ram0 --origin /dev/ram1 --block-size 512 --size 6 \
	--ops 20000 --seconds 30
