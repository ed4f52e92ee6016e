#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Much of a store is holes in the windows of others: whole clusters are written all the same, until
# the store is full, and not while it only looks so.

. "$(dirname "$0")/lib.sh"

store=st
f_copied=21
modprobe dm-delay

# begin NAME MIB CLUSTERS: a store with volumes v, of so many clusters, w and big.
begin() {
	units=$(($2 * 256)) clusters=$3
	loop "$1" "$2"
	device=${!1}
	create disk "$(sectors_of "$2")" delay "$device 0 0" || bail "$err $out"
	store st $dm/disk "$2" '2 format error_if_no_space'
	new_volume v $((clusters * 256))
	new_volume w 16777216
	new_volume big 16777216
}

# comb TAG: every second block of each cluster of v, and a checkpoint above.
comb() {
	fill_up $dm/v "$1" $(($1 % 2 * 4096)) 8192 4096
	is "comb $1" "$out" "$((clusters * 16)) end"
	message st checkpoint "c$1" standard v || bail "$out"
	until_true 20 given_back || bail 'windows are not given back'
}

has_comb() {
	is "comb $1 is there" \
		"$(filled $dm/v "$1" $((clusters * 16)) $(($1 % 2 * 4096)) 8192 4096; echo "$out")" \
		$((clusters * 16))
}

# Less than a tenth is left: the reserve, and what the last cluster does not fit in.
fill_with_clusters() {
	fill_up $dm/big 5 0 131072 131072
	like "$1: whole clusters are written until there is no space" "$out" ' ENOSPC$'
	big=${out% *}
	message st commit
	ok "that is when the store is full ($(used) units of $units)" [ "$(used)" -gt $((units * 9 / 10)) ]
	is 'all are there' "$(filled $dm/big 5 "$big" 0 131072 131072; echo "$out")" "$big"
}

# While merges are paused: into all holes of the combs.  Then two of those go.
single_blocks() {
	fill_up $dm/w 6 0 131072 4096
	like 'single blocks are in all holes' "$out" ' ENOSPC$'
	singles=${out% *}
	message st checkpoint c standard w || bail "$out"
	remove v
	message st apply v@c1 && volume v $((clusters * 256)) || bail "$err $out"
	message st delete_checkpoint v@c2 v@c3 || bail "$out"
	ok 'merges go on' message st merge resume
	ok 'two combs of three are deleted' settle 60
}
has_single_blocks() {
	is 'so are the single blocks' "$(filled $dm/w 6 "$singles" 0 131072 4096; echo "$out")" "$singles"
}

end() {
	remove v w big st disk
	ok 'the store is in order' ckpt_check "$device"
}

begin ONE 64 150
for i in 1 2 3; do
	comb $i
done
fill_with_clusters 'frozen combs'
has_comb 2
has_comb 3
end

# Nothing is packed while merges are paused.
begin TWO 64 150
ok 'merges are paused' message st merge pause
for i in 1 2 3; do
	comb $i
done
was=$(field $f_copied)
fill_up $dm/big 5 0 131072 131072
like 'whole clusters find no space then' "$out" ' ENOSPC$'
ok "with half of the store free ($(used) units of $units)" [ "$(used)" -lt 10000 ]
is 'and nothing is moved' "$(field $f_copied)" "$was"
discard $dm/big 0 $((16777216 * 512)) || bail "$out"
single_blocks
fill_with_clusters 'combs and single blocks, frozen'
has_comb 1
has_single_blocks
end

begin THREE 64 150
fill $dm/v 1 0 $((clusters * 131072))
fill $dm/w 2 0 $((clusters * 131072))
bad=0
for ((i = 0; i < clusters * 16; i++)); do
	discard $dm/v $((i * 8192)) 4096 || bad=$((bad + 1))
	discard $dm/w $((i * 8192)) 4096 || bad=$((bad + 1))
done
is 'every second block is discarded' $bad 0
fill_with_clusters 'combs of heads'
has_comb 1
is 'and of the other volume' \
	"$(filled $dm/w 2 $((clusters * 16)) 4096 8192 4096; echo "$out")" $((clusters * 16))
fill_up $dm/v 7 4096 131072 4096
like 'a packed slot moves when a block is added, if there is space' "$out" ' (end|ENOSPC)$'
end

# A writer comes while windows are being filled more often than not.
for name in FOUR FIVE; do
	begin $name 16 37
	message st merge pause || bail "$out"
	for i in 1 2 3; do
		comb $i
	done
	single_blocks
	slow_down disk "$device" 12
	fill_with_clusters "a slow disk, round $name"
	slow_down disk "$device" 0
	has_comb 1
	has_single_blocks
	end
done

done_testing
