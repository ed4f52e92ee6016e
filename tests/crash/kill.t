#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine is killed under load, again and again, and each next one must find
# all that was flushed or acknowledged. What that was stands in memory that the
# host shares with the machine, so nothing acknowledged is ever forgotten.

cd "$(dirname "$0")/../.." || exit 1
kernel=${CKPT_KERNEL:-6.1}
rounds=${CKPT_ROUNDS:-4}
model=$PWD/build/tests/model/ckpt-model
[ -x "$model" ] || make -s -C tests/model >&2 ||
	{ echo "Bail out! cannot build ckpt-model"; exit 1; }
[ -e "build/$kernel/dm-ckpt/dm-ckpt.ko" ] || { echo "1..0 # SKIP no module for $kernel"; exit 0; }

work=$(mktemp -d /dev/shm/ckpt-kill.XXXXXX) || exit 1
vm=
clean() {
	[ -z "$vm" ] || kill "$vm" 2>/dev/null
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM

truncate -s 512M "$work/store"
for i in 1 2 3; do
	truncate -s 16M "$work/origin$i"
done
truncate -s 64M "$work/log"

n=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		sed 's/^/# /' "$work/out" | tail -n 300
		echo "not ok $n - $2"
		echo "1..$n"
		exit 1
	fi
}

# machine VM_OPTION... -- MODEL_OPTION...: ckpt-model in a machine, talking to $work/out.
machine() {
	local opts=()
	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	exec scripts/vm -k "$kernel" -t 240 -l "$work/console" "${opts[@]}" \
		-d "$work/store,name=store" -d "$work/origin1,name=o1" \
		-d "$work/origin2,name=o2" -d "$work/origin3,name=o3" \
		-q -object -q "memory-backend-file,id=evlog,share=on,mem-path=$work/log,size=64M" \
		-q -device -q ivshmem-plain,memdev=evlog -- \
		tests/crash/with-log "$model" --store /dev/disk/store --origin /dev/disk/o1 \
		--origin /dev/disk/o2 --origin /dev/disk/o3 --size 8 --checkpoints 10 "$@" >"$work/out" 2>&1
}

# Wait until the load runs, let it run a while, then kill the emulator itself.
kill_under_load() {
	local seconds=$1 qemu
	shift
	machine -x -- "$@" &
	vm=$!
	until grep -q '^# LOADING' "$work/out" 2>/dev/null; do
		kill -0 $vm 2>/dev/null || { wait $vm; vm=; return 1; }
		sleep 0.2
	done
	sleep "$seconds"
	qemu=$(pgrep -P $vm qemu-system) && kill -KILL "$qemu"
	wait $vm
	vm=
	! grep -qE '^(not ok|# FAILURE)' "$work/out" && [ -n "$qemu" ]
}

pause() {
	echo "$((RANDOM % ${1}00 / 100)).$((RANDOM % 10))"
}

seed=${CKPT_SEED:-$((RANDOM * 32768 + RANDOM))}
echo "# seed $seed"
kill_under_load "$(pause 8)" --seed "$seed" --ops 100000000 --seconds 200
result $? "load on a new store, killed"
for i in $(seq 2 "$rounds"); do
	kill_under_load "$(pause 8)" --resume --ops 100000000 --seconds 200
	result $? "round $i: all that was flushed is there; load, killed"
done
(machine -- --verify-only)
result $? "all that was flushed is there at last"
echo "1..$n"
