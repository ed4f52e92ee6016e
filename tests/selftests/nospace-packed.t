#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Layers are merged on a store that has nothing free but single units: merged slots are packed, and
# are read, written, discarded, dumped, and merged into the base as others are.

. "$(dirname "$0")/lib.sh"

store=st
clusters=64 few=16
sectors=$((clusters * 256))
f_merge=20 f_left=23
bytes=$((sectors * 512))

# blocks VOLUME CLUSTERS TAG OFFSET: every fourth block of the volume, and a checkpoint below.
blocks() {
	message st checkpoint "c$3" standard "$1" || bail "$out"
	until_true 20 given_back || bail 'windows are not given back'
	fill_up $dm/"$1" "$3" "$4" 16384 4096
	is "layer $3 of $1" "$out" "$(($2 * 8)) end"
}

# In what is on the store now, past all caches; nothing is under way.
packed_slots() {
	flush $dm/v
	cp --sparse=always "$work/STORE" "$work/copy"
	ckpt_dump "$work/copy" | grep -c '^ packed '
}

# Random reads, writes, discards and zeroes of the volume, and of a file that says what it holds.
change() { ok "$1" io spread $dm/v "$work/v" 8 "$2" "$3"; }

loop STORE 32
loop ORIGIN $((bytes >> 20))
fill "$ORIGIN" 9 0 $bytes
store st "$STORE" 32 '2 format error_if_no_space'
message st adopt_volume v $sectors || bail "$out"
volume v $sectors "$ORIGIN" || bail "$out"
# Else slots would be packed for each other before the store is full.
message st merge pause
new_volume last 16777216
new_volume rest 16777216
new_volume blank $((few * 256))
for i in 1 2 3; do
	blocks blank $few $i $((i * 4096 - 4096))
done
message st checkpoint c4 standard blank || bail "$out"
for i in 1 2 3; do
	blocks v $clusters $i $((i * 4096 - 4096))
done
fill_up $dm/rest 5 0 131072 65536
like 'windows of other slots are between' "$out" ' ENOSPC$'
fill_up $dm/last 4 0 131072 4096
like 'and single blocks wherever else' "$out" ' ENOSPC$'
last=${out% *}
md5 $dm/v
was=$out
is 'no slot is packed' "$(packed_slots)" 0

message st merge resume
message st delete_checkpoint v@c2 || bail "$out"
message st delete_checkpoint v@c3 || bail "$out"
for i in 1 2 3 4; do
	message st delete_checkpoint blank@c$i || bail "$out"
done
ok 'all is merged, though nothing is free but single units' settle 60
is 'no layer is left' "$(field $f_hidden)" 0
slots=$(packed_slots)
ok "slots are packed ($slots)" [ "$slots" -gt $((clusters / 4)) ]
md5 $dm/v
is 'the volume is the same' "$out" "$was"
is 'and so are others' "$(filled $dm/last 4 "$last" 0 131072 4096; echo "$out")" "$last"

fill_up $dm/v 6 4096 16384 4096
is 'what is present is written over on the full store' "$out" "$((clusters * 8)) end"
bad=0
for ((i = 0; i < clusters; i++)); do
	discard $dm/v $((i * 131072 + 8192)) 4096 || bad=$((bad + 1))
	zero $dm/v $((i * 131072 + 16384)) 8192 || bad=$((bad + 1))
done
is 'blocks are discarded, and set to zero' $bad 0
for ((i = 0; i < clusters; i++)); do
	holds $dm/v zeros $((i * 131072 + 8192)) 4096 || bad=$((bad + 1))
	holds $dm/v zeros $((i * 131072 + 16384)) 8192 || bad=$((bad + 1))
	holds $dm/v 6 $((i * 131072 + 36864)) 4096 || bad=$((bad + 1))
done
is 'they are zero, and those beside them are not' $bad 0
for ((i = 0; i < few; i++)); do
	discard $dm/blank $((i * 131072 + 8192)) 4096 || bad=$((bad + 1))
done
is 'blocks over nothing are discarded' $bad 0
md5 $dm/v
was=$out
remove v blank last rest st
ok 'the store is in order' ckpt_check "$STORE"
ckpt_dump "$STORE" >"$work/text"
like 'what has gone of a slot keeps its place' "$(grep '^ packed ' "$work/text")" \
	' packed [0-9]+ [0-9]+ [0-9a-f]{8} [0-9a-f]*[1-9a-f][0-9a-f]* [0-9a-f]{8}'
cp --sparse=always "$work/STORE" "$work/again"
ok 'it is restored from a dump' ckpt_restore --force "$work/text" "$work/again"
is 'and is the same' "$(ckpt_dump "$work/again" | cmp - "$work/text" 2>&1)" ''
ckpt_read --origin v="$ORIGIN" "$work/again" v "$work/v" || flunk 'it can be read' "$out"
is 'as it is read, too' "$(md5sum <"$work/v")" "$was  -"

create st "$(sectors_of 32)" ckpt-store "$STORE 1 error_if_no_space" || bail "$out"
volume v $sectors "$ORIGIN" && volume last 16777216 && volume rest 16777216 || bail "$out"
volume blank $((few * 256)) || bail "$out"
md5 $dm/v
is 'activated again, the volume is the same' "$out" "$was"
for ((i = 0; i < few; i++)); do
	discard $dm/blank $((i * 131072)) 4096 || bad=$((bad + 1))
	holds $dm/blank zeros $((i * 131072)) 4096 || bad=$((bad + 1))
	holds $dm/blank 2 $((i * 131072 + 4096)) 4096 || bad=$((bad + 1))
	holds $dm/blank zeros $((i * 131072 + 8192)) 4096 || bad=$((bad + 1))
done
is 'more blocks over nothing are discarded' $bad 0
is 'for which no slot moves' "$(field $f_copied)" 0
for v in rest last; do
	discard $dm/$v 0 $((16777216 * 512)) || bail "$out"
done
message st commit
change 'with space, it is changed anywhere' 1 40
left=$(packed_slots)
ok "what was written to has moved ($left are packed)" [ "$left" -lt "$slots" ]
ok 'and the rest has not' [ "$left" -gt 0 ]

# What is written goes to the base meanwhile, and so do the zeros of the slots it is written to.
message st merge rate 64
message st delete_checkpoint v@c1 || bail "$out"
begun() { [[ $(field $f_left) =~ ^[1-9] ]]; }
ok 'a merge into the base begins' until_true 20 begun
change 'it is changed meanwhile' 2 150
like 'before the merge is through' "$(field $f_left)" '^[1-9]'
message st merge rate 0
ok 'the merge ends' settle 60
status v
like 'and the volume passes through' "$out" ' passthrough '
ok 'the origin has it all' io same "$ORIGIN" "$work/v" 8 0
remove v blank last rest st
ok 'the store is in order then' ckpt_check "$STORE"

done_testing
