# SPDX-License-Identifier: GPL-2.0-only
#
# For tests of ckptd, after lib.sh: one of their own, with its folders below $work.
#
#	start_daemon NAME=VALUE...	with these in its environment; A= for none. It is waited for, for
#					$daemon_seconds
#	stop_daemon, daemon_ended
#	idle MACHINE			nothing is being done to it
#	points				those of this test, of the file of that name
#	dies_at POINT COMMAND...	a point: ckptd is started anew and killed over this command
#	dies_at_all			a point, before done_testing: it was killed at each of them
#	checkpoints			what the store has, by "<volume>@<name>"
#	ctl STATUS 'what' REGEX VERB [WORD...]
#					a point: 'ckptctl vm VERB' ends so and says that; verbs are kept in $ran

export CKPT_CONFDIR=$work/conf CKPT_STATEDIR=$work/state CKPT_RUNDIR=$work/run NO_COLOR=1 LC_ALL=C.UTF-8
unset CKPT_STORE
daemon= daemon_seconds=60 ran=' ' died=

start_daemon() {
	env "$@" ckptd 2>>"$work/daemon.log" &
	daemon=$!
	until_true $daemon_seconds eval 'ckptctl vm list >/dev/null 2>&1 || daemon_ended'
}
stop_daemon() {
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
}
daemon_ended() {
	! kill -0 "$daemon" 2>/dev/null
}

idle() {
	[[ ! $(ckptctl vm progress "$1" --json) =~ \"what\":\ ?\"[a-z] ]]
}

points() {
	awk -v me="$(basename "$0" .t)" '!/^#/ { for (i = 2; i <= NF; i++) if ($i == me) print $1 }' "$here/points"
}
dies_at() {
	local at=$1
	shift
	stop_daemon
	start_daemon CKPTD_KILL_AT="$at"
	"$@" >/dev/null 2>&1
	until_true 60 daemon_ended || kill "$daemon"
	wait "$daemon" 2>/dev/null
	is "killed at '$at'" $? 137
	died+="$at "
}
dies_at_all() {
	is 'it was killed at all of its points' "$(xargs -n1 <<<"$died" | sort -u | xargs)" "$(points | sort | xargs)"
}

checkpoints() {
	ckptctl checkpoint list -o volume,name --no-headings | awk '{ print $1 "@" $2 }' | sort | xargs
}

ctl() {
	local want=$1 what=$2 pattern=$3 status
	shift 3
	ran+="$1 "
	out=$(ckptctl vm "$@" 2>&1 </dev/null)
	status=$?
	if [ $status = "$want" ] && [[ $out =~ $pattern ]]; then
		pass "$what"
	else
		flunk "$what" "ckptctl vm $*: status $status, not $want, or not '$pattern': $out"
	fi
}
