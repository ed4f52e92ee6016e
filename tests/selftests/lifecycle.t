#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tables that come, go and wait: reload, suspend, remove and unload in all the
# orders that people find, mostly while something writes.

. "$(dirname "$0")/lib.sh"

loop STORE 128
loop ORIGIN 8
size=$(sectors_of 128)
vsize=$(sectors_of 8)
fill "$ORIGIN" 1
store=st
store st "$STORE" 128
message st adopt_volume disk "$vsize"
message st create_volume blank "$vsize"
volume disk "$vsize" "$ORIGIN" && volume blank "$vsize" || bail "$out"
message st checkpoint c1 standard disk blank

# Something that writes to a volume in the background until it is told to stop,
# and then is held against what it wrote.
writers=
begin_load() {
	local v
	for v in "$@"; do
		python3 "$here/writer.py" "$dm/$v" "$work/stop" "$work/$v.said" &
		writers="$writers $!"
	done
	until_true 20 started "$@" || bail 'no load'
}
started() {
	local v
	for v in "$@"; do [ -s "$work/$v.said" ] || return 1; done
}
end_load() {
	local p r=0
	touch "$work/stop"
	for p in $writers; do wait "$p" || r=1; done
	writers=
	err=$(cat "$work"/*.said)
	rm -f "$work"/stop "$work"/*.said
	return $r
}
# Does it come along?
writes() {
	local before
	before=$(wc -c <"$work/$1.said")
	until_true "${2:-20}" eval '[ "$(wc -c <"$work/'"$1"'.said")" -gt '"$before"' ]'
}

# ---- reload and suspend ----

begin_load disk blank
r=0
for i in {1..10}; do
	load disk "$vsize" ckpt "$dm/st disk $ORIGIN" && resume disk || r=1
	load blank "$vsize" ckpt "$dm/st blank" && resume blank || r=1
done
is 'volumes are reloaded 10 times while they are written' $r 0
ok 'they go on' writes disk
r=0
for i in {1..5}; do
	load st $size ckpt-store "$STORE 2 cache_mb $((8 + i))" && resume st || r=1
done
is 'the store is reloaded 5 times' $r 0
table st
like 'it has the new option' "$out" 'cache_mb 13$'
ok 'volumes go on' writes blank
r=0
for i in {1..50}; do
	suspend blank $([ $((i % 2)) = 0 ] || echo nolockfs) && resume blank || r=1
done
is 'a volume is suspended 50 times' $r 0
r=0
for i in {1..20}; do
	suspend disk noflush nolockfs && resume disk || r=1
done
is 'and 20 times without a flush' $r 0
ok 'it goes on' writes disk
ok 'what was written is there' end_load

# ---- while suspended ----

begin_load blank
ok 'suspend a volume' suspend blank
info blank
like 'it says so' "$out" ^suspended
ok 'its status' status blank
ok 'its table' table blank
ok 'status without a flush' status blank noflush
ok 'a checkpoint of a suspended volume' message st checkpoint c2 standard blank
nok 'nothing is written meanwhile' writes blank 2
ok 'resume it' resume blank
ok 'it goes on' writes blank
ok 'suspend the store' suspend st
ok 'status of a suspended store' status st
ok 'the same without a flush' status st noflush
ok 'its table' table st
ok 'the list' pages st list
nok 'no message that changes something' message st create_volume x 8
nok 'its volumes wait' writes blank 2
ok 'status of a volume meanwhile' status blank
ok 'resume the store' resume st
ok 'the volumes go on' writes blank
suspend st
ok 'suspend a volume of a suspended store, without a flush' suspend blank noflush nolockfs
ok 'resume the store first' resume st
ok 'then the volume' resume blank
ok 'it goes on' writes blank
ok 'what was written is there' end_load
suspend st
ok 'activate a volume of a suspended store' create view "$vsize" ckpt "$dm/st blank@c1" ro
resume st
ok 'then it can be read' md5 $dm/view
suspend st
ok 'and removed while the store is suspended' remove view
resume st

# ---- remove ----

exec 9<$dm/blank
nok 'a volume that is open is not removed' remove blank
is 'it is busy' "$err" EBUSY
nok 'nor is the store below volumes' remove st
is 'it is busy' "$err" EBUSY
exec 9<&-
begin_load blank
ok 'deferred remove of a volume in use' deferred blank
ok 'it goes on' writes blank
ok 'what was written is there' end_load
ok 'it is gone after that' until_true 10 eval '! info blank'
ok 'and can be activated again' volume blank "$vsize"

# ---- unload ----

ko=${CKPT_KO:-$here/../../build/${CKPT_VM:-6.1}/dm-ckpt/dm-ckpt.ko}
fill $dm/blank 5 0 1048576
fill $dm/disk 6 65536 65536
md5 $dm/blank; blank_sum=$out
md5 $dm/disk; disk_sum=$out
message st commit
pages st list
list=$(sed 's/ active / - /;s/ inactive / - /' <<<"$out")
nok 'the module stays while there are devices' rmmod dm_ckpt 2>/dev/null
remove disk blank st
ok 'unload the module' rmmod dm_ckpt
ok 'load it' insmod "$ko"
ok 'activate the store' create st $size ckpt-store "$STORE"
pages st list
is 'the list is what it was' "$(sed 's/ active / - /;s/ inactive / - /' <<<"$out")" "$list"
volume disk "$vsize" "$ORIGIN"
volume blank "$vsize"
md5 $dm/blank
is 'so is one volume' "$out" "$blank_sum"
md5 $dm/disk
is 'and the other' "$out" "$disk_sum"

# Not flushed, not committed: but taken down in order.
fill $dm/blank 7 2097152 1048576
remove disk blank
remove st
create st $size ckpt-store "$STORE"
volume blank "$vsize"
ok 'what was not flushed is there after an orderly end' holds $dm/blank 7 2097152 1048576

# ---- by force ----

begin_load blank
ok 'wipe the table of the store below a volume in use' \
	dmsetup wipe_table --force --noflush st
sleep 1
touch "$work/stop"
ok 'the volume says what it is' status blank
timeout 10 dmsetup wipe_table --force --noflush blank ||
	note 'the volume cannot be wiped'
end_load || note "the writer: $err"
ok 'remove the volume' until_true 10 remove blank
ok 'remove the store' until_true 10 remove st
ok 'activate it again' create st $size ckpt-store "$STORE"
ok 'and the volume' volume blank "$vsize"
ok 'that can be written' fill $dm/blank 8 0 65536
exec 9<$dm/blank
dmsetup remove --force st >/dev/null 2>&1
pass 'remove the store by force while a volume is open: we are still here'
exec 9<&-
ok 'remove the volume' until_true 10 remove blank
dmsetup ls 2>/dev/null | grep -q '^st	' && remove st
ok 'once more: the store' until_true 10 create st $size ckpt-store "$STORE"
ok 'and the volume' volume blank "$vsize"
ok 'it has what was written' holds $dm/blank 8 0 65536
ok 'wipe the volume' dmsetup wipe_table --force blank
ok 'a new table for it' load blank "$vsize" ckpt "$dm/st blank"
ok 'resume' resume blank
ok 'it has what was written' holds $dm/blank 8 0 65536

done_testing
