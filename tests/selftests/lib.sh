# SPDX-License-Identifier: GPL-2.0-only
#
# For the tests of the module. Each of them is to be run as root with the module
# loaded (scripts/vm does that), uses loop devices on memory, and leaves no
# devices and an idle module behind.
#
#	ok 'what' COMMAND...		COMMAND succeeds
#	nok 'what' COMMAND...		it fails
#	is 'what' HAVE WANT		two strings are equal
#	like 'what' TEXT REGEX
#	fails 'what' ERRNO REGEX COMMAND...
#		COMMAND, one of those below, fails with that error ('*': any); the
#		kernel's log tells why; and $watch, if it names a store, has not
#		changed
#	done_testing			at the end
#
# Commands that go through agent.py; what they say is in $out, the error in $err:
#
#	create NAME SECTORS TARGET 'PARAMS' [ro], load the same, resume NAME,
#	load_pieces NAME {START SECTORS TARGET 'PARAMS'}...
#	suspend NAME [noflush] [nolockfs], remove NAME..., deferred NAME, clear NAME
#	info NAME, status NAME [noflush], table NAME [inactive]
#	message NAME WORD..., pages NAME WORD...	(a list or diff, all of it)
#	remember NAME, unchanged NAME			(a store's objects)
#	mark, log REGEX, counted REGEX			(since the mark: a line, how many)
#	fill DEV SEED [OFFSET LENGTH], holds DEV SEED|zeros [OFFSET LENGTH],
#	same DEV DEV [OFFSET LENGTH], md5 DEV [OFFSET LENGTH], flush DEV
#	discard DEV OFFSET LENGTH, zero DEV OFFSET LENGTH, damage FILE OFFSET LENGTH
#		(bytes), patch_super FILE OFFSET HEX		(both copies, checksums and all)
#	guard FILE [none|damaged|FIELD=VALUE...], beat FILE FLAG	(see agent.py)
#	rename_btrfs DEV		(so that it can be mounted beside what it is a copy of)
#	fill_up, filled, counters, resize_loop DEV FILE MIB, loop_sectors DEV BYTES
#		(see agent.py)
#	io ...						(see iotest.py)
#
# What a test stacks on these, or below them, it names self-*. SELFTEST_SMALL=1 asks for less of it
# where it takes long, in a kernel that is slow.

set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export DM_DISABLE_UDEV=1 PYTHONDONTWRITEBYTECODE=1
dm=/dev/mapper
start=${EPOCHREALTIME/[.,]/} tests=0 failures=0 watch= out= err= work= loops= finished=

# ---- TAP ----

note() {
	local line
	while IFS= read -r line; do echo "# $line"; done <<<"$*"
}

# SELFTEST_TIMES=1: when each test was done, in ms.
since() {
	[ -z "${SELFTEST_TIMES-}" ] || echo "# $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
}

pass() {
	echo "ok $((++tests)) - $1"
	since
}

flunk() {
	echo "not ok $((++tests)) - $1"
	failures=$((failures + 1))
	since
	shift
	[ $# = 0 ] || note "$@"
}

bail() {
	echo "Bail out! $*"
	exit 1
}

ok() {
	local what=$1
	shift
	if "$@"; then pass "$what"; else flunk "$what" "$* failed: $err $out"; fi
}

nok() {
	local what=$1
	shift
	if "$@"; then flunk "$what" "$* succeeded: $out"; else pass "$what"; fi
}

is() {
	if [ "$2" = "$3" ]; then pass "$1"; else flunk "$1" "have: $2"$'\n'"want: $3"; fi
}

like() {
	if [[ $2 =~ $3 ]]; then pass "$1"; else flunk "$1" "have: $2"$'\n'"want: $3"; fi
}

fails() {
	local what=$1 wanted=$2 pattern=$3 bad=
	shift 3
	mark
	[ -z "$watch" ] || remember "$watch" || bail "cannot list $watch: $err $out"
	if "$@"; then
		bad="it succeeded: $out"
	elif [ "$wanted" != '*' ] && [ "$err" != "$wanted" ]; then
		bad="the error is $err ($out), not $wanted"
	fi
	log "$pattern" || bad+=$'\n'$out
	[ -z "$watch" ] || unchanged "$watch" || bad+=$'\n'"it changed something: $err"$'\n'$out
	if [ -z "$bad" ]; then pass "$what"; else flunk "$what" "${*:1:12}: $bad"; fi
}

done_testing() {
	local left=
	release || left=$out
	devices
	is 'nothing is left, and the module is idle' \
		"$left$out$(cat /sys/module/dm_ckpt/refcnt)" 0
	echo "1..$tests"
	finished=1
	[ $failures = 0 ]
	exit
}

# ---- devices ----

# new_agent: one that answers us alone; also for a subshell, beside which we go on.
new_agent() {
	coproc AGENT { exec python3 "$here/agent.py"; }
	# The coprocess's own variables go when it does.
	exec {from_agent}<&"${AGENT[0]}" {to_agent}>&"${AGENT[1]}"
}

# agent WORD...: ask agent.py, see there.
agent() {
	local lines
	printf '%d\n' $# >&"$to_agent"
	printf '%s\0' "$@" >&"$to_agent"
	read -r err lines <&"$from_agent" || bail "the agent is gone"
	out=
	if [ "$lines" -gt 0 ]; then
		mapfile -t -n "$lines" -u "$from_agent" answer
		local IFS=$'\n'
		out="${answer[*]}"
	fi
	[ "$err" = 0 ]
}

for f in create load load_pieces resume suspend remove deferred clear info status table message pages \
	remember unchanged mark log counted fill nowait fill_up filled counters resize_loop loop_sectors holds same md5 flush discard zero damage patch_super guard beat devices clean io rename_btrfs; do
	eval "$f() { agent $f \"\$@\"; }"
done
unset f

# loop VARIABLE MIB: a loop device of so many MiB of zeros; its file is $work/VARIABLE.
loop() {
	agent loop "$work/$1" "$2" || bail "no loop device: $out"
	loops="$loops $out"
	printf -v "$1" %s "$out"
}

sectors_of() {
	echo $(($1 * 2048))
}

# slow_down NAME DEVICE MS: whatever is sent to that device by this name takes so long from now on.
slow_down() {
	load "$1" "$(blockdev --getsz "$2")" delay "$2 0 $3" && suspend "$1" noflush nolockfs &&
		resume "$1" || bail "$1: $err $out"
}

# store NAME DEV MIB [FEATURES]: format and activate.
store() {
	create "$1" "$(($3 * 2048))" ckpt-store "$2 ${4:-1 format}" || bail "cannot make a store: $err $out"
}

# volume NAME SECTORS [ORIGIN]: activate a volume of $store.
volume() {
	create "$1" "$2" ckpt "$dm/$store $1 ${3:--}"
}

# new_volume NAME SECTORS: one without an origin.
new_volume() {
	message "$store" create_volume "$1" "$2" && volume "$1" "$2" || bail "$err $out"
}

# field N [NAME]: word N of the status of $store, counted from the UUID on.
field() {
	local words
	status "${2:-$store}" || bail "no status: $err $out"
	# shellcheck disable=SC2206
	words=($out)
	echo "${words[$1 + 2]}"
}

# The status line's words, for field.
f_mode=2 f_used=5 f_reserved=6 f_volumes=12 f_checkpoints=13 f_layers=14 f_hidden=15 f_freeing=16
f_moved=17 f_copied=18 f_freed=19 f_merge=20 f_left=23 f_rate=24 f_share=25
f_guard=28

used() {
	local u
	u=$(field $f_used)
	echo "${u%/*}"
}

# Less is set aside for slots than a write that finds no space takes back.
given_back() {
	[ "$(field $f_reserved)" -le 64 ]
}

# until_true SECONDS COMMAND...: try again until it succeeds.
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

nothing_freeing() {
	[ "$(field $f_freeing)" = 0 ]
}

merge_is() {
	[ "$(field $f_merge)" = "$1" ]
}

# Merges are through, or do not go on for now, and what can be freed has been.
rests() {
	{ merge_is idle || merge_is wait || merge_is paused; } && nothing_freeing
}

# settle [SECONDS]: until nothing is left to be merged or freed.
settle() {
	until_true "${1:-60}" eval 'merge_is idle && nothing_freeing'
}

# "<number> <used units>" of the layer of VOLUME or VOLUME@CHECKPOINT; of a base, "base".
layer_of() {
	pages "$store" list || bail "no list: $err $out"
	awk -v volume="${1%@*}" -v name="${1#*@}" -v checkpoint="$([[ $1 != *@* ]] || echo 1)" '
		$1 == "layer" { units[$2] = $6 }
		$1 == "base" { units[$2] = "base" }
		$1 == "volume" && $4 == volume { uuid = $3; top = $6 }
		$1 == "checkpoint" && $4 == name { layer[$5] = $6 }
		END { if (checkpoint) top = layer[uuid]; print top, units[top] }' <<<"$out"
}

# Units that the list says a layer has; "base" if it is none.
units_of() {
	local l
	l=$(layer_of "$1")
	echo "${l#* }"
}

# ---- beginning and end ----

release() {
	local d r=0
	[ -z "$work" ] || for d in "$work"/mnt*; do
		[ ! -d "$d" ] || umount "$d" 2>/dev/null
	done
	clean || r=1
	[ -z "$loops" ] || agent unloop $loops
	loops=
	return $r
}

at_exit() {
	[ -n "$finished" ] || release
	[ -z "$work" ] || rm -rf "$work"
}

[ -d /sys/module/dm_ckpt ] || { echo '1..0 # SKIP the module is not loaded'; exit 0; }
modprobe loop 2>/dev/null
work=$(mktemp -d /dev/shm/ckpt-self.XXXXXX) || bail 'no place in memory'

new_agent
trap at_exit EXIT
trap 'exit 1' INT TERM HUP
# Whatever a test that died has left.
clean || bail "$out"
