# SPDX-License-Identifier: GPL-2.0-only
#
# For the wrappers of ckpt-model: devices to run it on, and what is left of them
# away at the end.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
model=${CKPT_MODEL:-$top/build/tests/model/ckpt-model}
work=
prefix=cm$$
loops=

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

clean() {
	local d
	# Volumes and views first, then what they stand on.
	for d in $(dmsetup ls 2>/dev/null | awk -v p="^$prefix-" '$1 ~ p { print $1 }' |
			sed 's/.*-\(store\|low\|o[0-9]*\)$/z&/' | sort); do
		d=${d#z}
		dmsetup remove --retry "$d" 2>/dev/null
	done
	for d in $loops; do losetup -d "$d"; done
	rmmod brd 2>/dev/null
	[ -z "$work" ] || rm -rf "$work"
}

need() {
	[ -x "$model" ] || make -s -C "$top/tests/model" >&2 ||
		{ echo "Bail out! cannot build ckpt-model"; exit 1; }
	work=$(mktemp -d /dev/shm/ckpt-model.XXXXXX) || exit 1
	trap clean EXIT
}

need_target() {
	need
	dmsetup targets 2>/dev/null | grep -q '^ckpt-store ' || skip "no dm-ckpt here"
}

# ram NUMBER MIB: /dev/ram0 and so on.
ram() {
	rmmod brd 2>/dev/null
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024)) || { echo "Bail out! no brd"; exit 1; }
}

# loop MIB: sets $loop to a new loop device on memory, $loop_file to what it is on.
loop() {
	modprobe loop
	loop_file=$(mktemp "$work/loop.XXXXXX")
	truncate -s "$1M" "$loop_file"
	loop=$(losetup --show -f "$loop_file") || { echo "Bail out! no loop device"; exit 1; }
	loops="$loops $loop"
}

# run OPTION...: the seed is $CKPT_SEED, or a new one each time.
run() {
	"$model" --prefix "$prefix" ${CKPT_SEED:+--seed "$CKPT_SEED"} "$@"
}
