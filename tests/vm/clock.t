#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A second of the tests' machines takes a second, however busy this one is: all that is waited for
# in them, by them and by the module, is as long as it says.

cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}

# Its clock against that of its mainboard, which is QEMU's: five ticks of the one, in ms of the other.
inside() {
	local begin now last n=0
	last=$(cat /sys/class/rtc/rtc0/since_epoch)
	while [ $n -lt 6 ]; do
		now=$(cat /sys/class/rtc/rtc0/since_epoch)
		if [ "$now" != "$last" ]; then
			last=$now n=$((n + 1))
			[ $n != 1 ] || begin=${EPOCHREALTIME/[.,]/}
		fi
	done
	echo $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

ms=$(scripts/vm -k "$kernel" -m none -c 1 -r 384M -t 100 -- bash -c "$(declare -f inside); inside")
if [ "${ms:-0}" -gt 4000 ] && [ "$ms" -lt 6000 ]; then
	echo "ok 1 - five seconds take five"
else
	echo "not ok 1 - five seconds take ${ms:-an unknown number of} ms"
fi
echo "1..1"
