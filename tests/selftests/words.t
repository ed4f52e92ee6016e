#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tables and messages of any words: each is done, or refused with an error that means
# something, and what is refused changes nothing. SELFTEST_SEED and SELFTEST_WORDS: where the
# random numbers begin, and how many of each kind.

. "$(dirname "$0")/lib.sh"

store=st
seed=${SELFTEST_SEED:-$RANDOM}
count=${SELFTEST_WORDS:-400}
RANDOM=$seed
note "SELFTEST_SEED=$seed"

# What means something: the words were wrong, or what they name is not so that it can be done.
meant=' EINVAL ENOENT EEXIST EBUSY ENOSPC ENAMETOOLONG E2BIG ERANGE EOVERFLOW ENODEV ENXIO EACCES EPERM EROFS ENOTBLK '
commands=(create_volume adopt_volume create_template clone resize_volume limit_volume
	rename_volume rename_template delete_volume delete_template checkpoint rename_checkpoint
	delete_checkpoint apply list diff merge low_water no_space estimate commit)
names=(a b c a@c1 a@c2 b@c1 keep@c1 c1 c2 t x x@x @ a@ @c1 a@c1@c1 - . .. standard
	production recovery pause resume rate share error queue)
numbers=(0 1 8 -1 +8 8.5 1024 16384 65536 4294967295 4294967296 137438953472 137438953480
	9223372036854775807 18446744073709551615 18446744073709551616 0x800 010 1e3 99999999999999999999999)
odd=('' '\' "'" '"' '%s%n' '*' $'\t' $'\x01' $'\xff\xfe' $'a\x7f' "$(printf 'n%.0s' {1..63})"
	"$(printf 'n%.0s' {1..64})" "$(printf 'n%.0s' {1..300})" 'a@'"$(printf 'n%.0s' {1..128})")

# With volumes, checkpoints, kinds and sizes where those belong.
shapes=('create_volume v s' 'adopt_volume v s' 'create_template v s' 'clone c v' 'clone v v'
	'resize_volume v s' 'limit_volume v s' 'rename_volume v v' 'delete_volume v'
	'delete_template v' 'checkpoint v k v' 'checkpoint v k v v' 'rename_checkpoint c v'
	'delete_checkpoint c' 'delete_checkpoint c c' 'apply c' 'apply c c' 'list s' 'diff v v v'
	'diff v v - s' 'merge rate s' 'merge share s' 'merge pause' 'merge resume' 'low_water s'
	'no_space queue s' 'no_space error' 'estimate c' 'estimate c s'
	'commit')
v=(a b c d c1) c=(a@c1 b@c1 a@c b@c c@c1 d@a keep@c1 a@b) k=(standard production recovery)
s=(8 100 1024 16384 65536 1048576)

one_of() {
	local n=$1[@]
	local all=("${!n}")
	word=${all[RANDOM % ${#all[@]}]}
}

some_word() {
	case $((RANDOM % 10)) in
	[0-4]) one_of names ;;
	[5-7]) one_of numbers ;;
	8) one_of odd ;;
	*) one_of commands ;;
	esac
}

some_words() {
	local n=$((RANDOM % $1))
	while [ $((n--)) -ge 0 ]; do
		some_word
		words+=("$word")
	done
}

# A message as it should be, or nearly.
shaped_words() {
	local w
	one_of shapes
	for w in $word; do
		case $w in
		[vcks]) one_of "$w" ;;
		*) word=$w ;;
		esac
		[ $((RANDOM % 12)) != 0 ] || some_word
		words+=("$word")
	done
}

bad=0
# judge WHAT COMMAND...: it succeeds, or fails as it ought to.
judge() {
	local what=$1
	shift
	"$@" && done_nr=$((done_nr + 1)) && return
	[[ $meant == *" $err "* ]] && return
	bad=$((bad + 1))
	[ $bad -gt 20 ] || note "$what: $err $out"
	return 1
}

# Nothing goes on by itself meanwhile, so what is not the same then was changed by the message.
hold_still() {
	message st merge pause || bail "$err $out"
	until_true 20 rests || bail "merges do not pause: $(field $f_merge)"
	remember st || bail "$err $out"
}

loop STORE 64
loop OTHER 16
loop ORIGIN 8
store st "$STORE" 64
for name in keep a b; do message st create_volume $name 16384 || bail "$out"; done
volume keep 16384 || bail "$err $out"
fill $dm/keep 1
message st checkpoint c1 standard keep a b
fill $dm/keep 2 0 1048576

# ---- messages ----

done_nr=0
for ((i = 0; i < count; i++)); do
	words=()
	if [ $((RANDOM % 2)) = 0 ]; then
		shaped_words
	else
		one_of commands
		words=("$word")
		some_words 4
	fi
	if [ $((RANDOM % 4)) = 0 ]; then
		hold_still
		judge "message ${words[*]@Q}" message st "${words[@]}" && [ "$err" != 0 ] &&
			{ unchanged st || { bad=$((bad + 1)); note "${words[*]@Q} changed something: $out"; }; }
		message st merge resume
	else
		judge "message ${words[*]@Q}" message st "${words[@]}"
	fi
done
is "$count messages: what fails says why, and changes nothing" $bad 0
ok "some of them are done ($done_nr)" test $done_nr -gt $((count / 50))
message st merge resume
message st merge rate 0
ok 'the store lists what it has' pages st list
is 'it can be written' "$(field $f_mode)" rw
ok 'the volume that was open is what it was' holds $dm/keep 2 0 1048576
ok 'all of it' holds $dm/keep 1 1048576 7340032

# ---- tables ----

features=(format block_size journal_blocks cache_mb commit_ms low_water no_space_timeout
	merge_rate merge_share error_if_no_space merge_paused discard_passdown read_only 1 2 3 4 5)
# Whatever has become of the others, some tables name a volume that there is.
message st create_volume sure 16384 || bail "$err $out"
names+=(sure sure sure sure)
fill "$OTHER" 7
bad=0 done_nr=0
for ((i = 0; i < count / 2; i++)); do
	words=("$dm/st")
	[ $((RANDOM % 8)) = 0 ] && some_word && words=("$word")
	one_of names
	words+=("$word")
	[ $((RANDOM % 2)) = 0 ] && words+=("$ORIGIN")
	[ $((RANDOM % 3)) = 0 ] && some_words 3
	judge "table ckpt ${words[*]@Q}" create zz $((RANDOM % 4 ? 16384 : RANDOM)) ckpt "${words[*]}" ro
	remove zz

	# Nothing is formatted if nobody says so.
	words=("$OTHER" $((RANDOM % 4)))
	for ((k = RANDOM % 4; k; k--)); do
		one_of features
		[ "$word" = format ] || words+=("$word")
		[ $((RANDOM % 2)) = 0 ] && some_word && words+=("$word")
	done
	judge "table ckpt-store ${words[*]@Q}" create zz 32768 ckpt-store "${words[*]}"
	remove zz
done
is "$count tables: what fails says why" $bad 0
ok "some are done ($done_nr)" test $done_nr -gt 0
ok 'a device with something on it has it still' holds "$OTHER" 7
ok 'the volume that was open is what it was' holds $dm/keep 2 0 1048576
remove keep
ok 'the store is closed' remove st
create st "$(sectors_of 64)" ckpt-store "$STORE" || bail "$err $out"
volume keep 16384 || bail "$err $out"
ok 'and is what it was when it is opened again' holds $dm/keep 1 1048576 7340032

done_testing
