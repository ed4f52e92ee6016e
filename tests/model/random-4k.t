#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Random operations and commands, blocks of 4 KiB; origins that can discard;
# volumes of terabytes among the others.

. "$(dirname "$0")/lib.sh"
need_target
ram 1 768
origins=
for _ in 1 2 3; do
	loop 18
	origins="$origins --origin $loop"
done
# shellcheck disable=SC2086
run --store /dev/ram0 $origins --huge --block-size 4096 --ops 20000 --seconds 30
