#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ckptd and 'ckptctl vm': checkpoints of machines that are off, the daemon killed at every point
# of making, renaming and deleting one, and a machine started and ended. (tests/unit/ckptd.t has
# clients that mean no good, vm-guest.t guests that run.)

. "$(dirname "$0")/lib.sh"

. "$here/daemon.sh"

daemon_seconds=20
store=st
loop STORE 64
loop ORIGIN 8

# What the machine has: "<name> ..." by name, and what the store has.
names() {
	ckptctl vm tree web --json 2>&1 | tr , '\n' | awk -F'"' '
		$2 == "name" { name = $4 }
		/"lost"/ { print name (/true/ ? "!" : "") }' | sort | xargs
}
in_store() {
	ckptctl checkpoint list -o volume,name --no-headings | awk '{ print $1 "@" $2 }' | sort | xargs
}
# whole NAME...: these there are, in both, and nothing else.
whole() {
	local name both=$extra
	for name; do both+="disk@$name data@$name "; done
	is "$what: the tree" "$(names)" "$*"
	is "$what: the store" "$(in_store)" "$(xargs -n1 <<<"$both" | sort | xargs)"
	is "$what: folders" "$(ls "$work/state/vm/web" 2>/dev/null | wc -l)" $#
}

# offers WORD...: what bash completes the last one to.
offers() {
	bash -c 'COMP_LINE=$1 COMP_POINT=${#1}; . "$(dirname "$(command -v ckptctl)")/ckptctl.bash"
		_ckptctl; printf "%s\n" "${COMPREPLY[@]}"' - "ckptctl $*" | sort | xargs
}

extra=
trap 'stop_daemon; at_exit' EXIT

ckptctl store create --yes --name st "$STORE" 2>/dev/null || bail 'no store'
fill "$ORIGIN" 1
ckptctl volume adopt --open disk "$ORIGIN" >/dev/null 2>&1 || bail 'no volume'
ckptctl volume create --open data 16M >/dev/null 2>&1 || bail 'no volume'
fill $dm/st-data 2 0 65536
echo '<domain/>' >"$work/web.xml"

ctl 6 'without a daemon' 'ckptd does not answer.*systemctl' list
start_daemon
is 'the socket is root'\''s alone' "$(stat -c %a "$work/run/ckptd.sock")" 600
ok 'a second daemon gives up' eval '! timeout 20 ckptd 2>/dev/null'

# ---- a machine ----

ctl 3 'a volume that there is not' 'no volume .nobody' add web disk nobody
ctl 2 'a name that cannot be' 'cannot be called' add ../web disk
ctl 2 'a policy that there is not' 'production-only' add --policy odd web disk
ctl 2 'what is libvirt'\''s is left alone' 'libvirt' add --qmp /var/lib/libvirt/qemu/web.sock web disk
ctl 0 'a machine' '' add --config "$work/web.xml" web disk data
ctl 4 'not twice' 'already' add web disk
ctl 0 'listed' 'web  *off  *standard' list
ctl 0 'shown' 'disk data' show web
ctl 3 'one that there is not' 'no machine' show nobody
ctl 0 'an empty tree' '▷ web' tree web

# ---- its checkpoints ----

ctl 2 'a name for it that cannot be' 'no blank' checkpoint web 'a@b'
exec 9<$dm/st-disk
ctl 4 'a disk that somebody has open' 'is open' checkpoint web c1
exec 9<&-
what='nothing is left of that' whole
ctl 0 'a checkpoint' 'offline' checkpoint web c1
ctl 4 'not twice' 'already' checkpoint web c1
what='both disks' whole c1
is 'and the configuration' "$(cat "$work"/state/vm/web/*/config-0)" '<domain/>'
fill $dm/st-disk 3 0 65536
fill $dm/st-data 4 0 65536
ctl 0 'another' '' checkpoint web c2
ctl 0 'drawn' 'web@c1.*web@c2.*▷ web' tree web
ctl 2 'going back: asks first' '--yes' apply web c1
ctl 3 'to what there is not' 'no checkpoint' apply --yes web c9
ctl 0 'back' 'gone back to c1; it is off' apply --yes --save-current now web c1
ok 'the one disk' holds $dm/st-disk 1
ok 'and the other' holds $dm/st-data 2 0 65536
what='saved' whole c1 c2 now
ctl 0 'a branch' '' checkpoint web c3
ctl 0 'drawn as one' '├─.*▷ web' tree web
ctl 0 'renamed' '' rename web c2 late
ctl 4 'to a name that is taken' 'already' rename web late c1
what='renamed' whole c1 c3 late now
is 'the shell offers machines' "$(offers vm show w)" 'web'
is 'and their checkpoints' "$(offers vm apply web '')" 'c1 c3 late now'
is 'and kinds' "$(offers vm checkpoint --kind prod)" 'production production-only'
ctl 4 'with checkpoints it is not forgotten' 'delete those first' remove web
ckptctl checkpoint view disk@late >/dev/null 2>&1
ctl 4 'what is looked at is not deleted' 'unview' delete --yes web late
ckptctl checkpoint unview disk@late 2>/dev/null
ctl 2 'deleting: asks first' '--yes' delete web late
ctl 0 'deleted with what is below' 'late' delete --yes --subtree web late
what='a subtree is deleted' whole c1 c3
ckptctl checkpoint delete --yes data@c3 2>/dev/null
is 'what has lost a disk is marked' "$(names)" 'c1 c3!'
ctl 3 'and not gone back to' 'lost disks' apply --yes web c3
ctl 0 'deleted it can be' '' delete --yes web c3
printf 'volume = disk\nnonsense\n' >"$work/conf/vm/odd.conf"
ctl 2 'a description that is none' "odd.conf, line 2: 'nonsense'" show odd
ctl 0 'does not hide the others' 'odd  *unreadable.*web' list
rm "$work/conf/vm/odd.conf"
sed -i 's/policy = .*/policy = disabled/' "$work/conf/vm/web.conf"
ctl 1 'no checkpoints are to be taken' 'disabled' checkpoint web c4
sed -i 's/policy = .*/policy = standard/' "$work/conf/vm/web.conf"
empty=$work/state/vm/web/$(cat /proc/sys/kernel/random/uuid)
mkdir "$empty"
ctl 0 'a folder without a manifest' '1 more cannot be read' tree web
rmdir "$empty"
what='c1 is left' whole c1

# ---- killed ----

# killed POINT NAMES VERB WORD...: it is killed there, and the next one has these checkpoints.
killed() {
	local at=$1 expect=$2
	shift 2
	dies_at "$at" ckptctl vm "$@"
	start_daemon A=
	# shellcheck disable=SC2086
	what="killed at '$at'" whole $expect
}
for at in begun taken copied written; do
	killed $at 'c1' checkpoint web k1
done
killed published 'c1 k1' checkpoint web k1
killed named 'c1 k1 k2' checkpoint web k2
killed renamed 'c1 k2 k3' rename web k1 k3
killed hidden 'c1 k2' delete --yes web k3
killed untied 'c1' delete --yes web k2
fill $dm/st-disk 5 0 65536
killed back 'c1' apply --yes web c1
ok 'it has gone back' holds $dm/st-disk 1

# What cannot be cleared up waits until it can.
dies_at taken ckptctl vm checkpoint web k1
ckptctl store close --all 2>/dev/null
start_daemon A=
is 'the store is closed: the rest stays' "$(ls "$work/state/vm/web" | grep -c new)" 1
ctl 3 'and that is said' 'no store is open' checkpoint web k1
ckptctl store open "$STORE" 2>/dev/null
ckptctl volume open disk >/dev/null 2>&1
ctl 0 'then it goes, and the next is taken' '' checkpoint web k1
what='with the store' whole c1 k1

# ---- a machine that runs ----

# A guest of one sector: it counts, and writes the number to its disk's second sector.
guest() {
	printf '\x31\xc0\x8e\xd8\x66\xff\x06\x00\x7e\xb8\x00\x43\xb2\x80\xbe\x20\x7c\xcd\x13\xeb\xef' >"$work/guest"
	printf '\x10\x00\x01\x00\x00\x7e\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00' |
		dd of="$work/guest" bs=1 seek=32 status=none
	printf '\x55\xaa' | dd of="$work/guest" bs=1 seek=510 status=none
	dd if=/dev/zero of="$work/guest" bs=512 seek=1 count=7 status=none
	dd if="$work/guest" of=$dm/st-disk bs=4096 oflag=direct status=none
}
count() {
	dd if=$dm/st-disk bs=4096 count=1 iflag=direct status=none | od -A n -t u4 -j 512 -N 4 | tr -d ' '
}
counts_on() {
	local before
	before=$(count)
	[ "$before" -gt 5 ] || return 1
	sleep 1
	[ "$(count)" -gt "$before" ]
}
is_off() {
	[[ $(ckptctl vm list -o name,state --no-headings) == *"run"*"off"* ]]
}

guest
ctl 2 'how it is started is not known' "has no 'arg'" start web
ctl 0 'a machine with words for QEMU' '' add run disk --args '-nodefaults -display none -m 16'
ctl 0 'it is started' 'runs' start run
ok 'and its guest runs' until_true 120 counts_on
ctl 4 'not twice' 'runs already' start run
ctl 0 'which is shown' 'run  *running' list
ctl 2 'turning it off: asks first' '--yes' stop --now run
stop_daemon
ok 'it does not need the daemon' counts_on
start_daemon A=
ckptctl vm stop run >"$work/stop" 2>&1 &
waiting=$!
ok 'told to shut down, which it cannot' until_true 20 eval '[[ $(ckptctl vm progress run) == *stop* ]]'
ctl 0 'that shows' 'what: *stop' progress run
ctl 4 'nothing else is done to it meanwhile' "'stop' is being done" checkpoint run r1
ctl 0 'it is given up' 'given up' cancel run
wait $waiting
like 'and whoever waited is told' "$?$(cat "$work/stop")" '1.*nobody waits any more'
ctl 3 'nothing is left to be given up' 'nothing is being done' cancel run
ctl 0 'it is turned off' 'is off' stop --yes --now run
ctl 3 'that it is' 'does not run' stop --yes --now run
ctl 0 'a checkpoint' 'offline' checkpoint run r1
at_r1=$(count)
ctl 0 'it is started again' 'runs' start run
ok 'and writes' until_true 120 eval 'counts_on && [ "$(count)" != "$at_r1" ]'
ctl 0 'it goes back while it runs' 'gone back to r1; it is off' apply --yes run r1
is 'to what it was' "$(count)" "$at_r1"
ctl 0 'once more' '' start run
words=$(tr '\0' ' ' <"/proc/$(cat "$work/run/run.pid")/cmdline")
like 'nothing of its disk is cached here, and a full store pauses it' "$words" \
	'cache.direct=on.*discard=unmap.*werror=stop,rerror=stop'
ok 'it runs' until_true 120 eval 'counts_on && [ "$(count)" != "$at_r1" ]'
extra='disk@r1 '
killed off 'c1 k1' apply --yes run r1
extra=
ok 'killed when it was off: the next one finishes that' until_true 20 eval '[ "$(count)" = "$at_r1" ]'
ctl 0 'and is started once more' '' start run
ctl 0 'a checkpoint is deleted while it runs' '' delete --yes run r1
ok 'which it does not notice' until_true 120 counts_on
ctl 0 'off' '' stop --yes --now run
ctl 0 'and forgotten' '' remove run
ctl 0 'one that QEMU does not take' '' add run disk --args '-no-such-option'
ctl 1 'is not started, and QEMU says why' 'no-such-option' start run
ctl 0 'nor kept' '' remove run

# ---- others ----

chmod 755 "$work" "$work/run"
is 'nobody else gets in' "$(setpriv --reuid 65534 --clear-groups ckptctl vm list 2>&1 | grep -c 'root only')" 1

# ---- the end ----

ctl 0 'all is deleted' '' delete --yes web k1
ctl 0 'to the last' '' delete --yes web c1
what='at the end' whole
ctl 0 'the machine is forgotten' '' remove web
ctl 3 'it is' '' show web
kill $daemon
ok 'told to end it does' until_true 20 daemon_ended
nok 'and leaves no socket' test -e "$work/run/ckptd.sock"

missing=
while read -r _ verb _; do
	[[ $ran == *" $verb "* ]] || missing+="$verb "
done < <(ckptctl help vm | grep '^  vm')
is 'every command was run' "$missing" ''
dies_at_all
ckptctl store close --all 2>/dev/null

done_testing
