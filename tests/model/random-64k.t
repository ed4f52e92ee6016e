#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations and commands, blocks of 64 KiB: most writes are smaller.

. "$(dirname "$0")/lib.sh"
need_target
ram 3 768
run --store /dev/ram0 --origin /dev/ram1 --origin /dev/ram2 --block-size 65536 \
	--ops 15000 --seconds 30
