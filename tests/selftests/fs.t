#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# xfs, ext4 and btrfs are used while a checkpoint of all three is taken every second, and some of
# those are merged away.  A clone of each can be mounted, has all that was synced before it was taken,
# and is clean: of those that are merged away before that, while it all goes on. CKPT_SECONDS: how
# many are taken; SELFTEST_SEED: where the random numbers begin.

. "$(dirname "$0")/lib.sh"

[ -z "${SELFTEST_SMALL-}" ] || : "${CKPT_SECONDS:=2}"
seed=${SELFTEST_SEED:-$RANDOM} seconds=${CKPT_SECONDS:-6}
note "SELFTEST_SEED=$seed"
store=st
size=$(sectors_of 320)
kinds='xfs ext4 btrfs'
for kind in $kinds; do
	modprobe -q $kind && command -v mkfs.$kind >/dev/null ||
		{ echo "1..0 # SKIP no $kind here"; trap - EXIT; exit 0; }
done

make_xfs() { mkfs.xfs -q "$1"; }
make_ext4() { mkfs.ext4 -q -E nodiscard "$1"; }
make_btrfs() { mkfs.btrfs -q "$1"; }
clean_xfs() { xfs_repair -n "$1"; }
clean_ext4() { e2fsck -fn "$1"; }
clean_btrfs() { btrfs check "$1"; }
# Of devices with one UUID it takes that which it saw last, and none that is older.
mount_it() {
	local options=
	[ "$1" != xfs ] || options='-o nouuid'
	[ "$1" != btrfs ] || btrfs device scan --forget
	mount $options "$2" "$3"
}
run() { out=$("$@" 2>&1); }

# in_order KIND DEVICE COUNT: it mounts, the first so many synced files are there, it is clean.
in_order() {
	local r=0
	run mount_it "$1" "$2" "$work/mnt" || return 1
	run python3 "$here/fsstress.py" check "$work/mnt" "$work/$1.list" "$3" || r=1
	umount "$work/mnt" || r=1
	[ $r = 0 ] && run clean_"$1" "$2"
}

# so_was KIND CHECKPOINT: a clone of it is in order.
so_was() {
	local why=
	message st clone "$1@s$2" twin && volume twin "$size" || return 1
	{ [ "$1" != btrfs ] || rename_btrfs $dm/twin; } &&
		in_order "$1" $dm/twin "${synced[$1.$2]}" || why=${out:-it is not}
	remove twin && message st delete_volume twin || return 1
	out=$why
	[ -z "$why" ]
}
# look_and_delete CHECKPOINT: of each kind, in a file, what is wrong with it.
look_and_delete() {
	new_agent
	for kind in $kinds; do
		so_was "$kind" "$1" || out="it is not: $err $out"
		kill -0 "${stressing[@]}" || out+=" somebody does not go on"
		echo "$out" >"$work/$kind.$1"
	done
	message st delete_checkpoint xfs@s"$1" ext4@s"$1" btrfs@s"$1"
}

loop STORE 1024
store st "$STORE" 1024
mkdir "$work/mnt"
for kind in $kinds; do
	message st create_volume $kind "$size" && volume $kind "$size" || bail "$err $out"
	mkdir "$work/mnt-$kind"
	: >"$work/$kind.list"
	run make_$kind $dm/$kind && run mount_it $kind $dm/$kind "$work/mnt-$kind" || bail "$out"
done
# Who looks at a checkpoint meanwhile has a share of the CPUs, too.
for kind in $kinds; do
	nice -n 5 python3 "$here/fsstress.py" run "$work/mnt-$kind" "$work/stop" "$work/$kind.list" \
		"$seed" 2>"$work/$kind.said" &
	stressing+=($!)
done
some_synced() {
	local kind
	for kind in $kinds; do [ "$(wc -l <"$work/$kind.list")" -ge 3 ] || return 1; done
}
until_true 120 some_synced || bail 'nothing is synced'
declare -A synced
taken= deleted= looking=
for ((i = 1; i <= seconds; i++)); do
	sleep 1
	for kind in $kinds; do synced[$kind.$i]=$(wc -l <"$work/$kind.list"); done
	# shellcheck disable=SC2086
	message st checkpoint s$i standard $kinds || bail "$err $out"
	taken+=" $i"
	if [ $((i % 3)) = 2 ]; then
		[ -z "$looking" ] || wait "$looking" || bail "s$looked is not deleted"
		looked=$((i - 1)) taken=${taken/ $((i - 1))/} deleted+=" $((i - 1))"
		look_and_delete $looked &
		looking=$!
	fi
done
[ -z "$looking" ] || wait "$looking" || bail "s$looked is not deleted"
touch "$work/stop"
for i in 0 1 2; do
	ok 'no error' wait "${stressing[i]}"
done
for kind in $kinds; do
	cat "$work/$kind.said"
	umount "$work/mnt-$kind" || bail "$kind cannot be unmounted"
	all=$(wc -l <"$work/$kind.list")
	ok "$kind: with $all files that were synced" [ "$all" -ge 5 ]
	ok "$kind: it is in order" in_order $kind $dm/$kind "$all"
done
what() { echo "$1: so is what it was with ${synced[$1.$2]} of them"; }
for kind in $kinds; do
	for i in $deleted; do is "$(what $kind $i), and is deleted" "$(cat "$work/$kind.$i" 2>&1)" ''; done
	for i in $taken; do ok "$(what $kind $i)" so_was $kind $i; done
done
is 'the store is in order' "$(field $f_mode)" rw
ok 'what was deleted is merged' settle
for kind in $kinds; do remove $kind; done
remove st
ok 'and has no wrong bit' run ckpt_check "$STORE"
done_testing
