#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every command of ckptctl, with the module: what it does, what it says, and how it refuses.

. "$(dirname "$0")/lib.sh"

export CKPT_CONFDIR=$work/conf NO_COLOR=1 LC_ALL=C.UTF-8
unset CKPT_STORE
store=st
mib=64
loop STORE $mib
loop ORIGIN 8
loop GOLD 8
loop SPARE 64

# ctl STATUS 'what' REGEX NOUN VERB [WORD...]: it ends so and says that.
ran=' '
ctl() {
	local want=$1 what=$2 pattern=$3 status
	shift 3
	ran+="$1-$2 "
	out=$(ckptctl "$@" 2>&1 </dev/null)
	status=$?
	if [ $status = "$want" ] && [[ $out =~ $pattern ]]; then
		pass "$what"
	else
		flunk "$what" "ckptctl $*: status $status, not $want, or not '$pattern': $out"
	fi
}
# json 'what' EXPRESSION NOUN VERB [WORD...]: what it prints is JSON, called j, for which that holds.
json() {
	local what=$1 expression=$2
	shift 2
	ran+="$1-$2 "
	out=$(ckptctl --json "$@" 2>&1 </dev/null | python3 -c '
import json, sys
text = sys.stdin.read()
try:
    j = json.loads(text)
    good = eval(sys.argv[1])
except Exception as e:
    sys.exit("%r: %s" % (e, text))
sys.exit(0 if good else text)' "$expression" 2>&1)
	if [ $? = 0 ]; then pass "$what"; else flunk "$what" "$expression: $out"; fi
}
# What takes something away asks for a word, and where nobody can answer nothing is done.
asks() { ctl 2 "$1: asks first" '--yes' "${@:2}"; }

# ---- a store ----

ctl 3 'a device that there is not' '/dev/none' store create --yes /dev/none
ctl 2 'a block size that is none' '512.*64' store create --yes --block-size 3k "$STORE"
for fs in ext4 swap; do
	case $fs in
	ext4) mke2fs -q -F -t ext4 "$SPARE" ;;
	swap) mkswap -q "$SPARE" ;;
	esac
	before=$(md5sum <"$SPARE")
	ctl 4 "$fs is not overwritten" "$fs.*--force" store create --yes --name st2 "$SPARE"
	is "$fs: nothing has changed" "$(md5sum <"$SPARE")" "$before"
done
ctl 0 'how it would be made' 'dmsetup .*ckpt-store' \
	store create --dry-run --name st "$STORE"
nok 'that makes none' test -e $dm/st
ctl 0 'it is made' '' store create --yes --name st "$STORE"
ctl 4 'not twice' '' store create --yes --name st2 "$STORE"
ctl 0 'unless over what is there, and that was said' '' \
	store create --yes --force --name st2 "$SPARE"
ctl 0 'both are listed' $'st .*\n.*st2 |st2 .*\n.*st ' store list
ctl 2 'of two, which?' '--store' volume list
ctl 0 'one is closed' '' store close st2
ctl 0 'and opened by its device' '' store open --name st2 "$SPARE"
ctl 0 'by its name it is closed again' '' -s st2 store close
ctl 3 'what holds no store is not opened' 'no dm-ckpt store' store open "$GOLD"
json 'as JSON' "[s['name'] for s in j['stores']] == ['st']" store list
json 'what it holds' "j['name'] == 'st' and j['mode'] == 'rw' and j['volumes'] == 0" store info
ctl 0 'how full it is' '' store status
json 'in bytes' "0 <= j['used'] < j['total'] <= 64 << 20" store status

# ---- volumes ----

fill "$ORIGIN" 1
ctl 0 'a volume of zeros' '' volume create blank 16M
ctl 4 'a name that is taken' 'blank' volume create blank 16M
ctl 2 'a name that cannot be' 'no blank, @' volume create a@b 16M
ctl 2 'a size that is none' '16Q' volume create other 16Q
ctl 0 'a volume of a device, and its device' "$dm/st-disk" volume adopt --open disk "$ORIGIN"
ok 'it has what the device has' holds $dm/st-disk 1
ctl 4 'a device is adopted once' '' volume adopt again "$ORIGIN"
ctl 0 'the device of the other' "$dm/st-blank" volume open blank
ctl 3 'of one that there is not' 'nobody' volume open nobody
ctl 0 'it is larger' '' volume resize blank +16M
is 'its device too' "$(blockdev --getsize64 $dm/st-blank)" $((32 << 20))
ctl 2 'smaller it cannot be' 'cannot become smaller' volume resize blank 8M
ctl 0 'renamed' '' volume rename blank data
json 'listed' "sorted(v['name'] for v in j['volumes']) == ['data', 'disk']" volume list
json 'shown' "j['name'] == 'data' and j['size'] == 32 << 20" volume info data
ctl 0 'limited' '' volume limit data 8M
ctl 0 'which shows' '8 MiB' volume info data
ctl 0 'and ends' '' volume limit data none

# ---- checkpoints ----

fill $dm/st-data 2 0 1048576
ctl 0 'a checkpoint of both' '' checkpoint create c1 disk data
ctl 4 'not twice' 'c1' checkpoint create c1 disk
ctl 3 'of what there is not' 'nobody' checkpoint create c2 disk nobody
ctl 2 'of a kind that there is not' 'production' checkpoint create --kind odd c2 disk
fill $dm/st-disk 3 0 2097152
fill $dm/st-data 4 0 1048576
ctl 0 'another one, of one' '' checkpoint create --kind offline c2 disk
json 'listed' "sorted(c['name'] for c in j['checkpoints']) == ['c1', 'c1', 'c2']" checkpoint list
json 'those of one volume' "len(j['checkpoints']) == 1" checkpoint list data
ctl 0 'drawn' '● disk@c1.*standard.*● disk@c2.*offline.*▶ disk .*now' checkpoint tree
ctl 0 'one shown' 'c2' checkpoint info disk@c2
ctl 3 'one that there is not' 'c9' checkpoint info disk@c9
ctl 0 'what differs' '' checkpoint diff disk c1 c2
json 'in bytes' "j['total'] == sum(r['length'] for r in j['ranges']) == 2 << 20" checkpoint diff disk c1 c2
ctl 0 'a view' "$dm/st-disk-c1" checkpoint view disk@c1
ok 'it has what was' holds $dm/st-disk-c1 1
nok 'and is not written' fill $dm/st-disk-c1 9 0 4096
ctl 4 'what is looked at is not deleted' 'view|use' checkpoint delete --yes disk@c1
ctl 0 'the view goes' '' checkpoint unview disk@c1
ctl 0 'renamed' '' checkpoint rename disk@c2 late
ctl 0 'a clone, and its device' "$dm/st-twin" checkpoint clone --open disk@late twin
ok 'it has the same' same $dm/st-twin $dm/st-disk
fill $dm/st-twin 5 0 4096
ctl 0 'a clone by the other command' '' volume clone data@c1 twin2
asks 'going back' checkpoint apply disk@c1
exec 9<$dm/st-disk
ctl 4 'what is in use does not' 'use' checkpoint apply --yes disk@c1
exec 9<&-
ok 'and is as it was' holds $dm/st-disk 3 0 2097152
ctl 0 'both go back, and what was is kept' '' checkpoint apply --yes --save-current kept @c1
ok 'the one' holds $dm/st-disk 1
ok 'and the other' holds $dm/st-data 2 0 1048576
ctl 0 'it shows' '● disk@kept' checkpoint tree

# ---- templates ----

fill "$GOLD" 6
ctl 0 'a template' '' template create gold "$GOLD"
ctl 0 'renamed' '' template rename gold golden
json 'listed' "[t['name'] for t in j['templates']] == ['golden']" template list
ctl 0 'a clone of it' "$dm/st-copy" volume clone --open golden copy
ok 'it has the same' holds $dm/st-copy 6
fill $dm/st-copy 7 0 4096
ctl 4 'a template with clones stays' 'something sits on' template delete --yes golden
ctl 0 'the clone is closed' '' volume close copy
asks 'deleting it' volume delete copy
ctl 0 'and deleted' '' volume delete --yes copy
ctl 0 'then it can go' '' template delete --yes golden
ok 'the device is as it was' holds "$GOLD" 6

# ---- merging and space ----

ctl 0 'no merge for now' '' store merge pause
asks 'deleting a checkpoint' checkpoint delete disk@late
ctl 0 'what that would cost' '' checkpoint delete --dry-run disk@late
ctl 0 'deleted' '' checkpoint delete --yes disk@late disk@kept
ctl 7 'what waits is said' 'merge resume' store wait --timeout 3
ctl 0 'a rate' '' store merge rate 20M
ctl 0 'a share' '' store merge share 60%
ctl 2 'that there is not' '100' store merge share 200%
ctl 0 'no rate' '' store merge rate none
ctl 0 'it goes on' '' store merge resume
ctl 0 'until all is merged that can be' '' store wait --timeout 60
ctl 0 'a full store: errors' '' store no-space error
ctl 0 'or waiting' '' store no-space queue 30
ctl 0 'low' '' store low-water 4M
table st
like 'the table has all that' "$out" 'merge_share 60.*|no_space_timeout 30.*|low_water 1024'
ctl 0 'durable' '' store commit
resize_loop "$STORE" "$work/STORE" $((mib += 32))
ctl 0 'the store grows with its device' '' store grow
json 'it has' "j['total'] > 90 << 20" store status

# ---- closing, and again ----

ctl 4 'a store with open volumes stays' 'disk' store close
ctl 0 'unless they are to be closed as well' '' store close --all
nok 'nothing is there' ls $dm/st*
ctl 0 'by its device, under its name' '' store open "$STORE"
ctl 0 'a volume whose origin is known' "$dm/st-disk" volume open disk
ok 'has what it had' holds $dm/st-disk 1
ctl 0 'all is deleted' '' checkpoint delete --yes --wait disk@c1 data@c1
ctl 0 'what has no checkpoint any more' '' volume delete --yes twin
ctl 4 'an open volume stays' 'open|use' volume delete --yes disk
ctl 0 'the rest' '' store wait --timeout 60
ctl 0 'as a tree' 'disk' checkpoint tree
ctl 0 'and closed' '' store close --all

ctl 2 'a word that is no command' "ckptctl store --help" store explode
ctl 0 'help' 'usage' help store create

# Those of machines are run by vm.t.
missing=
while read -r noun verb _; do
	[ "$noun" != vm ] || continue
	[[ $ran == *" $noun-$verb "* ]] || missing+="$noun $verb, "
done < <(ckptctl help | sed -n 's|^  \([a-z]* [a-z][a-z-]*\) .*|\1|p')
is 'every command was run' "$missing" ''

done_testing
