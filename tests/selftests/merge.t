#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is deleted in the middle merges into what is left: layers among
# themselves. What it costs is said by counters, in units of 4 KiB.

. "$(dirname "$0")/lib.sh"

store=st
n='[0-9]+'

# set_sizes BLOCK-SECTORS: what numbers of blocks stand for.
set_sizes() {
	B=$(($1 * 512))
	K=$((32 * B))
}

# write VOLUME SEED FIRST NR: blocks; likewise has, and no (zeros).
write() { fill "$dm/$1" "$2" $(($3 * B)) $(($4 * B)) || bail "$err $out"; }
has() { holds "$dm/$1" "$2" $(($3 * B)) $(($4 * B)); }
no() { holds "$dm/$1" zeros $(($2 * B)) $(($3 * B)); }
drop() { discard "$dm/$1" $(($2 * B)) $(($3 * B)) || bail "$err $out"; }
take() { message st checkpoint "$2" standard "$1" || bail "$err $out"; }
units() { echo $(($1 * B / 4096)); }
view() { create "$1" "$3" ckpt "$dm/st $2" ro || bail "$err $out"; }

# Numbers of blocks as units: "moved copied".
counts() {
	local words
	message st commit
	status st
	read -r -a words <<<"$out"
	moved=${words[f_moved + 2]} copied=${words[f_copied + 2]}
}

# costs 'what' MOVED COPIED COMMAND...: in units, when all has settled after that; '*': any.
costs() {
	local what=$1 want="$2 $3" m c
	shift 3
	counts
	m=$moved c=$copied
	"$@" || { flunk "$what" "$*: $err $out"; return; }
	settle || { status st; flunk "$what" "it does not end: $out"; return; }
	counts
	m=$((moved - m)) c=$((copied - c))
	[[ "$m $c" == $want ]] && pass "$what" && return
	flunk "$what" "moved and copied: $m $c"$'\n'"want: $want"
}
forget() { message st delete_checkpoint "$@"; }

# ---- what it costs, and what is there after it ----

loop STORE 512
for block in 1 8 128; do
	set_sizes $block
	b="blocks of $block"
	blkdiscard "$STORE"
	store st "$STORE" 512 "3 format block_size $block"
	ok "$b: at first there is nothing to do" merge_is idle

	# A leaf of the map is 256 clusters; the volume has three.
	sectors=$((3 * 256 * K / 512))
	message st create_volume v $sectors
	volume v $sectors || bail "$out"
	write v 1 0 256
	write v 1 $((256 * 32 + 64)) 96
	take v a
	take v b
	costs "$b: into a layer that is empty: all is moved" "$(units 352)" 0 forget v@a
	is "$b: it is in the child" "$(units_of v@b)" "$(units 352)"
	write v 2 256 64
	write v 2 $((2 * 256 * 32)) 32
	take v c
	costs "$b: nothing of it in the same clusters: all is moved" "$(units 352)" 0 forget v@b
	is "$b: it is in the child" "$(units_of v@c)" "$(units 448)"
	view c v@c $sectors
	for d in v c; do
		ok "$b: $d has what was below" eval "has $d 1 0 256 && has $d 1 $((256 * 32 + 64)) 96"
		ok "$b: $d has what was above" eval "has $d 2 256 64 && has $d 2 $((2 * 256 * 32)) 32"
		ok "$b: $d has nothing else" eval "no $d 320 $((256 * 32 - 256)) &&
			no $d $((256 * 32 + 160)) $((256 * 32 - 160)) && no $d $((2 * 256 * 32 + 32)) 64"
	done
	remove c

	# In one cluster.
	message st create_volume w $sectors
	volume w $sectors || bail "$out"
	write w 1 0 8
	take w a
	write w 2 8 24
	take w b
	costs "$b: few into many: the few are copied" 0 "$(units 8)" forget w@a
	is "$b: all are in the child" "$(units_of w@b)" "$(units 32)"
	write w 3 16 8
	take w c
	costs "$b: many into few, some written over: the few are copied" "$(units 24)" \
		"$(units 8)" forget w@b
	is "$b: each once" "$(units_of w@c)" "$(units 32)"
	write w 4 8 24
	take w d
	costs "$b: few that are left into many: the few are copied" 0 "$(units 8)" forget w@c
	view d w@d $sectors
	for d in w d; do
		ok "$b: $d has all of it" eval "has $d 1 0 8 && has $d 4 8 24 && no $d 32 64"
	done
	remove d

	# Blocks that were zeroed are zeros, whatever is below.
	drop w 0 16
	take w e
	costs "$b: what was zeroed needs no copy" "$(units 16)" 0 forget w@d
	is "$b: nor room" "$(units_of w@e)" "$(units 16)"
	write w 5 0 8
	take w f
	costs "$b: zeroed in the parent, written in the child" "$(units 16)" "$(units 8)" \
		forget w@e
	ok "$b: the volume has all three" eval "has w 5 0 8 && no w 8 8 && has w 4 16 16"
	write w 6 0 32
	take w g
	drop w 0 32
	take w h
	costs "$b: all of it written over" 0 0 forget w@f
	costs "$b: all of it zeroed" 0 0 forget w@g
	ok "$b: there are zeros" no w 0 96
	is "$b: that take no room" "$(units_of w@h)" 0

	# Zeros over something that stays below.
	write w 7 0 32
	take w i
	drop w 8 8
	take w j
	take w k
	costs "$b: zeroed blocks over a layer that stays" 0 0 forget w@j
	view i w@i $sectors
	view k w@k $sectors
	ok "$b: the lower one has all" has i 7 0 32
	ok "$b: the upper one has the zeros" eval "has k 7 0 8 && no k 8 8 && has k 7 16 16"
	remove i k

	# Parts of blocks, and places that two layers' blocks share if blocks are small.
	rm -f "$work/model"
	truncate -s $((sectors * 512)) "$work/model"
	message st create_volume x $sectors
	volume x $sectors || bail "$out"
	for i in 1 2 3 4 5; do
		io random $dm/x "$work/model" $block $i 40 || flunk "$b: writes" "$out"
		take x c$i
		cp --sparse=always "$work/model" "$work/c$i"
	done
	io random $dm/x "$work/model" $block 6 40 || flunk "$b: writes" "$out"
	for i in 3 1 4 5; do
		costs "$b: delete c$i of five" '*' '*' forget x@c$i
		ok "$b: the volume stays what it is" io same $dm/x "$work/model" $block 0
		view c2 x@c2 $sectors
		ok "$b: so does another checkpoint" io same $dm/c2 "$work/c2" $block 0
		remove c2
	done
	ok "$b: and can be written" io random $dm/x "$work/model" $block 7 40

	remove v w x
	for i in v@c w@{h,i,k} x@c2; do forget $i || flunk "$b: delete $i" "$out"; done
	for i in v w x; do message st delete_volume $i || flunk "$b: delete $i" "$out"; done
	ok "$b: all is freed" settle
	pages st list
	is "$b: nothing is left" "$out" ''
	remove st
done

# ---- a small store for the rest ----

set_sizes 8
blkdiscard "$STORE"
store st "$STORE" 256
sectors=$(sectors_of 32)

# The trees have all nodes after this that stay when they are empty: for records, and for
# the far end of the space map.
for i in {1..40}; do message st create_volume warm$i 2048; done
for i in {1..40}; do message st delete_volume warm$i; done
message st create_volume warm "$(sectors_of 192)"
volume warm "$(sectors_of 192)"
fill $dm/warm 1
remove warm
message st delete_volume warm
settle
message st commit
used_at_first=$(used)

# ---- several at a time ----

message st create_volume v $sectors
volume v $sectors || bail "$out"
for i in 0 1 2 3 4 5 6 7 8 9; do
	write v $((20 + i)) $((i * 40)) 80
	take v c$i
done
write v 30 400 80
md5 $dm/v; sum=$out
view c0 v@c0 $sectors
view c9 v@c9 $sectors
md5 $dm/c0; c0_sum=$out
md5 $dm/c9; c9_sum=$out
event() { info st; echo "${out##* }"; }
event_at_first=$(event)
costs 'eight checkpoints in a row by one command' '*' '*' forget v@c{5,1,7,2,8,3,6,4}
ok 'it was told that something went on' test "$(event)" -ge $((event_at_first + 2))
is 'three layers are left' "$(field $f_layers) $(field $f_hidden) $(field $f_freeing)" '3 0 0'
is 'that have what is different' "$(units_of v@c0) $(units_of v@c9) $(units_of v)" '80 400 80'
for d in v:$sum c0:$c0_sum c9:$c9_sum; do
	md5 "$dm/${d%:*}"
	is "${d%:*} is what it was, while it was open" "$out" "${d#*:}"
done
remove c0 c9
costs 'the last ones, into a head' '*' '*' forget v@c0 v@c9
is 'one layer is left' "$(field $f_layers)" 1
md5 $dm/v
is 'the volume is what it was' "$out" "$sum"
remove v
message st delete_volume v

# ---- branches ----

message st create_volume trunk $sectors
volume trunk $sectors || bail "$out"
write trunk 1 0 64
take trunk a
write trunk 2 32 64
take trunk b
write trunk 3 64 64
for i in 1 2; do
	message st clone trunk@b twig$i
	volume twig$i $sectors || bail "$out"
	write twig$i $((3 + i)) $((64 + 16 * i)) 64
done
for d in trunk twig1 twig2; do
	md5 $dm/$d
	declare sum_$d="$out"
done
costs 'a layer that several hang on, from below' '*' '*' forget trunk@a
forget trunk@b
ok 'several children: it waits' settle
is 'hidden' "$(field $f_hidden) $(field $f_layers)" '1 4'
pages st list
like 'the list says so' "$out" $'layer [^\n]* frozen [^\n]* hidden'
for d in trunk twig1 twig2; do
	md5 $dm/$d
	declare -n was=sum_$d
	is "$d is what it was" "$out" "$was"
done
remove twig1
message st delete_volume twig1
ok 'a child less' settle
is 'it still waits' "$(field $f_hidden) $(field $f_layers)" '1 3'
remove trunk
message st delete_volume trunk
ok 'the volume that it was of' settle
is 'then it merges into the last child' "$(field $f_hidden) $(field $f_layers)" '0 1'
md5 $dm/twig2
is 'that is what it was' "$out" "$sum_twig2"
ok 'and where' eval 'has twig2 1 0 32 && has twig2 2 32 64 && has twig2 5 96 64 && no twig2 160 64'
remove twig2
message st delete_volume twig2

# A clone is made, and a head replaced, while the layer below waits to be merged.
message st create_volume v $sectors
volume v $sectors || bail "$out"
for i in 1 2 3; do
	write v $i $((16 * i)) 32
	take v c$i
done
write v 4 64 32
ok 'pause' message st merge pause
forget v@c1
ok 'paused is what it says' until_true 10 merge_is paused
like 'there is something to do' "$(field $f_left)" '^[1-9]'
pages st list
like 'the list says what waits' "$out" $'layer [^\n]* frozen [^\n]* merging'
ok 'clone what is above' message st clone v@c2 twin
volume twin $sectors || bail "$out"
forget v@c2
take v c4
write v 5 80 32
remove v
ok 'apply what is further above' message st apply v@c3
volume v $sectors || bail "$out"
ok 'resume' message st merge resume
ok 'it all ends' settle
ok 'the volume' eval 'has v 1 16 16 && has v 2 32 16 && has v 3 48 32 && no v 80 64'
ok 'the clone' eval 'has twin 1 16 16 && has twin 2 32 32 && no twin 64 64'
view c4 v@c4 $sectors
ok 'the checkpoint that was taken' eval 'has c4 1 16 16 && has c4 2 32 16 && has c4 3 48 16 &&
	has c4 4 64 32 && no c4 96 64'
remove c4
is 'one waits for the clone' "$(field $f_hidden)" 1
remove twin v
message st delete_volume twin
ok 'without it that merges, too' settle
is 'nothing waits' "$(field $f_hidden)" 0
forget v@c3 v@c4
message st delete_volume v

# ---- sizes ----

message st create_volume v 16384
volume v 16384 || bail "$out"
write v 1 1000 1000
take v a
ok 'grow' message st resize_volume v 32768
remove v
volume v 32768 || bail "$out"
write v 2 1900 200
take v b
message st resize_volume v 49152
remove v
volume v 49152 || bail "$out"
write v 3 4000 200
take v c
md5 $dm/v; sum=$out
costs 'into a layer that is larger' '*' '*' forget v@a
view b v@b 32768
ok 'the larger one' eval 'has b 1 1000 900 && has b 2 1900 200 && no b 2100 1996'
remove b
costs 'and once more' '*' '*' forget v@b
view c v@c 49152
ok 'the largest one' eval 'has c 1 1000 900 && has c 2 1900 200 && no c 2100 1900 && has c 3 4000 200'
remove c
md5 $dm/v
is 'the volume is what it was' "$out" "$sum"
remove v
ok 'it goes back to that' message st apply v@c
ok 'by that size' volume v 49152
md5 $dm/v
is 'and is what it was' "$out" "$sum"
remove v
forget v@c
message st delete_volume v

# ---- under load, with everything that interrupts it ----

message st create_volume v $sectors
volume v $sectors || bail "$out"
python3 "$here/writer.py" $dm/v "$work/stop" "$work/said" &
writer=$!
until_true 30 test -s "$work/said" || bail 'nothing is written'
kept=() errors=0 most=0
for i in {1..30}; do
	take v w$i
	kept+=("w$i")
	case $((i % 6)) in
	2) message st merge rate 512 ;;
	4) message st merge pause ;;
	5) message st merge resume && message st merge rate 0 ;;
	esac || errors=$((errors + 1))
	if [ ${#kept[@]} -gt 3 ]; then
		forget "v@${kept[1]}" || errors=$((errors + 1))
		kept=("${kept[0]}" "${kept[@]:2}")
	fi
	l=$(field $f_layers)
	[ "$l" -le "$most" ] || most=$l
	if [ $((i % 10)) = 0 ]; then
		suspend v && resume v || errors=$((errors + 1))
	fi
	sleep 0.1
done
is 'no command failed' $errors 0
ok 'it settles while the writer goes on' settle
is 'the layers are those of the checkpoints' "$(field $f_layers)" 4
note "$most layers at most"
touch "$work/stop"
ok 'the writer reads what it wrote' wait $writer
note "$(tr -d . <"$work/said")"

# It goes on where it was, in whatever order things end.
md5 $dm/v; sum=$out
message st merge pause
forget "v@${kept[0]}" "v@${kept[1]}"
remove v
remove st
create st "$(sectors_of 256)" ckpt-store "$STORE 1 merge_paused" || bail "$out"
ok 'paused by the table' until_true 10 merge_is paused
like 'there is something to do' "$(field $f_left)" '^[1-9]'
table st
like 'the table says so' "$out" ' merge_paused'
message st merge resume
ok 'it goes on after another activation, without a volume' settle
table st
like 'the table does not say so any more' "$out" ckpt-store
is 'at all' "${out/merge_paused/}" "$out"
volume v $sectors || bail "$out"
md5 $dm/v
is 'the volume is what it was' "$out" "$sum"
remove v
forget "v@${kept[2]}"
ok 'into a head that is not active' settle
is 'one layer is left' "$(field $f_layers)" 1
volume v $sectors
md5 $dm/v
is 'the volume is what it was' "$out" "$sum"
remove v
message st delete_volume v

# ---- words ----

watch=st
fails 'a word that there is not' EINVAL . message st merge faster
fails 'no word at all' EINVAL . message st merge
fails 'a rate that is none' EINVAL . message st merge rate fast
fails 'a rate below 0' EINVAL . message st merge rate -1
fails 'a share of nothing' EINVAL . message st merge share 0
fails 'a share of more than there is' EINVAL . message st merge share 101
fails 'too many words' EINVAL . message st merge pause now
watch=
ok 'a rate' message st merge rate 2048
ok 'a share' message st merge share 7
is 'the status says so' "$(field $f_rate) $(field $f_share)" '2048 7'
table st
like 'so does the table' "$out" ' merge_rate 2048 merge_share 7| merge_share 7 merge_rate 2048'
read -r _ len target line <<<"$out"
remove st
ok 'a store by that table' create st "$len" "$target" "$line"
is 'has them as well' "$(field $f_rate) $(field $f_share)" '2048 7'
message st merge rate 0

# ---- an estimate, and the space ----

ok 'a volume' message st create_volume v $sectors
volume v $sectors || bail "$out"
write v 1 0 320
take v a
write v 2 160 320
take v b
ok 'estimate' message st estimate v@a
like 'two numbers' "$out" "^$n $n"$'\nend$'
read -r frees copies <<<"$out"
is 'what the child has written over would be freed' "$frees" 160
data=$(($(units_of v@a) + $(units_of v@b)))
costs 'delete it' '*' "$copies" forget v@a
is 'so much is gone' "$((data - $(units_of v@b)))" "$frees"
message st estimate v@b
read -r frees copies <<<"$out"
is 'into an empty head: nothing' "$frees $copies" '0 0'
remove v
forget v@b
message st delete_volume v
ok 'all is freed' settle
message st commit
pages st list
is 'the list is empty' "$out" ''
is 'the store is as empty as it was' "$(used)" "$used_at_first"
ok "nothing is set aside ($(field $f_reserved) units)" test "$(field $f_reserved)" -le 64

done_testing
