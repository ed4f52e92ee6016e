#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ckptd itself, with no machines to look after: how it is started and ended, and clients that
# mean no good, for which it is built with sanitizers.

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
export CKPT_CONFDIR=$work/conf CKPT_STATEDIR=$work/state CKPT_RUNDIR=$work/run
export PATH=$PWD/build/userspace:$PATH
daemon=
trap '[ -z "$daemon" ] || kill -KILL $daemon 2>/dev/null; rm -rf "$work"' EXIT
n=0 failures=0

# is 'what' COMMAND...: it succeeds, and says nothing.
is() {
	local what=$1 out status
	shift
	out=$("$@" 2>&1 </dev/null)
	status=$?
	n=$((n + 1))
	if [ "$status$out" = 0 ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		echo "# status $status: ${out//$'\n'/$'\n'# }"
		failures=$((failures + 1))
	fi
}

# As systemd does it: descriptor 3 listens, and it tells another socket what becomes of it.
activated() {
	timeout 60 python3 - "$work" <<-'PYTHON'
	import atexit, os, socket, sys
	work = sys.argv[1]
	told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	told.bind(work + '/notify')
	told.settimeout(20)
	listener = socket.socket(socket.AF_UNIX)
	listener.bind(work + '/passed')
	listener.listen(8)
	half_made = work + '/state/vm/web/11111111-2222-3333-4444-555555555555.new'
	os.makedirs(half_made)
	os.makedirs(work + '/conf/vm')
	with open(work + '/conf/vm/web.conf', 'w') as f:
	    f.write('volume = disk\n')
	pid = os.fork()
	if not pid:
	    os.dup2(os.open('/dev/null', os.O_WRONLY), 2)
	    os.dup2(listener.fileno(), 3)
	    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', NOTIFY_SOCKET=work + '/notify',
	                      WATCHDOG_PID=str(os.getpid()), WATCHDOG_USEC='1000000')
	    os.execvp('ckptd', ['ckptd'])
	atexit.register(lambda: status is None and os.kill(pid, 9))
	status = None
	def until(word):
	    while word not in told.recv(200):
	        pass
	# One who clears up after another may take longer than a start usually may.
	until(b'EXTEND_TIMEOUT_USEC=')
	until(b'READY=1')
	os.unlink(work + '/conf/vm/web.conf')
	os.rmdir(half_made)
	client = socket.socket(socket.AF_UNIX)
	client.settimeout(20)
	client.connect(work + '/passed')
	client.sendall(b'{"method":"dm-ckpt.vm.List"}\0')
	answer = client.recv(1000)
	if answer != b'{"parameters":{"vms":[]}}\0':
	    print(answer)
	until(b'WATCHDOG=1')
	until(b'WATCHDOG=1')
	os.kill(pid, 15)
	until(b'STOPPING=1')
	status = os.waitpid(pid, 0)[1]
	if status or not os.path.exists(work + '/passed'):
	    print('status', status)
	PYTHON
}

# start [PROGRAM]
start() {
	"${1:-ckptd}" 2>"$work/said" &
	daemon=$!
	for _ in $(seq 100); do
		ckptctl vm list >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

ended() {
	kill "$1"
	for _ in $(seq 100); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# Whoever is not root, nor the daemon's own user, gets in and is not answered.
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups timeout 30 python3 - "$work/run/ckptd.sock" <<-'PYTHON'
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.connect(sys.argv[1])
	answer = b''
	try:
	    s.sendall(b'{"method":"dm-ckpt.vm.List"}\0')
	    answer = s.recv(1000)
	except (BrokenPipeError, ConnectionResetError):
	    pass
	if answer:
	    print('answered:', answer)
	PYTHON
}

# With the folders and the socket open for all, so that nothing but who asks is in the way.
nobody_is_answered() {
	chmod 711 "$work" && chmod 666 "$work/run/ckptd.sock" && as_nobody
}

# ends_well PID: it was told to, and has nothing to complain of.
ends_well() {
	ended "$1" && wait "$1" && ! grep -E 'Sanitizer|runtime error' "$work/said"
}

is 'it takes a socket that is passed on, and tells of itself' activated
umask 0
start build/tests/unit/ckptd-sanitized
umask 022
is 'by itself it makes one for nobody else' [ "$(stat -c '%a %F' "$work/run/ckptd.sock")" = '600 socket' ]
is 'in a folder that others cannot write' [ "$(stat -c '%a %F' "$work/run")" = '755 directory' ]
if [ "$(id -u)" = 0 ]; then
	is 'whoever gets at it is not answered, but for root' nobody_is_answered
else
	n=$((n + 1))
	echo "ok $n # SKIP nobody else can be asked as without root"
fi
is 'clients that mean no good' timeout 100 python3 tests/unit/hostile.py "$work/run/ckptd.sock"
is 'after them it is the same one' kill -0 $daemon
ends_well $daemon >"$work/end" 2>&1
is 'told to end it does, and no sanitizer complains' eval "cat '$work/end'; exit $?"
is 'and takes its socket along' [ ! -e "$work/run/ckptd.sock" ]
start
kill -KILL $daemon
wait $daemon 2>/dev/null
start
is 'a socket that a killed one has left is no hindrance' ckptctl --quiet vm list --no-headings

# A point that is named is of use where somebody kills it there: see tests/selftests/points.
each_point() {
	diff <(ckptd --points | sort) <(awk '!/^#/ && NF > 1 { print $1 }' tests/selftests/points | sort) || return
	for t in $(awk '!/^#/ { $1 = ""; print }' tests/selftests/points | xargs -n1 | sort -u); do
		grep -qx dies_at_all "tests/selftests/$t.t" || echo "$t.t does not see that it has killed it at all"
	done
}
is 'tests kill it at every point, and at no other' each_point

# Who comes from Hyper-V finds there what to type.
as_documented() {
	local words word usage count=0
	while read -ra words; do
		count=$((count + 1))
		usage=$(ckptctl "${words[@]:1:2}" --help) || continue
		for word in "${words[@]:3}"; do
			[[ $word != --* || $usage == *"$word"* ]] || echo "there is no '$word' in: ${words[*]}"
		done
	done < <(grep -oE '(``|^    )ckptctl [^`]+' Documentation/vm.rst | tr -d '`')
	[ $count -gt 20 ] || echo "only $count commands were found"
}
is 'what is documented can be typed' as_documented

echo "1..$n"
[ $failures = 0 ]
